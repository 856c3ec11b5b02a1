"""Code concerned with what was released of a day beside presence: trips, their lengths, bike stations, charging, where there is any."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final

from dash.development.base_component import Component

from dashboards import badges, words
from dashboards.address import View
from dashboards.parts import bars, card
from dashboards.surfaces import district_of_cell
from services.storage import releases, stations
from services.storage.database import Connection
from services.storage.overview import District
from services.storage.releases import Figure, Release

_MOST_BARS: Final = 9
_MOST_ROWS: Final = 10_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Also:
    """A release of the day, its numbers, and what its places are called."""

    release: Release
    figures: list[Figure]
    names: Mapping[str, str] = field(default_factory=dict)

    def name(self, place: str) -> str:
        """What a place is called, its code where it has no name."""
        return self.names.get(place, place)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Shape:
    """How a plan's numbers become bars."""

    title: str
    note: str
    measure: str
    name: Callable[[Also, Figure], str]
    largest_first: bool


def _band(part: str) -> str:
    """A band of lengths such as `02-03 km` or, without an end, `30- km`."""
    low, _, high = part.removesuffix(" km").partition("-")
    return f"{int(low)}–{int(high)} km" if high else f"{int(low)} km and more"


def _way(also: Also, one: Figure) -> str:
    origin, destination = also.name(one.place), also.name(one.part)
    return f"Within {origin}" if one.place == one.part else f"{origin} → {destination}"


_SHAPES: Final = {
    "origin_destination": _Shape(
        title="From where to where",
        note="Trips of vehicles between areas of about 5 km², each named after the district of its middle",
        measure="trips",
        name=_way,
        largest_first=True,
    ),
    "trip_lengths": _Shape(
        title="How long trips were",
        note="Trips of vehicles that began in the city, by length",
        measure="trips",
        name=lambda _, one: _band(one.part),
        largest_first=False,
    ),
    "bike_stations": _Shape(
        title="Bike stations",
        note="Trips with rented bicycles; a rider's two trips are protected one by one",
        measure="trips",
        name=lambda also, one: f"{also.name(one.place)}, {one.part}",
        largest_first=True,
    ),
    "charging": _Shape(
        title="Charging of cars",
        note="Energy of the sessions that began this day [kWh], by district; a driver's two sessions are protected one by one",
        measure="energy_kwh",
        name=lambda also, one: also.name(one.place),
        largest_first=True,
    ),
}


def read(connection: Connection, day: date, districts: Sequence[District]) -> list[Also]:
    """What the plans shown here released of a local day."""
    found = []
    for plan in _SHAPES:
        release = next(iter(releases.releases(connection, first_day=day, last_day=day, plan=plan)), None)
        if release is not None:
            figures = releases.figures(connection, plan=plan, first_day=day, last_day=day, limit=_MOST_ROWS)
            names = {one.code: one.name for one in districts}
            if plan == "bike_stations":
                names = stations.names(connection, "bike")
            elif plan == "origin_destination":
                names = area_names([one.place for one in figures], districts)
            found.append(Also(release=release, figures=figures, names=names))
    return found


def area_names(cells: Sequence[str], districts: Sequence[District]) -> dict[str, str]:
    """A name for each H3 cell: the district of its middle, numbered where several have it, or that it is at the edge."""
    called = {one.code: one.name for one in districts}
    members: dict[str, list[str]] = {}
    for cell in sorted(set(cells)):
        members.setdefault(called.get(district_of_cell(cell, districts) or "", "Edge of the city"), []).append(cell)
    return {
        cell: name if len(mine) == 1 else f"{name} {number}"
        for name, mine in members.items()
        for number, cell in enumerate(mine, start=1)
    }


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
            (shape.name(also, one), f"{words.number(value)} ± {words.number(ci95)}", value / highest)
            for one, value, ci95 in visible[:_MOST_BARS]
        ]
        least = "" if len(visible) <= _MOST_BARS else f" The {_MOST_BARS} highest of {words.number(len(visible))}."
        hidden = f"{words.number(len(numbers) - len(visible))} of {words.number(len(numbers))} withheld"
        note = f"{shape.note}.{least} ± holds in 95 of 100 cases; {hidden}"
        shown.append(card(shape.title, bars(rows), note=note, privacy=badges.released(also.release, view)))
    return shown
