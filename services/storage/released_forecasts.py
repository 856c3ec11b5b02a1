"""Code concerned with stored forecasts of released series: made from published numbers, and compared with later ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

import numpy as np
from numpy.typing import NDArray
from psycopg.rows import class_row

from services.domain import QUANTILE_LEVELS, ForecastState
from services.storage.binary import from_stamps, read_array
from services.storage.database import Connection
from services.storage.queries import query


@dataclass(frozen=True, kw_only=True, slots=True)
class Head:
    """The release of one local day."""

    release_key: str
    day: date


@dataclass(frozen=True, kw_only=True, slots=True)
class Numbers:
    """What was shown of one place, in order of slots; withheld slots are absent. `ci95` are half-widths [as the value]."""

    place: str
    slot_us: NDArray[np.int64]
    value: NDArray[np.float64]
    ci95: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class NewRun:
    """What is said about a run once, for all its places."""

    release_key: str
    plan: str
    measure: str
    last_day: date
    days: int
    issued_at: datetime
    first_target_at: datetime
    step_seconds: int
    steps: int
    data_hash: str
    config_hash: str
    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class NewPlace:
    """One place's forecast: `quantiles` (levels x steps) with NaN at steps that are mostly withheld.

    Model, state and quantiles are None together where the place is not forecast; the reason then says why. `ci95` is the
    half-width of its newest number.
    """

    place: str
    model: str | None
    state: ForecastState | None
    reason: str | None
    ci95: float
    quantiles: NDArray[np.float64] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ReleasedRun:
    """A forecast as it was issued, with version, price and threshold of its newest release."""

    id: int
    release_key: str
    plan: str
    measure: str
    last_day: date
    days: int
    issued_at: datetime
    first_target_at: datetime
    step_seconds: int
    steps: int
    plan_version: str
    epsilon: float
    threshold: int


@dataclass(frozen=True, kw_only=True, slots=True)
class ReleasedPlace:
    """One place of a run: the values at `QUANTILE_LEVELS` for each target time (start of its slot) that is forecast."""

    place: str
    model: str | None
    state: ForecastState | None
    reason: str | None
    ci95: float
    target_at: list[datetime]
    quantiles: list[list[float]]

    def __post_init__(self) -> None:
        """Give the state its type; the database holds the same words."""
        object.__setattr__(self, "state", None if self.state is None else ForecastState(self.state))

    def level(self, quantile: float) -> list[float]:
        """The values at one of `QUANTILE_LEVELS`, in target order."""
        position = QUANTILE_LEVELS.index(quantile)
        return [row[position] for row in self.quantiles]


@dataclass(frozen=True, kw_only=True, slots=True)
class Highest:
    """The slot of a place with the highest median: quantiles 0.1, 0.5 and 0.9; None where no slot is ahead."""

    place: str
    reason: str | None
    is_forecast: bool
    target_at: datetime | None
    low: float | None
    median: float | None
    high: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ReleasedScore:
    """How forecasts of a plan did against what was then released, for the first or the second day ahead.

    `skill` is one minus the ratio of errors to those of the number released a week before, over slots that have both.
    """

    days_ahead: int
    days: int
    n: int
    mae: float
    naive_mae: float | None
    skill: float | None
    wape: float | None
    pinball: float
    coverage_50: float
    coverage_80: float
    coverage_90: float


def heads(connection: Connection, plan: str, *, first_day: date, released_by: datetime) -> list[Head]:
    """The newest release of each local day from `first_day` on that had been published by a time, days ascending."""
    facts = {"plan": plan, "first_day": first_day, "released_by": released_by}
    with connection.cursor(row_factory=class_row(Head)) as cursor:
        return cursor.execute(query("released_forecasts", "heads"), facts).fetchall()


def numbers(connection: Connection, plan: str, keys: Sequence[str]) -> list[Numbers]:
    """What some releases show, by place; places that were never shown are absent."""
    with connection.cursor(binary=True) as cursor:
        rows = cursor.execute(query("released_forecasts", "numbers"), {"plan": plan, "keys": list(keys)}).fetchall()
    return [
        Numbers(
            place=place,
            slot_us=from_stamps(read_array(slots, "i8")),
            value=read_array(values, "f8"),
            ci95=read_array(widths, "f8"),
        )
        for place, slots, values, widths in rows
    ]


def is_stored(connection: Connection, release_key: str) -> bool:
    """Whether a forecast was made from that release."""
    row = connection.execute(query("released_forecasts", "is_stored"), {"release_key": release_key}).fetchone()
    return bool(row and row[0])


def store(connection: Connection, run: NewRun, places: Sequence[NewPlace]) -> int | None:
    """Write one run with all its places in the caller's transaction.

    Returns:
        Its id; None when its release has a forecast already, and nothing is written.

    """
    fields = {name: getattr(run, name) for name in NewRun.__slots__}
    row = connection.execute(query("released_forecasts", "insert_run"), fields).fetchone()
    if row is None:
        return None
    with connection.cursor() as cursor, cursor.copy(query("released_forecasts", "copy_places")) as copy:
        for one in places:
            said = (one.place, one.model, None if one.state is None else str(one.state), one.reason, one.ci95)
            copy.write_row((row[0], *said, *_arrays(one.quantiles)))
    return int(row[0])


def newest(connection: Connection, plan: str, *, issued_before: datetime) -> ReleasedRun | None:
    """The newest forecast of a plan issued at or before a time."""
    facts = {"plan": plan, "issued_before": issued_before}
    with connection.cursor(row_factory=class_row(ReleasedRun)) as cursor:
        return cursor.execute(query("released_forecasts", "newest_run"), facts).fetchone()


def places(connection: Connection, run_id: int, *, place: str | None = None) -> list[ReleasedPlace]:
    """The places of a run in order of their names, or one of them."""
    with connection.cursor(row_factory=class_row(ReleasedPlace)) as cursor:
        return cursor.execute(query("released_forecasts", "places"), {"run_id": run_id, "place": place}).fetchall()


def highest(connection: Connection, run_id: int, *, since: datetime) -> list[Highest]:
    """Where and when the highest numbers of a run are forecast from a time on, highest first, of every place."""
    with connection.cursor(row_factory=class_row(Highest)) as cursor:
        return cursor.execute(query("released_forecasts", "highest"), {"run_id": run_id, "since": since}).fetchall()


def shown(
    connection: Connection, plan: str, place: str, *, since: datetime
) -> list[tuple[datetime, float | None, float | None]]:
    """Slot, number and half-width of one place from a time on, in order; both are None where withheld."""
    facts = {"plan": plan, "place": place, "since": since}
    return connection.execute(query("released_forecasts", "shown"), facts).fetchall()


def score(connection: Connection, plan: str, *, first_day: date) -> int:
    """Compare forecasts with every release since a local day that has not been compared, in the caller's transaction.

    Returns:
        How many releases were compared.

    """
    due = connection.execute(query("released_forecasts", "unscored"), {"plan": plan, "first_day": first_day}).fetchall()
    for release_key, day in due:
        connection.execute(query("released_forecasts", "score"), {"plan": plan, "release_key": release_key, "day": day})
    return len(due)


def scorecard(connection: Connection, plan: str, *, since: date) -> list[ReleasedScore]:
    """How forecasts did since a local day, by days ahead."""
    with connection.cursor(row_factory=class_row(ReleasedScore)) as cursor:
        return cursor.execute(query("released_forecasts", "scorecard"), {"plan": plan, "since": since}).fetchall()


def forget(connection: Connection, *, before: datetime) -> int:
    """Remove the forecasts issued before a time; returns how many. What was scored stays."""
    return connection.execute(query("released_forecasts", "forget"), {"before": before}).rowcount


def _arrays(quantiles: NDArray[np.float64] | None) -> list[list[float | None] | None]:
    if quantiles is None:
        return [None] * len(QUANTILE_LEVELS)
    return [
        [value if known else None for value, known in zip(row.tolist(), np.isfinite(row).tolist(), strict=True)]
        for row in quantiles
    ]
