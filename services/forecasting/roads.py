"""Code concerned with the roads at a city's detectors: what their devices told, and what their history shows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.congestion import Roads, roads
from models.panel import Panel, Values
from models.recalibration import Recalibration, aligned, from_validation
from models.selection import Selected
from services.storage.panels import PanelSensor

SPEED = "speed_kmh"
FLOW = "flow_vph"
WEEK_DAYS = 7


def roads_of(speed: Panel, flow: Values, sensors: Sequence[PanelSensor]) -> Roads:
    """The roads at the sensors of a panel of speeds; `flow` has its rows and times."""
    told = {str(one.id): one for one in sensors}
    mine = [told.get(name) for name in speed.names]
    return roads(
        speed.values,
        flow,
        WEEK_DAYS * speed.steps_per_day,
        free_flow_kmh=_told([None if one is None else one.free_flow_kmh for one in mine]),
        capacity_vph=_told([None if one is None else one.capacity_vph for one in mine]),
    )


def better_chances(
    speed: tuple[Panel, Selected], flow: tuple[Panel, Selected] | None, sensors: Sequence[PanelSensor]
) -> Recalibration | None:
    """How the chances of congestion have to be changed to come true as often as they say; None where nothing tells."""
    panel, selected = speed
    carried = aligned([flow[0]] if flow else [], panel)
    return from_validation(roads_of(panel, carried, sensors), panel, selected, *(flow or (None, None)))


def _told(values: Sequence[float | None]) -> Values:
    return np.array([np.nan if one is None else one for one in values])
