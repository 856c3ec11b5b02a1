"""Code concerned with published cells as a table, for those who do not see the map or want the numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from dash import html
from dash.development.base_component import Component

from dashboards import words
from dashboards.context import City
from dashboards.figures.cells import WITHHELD_WORDS
from dashboards.parts import Content, table
from dashboards.surfaces import district_of_cell
from services.storage.overview import District
from services.storage.releases import PresenceCell, Release

_MOST_ROWS: Final = 1_000
_HEADINGS: Final = ("Hexagon", "District", "Hour", "Vehicles", "Between (95 %)", "Shown?")


def cell_table(
    cells: Sequence[PresenceCell], release: Release, districts: Sequence[District], city: City, hour: datetime
) -> Component:
    """The cells of one hour: those that are shown from the highest number down, then the withheld ones.

    Of a withheld cell nothing is said but where it is, so that few vehicles and none look alike.
    """
    names = {one.code: one.name for one in districts}
    during = f"{hour.astimezone(city.zone):%H:%M}–{(hour + timedelta(hours=1)).astimezone(city.zone):%H:%M}"
    called = {one.cell: names.get(district_of_cell(one.cell_id, districts) or "", "Edge of the city") for one in cells}
    ordered = sorted(cells, key=lambda one: (one.vehicles is None, -(one.vehicles or 0), called[one.cell], one.cell))
    rows = [[one.cell_id, called[one.cell], during, *_said(one, release)] for one in ordered[:_MOST_ROWS]]
    drawn = table(_HEADINGS, rows, numeric=[3, 4])
    left = len(ordered) - len(rows)
    if not left:
        return drawn
    rest = f"{words.number(left)} more cells: /api/v1/mobility has all of them, as CSV or Parquet too."
    return html.Div([drawn, html.P(rest, className="quiet")])


def _said(one: PresenceCell, release: Release) -> list[Content]:
    if one.vehicles is None:
        return ["–", "–", WITHHELD_WORDS]
    low, high = max(0, math.floor(one.vehicles - release.ci95)), math.ceil(one.vehicles + release.ci95)
    return [words.number(one.vehicles), f"{words.number(low)} to {words.number(high)}", "Shown, noise included"]
