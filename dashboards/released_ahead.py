"""Code concerned with what will be released of the next two days: the curve of a place, and the highest values ahead."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np
from dash import dcc, html
from dash.development.base_component import Component

from dashboards import badges, emptiness, words
from dashboards.address import View
from dashboards.context import City
from dashboards.figures.band import Line, Outlook, band_chart
from dashboards.parts import Content, card, chart, legend, table, tag
from dashboards.theme import PALETTES, Scheme
from services.domain import ForecastState, to_us
from services.local_day import day_of
from services.storage import released_forecasts, releases
from services.storage.database import Connection
from services.storage.released_forecasts import Highest, ReleasedPlace, ReleasedRun, ReleasedScore
from services.storage.releases import Release

_BEFORE: Final = timedelta(days=3)
_RECENT: Final = timedelta(days=7)
_SCORED: Final = timedelta(days=30)
_MOST_ROWS: Final = 6


@dataclass(frozen=True, kw_only=True, slots=True)
class Series:
    """How a released series is spoken of; `slot` begins a sentence, `true` is one about true numbers."""

    plan: str
    title: str
    place: str
    quantity: str
    unit: str
    slot: str
    true: str


HOUSEHOLDS: Final = Series(
    plan="district_load",
    title="Household energy, and what will be released next",
    place="District",
    quantity="Energy of the half hour",
    unit="kWh",
    slot="A half hour",
    true="The true number lies in the bands more often than they say.",
)
VEHICLES: Final = Series(
    plan="presence",
    title="Vehicles, and what will be released next",
    place="Cell",
    quantity="Vehicles in the hour",
    unit="veh",
    slot="An hour",
    true="About true numbers, which nobody sees, the bands promise nothing: near the threshold noise decides what is shown.",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class ReleasedAhead:
    """The newest release of a series, its forecast, and the numbers lately released of the place that is drawn."""

    series: Series
    release: Release
    run: ReleasedRun | None
    highest: list[Highest]
    chosen: ReleasedPlace | None
    lately: list[tuple[datetime, float | None, float | None]]
    scores: list[ReleasedScore]


def read(connection: Connection, series: Series, city: City, now: datetime, wanted: str) -> ReleasedAhead | None:
    """What there is of a series; None where nothing was released for a week, as where its plan is off.

    Args:
        connection: as role api.
        series: whose.
        city: whose days.
        now: the moment.
        wanted: the place to draw; else that with the highest value ahead.

    """
    today = day_of(now, city.zone)
    found = releases.releases(connection, first_day=today - _RECENT, last_day=today, plan=series.plan)
    if not found:
        return None
    run = released_forecasts.newest(connection, series.plan, issued_before=now)
    highest = [] if run is None else released_forecasts.highest(connection, run.id, since=now)
    known = {one.place for one in highest}
    place = wanted if wanted in known else next((one.place for one in highest if one.is_forecast), None)
    chosen, lately = None, []
    if run is not None and place is not None:
        (chosen,) = released_forecasts.places(connection, run.id, place=place)
        since = run.first_target_at - _BEFORE
        lately = released_forecasts.shown(connection, series.plan, place, since=since)
    return ReleasedAhead(
        series=series,
        release=found[0],
        run=run,
        highest=highest,
        chosen=chosen,
        lately=lately,
        scores=released_forecasts.scorecard(connection, series.plan, since=day_of(now - _SCORED, city.zone)),
    )


def panel(
    found: ReleasedAhead,
    names: Mapping[str, str],
    link: Callable[[str], str],
    *,
    view: View,
    city: City,
    now: datetime,
    scheme: Scheme,
) -> Component:
    """A card with the curve of one place, the highest values ahead of others, and how such forecasts did.

    Args:
        found: as read.
        names: of places, where they have one.
        link: the address that draws a place.
        view: what the address line asks for.
        city: whose clock is told.
        now: the moment.
        scheme: light or dark.

    """
    series, run, chosen = found.series, found.run, found.chosen
    badge = badges.released(found.release, view)
    if run is None:
        text = "It is made within the hour of a release, from what was released before."
        return card(series.title, emptiness.not_yet("No forecast yet", text), privacy=badge)
    if chosen is None:
        reason = next((one.reason for one in found.highest if one.reason), "no place was ever shown")
        return card(series.title, emptiness.not_yet("Too little was released", _sentence(reason)), privacy=badge)
    drawn = _drawn(found, chosen, city, now, scheme)
    issued = words.clock(run.issued_at, city.zone, now=now)
    note = f"{names.get(chosen.place, chosen.place)} · from {run.days} released days, issued {issued}"
    told = [_standing(chosen), html.P(_explained(found, chosen), className="below")]
    listing = _listing(found, names, link, city, now)
    return card(series.title, _legend(scheme), drawn, *told, listing, note=note, privacy=badge)


def _drawn(found: ReleasedAhead, chosen: ReleasedPlace, city: City, now: datetime, scheme: Scheme) -> Content:
    series, run = found.series, found.run
    if run is None or not chosen.target_at:
        return emptiness.not_yet("Not forecast", _sentence(str(chosen.reason)))
    known = [(to_us(at), value) for at, value, _ in found.lately if value is not None and at < run.first_target_at]
    past = Line(
        at_us=np.array([at for at, _ in known], dtype=np.int64),
        value=np.array([value for _, value in known], dtype=np.float64),
    )
    outlook = Outlook(
        issued_at=run.issued_at,
        target_us=np.array([to_us(at) for at in chosen.target_at], dtype=np.int64),
        quantiles=np.array(chosen.quantiles, dtype=np.float64),
    )
    figure = band_chart(
        past,
        outlook,
        last_week=None,
        limit=None,
        unit=series.unit,
        quantity=series.quantity,
        zone=city.zone,
        zone_note=words.zone_note(city.zone, now),
        scheme=scheme,
        revision=f"{series.plan}/{chosen.place}",
        told="Released",
    )
    summary = f"{series.quantity} as released, and the numbers forecast for the next two days with their intervals. "
    top = next((one for one in found.highest if one.place == chosen.place), None)
    if top is not None and top.target_at is not None:
        at = words.clock(top.target_at, city.zone, now=now)
        summary += f"Highest {at}: {words.number(top.median)} {series.unit}."
    return chart(figure, summary, height=320)


def _sentence(reason: str) -> str:
    return f"{reason[:1].upper()}{reason[1:]}."


def _explained(found: ReleasedAhead, chosen: ReleasedPlace) -> str:
    series = found.series
    noise = words.number(chosen.ci95)
    text = (
        f"Forecast is the number that will be released, noise included: noise and rounding alone move it by up to "
        f"{noise} {series.unit} (95 %). {series.true} "
        f"{series.slot} that is mostly withheld is not forecast. "
    )
    n = sum(score.n for score in found.scores)
    if not n:
        return text + "How often the bands hold is told once the first of these days is released."
    held = sum(score.coverage_80 * score.n for score in found.scores) / n
    return text + f"Of {words.number(n)} numbers released since, {words.percent(held)} lay in the 80 % band."


def _standing(chosen: ReleasedPlace) -> Component | None:
    if chosen.state is None or chosen.state is ForecastState.NORMAL:
        return None
    tone, sign = ("critical", "silent") if chosen.state is ForecastState.STALE else ("warning", "warning")
    return tag(f"{chosen.state.capitalize()}: {chosen.reason}", tone, sign)  # type: ignore[arg-type]  # both are tones


def _legend(scheme: Scheme) -> Component:
    palette = PALETTES[scheme]
    shade = f"color-mix(in srgb, {palette.accent} 22%, transparent)"
    return legend(
        [
            ("line", palette.past, "Released"),
            ("line", palette.accent, "Forecast"),
            ("area", shade, "In 5, 8 and 9 of 10 cases it lies in here"),
        ]
    )


def _listing(
    found: ReleasedAhead, names: Mapping[str, str], link: Callable[[str], str], city: City, now: datetime
) -> Component:
    """The places with the highest values ahead."""
    series, chosen = found.series, found.chosen
    rows: list[list[Content]] = []
    for one in found.highest[:_MOST_ROWS]:
        if one.target_at is not None:
            name = names.get(one.place, one.place)
            is_drawn = chosen is not None and chosen.place == one.place
            rows.append(
                [
                    html.Strong(name) if is_drawn else dcc.Link(name, href=link(one.place)),
                    words.number(one.median),
                    f"{words.number(one.low)}–{words.number(one.high)}",
                    html.Span(words.clock(one.target_at, city.zone, now=now), className="nowrap"),
                ]
            )
    if not rows:
        return emptiness.not_yet("The days that were forecast are over", "Nothing newer has been released.")
    headings = [series.place, f"Highest ahead [{series.unit}]", "In 8 of 10 cases", "Around"]
    forecast = sum(one.is_forecast for one in found.highest)
    note = f"Forecast for all {words.number(forecast)} places."
    if forecast < len(found.highest):
        note = f"Forecast for {words.number(forecast)} of {words.number(len(found.highest))} places; the others were shown too seldom."
    return html.Div(
        [
            html.Div(table(headings, rows, numeric=[1, 2]), className="scroll", tabIndex=0),
            html.P(note, className="below"),
        ]
    )
