"""Code concerned with the state of the stored data: who writes, what waits, how fresh things are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from services.storage.database import Connection
from services.storage.queries import query


@dataclass(frozen=True, kw_only=True, slots=True)
class IngestSession:
    """The counters of one ingest session [messages]; `received` equals the sum of the five fates.

    `heartbeat_at` is when a heartbeat last went through broker and database, None before the first.
    """

    client_id: str
    started_at: datetime
    seen_at: datetime
    heartbeat_at: datetime | None
    received: int
    stored: int
    duplicate: int
    dead_lettered: int
    spooled: int
    in_flight: int

    @property
    def accounted(self) -> bool:
        """Whether every received message has exactly one fate."""
        fates = self.stored + self.duplicate + self.dead_lettered + self.spooled + self.in_flight
        return self.received == fates


def clock(connection: Connection) -> datetime:
    """The database server's time."""
    row = connection.execute(query("health", "clock")).fetchone()
    assert row is not None  # noqa: S101 - SELECT without FROM always has a row
    moment: datetime = row[0]
    return moment


def ingest_sessions(connection: Connection) -> list[IngestSession]:
    """The ingest sessions of the last day, the most recently seen first."""
    with connection.cursor(row_factory=class_row(IngestSession)) as cursor:
        return cursor.execute(query("health", "ingest_sessions")).fetchall()


def roles_without_login(connection: Connection) -> list[str]:
    """Those of the three roles that cannot log in."""
    able = {name for name, can in connection.execute(query("health", "roles")).fetchall() if can}
    return sorted({"arterial_ingest", "arterial_jobs", "arterial_api"} - able)


def dirty_hours(connection: Connection) -> int:
    """How many sensor-hours wait for their roll-up."""
    row = connection.execute(query("health", "dirty_hours")).fetchone()
    return int(row[0]) if row else 0


def live_sensors(connection: Connection) -> tuple[int, int]:
    """How many sensors are registered, and how many of them reported lately."""
    row = connection.execute(query("health", "sensors")).fetchone()
    return (int(row[0]), int(row[1])) if row else (0, 0)


def chunks(connection: Connection) -> tuple[int, int, int] | None:
    """Chunks of readings, compressed ones, and those whose compression is overdue; None where the tables are partitions."""
    if connection.execute(query("health", "has_hypertables")).fetchone() != (True,):
        return None
    return connection.execute(query("health", "chunks")).fetchone()


def newest_issue(connection: Connection) -> datetime | None:
    """When the newest forecast was issued, None before the first."""
    row = connection.execute(query("health", "newest_issue")).fetchone()
    return row[0] if row else None


def oldest_forecast(connection: Connection) -> datetime | None:
    """When the forecast now in use was issued of whichever part of the city has the oldest, None without any of a day."""
    row = connection.execute(query("health", "oldest_forecast")).fetchone()
    return row[0] if row else None


def newest_receipt(connection: Connection) -> datetime | None:
    """When the reading with the newest stamp was received, None without readings."""
    row = connection.execute(query("health", "newest_receipt")).fetchone()
    return row[0] if row else None


def without_forecast(connection: Connection, runs: Sequence[int]) -> int:
    """How many registered sensors these forecast runs say nothing about."""
    row = connection.execute(query("health", "without_forecast"), {"runs": list(runs)}).fetchone()
    return int(row[0]) if row else 0
