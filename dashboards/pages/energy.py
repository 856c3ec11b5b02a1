"""Code concerned with the page Energy: what does the city draw, when will it peak, and which feeders are near their limit?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

import numpy as np
from dash import Dash, Input, Output, dcc, html
from dash.development.base_component import Component

from dashboards import accuracy, address, badges, emptiness, households, load_tables, peaks, released_ahead, words
from dashboards.address import View
from dashboards.alerts import is_silent
from dashboards.context import City, threaded
from dashboards.figures.load import LoadOutlook, duration_chart, load_chart
from dashboards.glance import complete
from dashboards.parts import Content, bars, card, chart, legend, page_title, table, tag
from dashboards.released_ahead import HOUSEHOLDS, ReleasedAhead
from dashboards.theme import PALETTES, Scheme, scheme_of
from services.domain import QUANTILE_LEVELS, from_us, to_us
from services.errors import UnavailableError
from services.local_day import day_of
from services.storage import overview, totals
from services.storage.database import Connection
from services.storage.overview import CityLoad, District, SensorNow
from services.storage.scorecard import ScoreRow, What, scorecard
from services.storage.totals import PeakForecast, TotalForecast

_WEEK: Final = timedelta(days=7)
_SCORED: Final = timedelta(days=14)
_NO_PEAK_YET: Final = "A peak is scored once its day is over."
_AHEAD: Final = timedelta(hours=48)
_WORTH_A_TIME: Final = 0.01  # the least chance of which it is said when
_PEAK_NOTE: Final = (
    "Highest quarter hour of a day; in brackets 8 of 10 cases; new high: the chance to exceed four weeks"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """Everything the page says."""

    now: datetime
    feeders: list[SensorNow]
    districts: list[District]
    load: CityLoad
    last_week: CityLoad
    outlook: LoadOutlook | None
    peaks: list[PeakForecast]
    households: households.Households | None
    released: ReleasedAhead | None
    scores: dict[What, list[ScoreRow]]


def layout(city: City, view: View, scheme: Scheme) -> Component:
    """The page as first shown."""
    del city, view, scheme
    return html.Div(
        [
            page_title("Energy", "What does the city draw, when will it peak, and which feeders are near their limit?"),
            html.Div(id="energy-body", style={"display": "contents"}),
        ],
        style={"display": "contents"},
    )


def register(app: Dash, city: City) -> None:
    """Add the callbacks that keep it current."""

    @app.callback(
        Output("energy-body", "children"), Input("url", "search"), Input("version", "data"), Input("scheme", "data")
    )
    @threaded
    def redraw(search: str, _version: Any, scheme: str) -> Any:
        view = address.read_view(search)
        try:
            shown = _read(city, view)
        except UnavailableError as error:
            return card("Energy", emptiness.failed(str(error)))
        if not shown.feeders:
            return card("Energy", emptiness.no_sensor("No feeder is registered yet."))
        return body(shown, view, city, scheme_of(scheme))


def body(shown: Shown, view: View, city: City, scheme: Scheme) -> list[Component]:
    """Curve, peaks, districts, duration and feeders."""
    whole = complete(shown.load.sensors)
    power = np.where(whole, shown.load.power_kw, np.nan)
    outlook = shown.outlook
    weekly = complete(shown.last_week.sensors)
    week_us = _WEEK // timedelta(microseconds=1)
    curve = load_chart(
        shown.load.bucket_us,
        power,
        outlook,
        last_week=(shown.last_week.bucket_us + week_us, np.where(weekly, shown.last_week.power_kw, np.nan)),
        zone=city.zone,
        zone_note=words.zone_note(city.zone, shown.now),
        scheme=scheme,
    )
    badge = badges.sensors(view)
    silent = all(is_silent(feeder, shown.now) for feeder in shown.feeders)
    newest = max((f.observed_at for f in shown.feeders if f.observed_at), default=None)
    drawn: Content = chart(
        curve,
        _summary(power, outlook, shown, city),
        table=load_tables.hours(shown.load.bucket_us, power, outlook, city, shown.now),
        height=360,
    )
    if not np.isfinite(power).any() and outlook is None:
        drawn = emptiness.silent(newest, shown.now, city.zone)
    elif silent:
        drawn = html.Div([emptiness.silent(newest, shown.now, city.zone), drawn])
    return [
        card("Load of the city", _legend(outlook, scheme), drawn, note=_peak_note(outlook, shown, city), privacy=badge),
        card("Peaks ahead", peaks.outlook(shown.peaks, city, shown.now), note=_PEAK_NOTE, privacy=badge),
        html.Div(
            [
                card(
                    "Districts now",
                    _districts(shown),
                    span=5,
                    note="Load, and share of what the feeders may carry",
                    privacy=badge,
                ),
                card(
                    "How long which load lasts",
                    chart(
                        duration_chart(power, scheme),
                        "Load duration curve of the shown time range.",
                        table=load_tables.durations(power),
                        height=470,
                    ),
                    span=7,
                    note="Over the shown time range",
                    privacy=badge,
                ),
            ],
            className="grid stretch",
        ),
        card(
            "Feeders",
            _feeders(shown, view, city),
            note="Chance that the highest quarter hour of today or tomorrow exceeds the limit",
            privacy=badge,
        ),
        *_released(shown, view, city, scheme),
        html.Div(
            [
                households.panel(shown.households, view, span=4),
                card(
                    "How good have these forecasts been?",
                    html.H3("Load of the city", className="column-title"),
                    accuracy.accuracy(shown.scores["total"], "kW"),
                    html.H3("Highest quarter hour of a day of the city", className="column-title spaced"),
                    accuracy.accuracy(shown.scores["peak"], "kW", waiting=_NO_PEAK_YET, ahead="Before the day's end"),
                    note="Last 14 days, by lead time",
                    span=8,
                    privacy=badge,
                ),
            ],
            className="grid stretch",
        ),
    ]


def _released(shown: Shown, view: View, city: City, scheme: Scheme) -> list[Component]:
    if shown.released is None:
        return []
    names = {one.code: one.name for one in shown.districts}
    draw = partial(_drawing, view)
    return [released_ahead.panel(shown.released, names, draw, view=view, city=city, now=shown.now, scheme=scheme)]


def _drawing(view: View, district: str) -> str:
    return address.link("energy", view, households=district)


def _legend(outlook: LoadOutlook | None, scheme: Scheme) -> Component:
    palette = PALETTES[scheme]
    names = [("line", palette.past, "Measured"), ("dots", palette.naive, "Same time last week")]
    if outlook is not None:
        names.append(("line", palette.accent, "Forecast"))
        shade = f"color-mix(in srgb, {palette.accent} 22%, transparent)"
        names.append(("area", shade, "In 9 of 10 cases it lies in here"))
    return legend(names)


def outlook_of(totals: Sequence[TotalForecast], start: datetime, end: datetime) -> LoadOutlook | None:
    """The city's total from `start` on; None when there is none."""
    whole = next((one for one in totals if one.district is None), None)
    if whole is None:
        return None
    target_us = np.array([to_us(at) for at in whole.target_at])
    ahead = (target_us >= to_us(start)) & (target_us < to_us(end))
    if not ahead.any():
        return None
    low, median, high = (
        np.array([row[QUANTILE_LEVELS.index(level)] for row in whole.quantiles])[ahead] for level in (0.05, 0.5, 0.95)
    )
    return LoadOutlook(target_us=target_us[ahead], low_kw=low, median_kw=median, high_kw=high)


def _read(city: City, view: View) -> Shown:
    now = city.now()
    start, end = view.window(now)
    end = min(end, now)
    length = end - start
    width = timedelta(minutes=15) if length <= timedelta(days=8) else timedelta(hours=1)
    ahead = end + (min(_AHEAD, max(length, timedelta(hours=6))) if end >= now else timedelta())
    with city.reading() as connection:
        return Shown(
            now=now,
            feeders=[s for s in overview.sensors_now(connection, now) if s.kind == "energy"],
            districts=overview.districts(connection),
            load=overview.city_load(connection, start, end, width),
            last_week=overview.city_load(connection, start - _WEEK, ahead - _WEEK, width),
            outlook=outlook_of(totals.latest_totals(connection, issued_before=now), end, ahead),
            peaks=totals.latest_peaks(connection, since=day_of(now, city.zone), issued_before=now),
            households=households.read(connection, day_of(now, city.zone)),
            released=released_ahead.read(connection, HOUSEHOLDS, city, now, view.text("households")),
            scores={what: _scores(connection, what, now) for what in ("total", "peak")},
        )


def _scores(connection: Connection, what: What, now: datetime) -> list[ScoreRow]:
    found = scorecard(connection, what, since=(now - _SCORED).date())
    return [score for score in found if score.scope == "city"]


def _districts(shown: Shown) -> Content:
    rows = []
    for district in shown.districts:
        mine = [f for f in shown.feeders if f.district_id == district.id and f.power_kw is not None]
        mine = [f for f in mine if not is_silent(f, shown.now)]
        if not mine:
            continue
        power = sum(f.power_kw or 0.0 for f in mine)
        limit = sum(f.limit_kw or 0.0 for f in mine)
        value, unit = words.power(power)
        share = power / limit if limit else 0.0
        rows.append((district.name, f"{value} {unit}" + (f" · {words.percent(share)}" if limit else ""), share, power))
    if not rows:
        return emptiness.no_sensor("No feeder belongs to a district.")
    rows.sort(key=lambda row: -row[2])
    return bars([(name, text, share) for name, text, share, _ in rows])


def _feeders(shown: Shown, view: View, city: City) -> Component:
    rows: list[tuple[float, list[Content]]] = []
    by_feeder: dict[str | None, list[PeakForecast]] = {}
    for peak in shown.peaks:
        by_feeder.setdefault(peak.sensor, []).append(peak)
    for feeder in shown.feeders:
        worst = peaks.likeliest(by_feeder.get(feeder.code, []))
        chance = None if worst is None else worst.chance_above
        at = None if worst is None else worst.likely_at
        when = "–" if at is None else words.clock(at, city.zone, now=shown.now)
        share = feeder.power_kw / feeder.limit_kw if feeder.power_kw is not None and feeder.limit_kw else None
        name = dcc.Link(feeder.label, href=address.link("forecast", view, sensor=feeder.code))
        state = _state(feeder, share, chance, shown.now)
        power, limit = words.number(feeder.power_kw), words.number(feeder.limit_kw)
        odds = peaks.chance(chance)
        row = [
            name,
            state,
            power,
            limit,
            words.percent(share),
            odds,
            when if chance and chance >= _WORTH_A_TIME else "–",
        ]
        rows.append(((chance or 0) + (share or 0), row))
    rows.sort(key=lambda row: -row[0])
    headings = ["Feeder", "State", "Now [kW]", "Limit [kW]", "Used", "Chance over limit", "Around"]
    return html.Div(table(headings, [row for _, row in rows], numeric=[2, 3, 4, 5]), className="scroll", tabIndex=0)


def _state(feeder: SensorNow, share: float | None, chance: float | None, now: datetime) -> Component:
    if is_silent(feeder, now):
        return tag("Silent", "warning", "silent")
    if share is not None and share > 1:
        return tag("Over limit", "critical", "critical")
    if chance is not None and chance >= 0.5:
        return tag("Likely over", "warning", "warning")
    if chance is not None and chance >= 0.1:
        return tag("May exceed", "info", "info")
    return tag("Within limit", "good", "good")


def _peak_note(outlook: LoadOutlook | None, shown: Shown, city: City) -> Content:
    if outlook is None:
        return "No forecast yet"
    top = int(outlook.median_kw.argmax())
    value, unit = words.power(float(outlook.median_kw[top]))
    return (
        f"Forecast shown here is highest {words.clock(from_us(int(outlook.target_us[top])), city.zone, now=shown.now)}: "
        f"{value} {unit}"
    )


def _summary(power: overview.Numbers, outlook: LoadOutlook | None, shown: Shown, city: City) -> str:
    known = power[np.isfinite(power)]
    text = "Load of all feeders over time. "
    if len(known):
        value, unit = words.power(float(known[-1]))
        text += f"Last {value} {unit}, highest {' '.join(words.power(float(known.max())))}. "
    return text + f"{_peak_note(outlook, shown, city)}."
