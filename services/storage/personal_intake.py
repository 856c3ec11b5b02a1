"""Code concerned with writing personal rows, which the writer itself can never read again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, Literal

import psycopg

from services.storage.database import Connection
from services.storage.queries import query

Purpose = Literal["mobility", "household", "bike", "charging"]
What = Literal["position", "household", "bike_trip", "charging", "claim"]


def key_of_day(connection: Connection, purpose: Purpose, day: date, oldest: date) -> bytes | None:
    """The pseudonym key of a local day, made on first use; None when the day is before `oldest` or too far ahead."""
    parameters = {"purpose": purpose, "day": day, "oldest": oldest}
    row = connection.execute(query("ingest", "key_of_day"), parameters).fetchone()
    return None if row is None or row[0] is None else bytes(row[0])


def destroyed_through(connection: Connection) -> dict[str, date]:
    """The newest destroyed day of each purpose: no key of it or of a day before may be used any more."""
    return dict(connection.execute(query("ingest", "destroyed_through")).fetchall())


def objections(connection: Connection) -> list[tuple[str, bytes, str]]:
    """Who objected: purpose, fingerprint, name of the key it was made with."""
    rows = connection.execute(query("ingest", "objections")).fetchall()
    return [(purpose, bytes(fingerprint), key) for purpose, fingerprint, key in rows]


def stations(connection: Connection, purpose: Literal["bike", "charging"]) -> dict[str, tuple[int, int | None]]:
    """Number and district of each station of the register, by its code."""
    rows = connection.execute(query("ingest", "stations"), {"purpose": purpose}).fetchall()
    return {code: (number, district) for code, number, district in rows}


def keep(connection: Connection, what: What, rows: Sequence[Mapping[str, Any]]) -> list[bool]:
    """Store pseudonymous rows; for each, whether it was new.

    They go in one statement, and only when that left some out (repeats) one by one, to know which. No statement fails over a
    repeat: PostgreSQL's log would name the pseudonym and the time of the row that was there.
    """
    if not rows:
        return []
    return [True] * len(rows) if _keep_all(connection, what, rows) else _keep_one_by_one(connection, what, rows)


def _keep_all(connection: Connection, what: What, rows: Sequence[Mapping[str, Any]]) -> bool:
    """Store all rows or none: none when one of them is there already."""
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    with connection.transaction() as attempt:
        kept = connection.execute(query("ingest", f"keep_all_{what}"), columns).rowcount
        if kept < len(rows):
            raise psycopg.Rollback(attempt)
    return kept == len(rows)


def _keep_one_by_one(connection: Connection, what: What, rows: Sequence[Mapping[str, Any]]) -> list[bool]:
    text = query("ingest", f"keep_{what}")
    with connection.pipeline():
        cursors = [connection.execute(text, row) for row in rows]
    return [cursor.rowcount == 1 for cursor in cursors]
