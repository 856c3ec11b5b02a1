"""Code concerned with what the nemesis attacks: a broker, a database and an ingest process with proxies between them."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Final, Self

from ingest.message_spool import MessageSpool
from ingest.routing import Routing
from services.benchmarks.nemesis.disk import SmallDisk
from services.benchmarks.nemesis.peers import TOPICS, Peer
from services.benchmarks.nemesis.proxy import Proxy
from services.benchmarks.pipelines import Way, trust_loopback
from services.embedded import Running, free_port, start_broker, start_child, start_postgres, stop_process
from services.errors import UnavailableError
from services.settings import Settings, load_settings
from services.storage import nemesis
from services.storage.database import Connection, connect
from services.storage.migrate import migrate

STOP_GRACE_S: Final = 10.0
_PATIENCE_S: Final = 20.0
_WORKING_S: Final = 5.0
_RESTART_PAUSE_S: Final = 0.5
_SPOOLING_S: Final = 8.0
_SPOOLED_BYTES: Final = 100_000
_DRAINING_S: Final = 12.0
_DISK: Final = "1g"
_SPOOL_DISK: Final = "128m"
_PATIENCE_OF_INGEST_S: Final = 1.0
"""Half of what is usual, so that many of the shorter outages meet the spool too."""
_WINDOW: Final = 20_000


class Rig:
    """All the processes; entered, they run, and left, they are gone."""

    def __init__(self, folder: Path, peer: Peer | None = None) -> None:
        """Everything is kept under this folder; with a peer, that is attacked in the place of Arterial's ingest."""
        self.folder = folder
        self._peer = peer
        self.is_ours = peer is None
        self.has_small_disk = False
        self.disk = SmallDisk(folder / "database" / "postgres", _DISK)
        self.spool_disk = SmallDisk(folder / "ingest", _SPOOL_DISK)
        self.ingest_starts = 0
        self.slow_stops = 0
        self._password = secrets.token_urlsafe(16)
        self._database_folder = folder / "database"
        self._broker_folder = folder / "broker"
        self._database_port, self.broker_port = free_port(), free_port()
        self._ingest: subprocess.Popen[bytes] | None = None
        self._ingest_wanted = False
        self._ingest_ended_at = 0.0
        self._broker_pids: list[int] = []
        self._closing = ExitStack()

    def __enter__(self) -> Self:
        """Start everything but the ingest.

        Raises:
            ConfigurationError: mosquitto or the embedded PostgreSQL is not installed.
            UnavailableError: something did not come up.

        """
        with ExitStack() as starting:
            for folder in (self._database_folder, self._broker_folder):
                folder.mkdir()
            self.has_small_disk = self.disk.mount(starting) and self.spool_disk.mount(starting)
            self._database = self._start_postgres()
            starting.callback(self._end_postgres)
            self._broker = self._start_broker()
            starting.callback(self.stop_broker)
            self.links = {"database": Proxy(self._database_port), "broker": Proxy(self.broker_port)}
            for link in self.links.values():
                starting.callback(link.close)
            passwords = {f"database_password_{role}": self._password for role in ("ingest", "jobs", "api")}
            self._settings = load_settings({"database_url": self._database.url, **passwords})
            migrate(self._settings)
            with self.connect() as connection:
                nemesis.watch_sessions(connection)
                nemesis.make_peer_table(connection)
                if self._peer is not None:
                    trust_loopback(self._database_folder / "postgres")
                    nemesis.read_rules_again(connection)
            starting.callback(self.kill_ingest)
            starting.callback(self._thaw_all)
            self._closing = starting.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop everything."""
        self._closing.close()

    def connect(self) -> Connection:
        """A connection of the owner, past the proxy.

        Raises:
            UnavailableError: the database does not answer.

        """
        return connect(self._settings.owner_dsn(), application="nemesis", autocommit=True)

    # the ingest

    def start_ingest(self) -> None:
        """Start the process, and again whenever it ends unasked."""
        self._ingest_wanted = True
        if self._ingest is not None and self._ingest.poll() is None:
            return
        database = self._database.url.replace(f":{self._database_port}/", f":{self.links['database'].port}/")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ARTERIAL_")}
        environment |= {
            "ARTERIAL_DATABASE_URL": database,
            "ARTERIAL_DATABASE_PASSWORD_INGEST": self._password,
            "ARTERIAL_MQTT_URL": f"mqtt://127.0.0.1:{self.links['broker'].port}",
            "ARTERIAL_DATA_DIR": str(self.folder / "ingest"),
            "ARTERIAL_INGEST_PATIENCE_S": str(_PATIENCE_OF_INGEST_S),
            "ARTERIAL_LOG_FORMAT": "json",
        }
        command = [sys.executable, "-m", "services.cli", "ingest", "--json"]
        if self._peer is not None:
            command = self._peer.command(self._way(self._peer.name, database))
        with (self.folder / "ingest.log").open("ab") as log:
            self._ingest = start_child(command, log=log, env=environment)
        self.ingest_starts += 1

    def _way(self, name: str, database: str) -> Way:
        return Way(
            broker_port=self.links["broker"].port,
            topics=TOPICS,
            client_id=name,
            window=_WINDOW,
            database=database,
            stamps="text",
            folder=self.folder,
            is_careful=True,
        )

    def supervise(self) -> None:
        """Start the ingest again when it has ended unasked, as the service manager of a city does."""
        if not self._ingest_wanted or self._ingest is None or self._ingest.poll() is None:
            self._ingest_ended_at = 0.0
        elif not self._ingest_ended_at:
            self._ingest_ended_at = time.monotonic()
        elif time.monotonic() > self._ingest_ended_at + _RESTART_PAUSE_S:
            self._ingest_ended_at = 0.0
            self.start_ingest()

    def kill_ingest(self) -> None:
        """SIGKILL."""
        self._ingest_wanted = False
        if self._ingest is not None:
            self._ingest.kill()
            self._ingest.wait()

    def terminate_ingest(self) -> None:
        """SIGTERM, and SIGKILL when it has not ended within its grace."""
        self._ingest_wanted = False
        if self._ingest is not None and self._ingest.poll() is None:
            began = time.monotonic()
            stop_process(self._ingest, signal.SIGTERM, STOP_GRACE_S)
            self.slow_stops += time.monotonic() - began > STOP_GRACE_S

    def wait_until_working(self) -> None:
        """Wait until the ingest stores again, though not for long."""
        deadline = time.monotonic() + _WORKING_S
        with suppress(UnavailableError), self.connect() as connection:
            before = self.received(connection)
            while time.monotonic() < deadline and self.received(connection) <= before:
                self.supervise()
                time.sleep(0.05)
                before = min(before, self.received(connection))  # a new process counts from zero

    def received(self, connection: Connection) -> int:
        """How far it has come: messages that Arterial has received, or rows that a peer has written."""
        return nemesis.live_counters(connection)[0] if self._peer is None else nemesis.peer_rows(connection)

    def ingest_pids(self) -> list[int]:
        """The ingest process, when it runs."""
        return [self._ingest.pid] if self._ingest is not None and self._ingest.poll() is None else []

    # the broker

    def restart_broker(self, how: signal.Signals) -> None:
        """End the broker by SIGTERM, or by SIGKILL, which makes it forget; then start it on the same port."""
        self.stop_broker(how)
        self.ensure_broker()

    def stop_broker(self, how: signal.Signals = signal.SIGTERM) -> None:
        """End the broker."""
        if how == signal.SIGKILL:
            send(self._broker_pids, signal.SIGKILL)
        self._broker.stop()

    def ensure_broker(self) -> None:
        """Start the broker where it does not run."""
        if not self._broker.alive():
            self._broker = self._start_broker()

    def broker_pids(self) -> list[int]:
        """The broker's process."""
        return self._broker_pids if self._broker.alive() else []

    def _start_broker(self) -> Running:
        before = children(os.getpid())
        broker, _, _ = start_broker(self._broker_folder, port=self.broker_port, prefer="mosquitto")
        self._broker_pids = [pid for pid in children(os.getpid()) if pid not in before]
        return broker

    # the database

    def stop_postgres(self, how: signal.Signals) -> None:
        """End the server: SIGINT is its fast shutdown, SIGQUIT its immediate one, SIGKILL none at all."""
        if how != signal.SIGINT:
            send(self.postgres_pids()[:1], how)
            deadline = time.monotonic() + STOP_GRACE_S
            while self._database.alive() and time.monotonic() < deadline:
                time.sleep(0.02)
        self._database.stop()

    def ensure_postgres(self) -> None:
        """Start the server where it does not run; one that was killed leaves processes behind that it must outwait."""
        deadline = time.monotonic() + _PATIENCE_S
        while not self._database.alive():
            try:
                self._database = self._start_postgres()
            except UnavailableError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.2)

    def postgres_pids(self) -> list[int]:
        """The server's first process, then the others; empty when it does not run."""
        if not self._database.alive():
            return []
        first = int((self._database_folder / "postgres" / "postmaster.pid").read_text().splitlines()[0])
        return [first, *children(first)]

    def kill_backend(self) -> None:
        """SIGKILL the server process of the ingest's connection: the whole server then recovers as from a crash."""
        with self.connect() as connection:
            pids = nemesis.ingest_backends(connection)
        send(pids, signal.SIGKILL)

    def terminate_backend(self) -> None:
        """Close the ingest's connection from the server's side."""
        with self.connect() as connection:
            nemesis.terminate_backends(connection)

    def _start_postgres(self) -> Running:
        return start_postgres(self._database_folder, port=self._database_port, password=self._password)

    def _end_postgres(self) -> None:
        self._database.stop()

    def free_disk(self) -> None:
        """Give the disk of the database its room again, and start the server where it has given up."""
        self.disk.free()
        self.ensure_postgres()

    # the spool

    def spool_bytes(self) -> int:
        """Size of what is in the spool's files, also of what has been drained from them [bytes]."""
        found = 0
        for file in (self.folder / "ingest").rglob("*.seg*"):
            with suppress(OSError):  # it has just been removed
                found += file.stat().st_size
        return found

    def wait_until_spooling(self) -> None:
        """Wait until the ingest puts messages into its spool, though not for long."""
        deadline = time.monotonic() + _SPOOLING_S
        before = self.spool_bytes()
        while time.monotonic() < deadline and self.spool_bytes() < before + _SPOOLED_BYTES:
            self.supervise()
            time.sleep(0.05)

    def wait_until_draining(self) -> None:
        """Wait until the ingest stores what was spooled, though not for long."""
        deadline = time.monotonic() + _DRAINING_S
        with suppress(UnavailableError), self.connect() as connection:
            before = nemesis.counters(connection)["stored"]
            while time.monotonic() < deadline and nemesis.counters(connection)["stored"] <= before:
                self.supervise()
                time.sleep(0.01)

    def left_in_spool(self) -> int:
        """How many messages an ingest that has ended has left in its spool."""
        if not (self.folder / "ingest" / "spool").exists():
            return 0
        with MessageSpool(self._ingest_settings(), Routing()) as spool:
            return len(spool)

    def _ingest_settings(self) -> Settings:
        return load_settings(
            {"database_url": self._database.url, "data_dir": self.folder / "ingest"}, join_running=False
        )

    # everything

    def heal(self) -> None:
        """Undo every fault that is going on."""
        self._thaw_all()
        if self.has_small_disk:
            self.disk.free()
            self.spool_disk.free()
        for link in self.links.values():
            link.delay(0)
            link.refuse(on=False)
            link.resume(reset=False)
        self.ensure_postgres()
        self.ensure_broker()
        self.start_ingest()

    def _thaw_all(self) -> None:
        send([*self.ingest_pids(), *self.broker_pids(), *self.postgres_pids()], signal.SIGCONT)


def send(pids: Iterable[int], what: signal.Signals) -> None:
    """Send a signal to processes; those that have ended are left out."""
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, what)


def children(parent: int) -> list[int]:
    """The direct children of a process, from /proc."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):
            # The command's name, in parentheses, may hold anything; the parent is the second field after it.
            if int((folder / "stat").read_text().rpartition(")")[2].split()[1]) == parent:
                found.append(int(folder.name))
    return found
