"""Code concerned with putting stored means on regular grids: which sensors share a step, and where each value goes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.calendar import Calendar
from models.panel import LARGEST, Panel
from services.storage.panels import BUCKET_SECONDS, History, PanelSensor

_STEPS: Final = (900, 1_800, 3_600, 7_200, 10_800, 21_600, 43_200, 86_400)


def step_of(sensor: PanelSensor, buckets_us: NDArray[np.int64]) -> int:
    """The step at which a sensor is forecast: 15 minutes, or its own where that is coarser [s].

    A sensor that never said how often it reports is judged by the usual distance between its buckets.
    """
    own = sensor.step_seconds
    if own is None:
        gaps = np.diff(np.unique(buckets_us)) // 1_000_000
        own = int(np.median(gaps)) if len(gaps) else BUCKET_SECONDS
    return next((step for step in _STEPS if step >= own), _STEPS[-1])


def by_step(sensors: Iterable[PanelSensor], histories: Iterable[History]) -> dict[int, list[int]]:
    """The numbers of the sensors that have a history, grouped by the step at which they are forecast."""
    groups: dict[int, list[int]] = {}
    known = [(one.sensor_id, one.bucket_us) for one in histories]
    ids = np.concatenate([ids for ids, _ in known]) if known else np.array([], dtype=np.int32)
    buckets = np.concatenate([buckets for _, buckets in known]) if known else np.array([], dtype=np.int64)
    order = np.argsort(ids, kind="stable")
    ids, buckets = ids[order], buckets[order]
    for sensor in sensors:
        low, high = np.searchsorted(ids, [sensor.id, sensor.id + 1])
        if high > low:
            groups.setdefault(step_of(sensor, buckets[low:high]), []).append(sensor.id)
    return groups


def to_panel(
    history: History, ids: list[int], *, step_seconds: int, until_us: int, calendar: Calendar, nonnegative: bool
) -> Panel:
    """The sensors `ids` on one grid that ends at the last full step before `until_us` and begins with the first value.

    Several buckets of one step are averaged. A value no sensor can mean is missing. Sensors without any value of this
    quantity are left out.
    """
    step_us = step_seconds * 1_000_000
    end = until_us // step_us
    wanted = np.array(ids, dtype=np.int64)
    column = history.bucket_us // step_us
    mine = np.isin(history.sensor_id, wanted) & (column < end) & (np.abs(history.value) <= LARGEST)
    sensor, column, value = history.sensor_id[mine], column[mine], history.value[mine]
    present = np.unique(sensor)
    first = int(column.min()) if len(column) else int(end)
    shape = (len(present), int(end) - first)
    cell = np.searchsorted(present, sensor) * shape[1] + (column - first)
    count = np.bincount(cell, minlength=shape[0] * shape[1])
    total = np.bincount(cell, weights=value, minlength=shape[0] * shape[1])
    with np.errstate(invalid="ignore"):
        values = np.where(count > 0, total / np.maximum(count, 1), np.nan).reshape(shape)
    return Panel(
        names=tuple(str(one) for one in present),
        values=values,
        start_us=first * step_us,
        step_seconds=step_seconds,
        calendar=calendar,
        nonnegative=nonnegative,
    )
