"""Code concerned with what the districts and the city will draw, from the forecasts of their feeders as published.

What a feeder's forecast says is not changed afterwards: the totals are the sums of the published medians, so that feeders,
districts and city add up, and the width of their intervals comes from how their feeders have erred together. Of MinT,
which would change the feeders' forecasts too, `arterial forecast peaks` tells what it would bring on a recording.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

import numpy as np
import psycopg
from numpy.typing import NDArray

from models.calendar import Calendar
from models.conformal import calibrate
from models.few_days import as_issued
from models.panel import Panel, Values
from models.regimes import regimes
from services.domain import QUANTILE_LEVELS, ForecastState, Kind, from_us, to_us
from services.forecasting.city_calendar import city_calendar
from services.forecasting.days import Ahead, observed_after, peaks_of
from services.forecasting.ensemble import POWER, Ensemble, Tree, of_night, regimes_at, summed_errors, summed_values
from services.forecasting.freezing import code_hash
from services.forecasting.grid import to_panel
from services.forecasting.keeping import folder_of
from services.local_day import day_of, day_span
from services.settings import Settings
from services.storage import forecasts, panels, totals
from services.storage.database import Connection, connect
from services.storage.forecasts import NewRun
from services.storage.totals import CITY_SHARD, NewPeak, NewTotal, Part

_RECORD: Final = timedelta(days=28)
_FEWEST: Final = 8  # origins, from which it can be told how feeders err together
_SERIOUS: Final = 0.1  # of the load; when so much stands on worse forecasts, the total does too
_MIDDLE: Final = QUANTILE_LEVELS.index(0.5)
_HELD: Final = 0.9  # of a total that must be known to tell how much it drew


def forecast_totals(
    settings: Settings,
    *,
    issued_by: datetime,
    due_at: datetime | None = None,
    ensembles: Sequence[Ensemble] | None = None,
) -> int | None:
    """Forecast the districts' and the city's load and its peaks from the feeders' newest forecasts, and store them.

    Args:
        settings: the city and its database.
        issued_by: the feeders' forecasts issued by then, and readings received by then, are used.
        due_at: the round of the timetable; nothing is done while feeders are missing from it, or twice.
        ensembles: how feeders have erred, where that was learnt for these forecasts; else as learnt in the night.

    Returns:
        The run, None when nothing was stored.

    Raises:
        UnavailableError: the database does not answer.

    """
    began = time.perf_counter()
    calendar = city_calendar(settings)
    with connect(settings.role_dsn("jobs"), application="totals") as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        since = issued_by - timedelta(days=settings.forecast_history_days)
        size = panels.SHARD_SENSORS
        if due_at is not None and not totals.is_complete(connection, due_at=due_at, since=since, size=size):
            return None
        parts = totals.parts(connection, quantity=POWER, issued_by=issued_by)
        if not parts:
            return None
        known = list(of_night(connection, calendar, folder_of(settings.data_dir))) if ensembles is None else ensembles
        made, peaks = _totals(
            connection, settings, calendar, parts, known, issued_by if ensembles is not None else None
        )
        digest = hashlib.sha256(b"".join(part.quantiles.tobytes() for part in parts)).hexdigest()
        run = NewRun(
            issued_at=issued_by,
            due_at=due_at,
            shard=CITY_SHARD,
            kind=str(Kind.ENERGY),
            step_seconds=made[0].step_seconds,
            steps=made[0].quantiles.shape[1],
            trained_from=None,
            trained_to=None,
            data_hash=digest[:32],
            config_hash=hashlib.sha256(f"{code_hash()} {calendar}".encode()).hexdigest()[:32],
            seconds=time.perf_counter() - began,
        )
        stored = forecasts.store(connection, run, [])
        if stored is not None:
            totals.store_totals(connection, stored, issued_by, made)
            totals.store_peaks(connection, stored, issued_by, peaks)
        connection.commit()
    return stored


def _totals(
    connection: Connection,
    settings: Settings,
    calendar: Calendar,
    parts: Sequence[Part],
    ensembles: Sequence[Ensemble],
    received_by: datetime | None,
) -> tuple[list[NewTotal], list[NewPeak]]:
    step = min(part.step_seconds for part in parts)
    first, leaves = on_one_grid(parts, step)
    places: list[int | None] = [None, *sorted({part.district_id for part in parts if part.district_id is not None})]
    members = np.array(
        [[place is None or part.district_id == place for part in parts] for place in places], dtype=float
    )
    medians = leaves[_MIDDLE]
    tree = Tree(
        ids=np.array([part.sensor_id for part in parts]),
        members=members,
        usual=np.maximum(np.abs(medians).mean(axis=1), 1e-9),
    )
    steps = leaves.shape[2]
    summed = members @ medians
    origins, errors = summed_errors(ensembles, tree, steps, step)
    together = int(np.isfinite(errors).any(axis=(1, 2)).sum()) >= _FEWEST
    quantiles = _around(summed, origins, errors, first, step, calendar) if together else members @ leaves
    if leaves.min() >= 0:
        quantiles = np.maximum(quantiles, 0.0)
    states = [_state(tree, row, parts, together=together) for row in range(len(places))]
    made = [
        NewTotal(
            district_id=place,
            quantity=POWER,
            state=states[row][0],
            reason=states[row][1],
            sensors=int(members[row].sum()),
            first_target_us=first,
            step_seconds=step,
            summed=summed[row],
            quantiles=quantiles[:, row],
        )
        for row, place in enumerate(places)
    ]
    midnight, _ = day_span(day_of(from_us(first), settings.zone), settings.zone)
    since_us = to_us(midnight - _RECORD)
    drew = summed_values(ensembles, tree, since_us=since_us, until_us=first, step_seconds=step)
    before = drew[:, : (to_us(midnight) - since_us) // (step * 1_000_000)]
    record = np.where(np.isfinite(before), before, -np.inf).max(axis=1, initial=-np.inf)
    none = np.empty((0, len(places), steps))
    found = peaks_of(
        Ahead(
            first_us=first,
            step_seconds=step,
            quantiles=quantiles,
            errors=errors if together else none,
            truth=observed_after(drew, origins, since_us, step, steps) if together else none,
            origins_us=origins if together else np.empty(0, dtype=np.int64),
            observed=_observed(connection, tree, calendar, to_us(midnight), first, step, received_by),
            limits=np.where(np.isfinite(record), record, np.nan),
            limit_is="highest_of_28_days",
        ),
        settings.zone,
    )
    peaks = [
        replace(peak, district_id=place, state=states[row][0])
        for row, place in enumerate(places)
        for peak in found[row]
    ]
    return made, peaks


def on_one_grid(parts: Sequence[Part], step_seconds: int) -> tuple[int, Values]:
    """Forecasts on the times that all of them reach: the first [µs], and quantiles (levels x sensors x steps).

    What is forecast over a longer step holds for every step within it.
    """
    step_us = step_seconds * 1_000_000
    first = max(part.first_target_us for part in parts)
    end = min(part.first_target_us + part.quantiles.shape[1] * part.step_seconds * 1_000_000 for part in parts)
    times = np.arange(first, max(end, first + step_us), step_us)
    made = np.empty((len(QUANTILE_LEVELS), len(parts), len(times)))
    for k, part in enumerate(parts):
        column = (times - part.first_target_us) // (part.step_seconds * 1_000_000)
        made[:, k] = part.quantiles[:, np.minimum(column, part.quantiles.shape[1] - 1)]
    return first, made


def _around(
    summed: Values, origins: NDArray[np.int64], errors: Values, first_us: int, step: int, calendar: Calendar
) -> Values:
    """Quantiles of totals (levels x totals x steps) around their sums."""
    steps = summed.shape[1]
    known = np.isfinite(errors)
    typical = np.where(known, np.abs(errors), 0.0).sum(axis=(0, 2)) / np.maximum(known.sum(axis=(0, 2)), 1)
    clock = Panel(names=(), values=np.empty((0, 0)), start_us=first_us, step_seconds=step, calendar=calendar)
    learnt = calibrate(
        errors, np.repeat(typical[:, None], steps, axis=1), regimes=regimes_at(origins, steps, step, calendar)
    )
    conformal = as_issued(learnt, errors, origins // clock.step_us, day=clock.steps_per_day)
    return conformal.around(summed, nonnegative=False, regimes=regimes(clock, 0, steps))


def _observed(
    connection: Connection,
    tree: Tree,
    calendar: Calendar,
    since_us: int,
    until_us: int,
    step: int,
    received_by: datetime | None,
) -> Values:
    """What the totals drew in each step of today so far."""
    width = (until_us - since_us) // (step * 1_000_000)
    sums = np.zeros((2, len(tree.members), width))
    ids = [int(one) for one in tree.ids]
    hour = since_us // 3_600_000_000 * 3_600_000_000
    for history in panels.history(
        connection, Kind.ENERGY, ids, since=from_us(hour), until=from_us(until_us), received_by=received_by
    ):
        panel = to_panel(history, ids, step_seconds=step, until_us=until_us, calendar=calendar, nonnegative=False)
        place = (panel.start_us - since_us) // panel.step_us
        values = panel.values[:, max(0, -place) :]
        if values.shape[1]:
            tree.add(sums, np.array([int(name) for name in panel.names]), values, slice(max(0, place), width))
    return tree.whole(sums, _HELD)


def _state(tree: Tree, row: int, parts: Sequence[Part], *, together: bool) -> tuple[ForecastState, str | None]:
    """How far a total can be relied on: as far as the feeders that make up most of it."""
    mine = [(part.state, float(tree.usual[k])) for k, part in enumerate(parts) if tree.members[row, k]]
    whole = sum(usual for _, usual in mine)
    for state in (ForecastState.STALE, ForecastState.DEGRADED):
        share = sum(usual for one, usual in mine if one is state) / whole
        if share > _SERIOUS:
            return state, f"{share:.0%} of the load comes from feeders whose forecast is {state}"
    if not together:
        return (
            ForecastState.DEGRADED,
            "how the feeders err together is not known yet: the intervals are the widest possible",
        )
    return ForecastState.NORMAL, None
