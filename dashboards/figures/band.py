"""Code concerned with the forecast chart: what was measured, when the forecast was issued, how sure it is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
import plotly.graph_objects as go

from dashboards.figures.axes import Moments, Numbers, curve, on_the_clock
from dashboards.theme import CLOCK_AND_DAY, PALETTES, Scheme, base_layout
from services.domain import QUANTILE_LEVELS, to_us

_FEW: Final = 12
"""So many readings are drawn as dots too."""
BANDS: Final = ((0.05, 0.95, "90 % band"), (0.1, 0.9, "80 % band"), (0.25, 0.75, "50 % band"))


@dataclass(frozen=True, kw_only=True, slots=True)
class Outlook:
    """A forecast as drawn: one row of quantiles per target time."""

    issued_at: datetime
    target_us: Moments
    quantiles: Numbers


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One measured or reference series."""

    at_us: Moments
    value: Numbers


def band_chart(
    past: Line,
    outlook: Outlook | None,
    *,
    last_week: Line | None,
    limit: float | None,
    unit: str,
    quantity: str,
    zone: ZoneInfo,
    zone_note: str,
    scheme: Scheme,
    revision: str,
    told: str = "Measured",
) -> go.Figure:
    """Past, issue time and future with its bands.

    Args:
        past: what was measured [unit].
        outlook: the forecast, None when there is none.
        last_week: the same times a week before, the naive forecast.
        limit: a line not to cross [unit].
        unit: of all values, for axis and hover.
        quantity: name of the axis.
        zone: the city's zone.
        zone_note: the zone in words, said on the axis.
        scheme: light or dark.
        revision: zoom is kept while this stays the same.
        told: what the past is called.

    """
    palette = PALETTES[scheme]
    figure = go.Figure(layout=base_layout(scheme, revision=revision))
    hover = f"%{{y:,.0f}} {unit}"
    if outlook is not None:
        _add_bands(figure, outlook, zone, palette.bands)
    if last_week is not None and len(last_week.at_us):
        figure.add_scatter(
            **curve(last_week.at_us, last_week.value, zone),
            name="Same time last week",
            mode="lines",
            line={"color": palette.naive, "width": 1.4, "dash": "dot"},
            hovertemplate=hover,
        )
    few = np.isfinite(past.value).sum() <= _FEW  # a reading between gaps makes no line
    figure.add_scatter(
        **curve(past.at_us, past.value, zone),
        name=told,
        mode="lines+markers" if few else "lines",
        line={"color": palette.past, "width": 1.8},
        marker={"color": palette.past, "size": 7},
        hovertemplate=hover,
    )
    if outlook is not None:
        figure.add_scatter(
            **curve(outlook.target_us, outlook.quantiles[:, QUANTILE_LEVELS.index(0.5)], zone),
            name="Forecast (median)",
            mode="lines",
            line={"color": palette.accent, "width": 2.2},
            hovertemplate=hover,
        )
        _add_issue_line(figure, outlook.issued_at, zone, palette.muted)
    if limit is not None:
        figure.add_hline(
            y=limit, line={"color": palette.congestion[0], "width": 1.2, "dash": "dash"},
            annotation={"text": "limit", "font": {"color": palette.congestion[0], "size": 11}},
            annotation_position="top left",
        )  # fmt: skip
    figure.update_yaxes(title_text=f"{quantity} [{unit}]", rangemode="tozero")
    figure.update_xaxes(title_text=f"Time in {zone_note}", type="date", tickformatstops=CLOCK_AND_DAY)
    return figure


def _add_bands(figure: go.Figure, outlook: Outlook, zone: ZoneInfo, colours: Sequence[str]) -> None:
    x = on_the_clock(outlook.target_us, zone)
    pieces = _pieces(outlook.target_us)
    around = _closed([np.concatenate([x[piece], x[piece][::-1]]) for piece in pieces], np.datetime64("NaT"))
    for (low, high, name), colour in zip(BANDS, colours, strict=True):
        lower = outlook.quantiles[:, QUANTILE_LEVELS.index(low)]
        upper = outlook.quantiles[:, QUANTILE_LEVELS.index(high)]
        figure.add_scatter(
            x=around,
            y=_closed([np.concatenate([upper[piece], lower[piece][::-1]]) for piece in pieces], np.nan),
            name=name,
            fill="toself",
            fillcolor=colour,
            line={"width": 0},
            mode="lines",
            hoverinfo="skip",
        )


def _pieces(target_us: Moments) -> list[slice]:
    """Runs of targets without a gap: a slot that is not forecast has no band."""
    steps = np.diff(target_us)
    cuts = [0, *(np.flatnonzero(steps > 1.5 * steps.min()) + 1 if len(steps) else ()), len(target_us)]
    return [slice(int(a), int(b)) for a, b in pairwise(cuts)]


def _closed(outlines: Sequence[npt.NDArray[Any]], gap: Any) -> npt.NDArray[Any]:
    """Outlines one after the other with a gap between, which Plotly fills each by itself."""
    return np.concatenate([part for outline in outlines for part in (outline, [gap])][:-1])


def _add_issue_line(figure: go.Figure, issued_at: datetime, zone: ZoneInfo, colour: str) -> None:
    at = on_the_clock(np.array([to_us(issued_at)], dtype=np.int64), zone)[0]
    line: dict[str, Any] = {"color": colour, "width": 1.2, "dash": "dot"}
    figure.add_shape(type="line", x0=at, x1=at, y0=0, y1=1, yref="paper", line=line)
    figure.add_annotation(
        x=at, y=1, yref="paper", yanchor="top", xanchor="left", xshift=4, showarrow=False, text="issued",
        font={"size": 11, "color": colour},
    )  # fmt: skip
