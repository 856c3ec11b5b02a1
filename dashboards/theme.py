"""Code concerned with how charts look: colours of both themes, scales, and the one Plotly configuration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final, Literal

import plotly.graph_objects as go

Scheme = Literal["light", "dark"]

CONFIG: Final[Any] = {
    "showSendToCloud": False,
    "plotlyServerURL": "",
    "displaylogo": False,
    "displayModeBar": False,
    "responsive": True,
    "topojsonURL": "",
}
MAP_CONFIG: Final[Any] = CONFIG | {"scrollZoom": True}
FONT: Final = (
    "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', 'Noto Sans', 'Liberation Sans', sans-serif"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Palette:
    """The colours of one theme; the same tokens stand in `assets/1-tokens.css`."""

    text: str
    muted: str
    line: str
    surface: str
    accent: str
    past: str
    naive: str
    ground: str
    water: str
    road: str
    outline: str
    silent: str
    ring: str
    bands: tuple[str, str, str]
    congestion: tuple[str, str, str, str]
    sequential: tuple[str, ...]


PALETTES: Final[dict[Scheme, Palette]] = {
    "light": Palette(
        text="#17202e",
        muted="#5a6578",
        line="#e4e8ee",
        surface="#ffffff",
        accent="#0b6fb8",
        past="#17202e",
        naive="#8a6d1f",
        ground="#f3f4f2",
        water="#c9dcea",
        road="#c9ced6",
        outline="#aab3c0",
        silent="#98a2b1",
        ring="#17202e",
        bands=("rgba(11,111,184,0.12)", "rgba(11,111,184,0.16)", "rgba(11,111,184,0.24)"),
        congestion=("#b23a00", "#e8890c", "#d9bd3f", "#3f8fcb"),
        sequential=("#e6eef5", "#b9d3e6", "#86b2d3", "#4f8fbe", "#1f6aa5", "#0b4a7d"),
    ),
    "dark": Palette(
        text="#e8edf4",
        muted="#9aa7b8",
        line="#263243",
        surface="#141c27",
        accent="#58b0ec",
        past="#e8edf4",
        naive="#d8b65a",
        ground="#10161f",
        water="#16304a",
        road="#34404f",
        outline="#45556a",
        silent="#66758a",
        ring="#ffffff",
        bands=("rgba(88,176,236,0.13)", "rgba(88,176,236,0.18)", "rgba(88,176,236,0.28)"),
        congestion=("#ff7a3d", "#f5a623", "#f0dc6e", "#4fa3e0"),
        sequential=("#1b2a3a", "#1f4463", "#24608f", "#2f80b8", "#5aa6d8", "#a8d6f5"),
    ),
}

CONGESTION_NAMES: Final = ("Congested", "Slow", "Dense", "Free flow")
"""Of the classes of `models.congestion.Congestion`, worst first."""


CLOCK_AND_DAY: Final = [
    {"dtickrange": [None, 86_399_999], "value": "%H:%M\n%a %-d %b"},
    {"dtickrange": [86_400_000, None], "value": "%a %-d\n%b %Y"},
]
"""How a time axis is labelled, by the distance of its ticks [ms]."""


def scheme_of(value: object) -> Scheme:
    """The theme a browser reported; light until it has."""
    return "dark" if value == "dark" else "light"


def base_layout(scheme: Scheme, *, revision: str, height: int | None = None) -> go.Layout:
    """The layout every chart starts from; zoom and selection survive updates while `revision` is the same."""
    palette = PALETTES[scheme]
    axis = {
        "gridcolor": palette.line,
        "linecolor": palette.line,
        "zeroline": False,
        "tickfont": {"color": palette.muted, "size": 12},
        "title": {"font": {"color": palette.muted, "size": 12}, "standoff": 8},
        "automargin": True,
        "fixedrange": False,
    }
    return go.Layout(
        uirevision=revision,
        height=height,
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": FONT, "color": palette.text, "size": 13},
        margin={"l": 8, "r": 8, "t": 16, "b": 8},
        hovermode="x unified",
        hoverlabel={
            "bgcolor": palette.surface,
            "bordercolor": palette.line,
            "font": {"family": FONT, "color": palette.text, "size": 12},
        },
        showlegend=False,  # charts are described in words beside them, which wrap on a phone
        xaxis=axis | {"showgrid": False, "tickangle": 0, "nticks": 6},
        yaxis=axis,
        dragmode="pan",
        modebar={"remove": ["sendDataToCloud"]},
        template=go.layout.Template(),
    )
