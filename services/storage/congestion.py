"""Code concerned with stored chances of congestion: written with the run they belong to, read as they were issued."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from struct import pack

import numpy as np
from numpy.typing import NDArray
from psycopg.rows import class_row

from services.domain import ForecastState, to_us
from services.storage.binary import HEADER, TRAILER, array_fields, field, stamp
from services.storage.database import Connection
from services.storage.queries import query

CLASSES = ("congested", "slow", "dense", "free")
"""In the order of `models.congestion.Congestion`, worst first."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NewCongestion:
    """One detector's chances: `chances` is classes x steps and sums to 1; `capacity_vph` is None where nothing is known."""

    sensor_id: int
    first_target_us: int
    step_seconds: int
    free_flow_kmh: float
    free_flow_estimated: bool
    capacity_vph: float | None
    chances: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class CongestionForecast:
    """What was forecast for one detector: by target time the chances of `CLASSES`, speed quantiles and median flow.

    `flows` hold None where no flow was forecast.
    """

    sensor: str
    sensor_id: int
    district: str | None
    issued_at: datetime
    step_seconds: int
    model: str
    state: ForecastState
    reason: str | None
    free_flow_kmh: float
    free_flow_estimated: bool
    capacity_vph: float | None
    target_at: list[datetime]
    chances: list[list[float]]
    speeds: list[list[float]]
    flows: list[float | None]

    def __post_init__(self) -> None:
        """Give the state its type; the database holds the same words."""
        object.__setattr__(self, "state", ForecastState(self.state))


def store(connection: Connection, run_id: int, issued_at: datetime, congestion: Sequence[NewCongestion]) -> None:
    """Write the chances of a run's detectors in the caller's transaction."""
    issued = pack(">q", stamp(to_us(issued_at)))
    with connection.cursor() as cursor, cursor.copy(query("congestion", "copy")) as copy:
        copy.write(HEADER)
        for one in congestion:
            head = (
                pack(">q", run_id),
                pack(">i", one.sensor_id),
                issued,
                pack(">q", stamp(one.first_target_us)),
                pack(">i", one.step_seconds),
                pack(">f", one.free_flow_kmh),
                pack(">?", one.free_flow_estimated),
                None if one.capacity_vph is None else pack(">f", one.capacity_vph),
            )
            copy.write(b"".join([pack(">h", len(head) + len(CLASSES)), *map(field, head), array_fields(one.chances)]))
        copy.write(TRAILER)


def latest(
    connection: Connection,
    *,
    sensors: Sequence[str] | None = None,
    district: str | None = None,
    issued_before: datetime | None = None,
    target_from: datetime | None = None,
    target_to: datetime | None = None,
) -> list[CongestionForecast]:
    """The newest chances of each detector, or the newest issued at or before `issued_before`.

    Args:
        connection: as arterial_api or arterial_jobs.
        sensors: codes; None is every detector.
        district: only detectors of this district.
        issued_before: what was known at that time; None is now.
        target_from: only steps that end after it.
        target_to: only steps that begin before it.

    Returns:
        Ordered by sensor; detectors without any such step are absent.

    """
    with connection.cursor(row_factory=class_row(CongestionForecast)) as cursor:
        return cursor.execute(
            query("congestion", "latest"),
            {
                "sensors": None if sensors is None else list(sensors),
                "district": district,
                "issued_before": issued_before,
                "target_from": target_from,
                "target_to": target_to,
            },
        ).fetchall()
