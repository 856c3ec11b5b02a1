"""Code concerned with the roads at a city's detectors: what their history shows, and what their devices have told."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from models.congestion import Roads, roads
from models.habits import Habits
from models.panel import Panel, Values
from models.recalibration import Recalibration, aligned, from_validation
from models.selection import Selected
from services.storage.panels import PanelSensor

SPEED = "speed_kmh"
FLOW = "flow_vph"
WEEK_DAYS = 7


def learnt_roads(speed: Panel, flows: Sequence[Panel]) -> Roads:
    """What the history shows of the roads at the sensors of a panel of speeds, for nights."""
    return roads(speed.values, aligned(flows, speed), WEEK_DAYS * speed.steps_per_day)


def learnt_habits(speed: Panel, flows: Sequence[Panel], known: Roads) -> Habits:
    """How often each class of traffic came at an hour of the day of late, for nights."""
    return Habits.of(speed, aligned(flows, speed), known)


def told_roads(learnt: Roads, names: Sequence[str], sensors: Sequence[PanelSensor]) -> Roads:
    """The same with what devices have told by now; `names` are sensor numbers in the order of the roads."""
    told = {str(one.id): one for one in sensors}
    mine = [told.get(name) for name in names]
    return learnt.told(
        _told([None if one is None else one.free_flow_kmh for one in mine]),
        _told([None if one is None else one.capacity_vph for one in mine]),
    )


def better_chances(
    known: Roads,
    speed: tuple[Panel, Selected],
    flow: tuple[Panel, Selected] | None,
    before: Recalibration | None,
) -> Recalibration | None:
    """How the chances of congestion have to be changed to come true as often as they say; None where nothing tells.

    `before` is what the last learning made of it.
    """
    flow_panel, flows = flow or (None, None)
    return from_validation(known, *speed, flow_panel, flows, before)


def _told(values: Sequence[float | None]) -> Values:
    return np.array([np.nan if one is None else one for one in values])
