"""Code concerned with the attacks on our own releases: what they found, and the tables that they search."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from services.storage.database import Connection
from services.storage.queries import query


@dataclass(frozen=True, kw_only=True, slots=True)
class RedTeamResult:
    """One run of the suite.

    Attributes:
        finished_at: when it was stored.
        passed: every control worked and every attack stayed below its limit.
        result: the document that `arterial privacy attack --json` printed.

    """

    finished_at: datetime
    passed: bool
    result: dict[str, Any]


def store_result(connection: Connection, result: Mapping[str, Any]) -> None:
    """Keep the document of one run, which says in `passed` how it ended; of role jobs."""
    connection.execute(query("red_team", "store"), {"passed": bool(result["passed"]), "result": Jsonb(dict(result))})


def last_result(connection: Connection, *, scheduled: bool = False) -> RedTeamResult | None:
    """The newest result of `arterial privacy attack`, or of the timetable's short version; None where there is none."""
    with connection.cursor(row_factory=class_row(RedTeamResult)) as cursor:
        return cursor.execute(query("red_team", "last"), {"scheduled": scheduled}).fetchone()


def tables(connection: Connection) -> list[tuple[str, str]]:
    """Schema and name of every table that holds rows; of an owner, to whom all are visible."""
    return [(str(schema), str(name)) for schema, name in connection.execute(query("red_team", "tables")).fetchall()]


def complain(connection: Connection, text: str) -> None:
    """Make the server log a text, as part of an error that is expected."""
    with suppress(psycopg.DataError):
        connection.execute(query("red_team", "complain"), {"text": text})


def table_text(connection: Connection, schema: str, name: str) -> bytes:
    """All rows of one table as the text that a backup holds; bytes are written in hexadecimal digits."""
    command = sql.SQL(query("red_team", "table_text")).format(table=sql.Identifier(schema, name))
    with connection.cursor() as cursor, cursor.copy(command) as copy:
        return b"".join(bytes(piece) for piece in copy)


def positions_since(connection: Connection, since: datetime) -> list[tuple[bytes, int]]:
    """Pseudonym and cell of resolution 9 of every position observed since then; of an owner, on a throw-away platform."""
    rows = connection.execute(query("red_team", "positions_since"), {"since": since}).fetchall()
    return [(bytes(subject), int(cell)) for subject, cell in rows]


def personal_letters(connection: Connection) -> int:
    """How many messages about people are kept that could not be read; of an owner, on a throw-away platform."""
    row = connection.execute(query("red_team", "personal_letters")).fetchone()
    return 0 if row is None else int(row[0])
