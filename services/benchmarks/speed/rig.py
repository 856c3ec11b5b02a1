"""Code concerned with the servers of a measurement: an own mosquitto and an own, durable PostgreSQL on loopback."""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from psycopg import sql

from services.benchmarks.pipelines import trust_loopback
from services.embedded import Running, free_port, start_child, start_postgres, stop_process
from services.errors import ConfigurationError, UnavailableError
from services.settings import Settings, load_settings
from services.storage.database import Connection, connect
from services.storage.migrate import migrate

WINDOW: Final = 20_000
"""Messages the broker may have unacknowledged, for every consumer."""
_ROLES: Final = ("ingest", "jobs", "api")


@dataclass(frozen=True, kw_only=True, slots=True)
class Rig:
    """The servers of one measurement.

    Attributes:
        folder: scratch, gone afterwards.
        settings: database and broker as `arterial ingest` takes them.
        mqtt_port: of the broker, on loopback.
        broker_pid: its process.
        broker_log: where it notes who connects, with the time.
        database: a connection as the owner, in autocommit mode.

    """

    folder: Path
    settings: Settings
    mqtt_port: int
    broker_pid: int
    broker_log: Path
    database: Connection

    def connections(self, client_id: str) -> int:
        """How often this client has connected, as the broker noted."""
        return self.broker_log.read_text(errors="replace").count(f" as {client_id} (")


@contextmanager
def rig() -> Iterator[Rig]:
    """Start the servers, and stop them afterwards.

    Raises:
        ConfigurationError: mosquitto or the embedded PostgreSQL is not installed.
        UnavailableError: one did not come up.

    """
    program = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if program is None:
        message = "the measurement needs mosquitto: `apt-get install mosquitto`"
        raise ConfigurationError(message)
    with TemporaryDirectory(prefix="arterial-bench-") as name:
        folder = Path(name)
        password = secrets.token_hex(8)
        database = _start_noting_commits(folder, password)
        try:
            trust_loopback(folder / "postgres")
            mqtt_port = free_port()
            settings = load_settings(
                {
                    "database_url": database.url,
                    **{f"database_password_{role}": password for role in _ROLES},
                    "mqtt_url": f"mqtt://127.0.0.1:{mqtt_port}",
                    "mqtt_protocol": "5",
                },
                join_running=False,
            )
            migrate(settings)
            log = folder / "mosquitto.log"
            with (
                _mosquitto(program, folder, mqtt_port, log) as broker_pid,
                connect(settings.owner_dsn(), application="bench", autocommit=True) as owner,
            ):
                owner.execute("SELECT pg_reload_conf()")
                yield Rig(
                    folder=folder,
                    settings=settings,
                    mqtt_port=mqtt_port,
                    broker_pid=broker_pid,
                    broker_log=log,
                    database=owner,
                )
        finally:
            database.stop()


def _start_noting_commits(folder: Path, password: str) -> Running:
    """A server that keeps the time of each commit, so that nobody has to poll for the last row."""
    database = start_postgres(folder, port=free_port(), password=password)
    try:
        with connect(database.url, application="bench", autocommit=True) as owner:
            owner.execute("ALTER SYSTEM SET track_commit_timestamp = on")
    finally:
        database.stop()
    return start_postgres(folder, port=free_port(), password=password)


@contextmanager
def _mosquitto(program: str, folder: Path, port: int, log_path: Path) -> Iterator[int]:
    lines = [
        f"listener {port} 127.0.0.1",
        "allow_anonymous true",
        f"max_inflight_messages {WINDOW}",
        "max_queued_messages 5000000",
        "max_queued_bytes 0",
        "set_tcp_nodelay true",
        "connection_messages true",
        "log_dest stderr",
        "log_type notice",
        *(["user root"] if os.geteuid() == 0 else []),
    ]
    configuration = folder / "mosquitto.conf"
    configuration.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with log_path.open("wb") as log:
        process = start_child([program, "-c", str(configuration)], log=log)
    try:
        deadline = time.monotonic() + 10
        while True:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            if process.poll() is not None or time.monotonic() > deadline:
                message = f"mosquitto did not start: {log_path.read_text(errors='replace')}"
                raise UnavailableError(message)
            time.sleep(0.02)
        yield process.pid
    finally:
        stop_process(process, signal.SIGTERM, 5)


def table_bytes(database: Connection, table: str) -> int:
    """The size of a table with its partitions, without indexes [bytes]: cheap to ask while others write."""
    schema, _, name = table.rpartition(".")
    row = database.execute(
        "SELECT coalesce(sum(pg_relation_size(relid)), 0) FROM pg_partition_tree((%s || '.' || %s)::regclass)",
        [schema, name],
    ).fetchone()
    return int(row[0]) if row else 0


def row_count(database: Connection, table: str) -> int:
    """The rows of a table that are visible: committed, and by this server's settings on disk."""
    row = database.execute(sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(*table.split(".")))).fetchone()
    return int(row[0]) if row else 0


def last_commit(database: Connection, table: str) -> float:
    """When the last of a table's rows was committed [s since 1970]."""
    statement = sql.SQL(
        "SELECT extract(epoch FROM max(pg_xact_commit_timestamp(xmin)))::float8 FROM (SELECT DISTINCT xmin FROM {}) AS t"
    )
    row = database.execute(statement.format(sql.Identifier(*table.split(".")))).fetchone()
    if row is None or row[0] is None:
        message = f"no commit is known of the rows of {table}"
        raise UnavailableError(message)
    return float(row[0])
