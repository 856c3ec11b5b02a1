"""Code concerned with messages that could not become readings: why, how many, and for how long they are kept."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from psycopg.rows import class_row

from services.storage.database import Connection
from services.storage.queries import query

AT_ONCE_BYTES: Final = 16_777_216
"""Of payloads in one statement."""


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Letter:
    """A message to be buried.

    Attributes:
        received_at: when it came.
        since: an equal letter received from then on is the same one, come again; None: it has not been here before.
        topic: where it came.
        payload: its bytes, as far as they are kept.
        payload_bytes: how long it was.
        reason: why it could not be stored whole.

    """

    received_at: datetime
    since: datetime | None
    topic: str
    payload: bytes
    payload_bytes: int
    reason: str


def bury(connection: Connection, letters: Sequence[Letter], *, personal: bool) -> list[int]:
    """Keep messages that could not be stored whole, as arterial_ingest; the places of those that were new.

    Those of personal topics are kept where personal rows live and die.
    """
    new: list[int] = []
    for begin, end in _parts([len(letter.payload) for letter in letters]):
        columns = {name: [getattr(letter, name) for letter in letters[begin:end]] for name in Letter.__slots__}
        row = connection.execute(query("ingest", "bury_personal" if personal else "bury"), columns).fetchone()
        new += [begin + place for place in ([] if row is None else row[0])]
    return new


def _parts(sizes: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Begin and end of parts that are small enough for one statement."""
    begin, room = 0, AT_ONCE_BYTES
    for place, size in enumerate(sizes):
        if size > room and place > begin:
            yield begin, place
            begin, room = place, AT_ONCE_BYTES
        room -= size
    if begin < len(sizes):
        yield begin, len(sizes)


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
