"""Code concerned with the 15-minute and hourly roll-ups: kept from the hours that readings touched, provable from raw.

The writer appends the hours a batch touched in the batch's own transaction. A roll-up takes such rows away, computes
those hours anew from all their readings, and writes the result in one transaction. A reading that is late by months
costs the same as a live one, and one that commits meanwhile has left a dirty row of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import psycopg

from services.storage.database import Connection
from services.storage.queries import query

_RECONCILE_STEP = timedelta(days=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reconciled:
    """What comparing roll-ups with readings showed: differing rows per table over [start, end)."""

    start: datetime | None
    end: datetime | None
    differences: Mapping[str, int]
    repaired: bool

    @property
    def total(self) -> int:
        """Differing roll-up rows in all tables."""
        return sum(self.differences.values())


def refresh(connection: Connection, *, most: int = 20_000) -> int:
    """Bring up to `most` dirty sensor-hours up to date, in one transaction, and return how many rows were taken.

    Args:
        connection: as arterial_jobs, not in a transaction.
        most: bounds the length of the transaction.

    """
    with connection.transaction():
        connection.execute(query("rollups", "lock"))
        connection.execute(query("rollups", "make_touched"))
        taken = connection.execute(query("rollups", "take_dirty"), {"most": most}).rowcount
        if taken:
            _make_fresh(connection)
            connection.execute(query("rollups", "store_fresh"))
    return taken


def reconcile(
    connection: Connection, *, start: datetime | None = None, end: datetime | None = None, repair: bool = False
) -> Reconciled:
    """Compare the roll-ups with the readings, day by day, and repair them when asked.

    Hours that are still dirty count as differences: run it when the roll-ups have caught up.

    Args:
        connection: as arterial_jobs, not in a transaction.
        start: first moment compared; by default the first reading.
        end: first moment no longer compared; by default just after the last reading.
        repair: write what the readings say over what differs.

    """
    row = connection.execute(query("rollups", "span")).fetchone()
    connection.commit()
    first, last = row if row is not None else (None, None)
    start = start or first
    end = end or (last + timedelta(microseconds=1) if last else None)
    totals: dict[str, int] = {}
    for day_start, day_end in _days(start, end):
        for rollup, count in _reconcile_day(connection, day_start, day_end, repair=repair):
            totals[rollup] = totals.get(rollup, 0) + count
    return Reconciled(start=start, end=end, differences=totals, repaired=repair)


def _reconcile_day(connection: Connection, start: datetime, end: datetime, *, repair: bool) -> list[tuple[str, int]]:
    span = {"start": start, "end": end}
    with connection.transaction():
        connection.execute(query("rollups", "lock"))
        connection.execute(query("rollups", "make_touched"))
        connection.execute(query("rollups", "touch_range"), span)
        _make_fresh(connection)
        found = [
            (str(rollup), int(count)) for rollup, count in connection.execute(query("rollups", "differences"), span)
        ]
        if repair and any(count for _, count in found):
            connection.execute(query("rollups", "store_fresh"))
            with connection.cursor() as cursor:
                for statement in query("rollups", "remove_orphans").split(";"):
                    if statement.strip():
                        cursor.execute(statement, span)
    return found


def _make_fresh(connection: Connection) -> None:
    connection.execute(query("rollups", "analyze_touched"))
    span = connection.execute(query("rollups", "touched_span")).fetchone() or (None, None)
    with psycopg.ClientCursor(connection) as cursor:  # a server takes no parameters with several statements at once
        cursor.execute(query("rollups", "make_fresh"), {"first": span[0], "after": span[1]})


def _days(start: datetime | None, end: datetime | None) -> Iterator[tuple[datetime, datetime]]:
    """Whole UTC hours of [start, end), in pieces of a day."""
    if start is None or end is None:
        return
    piece = start.replace(minute=0, second=0, microsecond=0)
    while piece < end:
        yield piece, min(piece + _RECONCILE_STEP, _next_hour(end))
        piece += _RECONCILE_STEP


def _next_hour(moment: datetime) -> datetime:
    hour = moment.replace(minute=0, second=0, microsecond=0)
    return hour if hour == moment else hour + timedelta(hours=1)
