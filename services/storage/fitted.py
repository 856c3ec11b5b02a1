"""Code concerned with what models have learnt, kept between the night that learns it and the day that uses it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime

from psycopg.rows import class_row

from services.domain import Kind
from services.storage.database import Connection
from services.storage.queries import query


@dataclass(frozen=True, kw_only=True, slots=True)
class Learnt:
    """What is said about one piece of learnt state; `digest` is the SHA-256 of its content."""

    shard: int
    kind: str
    quantity: str
    step_seconds: int
    trained_at: datetime
    trained_to: datetime
    config_hash: str
    digest: str


def of_shard(connection: Connection, shard: int) -> list[Learnt]:
    """What has been learnt for a shard, in order of kind, quantity and step."""
    with connection.cursor(row_factory=class_row(Learnt)) as cursor:
        return cursor.execute(query("fitted", "of_shard"), {"shard": shard}).fetchall()


def content(connection: Connection, learnt: Learnt) -> bytes | None:
    """The content, None when it has been replaced since."""
    with connection.cursor(binary=True) as cursor:
        row = cursor.execute(query("fitted", "content"), asdict(learnt)).fetchone()
    return None if row is None else bytes(row[0])


def replace(connection: Connection, shard: int, kind: Kind, learnt: Sequence[tuple[Learnt, bytes]]) -> None:
    """Put what has just been learnt of a kind in a shard in the place of what was known, in the caller's transaction."""
    connection.execute(query("fitted", "remove"), {"shard": shard, "kind": str(kind)})
    for one, data in learnt:
        connection.execute(query("fitted", "put"), {**asdict(one), "content": data})
