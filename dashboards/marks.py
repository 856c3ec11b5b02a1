"""Code concerned with sensors as marks on a map: what each says, how a running map is changed, what the colours mean."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
from dash import Patch, html
from dash.development.base_component import Component

from dashboards import words
from dashboards.alerts import is_silent
from dashboards.figures.city_map import DOTS, RINGS, Mark, base_style, marks_update
from dashboards.frames import Frame, State
from dashboards.theme import CONGESTION_NAMES, PALETTES, Scheme
from models.congestion import LIMITS, Congestion, class_of
from services.storage.overview import SensorNow


def marks_of(sensors: Sequence[SensorNow], now: datetime, zone: ZoneInfo, chosen: str = "") -> list[Mark]:
    """The traffic detectors that have a place, by their newest reading."""
    marks = []
    for sensor in sensors:
        if sensor.kind != "traffic" or sensor.lon is None or sensor.lat is None:
            continue
        silent = is_silent(sensor, now)
        ratio = None if silent else sensor.speed_ratio
        if silent:
            since = sensor.observed_at
            text = f"Silent since {words.clock(since, zone, now=now)}" if since else "Never heard"
        else:
            text = reading_text(sensor.flow_vph, sensor.speed_kmh, ratio)
        marks.append(
            Mark(
                code=sensor.code,
                label=sensor.label,
                lon=sensor.lon,
                lat=sensor.lat,
                ratio=ratio,
                text=text,
                chosen=sensor.code == chosen,
            )
        )
    return marks


def frame_marks(frame: Frame, zone: ZoneInfo, chosen: str = "") -> list[Mark]:
    """The traffic detectors that have a place, at the moment of a frame."""
    if frame.offset == 0:
        return marks_of(frame.sensors, frame.moment, zone, chosen)
    marks = []
    for sensor in frame.sensors:
        if sensor.kind != "traffic" or sensor.lon is None or sensor.lat is None:
            continue
        state, ratio = frame.state(sensor), frame.ratio(sensor)
        marks.append(
            Mark(
                code=sensor.code,
                label=sensor.label,
                lon=sensor.lon,
                lat=sensor.lat,
                ratio=ratio,
                text="No value at this time" if state is None else state_text(state, ratio),
                chosen=sensor.code == chosen,
                likeliest=frame.congestion(sensor),
            )
        )
    return marks


def state_text(state: State, ratio: float | None) -> str:
    """What was measured or is forecast at a detector, in words; a forecast begins with its chances."""
    measured = reading_text(state.flow_vph, state.speed_kmh, ratio, named=state.chances is None)
    return measured if state.chances is None else f"{chances_text(state.chances)} · about {measured}"


def chances_text(chances: Sequence[float]) -> str:
    """The likeliest class and the chance of the worst, in words."""
    likeliest = int(np.argmax(chances))
    text = f"Most likely {CONGESTION_NAMES[likeliest].lower()} ({words.chance(chances[likeliest])})"
    if likeliest != Congestion.CONGESTED:
        text += f" · heavy congestion {words.chance(chances[Congestion.CONGESTED])}"
    return text


def reading_text(flow: float | None, speed: float | None, ratio: float | None, *, named: bool = True) -> str:
    """A traffic reading in words, `named` with the name of its class."""
    parts = [CONGESTION_NAMES[class_of(ratio)]] if named and ratio is not None else []
    if speed is not None:
        parts.append(
            f"{words.number(speed)} km/h" + (f" ({words.percent(ratio)} of free flow)" if ratio is not None else "")
        )
    if flow is not None:
        parts.append(f"{words.number(flow)} veh/h")
    return " · ".join(parts) or "No value"


def patch_marks(patch: Patch, marks: Sequence[Mark], scheme: Scheme) -> None:
    """Change a map that is on screen: its marks and nothing else. Its view stays the user's."""
    for trace, attributes in zip((RINGS, DOTS), marks_update(marks, scheme), strict=True):
        for name, value in attributes.items():
            patch["data"][trace][name] = value


def patch_theme(patch: Patch, layers: Collection[str], scheme: Scheme) -> None:
    """Give a map that is on screen the colours of a theme."""
    palette = PALETTES[scheme]
    patch["layout"]["map"]["style"] = base_style(layers, scheme)
    patch["layout"]["font"]["color"] = palette.text
    patch["layout"]["hoverlabel"]["bgcolor"] = palette.surface
    patch["layout"]["hoverlabel"]["bordercolor"] = palette.line
    patch["layout"]["hoverlabel"]["font"]["color"] = palette.text


def congestion_legend(scheme: Scheme, *, ahead: bool = False) -> Component:
    """The classes of the speed ratio with their limits, as drawn; `ahead` they are the likeliest ones."""
    palette = PALETTES[scheme]
    shares = [f"{100 * limit:.0f}" for limit in LIMITS]
    between = [f"{low}–{high} %" for low, high in pairwise(shares)]
    bounds = [f"< {shares[0]} %", *between, f"≥ {shares[-1]} %"]
    sizes = (14, 12, 11, 9)
    entries = [
        html.Span(
            [
                html.I(
                    className="ring" if i == 0 else "",
                    style={"--dot": palette.congestion[i], "--size": f"{sizes[i]}px"},
                ),
                f"{name} {bounds[i]}",
            ]
        )
        for i, name in enumerate(CONGESTION_NAMES)
    ]
    quiet = html.Span([html.I(style={"--dot": palette.silent, "--size": "8px"}), "No current reading"])
    return html.Div(
        [html.Span("Likeliest speed ÷ free-flow speed" if ahead else "Speed ÷ free-flow speed"), *entries, quiet],
        className="legend",
        style={"marginTop": "12px"},
    )
