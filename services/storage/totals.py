"""Code concerned with stored forecasts of sums over sensors, and of the peaks of days: written once, read as issued."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from psycopg.rows import class_row

from services.domain import ForecastState, from_us
from services.storage.binary import read_array
from services.storage.database import Connection
from services.storage.queries import query

CITY_SHARD: Final = -1
"""The shard of runs that hold totals; no sensor is in it."""

LimitIs = Literal["allowed", "highest_of_28_days"]
Scope = Literal["city", "district", "sensor"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    """One sensor's newest forecast of its power, as published: `quantiles` is levels x steps."""

    sensor_id: int
    district_id: int | None
    state: ForecastState
    first_target_us: int
    step_seconds: int
    quantiles: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class NewTotal:
    """The forecast of one sum; `district_id` None is the city. `summed` (steps,), `quantiles` levels x steps."""

    district_id: int | None
    quantity: str
    state: ForecastState
    reason: str | None
    sensors: int
    first_target_us: int
    step_seconds: int
    summed: NDArray[np.float64]
    quantiles: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class NewPeak:
    """The peak of one local day: of a sensor, of a district, or of the city where both are None.

    `quantiles` are at `QUANTILE_LEVELS`; without a limit there is no chance.
    """

    sensor_id: int | None = None
    district_id: int | None = None
    quantity: str
    day: date
    state: ForecastState
    limit_kw: float | None
    limit_is: LimitIs | None
    chance_above: float | None
    likely_at: datetime | None
    so_far: float | None
    quantiles: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class TotalForecast:
    """A total as it was issued; `district` None is the city. For each target time the sum and `QUANTILE_LEVELS`."""

    district: str | None
    name: str | None
    quantity: str
    run_id: int
    issued_at: datetime
    state: ForecastState
    reason: str | None
    sensors: int
    step_seconds: int
    target_at: list[datetime]
    summed: list[float]
    quantiles: list[list[float]]

    def __post_init__(self) -> None:
        """Give the state its type; the database holds the same words."""
        object.__setattr__(self, "state", ForecastState(self.state))


@dataclass(frozen=True, kw_only=True, slots=True)
class PeakForecast:
    """A peak as it was issued; of the city where `sensor` and `district` are None. A sensor's district is told too."""

    scope: Scope
    sensor: str | None
    district: str | None
    name: str | None
    quantity: str
    issued_at: datetime
    state: ForecastState
    day: date
    limit_kw: float | None
    limit_is: LimitIs | None
    chance_above: float | None
    likely_at: datetime | None
    so_far: float | None
    quantiles: list[float]

    def __post_init__(self) -> None:
        """Give the state its type; the database holds the same words."""
        object.__setattr__(self, "state", ForecastState(self.state))


def limits(connection: Connection, ids: Sequence[int]) -> dict[int, float]:
    """What feeders may carry [kW], for those that say so."""
    found = connection.execute(query("totals", "limits"), {"ids": list(ids)}).fetchall()
    return {int(sensor): float(limit) for sensor, limit in found}


def is_complete(connection: Connection, *, due_at: datetime, since: datetime, size: int) -> bool:
    """Whether every shard whose feeders have reported since a time has been forecast for a round.

    A round that lacks a shard counts as complete when there has been no total for an hour: one shard that keeps failing
    does not take the totals away for ever.
    """
    row = connection.execute(
        query("totals", "is_complete"), {"due_at": due_at, "since": since, "size": size, "city": CITY_SHARD}
    ).fetchone()
    return bool(row and row[0])


def parts(connection: Connection, *, quantity: str, issued_by: datetime) -> list[Part]:
    """The newest forecast of every energy sensor that had been issued by a time and not two hours before it."""
    with connection.cursor(binary=True) as cursor:
        rows = cursor.execute(
            query("totals", "parts"), {"quantity": quantity, "issued_by": issued_by, "city": CITY_SHARD}
        ).fetchall()
    return [
        Part(
            sensor_id=row[0],
            district_id=row[1],
            state=ForecastState(row[2]),
            first_target_us=row[3],
            step_seconds=row[4],
            quantiles=np.stack([read_array(sent, "f4") for sent in row[5:]]).astype(np.float64),
        )
        for row in rows
    ]


def store_totals(connection: Connection, run_id: int, issued_at: datetime, totals: Sequence[NewTotal]) -> None:
    """Write the totals of a run in the caller's transaction."""
    with connection.cursor() as cursor, cursor.copy(query("totals", "copy_totals")) as copy:
        for one in totals:
            head = (run_id, one.district_id, one.quantity, issued_at, str(one.state), one.reason, one.sensors)
            at = (from_us(one.first_target_us), one.step_seconds)
            copy.write_row((*head, *at, one.summed.tolist(), *one.quantiles.tolist()))


def store_peaks(connection: Connection, run_id: int, issued_at: datetime, peaks: Sequence[NewPeak]) -> None:
    """Write the peaks of a run in the caller's transaction."""
    with connection.cursor() as cursor, cursor.copy(query("totals", "copy_peaks")) as copy:
        for one in peaks:
            head = (run_id, one.sensor_id, one.district_id, one.quantity, issued_at, one.day, str(one.state))
            limit = (one.limit_kw, one.limit_is, one.chance_above)
            copy.write_row((*head, *limit, one.likely_at, one.so_far, *one.quantiles.tolist()))


def latest_totals(
    connection: Connection, *, quantity: str = "power_kw", issued_before: datetime | None = None
) -> list[TotalForecast]:
    """The newest total of the city and of each district, or those issued at or before a time; the city first.

    A district that has no sensor any more is absent: only totals of one run are given.
    """
    with connection.cursor(row_factory=class_row(TotalForecast)) as cursor:
        return cursor.execute(
            query("totals", "latest_totals"), {"quantity": quantity, "issued_before": issued_before, "city": CITY_SHARD}
        ).fetchall()


def latest_peaks(
    connection: Connection,
    *,
    scope: Scope | None = None,
    sensors: Sequence[str] | None = None,
    district: str | None = None,
    since: date | None = None,
    quantity: str = "power_kw",
    issued_before: datetime | None = None,
) -> list[PeakForecast]:
    """The newest peaks, or those issued at or before a time, of what was issued within a day of it.

    Args:
        connection: as arterial_api or arterial_jobs.
        scope: only those of the city, of districts or of sensors.
        sensors: only of these codes.
        district: only of this one and of the sensors in it.
        since: only of this local day and later ones.
        quantity: what peaks.
        issued_before: what was known at that time; None is now.

    Returns:
        The city first, then districts, then sensors; days in order.

    """
    with connection.cursor(row_factory=class_row(PeakForecast)) as cursor:
        return cursor.execute(
            query("totals", "latest_peaks"),
            {
                "scope": scope,
                "sensors": None if sensors is None else list(sensors),
                "district": district,
                "since": since,
                "quantity": quantity,
                "issued_before": issued_before,
                "city": CITY_SHARD,
            },
        ).fetchall()
