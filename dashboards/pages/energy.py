"""Code concerned with the page Energy: what does the city draw, when will it peak, and which feeders are near their limit?"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np
from dash import Dash, Input, Output, dcc, html
from dash.development.base_component import Component

from dashboards import address, emptiness, words
from dashboards.address import View
from dashboards.alerts import is_silent
from dashboards.chance import chance_above
from dashboards.context import City, threaded
from dashboards.figures.load import LoadOutlook, duration_chart, load_chart
from dashboards.glance import complete
from dashboards.parts import Content, bars, card, chart, legend, page_title, table, tag
from dashboards.theme import PALETTES, Scheme, scheme_of
from services.domain import QUANTILE_LEVELS, from_us
from services.errors import UnavailableError
from services.storage import overview
from services.storage.overview import CityLoad, District, Quantiles, SensorNow

_WEEK: Final = timedelta(days=7)
_DAY: Final = timedelta(days=1)
_AHEAD: Final = timedelta(hours=48)


@dataclass(frozen=True, kw_only=True, slots=True)
class Shown:
    """Everything the page says."""

    now: datetime
    feeders: list[SensorNow]
    districts: list[District]
    load: CityLoad
    last_week: CityLoad
    ahead: Quantiles


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
    """Curve, districts, duration and feeders."""
    whole = complete(shown.load.sensors)
    power = np.where(whole, shown.load.power_kw, np.nan)
    outlook = sum_outlook(shown.ahead)
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
    silent = all(is_silent(feeder, shown.now) for feeder in shown.feeders)
    newest = max((f.observed_at for f in shown.feeders if f.observed_at), default=None)
    drawn: Content = chart(curve, _summary(power, outlook, shown, city), height=360)
    if not np.isfinite(power).any() and outlook is None:
        drawn = emptiness.silent(newest, shown.now, city.zone)
    elif silent:
        drawn = [emptiness.silent(newest, shown.now, city.zone), drawn]
    return [
        card("Load of the city", _legend(outlook, scheme), drawn, note=_peak_note(outlook, shown, city)),
        html.Div(
            [
                card("Districts now", _districts(shown), span=5, note="Load, and share of what the feeders may carry"),
                card(
                    "How long which load lasts",
                    chart(duration_chart(power, scheme), "Load duration curve of the shown time range.", height=470),
                    span=7,
                    note="Over the shown time range",
                ),
            ],
            className="grid stretch",
        ),
        card("Feeders", _feeders(shown, view, city), note="Chance of exceeding the limit: the highest within 24 hours"),
    ]


def _legend(outlook: LoadOutlook | None, scheme: Scheme) -> Component:
    palette = PALETTES[scheme]
    names = [("line", palette.past, "Measured"), ("dots", palette.naive, "Same time last week")]
    if outlook is not None:
        names.append(("line", palette.accent, "Forecast"))
        shade = f"color-mix(in srgb, {palette.accent} 22%, transparent)"
        names.append(("area", shade, "90 % band, if all feeders erred together"))
    return legend(names)


def sum_outlook(ahead: Quantiles) -> LoadOutlook | None:
    """The feeders' forecasts added up; target times that not all reach are left out."""
    if not len(ahead.target_us):
        return None
    targets, place, counts = np.unique(ahead.target_us, return_inverse=True, return_counts=True)
    whole = counts >= 0.9 * counts.max()

    def total(level: float) -> overview.Numbers:
        values = ahead.values[:, QUANTILE_LEVELS.index(level)]
        summed: overview.Numbers = np.bincount(place, weights=values, minlength=len(targets))[whole]
        return summed

    return LoadOutlook(target_us=targets[whole], low_kw=total(0.05), median_kw=total(0.5), high_kw=total(0.95))


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
            ahead=overview.city_forecast(connection, "energy", "power_kw", now=now, start=end, end=ahead),
        )


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
    soon = shown.ahead.target_us < (shown.now + _DAY).timestamp() * 1e6
    for feeder in shown.feeders:
        chance, when = None, ""
        mine = np.flatnonzero((shown.ahead.sensor_id == feeder.id) & soon)
        if feeder.limit_kw is not None and len(mine):
            chances = chance_above(shown.ahead.values[mine], feeder.limit_kw)
            chance = float(chances.max())
            when = words.clock(
                from_us(int(shown.ahead.target_us[mine[int(chances.argmax())]])), city.zone, now=shown.now
            )
        share = feeder.power_kw / feeder.limit_kw if feeder.power_kw is not None and feeder.limit_kw else None
        name = dcc.Link(feeder.label, href=address.link("forecast", view, sensor=feeder.code))
        state = _state(feeder, share, chance, shown.now)
        power, limit = words.number(feeder.power_kw), words.number(feeder.limit_kw)
        odds = "–" if chance is None else f"< {words.percent(0.05)}" if chance < 0.05 else words.percent(chance)
        row = [name, state, power, limit, words.percent(share), odds, when if chance and chance >= 0.05 else "–"]
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
        f"Forecast peak {value} {unit}, {words.clock(from_us(int(outlook.target_us[top])), city.zone, now=shown.now)}"
    )


def _summary(power: overview.Numbers, outlook: LoadOutlook | None, shown: Shown, city: City) -> str:
    known = power[np.isfinite(power)]
    text = "Load of all feeders over time. "
    if len(known):
        value, unit = words.power(float(known[-1]))
        text += f"Last {value} {unit}, highest {' '.join(words.power(float(known.max())))}. "
    return text + f"{_peak_note(outlook, shown, city)}."
