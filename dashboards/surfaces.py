"""Code concerned with what districts can be coloured by: congestion, load, or published mobility."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any, Final

import h3
import numpy as np
from dash import html
from dash.development.base_component import Component

from dashboards import words
from dashboards.context import City
from dashboards.figures.city_map import Surface
from dashboards.frames import Frame, district_congestion, district_load
from dashboards.theme import PALETTES, Scheme
from services.storage import releases
from services.storage.database import Connection
from services.storage.overview import District

SURFACES: Final = {"none": "Nothing", "congestion": "Congestion", "load": "Load", "mobility": "Mobility"}
_UNITS: Final = {
    "congestion": "Travel time at free flow ÷ as driven, all vehicles",
    "load": "Load ÷ limit of the district's feeders",
    "mobility": "Vehicles published in the district's cells",
}


def read_surface(
    connection: Connection, city: City, frame: Frame, districts: Sequence[District], name: str
) -> Surface | None:
    """The surface of that name at the moment of a frame; None for no surface."""
    if name == "congestion":
        values = district_congestion(frame, districts)
        texts = {code: f"{words.percent(value)} of free flow" for code, value in values.items()}
        return Surface(values=values, texts=texts, lowest=0.4, highest=1.0, low_is_bad=True)
    if name == "load":
        values = district_load(frame, districts)
        texts = {code: f"{words.percent(value)} of what its feeders may carry" for code, value in values.items()}
        return Surface(values=values, texts=texts, lowest=0.2, highest=1.0)
    if name == "mobility":
        return _mobility(connection, city, frame, districts)
    return None


def surface_legend(name: str, surface: Surface | None, scheme: Scheme) -> list[Component]:
    """A ramp with its ends and what it measures."""
    if surface is None:
        return []
    colours = PALETTES[scheme].sequential
    ramp = ", ".join(reversed(colours) if surface.low_is_bad else colours)
    ends = (
        (f"≤ {words.percent(surface.lowest)}", f"{words.percent(surface.highest)}")
        if name != "mobility"
        else (words.number(surface.lowest), words.number(surface.highest))
    )
    parts: list[Any] = [
        html.Span(_UNITS[name]),
        html.Span(
            [ends[0], html.I(className="ramp", style={"background": f"linear-gradient(90deg, {ramp})"}), ends[1]]
        ),
    ]
    if not surface.values:
        parts.append(html.Span("No district has a value at this time."))
    return [html.Div(parts, className="legend spaced")]


def _mobility(connection: Connection, city: City, frame: Frame, districts: Sequence[District]) -> Surface:
    """The newest released hour with the frame's hour of the day; nothing ahead of it is known."""
    span = releases.presence_hours(connection)
    values: dict[str, float] = {}
    hour = None if span is None else newest_hour(frame.moment, span[1], city)
    if hour is not None and span is not None and hour >= span[0]:
        for cell in releases.presence(connection, start=hour, end=hour + timedelta(hours=1)):
            code = district_of_cell(cell.cell_id, districts)
            if code is not None and cell.vehicles is not None:
                values[code] = values.get(code, 0.0) + cell.vehicles
    texts = {} if hour is None else {
        code: f"{words.number(value)} vehicles published for {words.clock(hour, city.zone)}"
        for code, value in values.items()
    }  # fmt: skip
    return Surface(values=values, texts=texts, lowest=0.0, highest=max([*values.values(), 1.0]))


def newest_hour(moment: datetime, end: datetime, city: City) -> datetime:
    """The last released hour before `end` that has the same hour of the city's day as `moment`."""
    wanted = moment.astimezone(city.zone).hour
    hour = end - timedelta(hours=1)
    while hour.astimezone(city.zone).hour != wanted:
        hour -= timedelta(hours=1)
    return hour


def district_of_cell(cell: str, districts: Sequence[District]) -> str | None:
    """The code of the district that holds the centre of an H3 cell."""
    return _district_of(cell, _key(districts))


class _Outlines(tuple[tuple[str, tuple[tuple[float, float], ...]], ...]):
    """District codes with their outer rings, hashable for the cache."""

    __slots__ = ()


def _key(districts: Sequence[District]) -> _Outlines:
    return _Outlines(
        (d.code, tuple((float(x), float(y)) for x, y, *_ in ring))
        for d in districts
        for ring in _outer_rings(d.outline)
    )


def _outer_rings(outline: dict[str, Any]) -> list[Any]:
    if outline["type"] == "Polygon":
        return [outline["coordinates"][0]]
    return [polygon[0] for polygon in outline["coordinates"]]


@cache
def _district_of(cell: str, outlines: _Outlines) -> str | None:
    """The district that holds the centre of a cell: even-odd rule."""
    lat, lon = h3.cell_to_latlng(cell)
    for code, ring in outlines:
        points = np.array(ring)
        x, y = points[:, 0], points[:, 1]
        nx, ny = np.roll(x, -1), np.roll(y, -1)
        crosses = (y > lat) != (ny > lat)
        with np.errstate(divide="ignore", invalid="ignore"):
            edge = x + (lat - y) * (nx - x) / (ny - y)
        if np.count_nonzero(crosses & (lon < edge)) % 2:
            return code
    return None
