"""Code concerned with spark lines: a day in the width of a card, without axes."""

from __future__ import annotations

from urllib.parse import quote

import numpy as np
import numpy.typing as npt
from dash import html
from dash.development.base_component import Component

from dashboards.parts import marked

_WIDTH, _HEIGHT, _MARGIN = 240.0, 40.0, 3.0


def spark(values: npt.NDArray[np.float64]) -> Component:
    """A line and the area under it, in the colour of the surrounding text; gaps stay gaps."""
    line, area = paths(values)
    shape = "fill='none' stroke='black' stroke-width='1.6' stroke-linejoin='round' vector-effect='non-scaling-stroke'"
    drawn = html.Div(
        [
            html.I(className="area", style={"--shape": _svg(f"<path d='{area}' fill='black'/>")}),
            html.I(style={"--shape": _svg(f"<path d='{line}' {shape}/>")}),
        ],
        className="spark",
    )
    return marked(drawn, aria_hidden="true")


def paths(values: npt.NDArray[np.float64]) -> tuple[str, str]:
    """The SVG paths of line and area; empty when fewer than two values are known."""
    known = np.isfinite(values)
    if known.sum() < 2:
        return "", ""
    lowest, highest = float(np.nanmin(values)), float(np.nanmax(values))
    spread = (highest - lowest) or 1.0
    x = np.linspace(0, _WIDTH, len(values))
    y = _HEIGHT - _MARGIN - (values - lowest) / spread * (_HEIGHT - 2 * _MARGIN)
    line, area = [], []
    edges = np.flatnonzero(np.diff(np.concatenate([[0], known.astype(int), [0]])))
    for begin, end in zip(edges[::2], edges[1::2], strict=True):
        points = " L".join(f"{x[i]:.1f} {y[i]:.1f}" for i in range(begin, end))
        line.append(f"M{points}")
        area.append(f"M{x[begin]:.1f} {_HEIGHT} L{points} L{x[end - 1]:.1f} {_HEIGHT}Z")
    return " ".join(line), " ".join(area)


def _svg(content: str) -> str:
    start = (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {_WIDTH:.0f} {_HEIGHT:.0f}' preserveAspectRatio='none'>"
    )
    return f'url("data:image/svg+xml,{quote(start + content + "</svg>", safe=" =:/")}")'
