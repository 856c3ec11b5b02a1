"""Code concerned with the pages: each module has `layout`, what it first shows, and `register`, what keeps it current."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from dash import Dash
from dash.development.base_component import Component

from dashboards.address import View
from dashboards.context import City
from dashboards.pages import energy, forecast, mobility, now, privacy
from dashboards.pages import map as map_page
from dashboards.theme import Scheme


class Page(Protocol):
    """What a page module offers."""

    def layout(self, city: City, view: View, scheme: Scheme, /) -> Component:
        """The page as first shown."""

    def register(self, app: Dash, city: City, /) -> None:
        """Add the callbacks that keep it current."""


PAGES: Mapping[str, Page] = {
    "": now,
    "map": map_page,
    "forecast": forecast,
    "energy": energy,
    "mobility": mobility,
    "privacy": privacy,
}
