"""Code concerned with messages that could not become readings: why, how many, and for how long they are kept."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from services.storage.database import Connection
from services.storage.queries import query


@dataclass(frozen=True, kw_only=True, slots=True)
class Reason:
    """One reason for dead letters, how many messages it met, and the topic of one of them."""

    reason: str
    messages: int
    topic: str


@dataclass(frozen=True, kw_only=True, slots=True)
class DeadLetter:
    """A message that could not become a reading: when, where, how long and why, without its bytes."""

    id: int
    received_at: datetime
    topic: str
    payload_bytes: int
    reason: str


def recent(connection: Connection, *, before: int = 2**62, limit: int) -> list[DeadLetter]:
    """Up to `limit` dead letters with a number below `before`, newest first."""
    with connection.cursor(row_factory=class_row(DeadLetter)) as cursor:
        return cursor.execute(query("dead_letters", "recent"), {"before": before, "limit": limit}).fetchall()


def reasons(connection: Connection, *, since: datetime) -> list[Reason]:
    """The five commonest reasons for dead letters since a moment, most frequent first."""
    with connection.cursor(row_factory=class_row(Reason)) as cursor:
        return cursor.execute(query("dead_letters", "reasons"), {"since": since}).fetchall()


def forget(connection: Connection, *, before: datetime) -> int:
    """Remove the dead letters received before a moment, as arterial_jobs, and return how many."""
    return connection.execute(query("dead_letters", "forget"), {"before": before}).rowcount
