"""Code concerned with saying how high the load of a day will be, when, and with which chance above a limit."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Final

from dash import html

from dashboards import words
from dashboards.context import City
from dashboards.parts import Content, table
from services.domain import QUANTILE_LEVELS
from services.local_day import day_of
from services.storage.totals import PeakForecast

_LOW, _MIDDLE, _HIGH = (QUANTILE_LEVELS.index(level) for level in (0.1, 0.5, 0.9))
_RARE: Final = 0.01


def chance(value: float | None) -> str:
    """A chance in words: a dash where there is none, and never quite certain."""
    if value is None:
        return "–"
    if value < _RARE:
        return f"< {words.percent(_RARE)}"
    return f"> {words.percent(1 - _RARE)}" if value > 1 - _RARE else words.percent(value)


def likeliest(peaks: Sequence[PeakForecast]) -> PeakForecast | None:
    """The day on which one sensor is likeliest to exceed its limit; None where it has none."""
    limited = [one for one in peaks if one.chance_above is not None]
    return max(limited, key=lambda one: (one.chance_above or 0.0, -one.day.toordinal()), default=None)


def outlook(peaks: Sequence[PeakForecast], city: City, now: datetime) -> Content:
    """The city's peaks in sentences, and those of the districts as a table."""
    whole = [one for one in peaks if one.scope == "city"]
    if not whole:
        return html.P("No peak has been forecast yet: it follows the first forecast of the feeders.", className="quiet")
    today = day_of(now, city.zone)
    said = [html.P(sentence(one, today, city, now)) for one in whole]
    rows: list[list[Content]] = []
    for code in dict.fromkeys(one.district for one in peaks if one.scope == "district"):
        mine = {one.day: one for one in peaks if one.scope == "district" and one.district == code}
        cells: list[Content] = []
        for ahead in range(2):
            one = mine.get(today + timedelta(days=ahead))
            cells += ["–", "–", "–"] if one is None else [_height(one), _when(one, city), chance(one.chance_above)]
        rows.append([html.Span(next(iter(mine.values())).name or code, className="nowrap"), *cells])
    headings = ["District"]
    for day in ("today", "tomorrow"):
        headings += [f"Peak {day}", "Around", "New high"]
    drawn = table(headings, rows, numeric=[1, 3, 4, 6])
    return html.Div([*said, html.Div(drawn, className="scroll", tabIndex=0)], className="said")


def sentence(one: PeakForecast, today: date, city: City, now: datetime) -> str:
    """One peak in plain words.

    Such as: Tomorrow's highest quarter hour is about 31 MW, around Mon 18:15; 8 in 10 such days peak between 30 MW and 33 MW.
    There is a chance of 12 % that it exceeds 32 MW, the most of the last four weeks.
    """
    day = {0: "Today", 1: "Tomorrow"}.get((one.day - today).days, f"{one.day:%a %-d %b}")
    middle, low, high = (_power(one.quantiles[k]) for k in (_MIDDLE, _LOW, _HIGH))
    when = ""
    if one.likely_at is not None:
        when = f", most likely around {words.clock(one.likely_at, city.zone, now=now)}"
    elif one.so_far is not None:
        when = ", most likely reached already"
    text = f"{day}: the highest quarter hour is about {middle}{when}"
    text += f"; in 8 of 10 cases it lies between {low} and {high}." if low != high else "."
    if one.chance_above is not None and one.limit_kw is not None:
        limit = {"highest_of_28_days": "the most of the last four weeks", "allowed": "what is allowed"}.get(
            str(one.limit_is), "the limit"
        )
        text += f" The chance that it exceeds {_power(one.limit_kw)}, {limit}, is {chance(one.chance_above)}."
    return text


def _height(one: PeakForecast) -> str:
    middle, low, high = (words.number(one.quantiles[k]) for k in (_MIDDLE, _LOW, _HIGH))
    return f"{middle} kW" + (f" ({low} to {high})" if low != high else "")


def _when(one: PeakForecast, city: City) -> str:
    return "already" if one.likely_at is None else one.likely_at.astimezone(city.zone).strftime("%H:%M")


def _power(value: float) -> str:
    return "\u00a0".join(words.power(value))  # number and unit stay on one line
