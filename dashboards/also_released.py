"""Code concerned with what was released of a day beside presence: trip lengths, bike stations, charging, where there is any."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from dash.development.base_component import Component

from dashboards import badges, words
from dashboards.address import View
from dashboards.parts import bars, card
from services.storage import releases
from services.storage.database import Connection
from services.storage.releases import Figure, Release

_MOST_BARS: Final = 9
_MOST_ROWS: Final = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Also:
    """A release of the day and its numbers."""

    release: Release
    figures: list[Figure]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Shape:
    """How a plan's numbers become bars."""

    title: str
    note: str
    measure: str
    name: Callable[[Figure], str]
    largest_first: bool


def _band(part: str) -> str:
    """A band of lengths such as `02-03 km` or, without an end, `30- km`."""
    low, _, high = part.removesuffix(" km").partition("-")
    return f"{int(low)}–{int(high)} km" if high else f"{int(low)} km and more"


_SHAPES: Final = {
    "trip_lengths": _Shape(
        title="How long trips were",
        note="Trips that began in the city, by length",
        measure="trips",
        name=lambda one: _band(one.part),
        largest_first=False,
    ),
    "bike_stations": _Shape(
        title="Bike stations",
        note="Trips; a rider's two trips are protected one by one",
        measure="trips",
        name=lambda one: f"{one.place} {one.part}",
        largest_first=True,
    ),
    "charging": _Shape(
        title="Charging",
        note="Energy of the sessions that began this day [kWh], by district",
        measure="energy_kwh",
        name=lambda one: one.place,
        largest_first=True,
    ),
}


def read(connection: Connection, day: date) -> list[Also]:
    """What the plans shown here released of a local day."""
    found = []
    for plan in _SHAPES:
        release = next(iter(releases.releases(connection, first_day=day, last_day=day, plan=plan)), None)
        if release is not None:
            figures = releases.figures(connection, plan=plan, first_day=day, last_day=day, limit=_MOST_ROWS)
            found.append(Also(release=release, figures=figures))
    return found


def cards(found: Sequence[Also], view: View) -> list[Component]:
    """A card for each release that shows anything."""
    shown = []
    for also in found:
        shape = _SHAPES[also.release.plan]
        numbers = [(one, one.value, one.ci95) for one in also.figures if one.measure == shape.measure]
        visible = [(one, value, ci95) for one, value, ci95 in numbers if value is not None and ci95 is not None]
        if not visible:
            continue
        if shape.largest_first:
            visible.sort(key=lambda row: -row[1])
        highest = max(value for _, value, _ in visible) or 1
        rows = [
            (shape.name(one), f"{words.number(value)} ± {words.number(ci95)}", value / highest)
            for one, value, ci95 in visible[:_MOST_BARS]
        ]
        note = f"{shape.note}. {words.number(len(numbers) - len(visible))} of {words.number(len(numbers))} withheld"
        shown.append(card(shape.title, bars(rows), note=note, privacy=badges.released(also.release, view)))
    return shown
