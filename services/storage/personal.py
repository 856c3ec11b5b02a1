"""Code concerned with reading and destroying personal rows, only ever inside a release transaction.

The server strings a day's rows together as records of fixed width, so that a million positions are one numpy view and not
a million messages. No verb here returns a single subject's rows.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from services.errors import StorageError
from services.storage import audit
from services.storage.database import Connection
from services.storage.queries import query

Integers = NDArray[np.int64]
Subjects = NDArray[np.uint64]
"""Pseudonyms of 16 bytes as two numbers each, shape (rows, 2)."""

_DESTROY: Final = {
    "mobility": "destroy_positions",
    "household": "destroy_households",
    "bike": "destroy_bike",
    "charging": "destroy_charging",
}
DOMAINS: Final = tuple(_DESTROY)
"""Whose rows there are."""

_POSTGRES_EPOCH_US: Final = 946_684_800_000_000
_RECORD: Final = np.dtype([("subject", "V16"), ("second", ">i8"), ("third", ">i8")])
_LONG_RECORD: Final = np.dtype([("subject", "V16"), ("second", ">i8"), ("third", ">i8"), ("fourth", ">i8")])


@dataclass(frozen=True, kw_only=True, slots=True)
class Positions:
    """Where the subjects of one day were; arrays of equal length, in no promised order."""

    subject: Subjects
    cell: Integers
    observed_us: Integers


@dataclass(frozen=True, kw_only=True, slots=True)
class Movements:
    """The same with speeds in whole km/h, below zero where none was reported."""

    subject: Subjects
    cell: Integers
    observed_us: Integers
    speed_kmh: Integers


@dataclass(frozen=True, kw_only=True, slots=True)
class Loads:
    """What the households of one day used [Wh]; arrays of equal length, in no promised order."""

    subject: Subjects
    district_id: Integers
    energy_wh: Integers


@dataclass(frozen=True, kw_only=True, slots=True)
class TimedLoads:
    """The same with the beginning of each reading's interval."""

    subject: Subjects
    district_id: Integers
    energy_wh: Integers
    observed_us: Integers


@dataclass(frozen=True, kw_only=True, slots=True)
class BikeTrips:
    """Between which stations the bicycle trips of one day went; arrays of equal length, in no promised order."""

    subject: Subjects
    origin: Integers
    destination: Integers


@contextmanager
def release_transaction(connection: Connection) -> Iterator[None]:
    """A transaction with the rights of the release role; they end with it.

    Raises:
        StorageError: the connection's role may not step into the release role.

    """
    row = connection.execute(query("personal", "may_step_in")).fetchone()
    if row is None or not row[0]:
        audit.append_alone(connection, audit.Action.ACCESS_DENIED, "storage", {"refused": "arterial_release"})
        message = "only role arterial_jobs may step into arterial_release: connect with the jobs role"
        raise StorageError(message)
    with connection.transaction():
        connection.execute(query("personal", "step_in"))
        yield


def one_at_a_time(connection: Connection, release_key: str) -> None:
    """Wait until no other transaction works on this release key."""
    connection.execute(query("personal", "one_at_a_time"), {"release_key": release_key})


def positions(connection: Connection, day: date) -> Positions:
    """All positions stored under local day `day`."""
    rows = _read(connection, "positions", day)
    return Positions(
        subject=_subjects(rows),
        cell=rows["second"].astype(np.int64),
        observed_us=rows["third"].astype(np.int64) + _POSTGRES_EPOCH_US,
    )


def movements(connection: Connection, day: date) -> Movements:
    """All positions stored under local day `day`, with their speeds."""
    rows = _read(connection, "movements", day, _LONG_RECORD)
    return Movements(
        subject=_subjects(rows),
        cell=rows["second"].astype(np.int64),
        observed_us=rows["third"].astype(np.int64) + _POSTGRES_EPOCH_US,
        speed_kmh=rows["fourth"].astype(np.int64),
    )


def timed_households(connection: Connection, day: date) -> TimedLoads:
    """All household rows stored under local day `day`, with their times."""
    rows = _read(connection, "timed_households", day, _LONG_RECORD)
    return TimedLoads(
        subject=_subjects(rows),
        district_id=rows["second"].astype(np.int64),
        energy_wh=rows["third"].astype(np.int64),
        observed_us=rows["fourth"].astype(np.int64) + _POSTGRES_EPOCH_US,
    )


def bike_trips(connection: Connection, day: date) -> BikeTrips:
    """All bicycle trips stored under local day `day`."""
    rows = _read(connection, "bike_trips", day)
    return BikeTrips(
        subject=_subjects(rows),
        origin=rows["second"].astype(np.int64),
        destination=rows["third"].astype(np.int64),
    )


def charging(connection: Connection, day: date) -> Loads:
    """What the charging sessions that began on local day `day` have drawn, report by report."""
    rows = _read(connection, "charging", day)
    return Loads(
        subject=_subjects(rows),
        district_id=rows["second"].astype(np.int64),
        energy_wh=rows["third"].astype(np.int64),
    )


def households(connection: Connection, day: date) -> Loads:
    """All household rows stored under local day `day`."""
    rows = _read(connection, "households", day)
    return Loads(
        subject=_subjects(rows),
        district_id=rows["second"].astype(np.int64),
        energy_wh=rows["third"].astype(np.int64),
    )


def destroy_rows(connection: Connection, domain: str, day: date) -> int:
    """Delete all rows and claims of a domain up to and with local day `day`; how many rows there were."""
    connection.execute(query("personal", "destroy_claims"), {"purpose": domain, "day": day})
    return connection.execute(query("personal", _DESTROY[domain]), {"day": day}).rowcount


def destroy_keys(connection: Connection, purpose: str, day: date) -> int:
    """Delete the pseudonym keys of a purpose up to and with `day`; how many there were."""
    return connection.execute(query("personal", "destroy_keys"), {"purpose": purpose, "day": day}).rowcount


def record_destruction(connection: Connection, purpose: str, day: date) -> bool:
    """Write down that the days up to and with `day` are gone, and never get a key again; whether that is news."""
    return connection.execute(query("personal", "record_destruction"), {"purpose": purpose, "day": day}).rowcount == 1


def destroyed_through(connection: Connection) -> dict[str, date]:
    """The newest destroyed day of each purpose."""
    return dict(connection.execute(query("personal", "destroyed_through")).fetchall())


def days_held(connection: Connection) -> list[tuple[str, date]]:
    """Class and local day of everything personal that is there: rows, claims, keys; nothing about how much."""
    rows: list[tuple[str, date]] = connection.execute(query("personal", "days_held")).fetchall()
    return rows


def oldest_dead_letter(connection: Connection) -> datetime | None:
    """When the oldest personal message that could not be read was received, None where there is none."""
    row = connection.execute(query("personal", "oldest_dead_letter")).fetchone()
    return None if row is None else row[0]


def destroy_dead_letters(connection: Connection, before: datetime) -> int:
    """Delete the undecodable personal messages received before an instant; how many there were."""
    return connection.execute(query("personal", "destroy_dead_letters"), {"before": before}).rowcount


def _read(connection: Connection, name: str, day: date, record: np.dtype[Any] = _RECORD) -> NDArray[Any]:
    with connection.cursor(binary=True) as cursor:
        pieces = cursor.execute(query("personal", name), {"day": day}).fetchall()
    return np.frombuffer(b"".join(piece for (piece,) in pieces), dtype=record)


def _subjects(rows: NDArray[Any]) -> Subjects:
    return np.ascontiguousarray(rows["subject"]).view(np.uint64).reshape(-1, 2)
