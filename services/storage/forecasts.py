"""Code concerned with stored forecasts: written once per run, read as they were issued, scored when time has told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from struct import pack

import numpy as np
from numpy.typing import NDArray
from psycopg.rows import class_row

from services.domain import QUANTILE_LEVELS, ForecastState, to_us
from services.storage.binary import HEADER, TRAILER, array_fields, field, stamp
from services.storage.database import Connection
from services.storage.queries import query

LEADS = tuple(timedelta(minutes=minutes) for minutes in (15, 60, 180, 360, 720, 1440))
"""The lead times that are scored: from the issue step to the end of the target."""

KEEP_ALL = timedelta(hours=56)
"""A day is scored for good 30 hours after it began, from forecasts issued up to a day before that."""
LATE = timedelta(hours=6)
"""A day is scored once more when readings this late have come."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NewRun:
    """What is said about a run once, for all its series; `due_at` is the round of the timetable, None for a person's."""

    issued_at: datetime
    due_at: datetime | None = None
    shard: int = 0
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
    """One sensor's forecast of one quantity: `quantiles` is levels x steps, finite and ordered; `reason` is words.

    `scale` is the mean absolute difference from the value a week before over the history, None where there is none.
    """

    sensor_id: int
    quantity: str
    model: str
    state: ForecastState
    reason: str | None
    first_target_us: int
    quantiles: NDArray[np.float64]
    scale: float | None = None


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
    """One round of a kind, over all its shards, and how many of its series are in which state."""

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


def is_stored(connection: Connection, *, due_at: datetime, shard: int) -> bool:
    """Whether a shard has been forecast for a round of the timetable."""
    row = connection.execute(query("forecasts", "is_stored"), {"due_at": due_at, "shard": shard}).fetchone()
    return bool(row and row[0])


def store(connection: Connection, run: NewRun, series: Sequence[NewSeries]) -> int | None:
    """Write one run with all its series in the caller's transaction.

    Returns:
        Its id; None when this shard has been stored for this round before, and nothing is written.

    """
    with connection.cursor() as cursor:
        fields = {name: getattr(run, name) for name in NewRun.__slots__}
        row = cursor.execute(query("forecasts", "insert_run"), fields).fetchone()
        if row is None:
            return None
        run_id = int(row[0])
        issued_at = pack(">q", stamp(to_us(run.issued_at)))
        step = pack(">i", run.step_seconds)
        with cursor.copy(query("forecasts", "copy_series")) as copy:
            copy.write(HEADER)
            for one in series:
                head = (
                    pack(">q", run_id),
                    pack(">i", one.sensor_id),
                    one.quantity.encode(),
                    issued_at,
                    one.model.encode(),
                    str(one.state).encode(),
                    None if one.reason is None else one.reason.encode(),
                    pack(">q", stamp(one.first_target_us)),
                    step,
                    None if one.scale is None else pack(">f", one.scale),
                )
                count = pack(">h", len(head) + len(QUANTILE_LEVELS))
                copy.write(b"".join([count, *map(field, head), array_fields(one.quantiles)]))
            copy.write(TRAILER)
    return run_id


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
    """The newest rounds first, each with the count of its series by state; the shards of one round are one."""
    with connection.cursor(row_factory=class_row(RunInfo)) as cursor:
        return cursor.execute(query("forecasts", "runs"), {"kind": kind, "since": since, "limit": limit}).fetchall()


def held(
    connection: Connection, ids: Sequence[int], quantity: str, *, since: date
) -> tuple[NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]:
    """What intervals of some sensors have held, from the scorecard.

    Returns:
        Lead times in minutes, ascending; targets scored (days x lead times), days ascending; and how many of them lay
        inside the 80 % and the 90 % interval (2 x days x lead times).

    """
    rows = connection.execute(
        query("forecasts", "held"), {"ids": list(ids), "quantity": quantity, "since": since}
    ).fetchall()
    days = sorted({row[0] for row in rows})
    leads = sorted({int(row[1]) for row in rows})
    scored, inside = np.zeros((len(days), len(leads))), np.zeros((2, len(days), len(leads)))
    for day, lead, count, inside_80, inside_90 in rows:
        at = days.index(day), leads.index(int(lead))
        scored[at], inside[(0, *at)], inside[(1, *at)] = count, inside_80, inside_90
    return np.array(leads, dtype=np.int64), scored, inside


def score_day(connection: Connection, day: date, *, closed: datetime) -> int:
    """Add to the scores of one UTC day what has ended by `closed`, a full hour, in the caller's transaction.

    Every hour is added once, however often and by however many this is called. Once `LATE` has passed after the day's
    end it is scored once more from its start, with the readings that came late, and is final.

    Returns:
        How many rows were written.

    """
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    end = start + timedelta(days=1)
    row = connection.execute(query("forecasts", "scored"), {"day": day, "start": start}).fetchone()
    if row is None:
        message = "INSERT … RETURNING gave no row"
        raise AssertionError(message)
    since, was_final = row
    until, final = min(closed, end), closed >= end + LATE
    if was_final or (until <= since and not final):
        return 0
    if final:
        since = start
        connection.execute(query("forecasts", "unscore"), {"day": day})
    written = connection.execute(
        query("forecasts", "score"),
        {"day": day, "since": since, "until": until, "leads": [lead // timedelta(minutes=1) for lead in LEADS]},
    )
    connection.execute(query("forecasts", "note_scored"), {"day": day, "until": until, "final": final})
    return written.rowcount


def forget(connection: Connection, now: datetime, keep: timedelta = timedelta(days=30)) -> int:
    """Remove old runs: all are kept `KEEP_ALL`, each shard's first of an hour `keep`. Returns how many were removed."""
    removed = connection.execute(
        query("forecasts", "forget"), {"all_since": now - KEEP_ALL, "hourly_since": now - keep}
    )
    return removed.rowcount
