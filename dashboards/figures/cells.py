"""Code concerned with published H3 cells on the map: a number where it was published, grey where it was withheld."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any, Final

import h3
import numpy as np
import plotly.graph_objects as go

from dashboards.figures.city_map import map_layout
from dashboards.theme import PALETTES, Scheme
from services.storage.overview import District
from services.storage.releases import PresenceCell

WITHHELD: Final = 0
PUBLISHED: Final = 1
WITHHELD_WORDS: Final = "Withheld: fewer vehicles than the threshold, or none"


def cells_map(
    districts: Sequence[District],
    layers: Collection[str],
    cells: Sequence[PresenceCell],
    highest: float,
    scheme: Scheme,
    *,
    size: tuple[int, int],
) -> go.Figure:
    """The map as first drawn; afterwards only `cells_update` changes it."""
    withheld, published = cells_update(cells, highest, scheme)
    line = {"width": 0.6, "color": PALETTES[scheme].outline}
    return go.Figure(
        data=[
            go.Choroplethmap(
                showscale=False, hovertemplate="%{text}<extra></extra>", marker={"line": line}, **withheld
            ),
            go.Choroplethmap(
                showscale=False, hovertemplate="%{text}<extra></extra>", marker={"line": line}, **published
            ),
        ],
        layout=map_layout(districts, layers, scheme, revision="mobility", size=size),
    )


def cells_update(
    cells: Sequence[PresenceCell], highest: float, scheme: Scheme
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The attributes of both traces, withheld and published."""
    palette = PALETTES[scheme]
    hidden = [c.cell_id for c in cells if c.vehicles is None]
    shown = [c for c in cells if c.vehicles is not None]
    grey = [[0, palette.silent], [1, palette.silent]]
    colours = palette.sequential[1:]  # the palest would pass for withheld
    ramp = [[i / (len(colours) - 1), colour] for i, colour in enumerate(colours)]
    withheld = {
        "geojson": _outlines(hidden),
        "locations": hidden,
        "z": np.zeros(len(hidden)),
        "zmin": 0,
        "zmax": 1,
        "colorscale": grey,
        "text": [WITHHELD_WORDS] * len(hidden),
        "marker_opacity": 0.16,
    }
    published = {
        "geojson": _outlines([c.cell_id for c in shown]),
        "locations": [c.cell_id for c in shown],
        "z": np.array([c.vehicles for c in shown], dtype=np.float64),
        "zmin": 0,
        "zmax": max(highest, 1.0),
        "colorscale": ramp,
        "text": [f"<b>{c.vehicles:,} vehicles</b>, noise included" for c in shown],
        "marker_opacity": 0.78,
    }
    return withheld, published


def _outlines(cells: Sequence[str]) -> dict[str, Any]:
    features = []
    for cell in cells:
        ring = [[round(lon, 5), round(lat, 5)] for lat, lon in h3.cell_to_boundary(cell)]
        geometry = {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}
        features.append({"type": "Feature", "id": cell, "properties": {}, "geometry": geometry})
    return {"type": "FeatureCollection", "features": features}
