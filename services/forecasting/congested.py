"""Code concerned with the chances of congestion of a run: from its speed and flow series and the history behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from models.congestion import chances, roads, usual_flow
from models.panel import Panel, Values
from services.domain import QUANTILE_LEVELS
from services.forecasting.learnt import Group
from services.storage.congestion import NewCongestion
from services.storage.forecasts import NewSeries
from services.storage.panels import PanelSensor

SPEED = "speed_kmh"
FLOW = "flow_vph"
_WEEK_DAYS = 7


def congestion_of(
    groups: Sequence[Group], series: Sequence[NewSeries], sensors: Sequence[PanelSensor]
) -> list[NewCongestion]:
    """The chances of each detector that has a speed forecast and a free-flow speed, told or shown.

    Args:
        groups: what is known, of one kind and step; of a sensor in two groups the last one counts.
        series: the forecasts of these groups.
        sensors: what devices have told.

    """
    panels = {quantity: [one.panel for one in groups if one.quantity == quantity] for quantity in (SPEED, FLOW)}
    told = {one.id: one for one in sensors}
    speeds = {one.sensor_id: one for one in series if one.quantity == SPEED and one.sensor_id in told}
    flows = {one.sensor_id: one for one in series if one.quantity == FLOW}
    if not speeds:
        return []
    newest = panels[SPEED][-1]
    week = _WEEK_DAYS * newest.steps_per_day
    ids = list(speeds)
    steps = next(iter(speeds.values())).quantiles.shape[1]
    length = max(panel.length for some in panels.values() for panel in some)
    flow_history = _histories(panels[FLOW], ids, length)
    known = roads(
        _histories(panels[SPEED], ids, length),
        flow_history,
        week,
        free_flow_kmh=_told([told[one].free_flow_kmh for one in ids]),
        capacity_vph=_told([told[one].capacity_vph for one in ids]),
    )
    found = chances(
        np.stack([speeds[one].quantiles for one in ids], axis=1),
        _quantiles(flows, ids, steps),
        usual_flow(flow_history, week, steps),
        known,
    )
    return [
        NewCongestion(
            sensor_id=one,
            first_target_us=speeds[one].first_target_us,
            step_seconds=newest.step_seconds,
            free_flow_kmh=float(known.free_flow_kmh[k]),
            free_flow_estimated=bool(known.is_estimated[k]),
            capacity_vph=float(known.capacity_vph[k]) if np.isfinite(known.capacity_vph[k]) else None,
            chances=found[:, k],
        )
        for k, one in enumerate(ids)
        if np.isfinite(found[:, k]).all()
    ]


def _histories(panels: Sequence[Panel], ids: Sequence[int], length: int) -> Values:
    """The rows of these sensors (sensors x `length`) up to the panels' common end, NaN where nothing is known."""
    made = np.full((len(ids), length), np.nan)
    place = {str(one): k for k, one in enumerate(ids)}
    for panel in panels:
        rows = [(place[name], k) for k, name in enumerate(panel.names) if name in place]
        mine, theirs = [row for row, _ in rows], [row for _, row in rows]
        made[mine, length - panel.length :] = panel.values[theirs]
    return made


def _quantiles(flows: Mapping[int, NewSeries], ids: Sequence[int], steps: int) -> Values:
    nothing = np.full((len(QUANTILE_LEVELS), steps), np.nan)
    return np.stack([flows[one].quantiles if one in flows else nothing for one in ids], axis=1)


def _told(values: Sequence[float | None]) -> Values:
    return np.array([np.nan if one is None else one for one in values])
