"""Code concerned with reading rows for the copy in InfluxDB: some by their keys, or all of a span of time."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any, Final

from services.storage.database import Connection
from services.storage.queries import query
from services.storage.readings import Table

StoredRow = tuple[Any, ...]
"""Sensor code, quantity (empty in the wide tables), µs since 1970 UTC, quality flag, then the value columns."""

_STREAM_ROWS: Final = 5_000


def rows_at(
    connection: Connection, table: Table, sensors: Sequence[int], moments_us: Sequence[int], quantities: Sequence[str]
) -> list[StoredRow]:
    """The rows under some keys, in any order; keys without a row are left out.

    Args:
        connection: of role ingest.
        table: which table.
        sensors: sensor number of each key.
        moments_us: `observed_at` of each key [µs since 1970 UTC].
        quantities: quantity of each key; not looked at for the wide tables.

    """
    parameters = {"sensors": list(sensors), "moments": list(moments_us), "quantities": list(quantities)}
    return connection.execute(query("mirror", f"at_{table}"), parameters).fetchall()


def span(connection: Connection, table: Table, *, start: datetime, end: datetime) -> Iterator[list[StoredRow]]:
    """The rows of [start, end) in lists of up to 5,000, oldest first, read from the server as they are consumed."""
    with connection.transaction(), connection.cursor("mirror") as cursor:
        cursor.execute(query("mirror", f"span_{table}"), {"start": start, "end": end})
        while rows := cursor.fetchmany(_STREAM_ROWS):
            yield rows
