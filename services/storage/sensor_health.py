"""Code concerned with what is wrong with each sensor: the detector diagnoses of PeMS, made live from stored readings.

A sensor has the first diagnosis that holds, in the order of `Diagnosis`. PeMS judges a whole day after it has ended; here
the last hours are judged every few minutes, with the same thresholds on shares of the readings.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from psycopg.rows import class_row

from services.domain import Diagnosis, Kind
from services.storage.database import Connection
from services.storage.queries import query

WINDOW: Final = timedelta(hours=6)
"""Readings of this long decide; shorter than PeMS's day, so that a repaired sensor is soon well again."""

THRESHOLDS: Final[dict[str, Any]] = {
    "least": 12,  # fewer readings say nothing about a share; an hour of five-minute values
    "least_share": 0.6,  # PeMS: fewer than 60 % of the samples expected
    "zero_share": 0.59,  # PeMS, set Urban_D11, zero_occ_pct
    "high_occupancy": 0.7,  # PeMS, high_occ
    "high_share": 0.2,  # PeMS, high_occ_pct
    "covered_share": 0.02,  # PeMS, flow_occ_pct: occupied without flow
    "uncovered_share": 0.5,  # PeMS, occ_flow_pct: flow without occupancy
    "first_hour": 5,  # PeMS judges 05:00 to 22:00 local time
    "last_hour": 21,
    "constant_traffic": timedelta(minutes=250),  # PeMS, repeat_occ: more than 50 five-minute values
    "constant_other": timedelta(hours=24),  # OpenSTEF's flatline check
    "skew": timedelta(seconds=60),  # stamped after it was received: no transport makes a reading early
    "tolerance": timedelta(seconds=60),  # a reading may be late by this or by a step before it counts as missing
    "lag": timedelta(minutes=5),  # even the promptest reading came this long after its interval's end
}
"""By what a sensor is judged. PeMS: `diagnostic_threshold_values.csv` of cagov/caldata-mdsa-caltrans-pems."""

_LONGEST: Final = timedelta(hours=26)
"""How far back the readings of meters and stations are looked at, for those that do not change."""
_AHEAD: Final = timedelta(hours=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class SensorHealth:
    """The diagnosis of one sensor, since when it has been the same, the figures it rests on, and what is waited for.

    Attributes:
        heard_at: when its newest reading was received.
        expected_at: when the next is due, one step later.
        missing_since: when one was due that had not come by `judged_at`, with a tolerance.
        skipped: sequence numbers missing among the readings of the last hours.
        delay_s: least time from a stamp to its receipt [s]; below zero its clock is ahead.

    """

    sensor: str
    kind: str
    name: str | None
    lon: float | None
    lat: float | None
    district: str | None
    diagnosis: str
    since: datetime
    judged_at: datetime
    detail: str
    heard_at: datetime | None
    expected_at: datetime | None
    missing_since: datetime | None
    skipped: int
    delay_s: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Implausible:
    """A sensor that sends what cannot be right: its diagnosis, since when, and the figures it rests on."""

    sensor: str
    label: str
    diagnosis: str
    since: datetime
    detail: str


def judge(connection: Connection, *, now: datetime, zone: str) -> dict[Diagnosis, int]:
    """Judge every registered sensor, keep the diagnoses, and return how many sensors have each.

    Args:
        connection: as arterial_jobs.
        now: the moment up to which readings count.
        zone: IANA name of the city's time zone, for the hours in which roads have traffic.

    """
    given = THRESHOLDS | {"now": now, "zone": zone, "window": WINDOW, "longest": _LONGEST, "ahead": _AHEAD}
    return {Diagnosis(name): int(count) for name, count in connection.execute(query("sensor_health", "judge"), given)}


def list_health(
    connection: Connection,
    *,
    diagnosis: Diagnosis | None = None,
    kind: Kind | None = None,
    district: str | None = None,
    code: str | None = None,
    missing: bool | None = None,
    after: str = "",
    limit: int,
) -> list[SensorHealth]:
    """Up to `limit` judged sensors in order of their code, beginning after the code `after`.

    Args:
        connection: a connection that may read schema sensing.
        diagnosis: only sensors with this one.
        kind: only sensors of this kind.
        district: only sensors of the district of this code.
        code: only this sensor.
        missing: only sensors that should have reported by now, or only the others.
        after: the last code of the page before; empty for the first page.
        limit: most sensors to return.

    """
    with connection.cursor(row_factory=class_row(SensorHealth)) as cursor:
        cursor.execute(
            query("sensor_health", "list"),
            {
                "diagnosis": diagnosis,
                "kind": kind,
                "district": district,
                "code": code,
                "missing": missing,
                "after": after,
                "limit": limit,
            },
        )
        return cursor.fetchall()


def implausible(connection: Connection, *, now: datetime, limit: int) -> list[Implausible]:
    """Up to `limit` sensors that were found wrong within the hour before `now` though they send, the newest find first."""
    with connection.cursor(row_factory=class_row(Implausible)) as cursor:
        return cursor.execute(query("sensor_health", "implausible"), {"now": now, "limit": limit}).fetchall()


def counts(connection: Connection) -> tuple[dict[Diagnosis, int], datetime | None]:
    """How many sensors have each diagnosis, most first, and when they were last judged; None before the first time."""
    rows = connection.execute(query("sensor_health", "counts")).fetchall()
    return {Diagnosis(name): int(count) for name, count, _ in rows}, max((row[2] for row in rows), default=None)
