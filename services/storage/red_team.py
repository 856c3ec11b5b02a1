"""Code concerned with keeping what the attacks on our own releases found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

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


def last_result(connection: Connection) -> RedTeamResult | None:
    """The newest result, None when the suite has not been run on this database."""
    with connection.cursor(row_factory=class_row(RedTeamResult)) as cursor:
        return cursor.execute(query("red_team", "last")).fetchone()
