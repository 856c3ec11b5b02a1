"""Code concerned with the audit log: adding a row to its hash chain, and reading it.

Callers give facts without personal data: names of plans, days, settings, counts of what is public. The database gives the
number, the time, the role and the hashes. An append waits for other transactions that have appended, so it comes last in one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from services.storage.database import Connection
from services.storage.queries import query

_AT_ONCE: Final = 2_000


class Action(StrEnum):
    """What is logged. Words of the platform; others may be added, in the same form."""

    RELEASE_CHARGED = "release.charged"
    RELEASE_PUBLISHED = "release.published"
    RELEASE_DENIED = "release.denied"
    EXPORT = "export"
    ACCESS_DENIED = "access.denied"
    CONFIGURATION_CHANGED = "configuration.changed"
    ROWS_DESTROYED = "rows.destroyed"
    KEY_DESTROYED = "key.destroyed"
    RETENTION_RUN = "retention.run"
    MIGRATION_APPLIED = "migration.applied"
    CHECKPOINT_SIGNED = "checkpoint.signed"
    LEDGER_CHECKED = "ledger.checked"
    RESTORE_FOUND = "restore.found"
    RESTORE_ACCEPTED = "restore.accepted"
    FAIRNESS_AUDITED = "fairness.audited"
    RELEASES_ATTACKED = "releases.attacked"
    SUBJECT_ACCESS = "subject.access"
    SUBJECT_ERASURE = "subject.erasure"
    SUBJECT_OBJECTION = "subject.objection"


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One row of the log. `body` is canonical JSON; `hash` binds everything in the row and, by `prev`, all rows before."""

    seq: int
    at: datetime
    role: str
    actor: str
    action: str
    body: str
    prev: bytes
    hash: bytes


def append(connection: Connection, action: str, actor: str, facts: Mapping[str, Any]) -> int:
    """Add a row within the caller's transaction; its number.

    Args:
        connection: of any role; the API's and ingest's may only log what they do.
        action: a value of `Action`, or another of the form `word.word`.
        actor: the process or command, such as `worker` or `arterial privacy release`.
        facts: what was done, JSON; no personal data.

    """
    parameters = {"action": action, "actor": actor, "facts": Jsonb(dict(facts))}
    row = connection.execute(query("audit", "append"), parameters).fetchone()
    assert row is not None  # noqa: S101 - a function call returns one row
    return int(row[0])


def append_if_new(connection: Connection, action: str, actor: str, facts: Mapping[str, Any]) -> int | None:
    """Add a row unless the newest one of this action and actor says just that; its number or None."""
    parameters = {"action": action, "actor": actor, "facts": Jsonb(dict(facts))}
    row = connection.execute(query("audit", "append_if_new"), parameters).fetchone()
    return None if row is None or row[0] is None else int(row[0])


def append_alone(connection: Connection, action: str, actor: str, facts: Mapping[str, Any]) -> int:
    """Add a row in a transaction of its own, also on a connection that only reads by default."""
    with connection.transaction():
        connection.execute(query("audit", "may_write"))
        return append(connection, action, actor, facts)


def entries(connection: Connection) -> Iterator[Entry]:
    """All rows in the order of their numbers, a few thousand at a time; a transaction is held meanwhile."""
    with connection.transaction(), connection.cursor("audit", row_factory=class_row(Entry)) as cursor:
        cursor.itersize = _AT_ONCE
        yield from cursor.execute(query("audit", "entries"))


def newest(connection: Connection, *, most: int, action: str | None = None) -> list[Entry]:
    """The newest rows, newest first.

    Args:
        connection: of role jobs or api.
        most: at most so many.
        action: only these: `release` means `release.charged`, `release.published` and so on.

    """
    with connection.cursor(row_factory=class_row(Entry)) as cursor:
        return cursor.execute(query("audit", "newest"), {"most": most, "action": action}).fetchall()


def size(connection: Connection) -> int:
    """The number of the newest row: how many there are, since none is missing."""
    row = connection.execute(query("audit", "size")).fetchone()
    return 0 if row is None else int(row[0])


def hash_of(connection: Connection, seq: int) -> bytes | None:
    """The hash of one row, None where there is no such row."""
    row = connection.execute(query("audit", "hash_of"), {"seq": seq}).fetchone()
    return None if row is None else bytes(row[0])


def hashes(connection: Connection, rows: int) -> list[bytes]:
    """The hashes of rows 1 to `rows`."""
    return [bytes(row[0]) for row in connection.execute(query("audit", "hashes"), {"rows": rows})]
