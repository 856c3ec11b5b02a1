"""Code concerned with the peaks of today and tomorrow: from issued quantiles and earlier errors to what is stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from models.panel import Values
from models.peaks import Courses, Errors, correction, peaks
from services.domain import ForecastState, from_us, to_us
from services.forecasting.learnt import Group
from services.local_day import day_of, day_span
from services.storage.forecasts import NewSeries
from services.storage.totals import LimitIs, NewPeak


@dataclass(frozen=True, kw_only=True, slots=True)
class Ahead:
    """What is ahead of some sensors or totals that share a step: quantiles (levels x rows x steps) from `first_us` on.

    Earlier forecasts were issued at `origins_us` and missed by `errors` what was observed, `truth` (both origins x rows x
    steps). `limits` (rows,) are NaN where there are none; `observed` (rows x steps of today so far) ends at `first_us`.
    """

    first_us: int
    step_seconds: int
    quantiles: Values
    errors: Errors
    truth: Values
    origins_us: NDArray[np.int64]
    observed: Values
    limits: Values
    limit_is: LimitIs


def days_ahead(first_us: int, steps: int, step_seconds: int, zone: ZoneInfo) -> dict[date, range]:
    """Which steps of a forecast belong to today, as far as it is ahead, and to tomorrow, if all of it is."""
    today = day_of(from_us(first_us), zone)
    made = {}
    for day in (today, today + timedelta(days=1)):
        start, end = (-(-(to_us(moment) - first_us) // (step_seconds * 1_000_000)) for moment in day_span(day, zone))
        if 0 < end <= steps:
            made[day] = range(max(0, start), end)
    return made


def today_so_far(values: Values, end_us: int, step_seconds: int, zone: ZoneInfo) -> Values:
    """The columns of values that end at a moment which belong to the day it lies in."""
    start, _ = day_span(day_of(from_us(end_us), zone), zone)
    count = max(0, (end_us - to_us(start)) // (step_seconds * 1_000_000))
    return values[:, max(0, values.shape[1] - count) :]


def peaks_of(ahead: Ahead, zone: ZoneInfo) -> list[list[NewPeak]]:
    """The peaks of each row, of today and tomorrow; without sensor, district and state, which the caller knows."""
    rows, steps = ahead.quantiles.shape[1:]
    days = days_ahead(ahead.first_us, steps, ahead.step_seconds, zone)
    so_far = np.full((rows, len(days)), np.nan)
    known = np.isfinite(ahead.observed)
    highest = np.where(known, ahead.observed, -np.inf).max(axis=1, initial=-np.inf)
    so_far[:, 0] = np.where(known.any(axis=1), highest, np.nan)
    daily = 86_400 // ahead.step_seconds
    errors, parts = ahead.errors[:, :, :steps], list(days.values())
    found = peaks(
        ahead.quantiles,
        Courses.of_errors(errors, daily),
        parts,
        so_far=so_far,
        corrected=correction(errors, ahead.truth[:, :, :steps], ahead.origins_us, parts),
    )
    quantiles = found.quantiles()
    chances = found.chance_above(np.repeat(ahead.limits[:, None], len(days), axis=1))
    return [
        [
            NewPeak(
                quantity="power_kw",
                day=day,
                state=ForecastState.NORMAL,
                limit_kw=None if np.isnan(chances[k, n]) else float(ahead.limits[k]),
                limit_is=None if np.isnan(chances[k, n]) else ahead.limit_is,
                chance_above=None if np.isnan(chances[k, n]) else float(chances[k, n]),
                likely_at=None
                if found.likeliest[k, n] < 0
                else from_us(ahead.first_us + int(found.likeliest[k, n]) * ahead.step_seconds * 1_000_000),
                so_far=None if np.isnan(so_far[k, n]) else float(so_far[k, n]),
                quantiles=quantiles[:, k, n],
            )
            for n, day in enumerate(days)
        ]
        for k in range(rows)
    ]


def observed_after(
    values: Values, origins_us: NDArray[np.int64], start_us: int, step_seconds: int, steps: int
) -> Values:
    """What was observed in each step after each origin (origins x rows x steps), NaN beyond both ends of the values."""
    columns = (origins_us - start_us)[:, None] // (step_seconds * 1_000_000) + np.arange(steps)
    inside = (columns >= 0) & (columns < values.shape[1])
    found = np.where(inside, values[:, np.where(inside, columns, 0)], np.nan)
    return np.asarray(found.transpose(1, 0, 2))


def sensor_peaks(
    groups: Sequence[Group], series: Sequence[NewSeries], limits: Mapping[int, float], zone: ZoneInfo
) -> list[NewPeak]:
    """The peaks of the feeders whose series are given; of a sensor in two groups what was learnt last counts."""
    issued = {one.sensor_id: one for one in series}
    made: dict[int, list[NewPeak]] = {}
    for group in groups:
        rows = [k for k, name in enumerate(group.panel.names) if int(name) in issued]
        if not rows:
            continue
        mine = [issued[int(group.panel.names[k])] for k in rows]
        panel = group.panel
        found = peaks_of(
            Ahead(
                first_us=panel.end_us,
                step_seconds=panel.step_seconds,
                quantiles=np.stack([one.quantiles for one in mine], axis=1),
                errors=group.selected.errors[:, rows],
                truth=observed_after(
                    panel.values[rows],
                    group.selected.origins_us,
                    panel.start_us,
                    panel.step_seconds,
                    group.selected.errors.shape[2],
                ),
                origins_us=group.selected.origins_us,
                observed=today_so_far(panel.values[rows], panel.end_us, panel.step_seconds, zone),
                limits=np.array([limits.get(one.sensor_id, np.nan) for one in mine]),
                limit_is="allowed",
            ),
            zone,
        )
        for one, peaks_ in zip(mine, found, strict=True):
            made[one.sensor_id] = [replace(peak, sensor_id=one.sensor_id, state=one.state) for peak in peaks_]
    return [peak for peaks_ in made.values() for peak in peaks_]
