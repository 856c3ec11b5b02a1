"""Code concerned with what comes next: the hours ahead in a few lines, each with how sure it is and where to look."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final

from dash import dcc, html
from dash.development.base_component import Component

from dashboards import address, emptiness, peaks, words
from dashboards.address import View
from dashboards.context import City
from dashboards.jams import LIKELY, POSSIBLE, Jam
from dashboards.parts import Content, Tone, tag
from services.domain import QUANTILE_LEVELS, ForecastState
from services.local_day import day_of
from services.storage import overview
from services.storage.database import Connection
from services.storage.overview import ForecastStates, HeavyAhead
from services.storage.totals import PeakForecast

_QUARTER: Final = timedelta(minutes=15)
_LOW, _MIDDLE, _HIGH = (QUANTILE_LEVELS.index(level) for level in (0.1, 0.5, 0.9))
_REACH: Final = timedelta(hours=24)
_STATES: Final[tuple[tuple[ForecastState, Tone, str, str], ...]] = (
    (ForecastState.NORMAL, "good", "good", "The chosen model on current data"),
    (ForecastState.DEGRADED, "warning", "warning", "A simpler model, or patched input"),
    (ForecastState.STALE, "critical", "silent", "The sensor is silent; do not rely on these"),
)


def read_worst(connection: Connection, now: datetime) -> HeavyAhead | None:
    """The time of the next day at which most detectors are to be expected in heavy congestion; None without forecasts."""
    found = overview.heavy_ahead(connection, now=now, start=now, end=now + _REACH, likely=LIKELY, possible=POSSIBLE)
    return max(found, key=lambda one: one.expected, default=None)


def outlook(
    near: Mapping[int, Jam],
    worst: HeavyAhead | None,
    whole: Sequence[PeakForecast],
    states: ForecastStates | None,
    *,
    view: View,
    city: City,
    now: datetime,
) -> Component:
    """The lines of the card.

    Args:
        near: chances of heavy congestion within the hour, by sensor number.
        worst: the worst time of the next day.
        whole: the city's peaks of load.
        states: of the forecasts in use.
        view: what the address line asks for.
        city: whose zone is told.
        now: the moment.

    """
    if states is None:
        return emptiness.not_yet(
            "No forecast yet", "The first comes with the worker's next run, a minute or two after it has started."
        )
    rows: list[tuple[str, Content]] = [("Next hour", _next_hour(near))]
    if worst is not None:
        rows.append(("Next 24 hours", _traffic(worst, view, city, now)))
    today = day_of(now, city.zone)
    rows += [("Peak today" if one.day == today else "Peak tomorrow", _peak(one, view, city, now)) for one in whole]
    rows.append(("Can it be relied on?", _reliable(states, city, now)))
    return html.Dl([html.Div([html.Dt(name), html.Dd(text)]) for name, text in rows], className="ahead")


def _next_hour(near: Mapping[int, Jam]) -> str:
    likely = sum(jam.chance >= LIKELY for jam in near.values())
    possible = sum(POSSIBLE <= jam.chance < LIKELY for jam in near.values())
    return _jammed(likely, possible, len(near)) if near else "No forecast of traffic yet."


def _jammed(likely: int, possible: int, detectors: int) -> str:
    if not likely and not possible:
        return "Heavy congestion is not expected anywhere."
    return f"Heavy congestion likely at {likely}, possible at {possible} of {detectors} detectors."


def _peak(one: PeakForecast, view: View, city: City, now: datetime) -> Content:
    low, middle, high = ("\u00a0".join(words.power(one.quantiles[k])) for k in (_LOW, _MIDDLE, _HIGH))
    when = "reached already" if one.likely_at is None else f"about {words.clock(one.likely_at, city.zone, now=now)}"
    text = f" {when}" + (f"; in 8 of 10 cases {low} to {high}" if low != high else "")
    if one.chance_above is not None and one.limit_is == "highest_of_28_days":
        text += f". Chance of a four-week high: {peaks.chance(one.chance_above)}"
    return [dcc.Link(html.B(middle), href=address.link("energy", view)), f"{text}."]


def _traffic(worst: HeavyAhead, view: View, city: City, now: datetime) -> Content:
    when = words.clock(worst.target_at, city.zone, now=now)
    said = _jammed(worst.likely, worst.possible, worst.detectors)
    if not worst.likely and not worst.possible:
        return said
    quarter = now.replace(minute=now.minute // 15 * 15, second=0, microsecond=0)
    offset = (worst.target_at - quarter) // _QUARTER
    return ["Worst at ", dcc.Link(html.B(when), href=address.link("map", view, t=str(offset))), f". {said}"]


def _reliable(states: ForecastStates, city: City, now: datetime) -> Content:
    tags = [
        tag(f"{words.number(count)} {state}", tone, sign, meaning)
        for state, tone, sign, meaning in _STATES
        if (count := states.series.get(state, 0))
    ]
    return html.Div(
        [
            *tags,
            html.Span(f"series, issued {words.clock(states.issued_at, city.zone, now=now)}", className="card-note"),
        ],
        className="tags",
    )
