"""Code concerned with the load of the city: its curve with forecast and peak, and how long which load lasts."""

from __future__ import annotations

from dataclasses import dataclass
from zoneinfo import ZoneInfo

import numpy as np
import plotly.graph_objects as go

from dashboards.figures.axes import Moments, Numbers, curve, on_the_clock
from dashboards.theme import CLOCK_AND_DAY, PALETTES, Scheme, base_layout


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadOutlook:
    """The city's forecast load: its median and the quantiles 0.05 and 0.95 of the sum, not sums of quantiles."""

    target_us: Moments
    low_kw: Numbers
    median_kw: Numbers
    high_kw: Numbers


def load_chart(
    at_us: Moments,
    power_kw: Numbers,
    outlook: LoadOutlook | None,
    *,
    last_week: tuple[Moments, Numbers],
    zone: ZoneInfo,
    zone_note: str,
    scheme: Scheme,
) -> go.Figure:
    """Measured load, the same time last week, and what is ahead with its peak [MW]."""
    palette = PALETTES[scheme]
    figure = go.Figure(layout=base_layout(scheme, revision="load"))
    hover = "%{y:,.1f} MW"
    if outlook is not None:
        x = on_the_clock(outlook.target_us, zone)
        figure.add_scatter(
            x=np.concatenate([x, x[::-1]]),
            y=np.concatenate([outlook.high_kw, outlook.low_kw[::-1]]) / 1_000,
            name="In 9 of 10 cases",
            fill="toself",
            fillcolor=palette.bands[1],
            line={"width": 0},
            mode="lines",
            hoverinfo="skip",
        )
    weekly = curve(last_week[0], last_week[1] / 1_000, zone)
    figure.add_scatter(
        **weekly,
        name="Same time last week",
        mode="lines",
        line={"color": palette.naive, "width": 1.4, "dash": "dot"},
        hovertemplate=hover,
    )
    figure.add_scatter(
        **curve(at_us, power_kw / 1_000, zone),
        name="Measured",
        mode="lines",
        line={"color": palette.past, "width": 1.8},
        hovertemplate=hover,
    )
    if outlook is not None:
        _add_outlook(figure, outlook, zone, scheme, hover)
    figure.update_yaxes(title_text="Load of all feeders [MW]", rangemode="tozero")
    figure.update_xaxes(title_text=f"Time in {zone_note}", type="date", tickformatstops=CLOCK_AND_DAY)
    return figure


def duration_chart(power_kw: Numbers, scheme: Scheme) -> go.Figure:
    """The load duration curve: which load is exceeded for which share of the time."""
    palette = PALETTES[scheme]
    known = np.sort(power_kw[np.isfinite(power_kw)])[::-1] / 1_000
    share = np.linspace(0, 100, 201)
    figure = go.Figure(layout=base_layout(scheme, revision="duration"))
    if len(known):
        figure.add_scatter(
            x=share,
            y=np.interp(share, np.linspace(0, 100, len(known)), known),
            mode="lines",
            fill="tozeroy",
            fillcolor=palette.bands[0],
            line={"color": palette.accent, "width": 2},
            hovertemplate="%{y:,.1f} MW exceeded %{x:.0f} % of the time<extra></extra>",
            showlegend=False,
        )
    figure.update_layout(hovermode="closest")
    figure.update_yaxes(title_text="Load [MW]", rangemode="tozero")
    figure.update_xaxes(title_text="Share of the time it is exceeded [%]")
    return figure


def _add_outlook(figure: go.Figure, outlook: LoadOutlook, zone: ZoneInfo, scheme: Scheme, hover: str) -> None:
    palette = PALETTES[scheme]
    x, median = on_the_clock(outlook.target_us, zone), outlook.median_kw / 1_000
    figure.add_scatter(
        x=x, y=median, name="Forecast", mode="lines", line={"color": palette.accent, "width": 2.2}, hovertemplate=hover
    )
    top = int(median.argmax())
    share = top / max(len(median) - 1, 1)
    side = "right" if share < 0.15 else "left" if share > 0.85 else "center"  # a text may not leave the chart
    figure.add_scatter(
        x=x[top : top + 1],
        y=median[top : top + 1],
        name="Forecast peak",
        mode="markers+text",
        marker={"color": palette.accent, "size": 9, "line": {"color": palette.surface, "width": 2}},
        text=[f"highest {median[top]:,.1f} MW"],
        textposition=f"top {side}",
        textfont={"color": palette.text, "size": 12},
        hoverinfo="skip",
        showlegend=False,
    )
