"""Code concerned with writing what sensors say: sensors, observations, dead letters and the counters of a session."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

import psycopg

from services.domain import from_us
from services.errors import StorageError
from services.storage.database import Connection
from services.storage.queries import query

Table = Literal["traffic", "energy", "observation"]


def lock_client(connection: Connection, client_id: str) -> bool:
    """Take the lock of an ingest session until this connection closes; False when another process holds it."""
    row = connection.execute(query("ingest", "lock_client"), {"client_id": client_id}).fetchone()
    return row is not None and bool(row[0])


def own_backend(connection: Connection) -> tuple[int, datetime]:
    """The server process of this connection: its number and when it began."""
    row = connection.execute(query("ingest", "own_backend")).fetchone()
    if row is None:
        message = "the server does not show the process of this connection"
        raise StorageError(message)
    return int(row[0]), row[1]


def end_backend(connection: Connection, backend: tuple[int, datetime], *, patience_ms: int) -> None:
    """End the server process of an earlier connection of this role: it may not have noticed that its client is gone."""
    parameters = {"pid": backend[0], "backend_start": backend[1], "patience_ms": patience_ms}
    connection.execute(query("ingest", "end_backend"), parameters)


def start_session(connection: Connection, client_id: str) -> None:
    """Set the counters of a session to zero."""
    connection.execute(query("ingest", "start_session"), {"client_id": client_id})


def recent_sessions(connection: Connection, seconds: int) -> list[str]:
    """The client identifiers of sessions that were seen within so many seconds."""
    rows = connection.execute(query("ingest", "recent_sessions"), {"seconds": seconds}).fetchall()
    return [str(row[0]) for row in rows]


def forget_session(connection: Connection, client_id: str) -> None:
    """Take away the counters of a session that has ended for good."""
    connection.execute(query("ingest", "forget_session"), {"client_id": client_id})


def count_session(connection: Connection, client_id: str, counts: Mapping[str, int], *, beats: bool = False) -> None:
    """Write the counters of a session: received, stored, duplicate, dead_lettered, spooled, in_flight.

    Args:
        connection: of role ingest.
        client_id: whose session.
        counts: the counters by name.
        beats: whether a heartbeat has come the whole way with them.

    """
    connection.execute(query("ingest", "count_session"), {"client_id": client_id, "beats": beats, **counts})


def register_sensors(connection: Connection, kinds: Mapping[str, str]) -> None:
    """Make the sensors, by code with their kind, that are not there yet."""
    connection.execute(query("ingest", "register_sensors"), {"codes": list(kinds), "kinds": list(kinds.values())})


def find_sensors(connection: Connection, codes: Iterable[str]) -> list[tuple[str, str, int]]:
    """Code, kind and number of those sensors that exist."""
    return connection.execute(query("ingest", "find_sensors"), {"codes": list(codes)}).fetchall()


def districts(connection: Connection) -> dict[str, int]:
    """The number of each district by its code."""
    return {str(code): int(number) for code, number in connection.execute(query("ingest", "districts"))}


def ensure_month(connection: Connection, month: str) -> None:
    """Make the partitions of the month of an ISO date."""
    connection.execute(query("ingest", "ensure_month"), {"month": month})


def copy(connection: Connection, table: Table | Literal["dirty_hour"], blocks: Iterable[bytes]) -> None:
    """Stream rows in PostgreSQL's binary format into a table of `sensing`."""
    with connection.cursor() as cursor, cursor.copy(query("ingest", f"copy_{table}")) as stream:
        for block in blocks:
            stream.write(block)


def existing(
    connection: Connection,
    table: Table,
    sensors: Sequence[int],
    moments_us: Sequence[int],
    quantities: Sequence[str] | None = None,
) -> list[tuple[Any, ...]]:
    """What is stored under keys: place of the key, then the value columns.

    Args:
        connection: of role ingest.
        table: which table.
        sensors: sensor number of each key.
        moments_us: `observed_at` of each key [µs since 1970 UTC].
        quantities: quantity of each key, for table `observation`.

    """
    parameters = {"sensors": list(sensors), "moments": list(moments_us), "quantities": list(quantities or ())}
    return connection.execute(query("ingest", f"existing_{table}"), parameters).fetchall()


def complete(connection: Connection, table: Literal["traffic", "energy"], rows: Sequence[Mapping[str, Any]]) -> None:
    """Fill in columns that are NULL in rows that exist.

    Raises:
        psycopg.errors.SerializationFailure: another process has filled in something else since; look again.

    """
    with connection.cursor() as cursor:
        cursor.executemany(query("ingest", f"complete_{table}"), rows)
        if cursor.rowcount != len(rows):
            message = "another process completed the same reading otherwise"
            raise psycopg.errors.SerializationFailure(message)


def register_steps(
    connection: Connection, sensors: Sequence[int], moments_us: Sequence[int], longest: timedelta
) -> list[tuple[Any, ...]]:
    """The registers without a reported power that rows under these keys touch, each with the next one.

    Sensors are locked against other transactions that do the same, until this one ends.

    Returns:
        sensor, stamp [µs], power as stored [kW], register [kWh], stamp of the next [µs], next register [kWh], width of
        the register [kWh], receipt of the next; None where there is none. By sensor and stamp.

    """
    keys = {"sensors": list(sensors), "moments": list(moments_us), "longest": longest}
    connection.execute(query("ingest", "lock_registers"), keys)
    return connection.execute(query("ingest", "register_steps"), keys).fetchall()


def set_register_power(
    connection: Connection,
    sensors: Sequence[int],
    moments_us: Sequence[int],
    powers_kw: Sequence[float | None],
    received: Sequence[datetime | None],
) -> None:
    """Keep power from registers, or take it back where it is None.

    Args:
        connection: of role ingest.
        sensors: sensor number of each row.
        moments_us: `observed_at` of each row [µs since 1970 UTC]; at least one.
        powers_kw: mean power to the next register [kW].
        received: when the next register was received.

    """
    connection.execute(
        query("ingest", "set_register_power"),
        {
            "sensors": list(sensors),
            "moments": list(moments_us),
            "powers": list(powers_kw),
            "received": list(received),
            "first": from_us(min(moments_us)),
            "last": from_us(max(moments_us)),
        },
    )


def describe_sensors(connection: Connection, descriptions: Sequence[Mapping[str, Any]]) -> None:
    """Keep what devices say about themselves; None leaves a column as it is."""
    with connection.cursor() as cursor:
        cursor.executemany(query("ingest", "describe_sensor"), descriptions)


def note_status(connection: Connection, sensor_id: int, *, online: bool, at: datetime) -> None:
    """Keep whether a device is connected."""
    parameters = {"sensor_id": sensor_id, "online": online, "status_at": at}
    connection.execute(query("ingest", "note_status"), parameters)
