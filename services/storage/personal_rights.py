"""Code concerned with one subject's own rows, for whoever has proved to be it; only ever inside a release transaction."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, Final, Literal

from psycopg.rows import dict_row

from services.storage.database import Connection
from services.storage.queries import query

Purpose = Literal["mobility", "household"]
PURPOSES: Final[tuple[Purpose, ...]] = ("mobility", "household")

_ROWS: Final[dict[Purpose, str]] = {"mobility": "positions_of", "household": "households_of"}
_ERASE: Final[dict[Purpose, str]] = {"mobility": "erase_positions", "household": "erase_households"}


@dataclass(frozen=True, kw_only=True, slots=True)
class SubjectDay:
    """A subject on one local day, by its pseudonym of that day (16 bytes)."""

    purpose: Purpose
    day: date
    subject: bytes


def proven_days(connection: Connection, purpose: Purpose, device: str, token: bytes) -> list[SubjectDay]:
    """The days on which the device laid down this secret and of which there still is a key.

    Without the right secret nothing is told, not even to the release role.
    """
    rows = connection.execute(
        query("personal", "proven_days"), {"purpose": purpose, "device": device, "token": token}
    ).fetchall()
    return [SubjectDay(purpose=purpose, day=day, subject=bytes(subject)) for day, subject in rows]


def rows_of(connection: Connection, who: SubjectDay) -> list[dict[str, Any]]:
    """All that is stored of it."""
    with connection.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            query("personal", _ROWS[who.purpose]), {"day": who.day, "subject": who.subject}
        ).fetchall()


def erase(connection: Connection, who: SubjectDay) -> None:
    """Delete all that is stored of it, its claim too."""
    place = {"purpose": who.purpose, "day": who.day, "subject": who.subject}
    connection.execute(query("personal", _ERASE[who.purpose]), place)
    connection.execute(query("personal", "erase_claim"), place)


def object_to(connection: Connection, purpose: Purpose, fingerprint: bytes, key_name: str) -> bool:
    """Have this subject's readings dropped from now on; whether that is news."""
    facts = {"purpose": purpose, "fingerprint": fingerprint, "key_name": key_name}
    return connection.execute(query("personal", "object"), facts).rowcount == 1


def withdraw_objection(connection: Connection, purpose: Purpose, fingerprint: bytes) -> bool:
    """Have its readings taken again; whether there was an objection."""
    facts = {"purpose": purpose, "fingerprint": fingerprint}
    return connection.execute(query("personal", "withdraw_objection"), facts).rowcount == 1
