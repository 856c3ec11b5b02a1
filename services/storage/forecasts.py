"""Code concerned with stored forecasts: written once per run, read as they were issued, scored when time has told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
from numpy.typing import NDArray
from psycopg.rows import class_row

from services.domain import QUANTILE_LEVELS, ForecastState
from services.storage.binary import HEADER, TRAILER, record, stamps
from services.storage.database import Connection
from services.storage.queries import query

LEADS = tuple(timedelta(minutes=minutes) for minutes in (15, 60, 180, 360, 720, 1440))
"""The lead times that are scored: from the issue step to the end of the target."""

KEEP_ALL = timedelta(days=2)
KEEP_HOURLY = timedelta(days=30)


@dataclass(frozen=True, kw_only=True, slots=True)
class NewRun:
    """What is said about a run once, for all its series."""

    issued_at: datetime
    kind: str
    step_seconds: int
    steps: int
    trained_from: datetime | None
    trained_to: datetime | None
    data_hash: str
    config_hash: str
    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class NewSeries:
    """One sensor's forecast of one quantity: `quantiles` is levels x steps, finite and ordered; `reason` is words."""

    sensor_id: int
    quantity: str
    model: str
    state: ForecastState
    reason: str | None
    first_target_us: int
    quantiles: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class SeriesForecast:
    """A forecast as it was issued: for each target time (start of its step) the values at `QUANTILE_LEVELS`."""

    sensor: str
    kind: str
    quantity: str
    run_id: int
    issued_at: datetime
    step_seconds: int
    model: str
    state: ForecastState
    reason: str | None
    target_at: list[datetime]
    quantiles: list[list[float]]

    def __post_init__(self) -> None:
        """Give the state its type; the database holds the same words."""
        object.__setattr__(self, "state", ForecastState(self.state))

    def level(self, quantile: float) -> list[float]:
        """The values at one of `QUANTILE_LEVELS`, in target order."""
        position = QUANTILE_LEVELS.index(quantile)
        return [row[position] for row in self.quantiles]


@dataclass(frozen=True, kw_only=True, slots=True)
class TargetForecast:
    """What one sensor's newest forecast says about one target time, at `QUANTILE_LEVELS`."""

    sensor: str
    issued_at: datetime
    step_seconds: int
    model: str
    state: ForecastState
    reason: str | None
    target_at: datetime
    quantiles: list[float]

    def __post_init__(self) -> None:
        """Give the state its type; the database holds the same words."""
        object.__setattr__(self, "state", ForecastState(self.state))


@dataclass(frozen=True, kw_only=True, slots=True)
class RunInfo:
    """One run and how many of its series are in which state."""

    id: int
    issued_at: datetime
    kind: str
    step_seconds: int
    steps: int
    trained_from: datetime | None
    trained_to: datetime | None
    seconds: float
    normal: int
    degraded: int
    stale: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoreRow:
    """How forecasts of one quantity did at one lead time; `naive_mae` is the value of a week before, on its own count."""

    kind: str
    quantity: str
    lead_minutes: int
    sensors: int
    n: int
    mae: float
    naive_mae: float | None
    wape: float | None
    coverage_80: float
    coverage_90: float


def store(connection: Connection, run: NewRun, series: Sequence[NewSeries]) -> int:
    """Write one run with all its series and values in the caller's transaction; returns its id."""
    with connection.cursor() as cursor:
        fields = {name: getattr(run, name) for name in NewRun.__slots__}
        row = cursor.execute(query("forecasts", "insert_run"), fields).fetchone()
        if row is None:
            message = "INSERT … RETURNING gave no row"
            raise AssertionError(message)
        run_id = int(row[0])
        with cursor.copy(query("forecasts", "copy_series")) as copy:
            for one in series:
                copy.write_row(
                    (run_id, one.sensor_id, one.quantity, run.issued_at, one.model, str(one.state), one.reason)
                )
        with cursor.copy(query("forecasts", "copy_values")) as copy:
            copy.write(HEADER)
            for one in series:
                copy.write(_value_records(run_id, run.step_seconds, one))
            copy.write(TRAILER)
    return run_id


def _value_records(run_id: int, step_seconds: int, one: NewSeries) -> bytes:
    quantity = one.quantity.encode()
    kind = record("i8", "i4", f"S{len(quantity)}", "i8", *["f4"] * len(QUANTILE_LEVELS))
    steps = one.quantiles.shape[1]
    rows = kind.blank(steps)
    targets = one.first_target_us + np.arange(steps, dtype=np.int64) * step_seconds * 1_000_000
    kind.fill(rows, [run_id, one.sensor_id, quantity, stamps(targets), *one.quantiles])
    return rows.tobytes()


def latest(
    connection: Connection,
    *,
    sensors: Sequence[str] | None = None,
    kind: str | None = None,
    quantity: str | None = None,
    issued_before: datetime | None = None,
) -> list[SeriesForecast]:
    """The newest forecast of each sensor and quantity, or the newest issued at or before `issued_before`.

    Args:
        connection: as arterial_api or arterial_jobs.
        sensors: codes; None is every sensor.
        kind: only sensors of this kind.
        quantity: only this quantity, such as `flow_vph`.
        issued_before: what was known at that time; None is now.

    Returns:
        Ordered by sensor and quantity; sensors without a forecast are absent.

    """
    with connection.cursor(row_factory=class_row(SeriesForecast)) as cursor:
        return cursor.execute(
            query("forecasts", "latest"),
            {
                "sensors": None if sensors is None else list(sensors),
                "kind": kind,
                "quantity": quantity,
                "issued_before": issued_before,
            },
        ).fetchall()


def at_target(
    connection: Connection, *, kind: str, quantity: str, target_at: datetime, issued_before: datetime | None = None
) -> list[TargetForecast]:
    """One row per sensor for a map: the newest forecast's values for the step that holds `target_at`.

    Sensors whose newest forecast does not reach the target are absent.
    """
    with connection.cursor(row_factory=class_row(TargetForecast)) as cursor:
        return cursor.execute(
            query("forecasts", "at_target"),
            {"kind": kind, "quantity": quantity, "target_at": target_at, "issued_before": issued_before},
        ).fetchall()


def runs(
    connection: Connection, *, kind: str | None = None, since: datetime | None = None, limit: int = 100
) -> list[RunInfo]:
    """The newest runs first, each with the count of its series by state."""
    with connection.cursor(row_factory=class_row(RunInfo)) as cursor:
        return cursor.execute(query("forecasts", "runs"), {"kind": kind, "since": since, "limit": limit}).fetchall()


def scorecard(
    connection: Connection,
    *,
    kind: str | None = None,
    quantity: str | None = None,
    sensors: Sequence[str] | None = None,
    district: str | None = None,
    since: date | None = None,
    until: date | None = None,
) -> list[ScoreRow]:
    """How forecasts did by kind, quantity and lead time, over whole UTC days from `since` to `until`, both included."""
    with connection.cursor(row_factory=class_row(ScoreRow)) as cursor:
        return cursor.execute(
            query("forecasts", "scorecard"),
            {
                "kind": kind,
                "quantity": quantity,
                "sensors": None if sensors is None else list(sensors),
                "district": district,
                "since": since,
                "until": until,
            },
        ).fetchall()


def score_day(connection: Connection, day: date, *, closed: datetime) -> int:
    """Score the forecasts about one UTC day whose targets had ended by `closed`; returns the rows written. Repeatable."""
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    written = connection.execute(
        query("forecasts", "score_day"),
        {
            "start": start,
            "closed": min(closed, start + timedelta(days=1)),
            "leads": [lead // timedelta(minutes=1) for lead in LEADS],
        },
    )
    return written.rowcount


def forget(connection: Connection, now: datetime) -> int:
    """Remove old runs: all are kept `KEEP_ALL`, the first of each hour `KEEP_HOURLY`. Returns how many were removed."""
    removed = connection.execute(
        query("forecasts", "forget"), {"all_since": now - KEEP_ALL, "hourly_since": now - KEEP_HOURLY}
    )
    return removed.rowcount
