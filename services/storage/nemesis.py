"""Code concerned with judging an ingest from the database's side: what is stored, buried and counted. Needs the owner."""

from __future__ import annotations

from datetime import datetime

from services.storage.database import Connection
from services.storage.queries import query

Reading = tuple[str, int | None, datetime, float, float, float]
"""Device, sequence number where its message had one, `observed_at`, flow [veh/h], speed [km/h], occupancy."""


def watch_sessions(connection: Connection) -> None:
    """Keep a history of the sessions' counters from now on, in a schema `nemesis` of its own."""
    connection.execute(query("nemesis", "watch_sessions"))


def counters(connection: Connection) -> dict[str, int]:
    """What all processes of the session counted together."""
    names = ("received", "stored", "duplicate", "dead_lettered", "spooled", "in_flight")
    row = connection.execute(query("nemesis", "counters")).fetchone() or (0,) * len(names)
    return {name: int(value) for name, value in zip(names, row, strict=True)}


def live_counters(connection: Connection) -> tuple[int, int]:
    """Of the process that runs now: messages received, and those spooled or in flight."""
    row = connection.execute(query("nemesis", "live_counters")).fetchone() or (0, 0)
    return int(row[0]), int(row[1])


def watched(connection: Connection) -> tuple[int, int]:
    """Stored messages of commits whose answer was lost, and how often the equation of the counters did not hold."""
    row = connection.execute(query("nemesis", "watched")).fetchone() or (0, 0)
    return int(row[0]), int(row[1])


def stored(connection: Connection) -> list[Reading]:
    """Every traffic reading with what its device said."""
    return connection.execute(query("nemesis", "stored")).fetchall()


def dead_letters(connection: Connection) -> list[bytes]:
    """The bytes of every dead letter."""
    return [bytes(row[0]) for row in connection.execute(query("nemesis", "dead_letters"))]


def ingest_backends(connection: Connection) -> list[int]:
    """Process numbers of the ingest's connections."""
    return [int(row[0]) for row in connection.execute(query("nemesis", "ingest_backends"))]


def terminate_backends(connection: Connection) -> None:
    """End the ingest's connections from the server's side."""
    connection.execute(query("nemesis", "terminate_backends"))


def make_peer_table(connection: Connection) -> None:
    """Make the table that a pipeline other than Arterial fills."""
    connection.execute(query("nemesis", "make_peer_table"))


def read_rules_again(connection: Connection) -> None:
    """Let the server read its rules of access again."""
    connection.execute(query("nemesis", "read_rules_again"))


def peer_rows(connection: Connection) -> int:
    """How many rows a peer has written."""
    row = connection.execute(query("nemesis", "peer_rows")).fetchone() or (0,)
    return int(row[0])


def peer_stored(connection: Connection) -> list[tuple[int, float, float, float]]:
    """What a peer has written: sequence number, flow [veh/h], speed [km/h], occupancy."""
    return connection.execute(query("nemesis", "peer_stored")).fetchall()
