"""Code concerned with putting stored means on regular grids: which sensors share a step, and where each value goes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.calendar import Calendar
from models.panel import LARGEST, Panel, Values
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
    values = _means(sensor, column - first, value, present, int(end) - first)
    return Panel(
        names=tuple(str(one) for one in present),
        values=values,
        start_us=first * step_us,
        step_seconds=step_seconds,
        calendar=calendar,
        nonnegative=nonnegative,
    )


def extended(panel: Panel, recent: History | None, *, since_us: int, until_us: int) -> Panel:
    """A panel with what is known now: from `since_us`, a UTC midnight, on as in `recent`, up to `until_us`.

    `recent` may hold other sensors too; None is nothing known since.
    """
    first = max(0, (since_us - panel.start_us) // panel.step_us)
    end = until_us // panel.step_us - panel.start_us // panel.step_us
    values = np.full((panel.sensors, end), np.nan)
    values[:, : min(first, end)] = panel.values[:, : min(first, end)]
    if recent is not None:
        named = np.array([int(name) for name in panel.names], dtype=np.int64)
        column = (recent.bucket_us - panel.start_us) // panel.step_us
        mine = np.isin(recent.sensor_id, named) & (column >= first) & (column < end) & (np.abs(recent.value) <= LARGEST)
        values[:, first:] = _means(
            recent.sensor_id[mine], column[mine] - first, recent.value[mine], named, max(0, end - first)
        )
    return replace(panel, values=values, part_of_checked=True)


def _means(
    sensor: NDArray[np.int32],
    column: NDArray[np.int64],
    value: NDArray[np.float64],
    present: NDArray[np.integer[Any]],
    width: int,
) -> Values:
    """The mean value of each of `present`, in order of their numbers, in each of `width` columns; NaN where none is."""
    shape = (len(present), width)
    cell = np.searchsorted(present, sensor) * width + column
    count = np.bincount(cell, minlength=shape[0] * width)
    total = np.bincount(cell, weights=value, minlength=shape[0] * width)
    with np.errstate(invalid="ignore"):
        return np.where(count > 0, total / np.maximum(count, 1), np.nan).reshape(shape)
