"""Code concerned with the chances of congestion of a run: from its speed and flow series and the history behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from models.congestion import chances, usual_flow
from models.habits import local_hours
from models.panel import Panel, Values
from models.recalibration import aligned
from services.domain import QUANTILE_LEVELS
from services.forecasting.learnt import Group
from services.forecasting.roads import FLOW, SPEED, WEEK_DAYS, learnt_roads, told_roads
from services.storage.congestion import NewCongestion
from services.storage.forecasts import NewSeries
from services.storage.panels import PanelSensor


def congestion_of(
    groups: Sequence[Group], series: Sequence[NewSeries], sensors: Sequence[PanelSensor]
) -> list[NewCongestion]:
    """The chances of each detector that has a speed forecast and a free-flow speed, told or shown.

    Args:
        groups: what is known, of one kind and step; of a sensor in two groups the last one counts.
        series: the forecasts of these groups.
        sensors: what devices have told.

    """
    flows = [one.panel for one in groups if one.quantity == FLOW]
    made: dict[int, NewCongestion] = {}
    for group in groups:
        if group.quantity == SPEED:
            made |= {one.sensor_id: one for one in _of_group(group, flows, series, sensors)}
    return list(made.values())


def _of_group(
    group: Group, flow_panels: Sequence[Panel], series: Sequence[NewSeries], sensors: Sequence[PanelSensor]
) -> list[NewCongestion]:
    names = group.panel.names
    speeds = {str(one.sensor_id): one for one in series if one.quantity == SPEED}
    flows = {str(one.sensor_id): one for one in series if one.quantity == FLOW}
    steps = next((one.quantiles.shape[1] for one in speeds.values()), 0)
    learnt = group.roads or learnt_roads(group.panel, flow_panels)
    known = told_roads(learnt, names, sensors)
    usual = usual_flow(aligned(flow_panels, group.panel), WEEK_DAYS * group.panel.steps_per_day, steps)
    found = chances(_quantiles(speeds, names, steps), _quantiles(flows, names, steps), usual, known)
    if group.better is not None:
        hours = local_hours(group.panel, group.panel.length, steps)
        found = group.better.applied(found, np.arange(steps), None if group.habits is None else group.habits.at(hours))
    return [
        NewCongestion(
            sensor_id=int(name),
            first_target_us=speeds[name].first_target_us,
            step_seconds=group.step_seconds,
            free_flow_kmh=float(known.free_flow_kmh[k]),
            free_flow_estimated=bool(known.is_estimated[k]),
            capacity_vph=float(known.capacity_vph[k]) if np.isfinite(known.capacity_vph[k]) else None,
            chances=found[:, k],
        )
        for k, name in enumerate(names)
        if name in speeds and np.isfinite(found[:, k]).all()
    ]


def _quantiles(series: Mapping[str, NewSeries], names: Sequence[str], steps: int) -> Values:
    nothing = np.full((len(QUANTILE_LEVELS), steps), np.nan)
    return np.stack([series[one].quantiles if one in series else nothing for one in names], axis=1)
