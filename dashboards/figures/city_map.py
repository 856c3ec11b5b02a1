"""Code concerned with the map of the city: base style from our own GeoJSON, district surface, sensors by state."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import plotly.graph_objects as go

from dashboards.theme import FONT, PALETTES, Palette, Scheme
from dashboards.words import plain
from models.congestion import class_of
from services.storage.overview import District

SURFACE: Final = 0
RINGS: Final = 1
DOTS: Final = 2
"""Which trace of the figure is what, for updates that touch nothing else."""

_DOT_SIZES: Final = (15.0, 12.5, 10.5, 9.0)
_SILENT_SIZE: Final = 8.0
_ANCHOR: Final = "between-rings-and-dots"
"""An invisible layer: rings go below it and dots above, whatever order Plotly draws its traces in."""
_LAYERS_URL: Final = "/api/v1/map"
_TILE: Final = 512
_MAIN_ROADS: Final = ["match", ["get", "class"], ["ring", "arterial"], True, False]
_ROAD_WIDTH: Final = [
    "interpolate",
    ["linear"],
    ["zoom"],
    *(10, ["case", _MAIN_ROADS, 1.8, 0.5]),
    *(12.5, ["case", _MAIN_ROADS, 3.6, 1.2]),
    *(15, ["case", _MAIN_ROADS, 10, 5]),
]


@dataclass(frozen=True, kw_only=True, slots=True)
class Mark:
    """One sensor on the map. `ratio` is its speed ratio, or how loaded a feeder is, turned so that low is bad.

    `likeliest` is the class it is drawn as where that does not follow from the ratio.
    """

    code: str
    label: str
    lon: float
    lat: float
    ratio: float | None
    text: str
    chosen: bool = False
    likeliest: int | None = None

    @property
    def drawn(self) -> int | None:
        """The class it is drawn as, None where it has no value."""
        return self.likeliest if self.likeliest is not None or self.ratio is None else class_of(self.ratio)


@dataclass(frozen=True, kw_only=True, slots=True)
class Surface:
    """One value per district code, with the words its hover box shows."""

    values: Mapping[str, float]
    texts: Mapping[str, str]
    lowest: float
    highest: float
    low_is_bad: bool = False


def city_map(
    districts: Sequence[District],
    layers: Collection[str],
    marks: Sequence[Mark],
    surface: Surface | None,
    scheme: Scheme,
    *,
    revision: str = "city",
    size: tuple[int, int] = (640, 560),
) -> go.Figure:
    """The map as first drawn; afterwards only `marks_update` and `surface_update` change it."""
    dots, surfaces = marks_update(marks, scheme), surface_update(districts, surface, scheme)
    outlines = {
        "type": "FeatureCollection",
        "features": [{"type": "Feature", "id": d.code, "properties": {}, "geometry": d.outline} for d in districts],
    }
    return go.Figure(
        data=[
            go.Choroplethmap(
                geojson=outlines,
                marker={"line": {"width": 0}, "opacity": 0.55},
                showscale=False,
                below="roads",
                hovertemplate="%{text}<extra></extra>",
                **surfaces,
            ),
            go.Scattermap(mode="markers", below=_ANCHOR, hoverinfo="skip", showlegend=False, **dots[0]),
            go.Scattermap(
                mode="markers", below="", hovertemplate="%{text}<extra></extra>", showlegend=False, **dots[1]
            ),
        ],
        layout=map_layout(
            districts, layers, scheme, extra=[(m.lon, m.lat) for m in marks], revision=revision, size=size
        ),
    )


def map_layout(
    districts: Sequence[District],
    layers: Collection[str],
    scheme: Scheme,
    *,
    extra: Sequence[tuple[float, float]] = (),
    revision: str,
    size: tuple[int, int],
) -> go.Layout:
    """Base style and first view; the view is the user's from then on."""
    palette = PALETTES[scheme]
    longitude, latitude, zoom = first_view([*_points(districts), *extra], size)
    return go.Layout(
        uirevision=revision,
        margin={"l": 0, "r": 0, "t": 0, "b": 0},
        paper_bgcolor="rgba(0,0,0,0)",
        font={"family": FONT, "color": palette.text},
        hoverlabel={
            "bgcolor": palette.surface,
            "bordercolor": palette.line,
            "font": {"color": palette.text, "size": 12},
        },
        map={
            "style": base_style(layers, scheme),
            "center": {"lon": longitude, "lat": latitude},
            "zoom": zoom,
            "fitbounds": False,
        },
        template=go.layout.Template(),
    )


def base_style(layers: Collection[str], scheme: Scheme) -> dict[str, Any]:
    """A MapLibre style of the city's own layers, with no tiles, no fonts and no sprites: nothing leaves the host."""
    palette = PALETTES[scheme]
    drawn: list[dict[str, Any]] = [
        {"id": "ground", "type": "background", "paint": {"background-color": palette.ground}},
        {
            "id": "water",
            "type": "fill",
            "source": "water",
            "filter": ["==", ["geometry-type"], "Polygon"],
            "paint": {"fill-color": palette.water},
        },
        {
            "id": "river",
            "type": "line",
            "source": "water",
            "filter": ["==", ["geometry-type"], "LineString"],
            "layout": {"line-cap": "round", "line-join": "round"},
            "paint": {
                "line-color": palette.water,
                "line-width": ["interpolate", ["linear"], ["zoom"], 9, 4, 14, 26],
            },
        },
        {
            "id": "roads",
            "type": "line",
            "source": "roads",
            "layout": {"line-cap": "round", "line-join": "round"},
            "paint": {"line-color": palette.road, "line-width": _ROAD_WIDTH},
        },
        {
            "id": "outlines",
            "type": "line",
            "source": "districts",
            "paint": {"line-color": palette.outline, "line-width": 1, "line-dasharray": [3, 2]},
        },
        {"id": _ANCHOR, "type": "background", "paint": {"background-opacity": 0}},
    ]
    return {
        "version": 8,
        "sources": {layer: {"type": "geojson", "data": f"{_LAYERS_URL}/{layer}"} for layer in layers},
        "layers": [layer for layer in drawn if layer.get("source") is None or layer["source"] in layers],
    }


def marks_update(marks: Sequence[Mark], scheme: Scheme) -> tuple[dict[str, Any], dict[str, Any]]:
    """The attributes of the rings trace and of the dots trace.

    Colour, size and ring all say the same, so that nothing hangs on colour alone. Serious marks are drawn last.
    """
    palette = PALETTES[scheme]
    ordered = sorted(marks, key=lambda m: (m.chosen, m.drawn is not None, -(m.drawn or 0), -(m.ratio or 9), m.code))
    classes = [m.drawn for m in ordered]
    sizes = np.array([_SILENT_SIZE if c is None else _DOT_SIZES[c] for c in classes])
    ringed = np.array([c == 0 or m.chosen for c, m in zip(classes, ordered, strict=True)], dtype=bool)
    where = {
        "lon": np.array([m.lon for m in ordered], dtype=np.float64),
        "lat": np.array([m.lat for m in ordered], dtype=np.float64),
    }
    halo = np.where(ringed, sizes + 5, sizes + 2.5)
    ring_colours = [palette.ring if r else palette.surface for r in ringed]
    halo = np.array([size + 3 if m.chosen else size for m, size in zip(ordered, halo, strict=True)])
    rings = {**where, "marker": {"size": halo, "color": ring_colours, "opacity": 0.95}}
    dots = {
        **where,
        "marker": {"opacity": 1, "size": sizes, "color": [_colour(c, palette) for c in classes]},
        "text": [f"<b>{plain(m.label)}</b><br>{plain(m.text)}" for m in ordered],
        "customdata": [plain(m.code) for m in ordered],
    }
    return rings, dots


def surface_update(districts: Sequence[District], surface: Surface | None, scheme: Scheme) -> dict[str, Any]:
    """The attributes of the district trace; no surface is no districts."""
    palette = PALETTES[scheme]
    if surface is None:
        return {"locations": [], "z": [], "text": [], "zmin": 0, "zmax": 1, "colorscale": _scale(palette.sequential)}
    shown = [d for d in districts if np.isfinite(surface.values.get(d.code, np.nan))]
    colours = tuple(reversed(palette.sequential)) if surface.low_is_bad else palette.sequential
    return {
        "locations": [d.code for d in shown],
        "z": np.array([surface.values[d.code] for d in shown], dtype=np.float64),
        "text": [f"<b>{plain(d.name)}</b><br>{plain(surface.texts.get(d.code, ''))}" for d in shown],
        "zmin": surface.lowest,
        "zmax": surface.highest,
        "colorscale": _scale(colours),
    }


def first_view(points: Sequence[tuple[float, float]], size: tuple[int, int]) -> tuple[float, float, float]:
    """Centre [degrees] and zoom that show all points in a map of `size` (width, height) [pixels]: Mercator's formula."""
    if not points:
        return 0.0, 0.0, 1.0
    lon, lat = (np.array(axis) for axis in zip(*points, strict=True))
    wide = max(np.ptp(lon), 0.01) / 360
    high = max(np.ptp(np.arctanh(np.sin(np.radians(lat)))), 0.0002) / (2 * np.pi)
    zoom = float(np.clip(np.log2(min(size[0] / wide, size[1] / high) / _TILE) - 0.08, 1, 15))
    return float((lon.min() + lon.max()) / 2), float((lat.min() + lat.max()) / 2), round(zoom, 2)


def _points(districts: Sequence[District]) -> Iterator[tuple[float, float]]:
    for district in districts:
        yield from _flat(district.outline.get("coordinates", ()))


def _flat(coordinates: Any) -> Iterator[tuple[float, float]]:
    if coordinates and isinstance(coordinates[0], (int, float)):
        yield float(coordinates[0]), float(coordinates[1])
    else:
        for part in coordinates:
            yield from _flat(part)


def _colour(index: int | None, palette: Palette) -> str:
    return palette.silent if index is None else palette.congestion[index]


def _scale(colours: Sequence[str]) -> list[list[Any]]:
    return [[i / (len(colours) - 1), colour] for i, colour in enumerate(colours)]
