"""Code concerned with the platform that attacks ask: a throw-away PostgreSQL with generated people, released and served.

Its released rows are written into schema `personal` as ingest writes them; ingest itself takes messages of today's devices. It,
the release job, the roles and the API are the product's.
"""

from __future__ import annotations

import asyncio
import secrets
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import NamedTemporaryFile, TemporaryDirectory
from typing import Any, Final
from urllib.parse import urlsplit

import numpy as np
import structlog

from services.api.app import create_app
from services.benchmarks.attacked_intake import take_in
from services.benchmarks.attacked_logs import LogFile, logged_to
from services.embedded import free_port, postgres_programs, start_postgres
from services.privacy.attacks import people, traces
from services.privacy.attacks.store import Answer
from services.privacy.days import LocalDay
from services.privacy.plan import load_plan
from services.privacy.release import release_day
from services.settings import Settings, load_settings
from services.storage import personal_intake, places, red_team
from services.storage.database import Connection, connect, pooled
from services.storage.migrate import migrate
from services.storage.personal import Positions

_CELLS: Final = 61
_RADIUS_KM: Final = 3.6
_KM_PER_DEGREE: Final = 111.195
_MARKS: Final = 200
_DEVICES: Final = 20
BACKUP: Final = ("--format=custom", "--exclude-table-data=personal.*")
"""How `deploy/README.md` tells operators to call `pg_dump`."""
_log = structlog.get_logger("arterial.attacked")


class Platform:
    """Two released days of a generated town: people drove on the first only."""

    def __init__(
        self,
        owner: Connection,
        app: Any,
        *,
        settings: Settings,
        logs: Sequence[LogFile],
        start: datetime,
        subjects: Sequence[bytes],
        others: Sequence[traces.Trace],
    ) -> None:
        """Take a filled platform, some of its pseudonyms and other marks, and the logs of ingest, services and database."""
        self.start = start
        self.marks = (*map(traces.of_pseudonym, subjects), *others)
        self._owner, self._app = owner, app
        self._settings = settings
        self._ingest_log, self._services_log, self._database_log = logs
        self._subject = subjects[0]
        self._runner = asyncio.Runner()

    def ask(self, path: str) -> Answer:
        """GET of a path with its parameters, straight to the application."""
        began = time.perf_counter()
        status, body = self._runner.run(self._get(path))
        return Answer(status=status, body=body, seconds=time.perf_counter() - began)

    def outside(self) -> Iterator[tuple[str, bytes]]:
        """Name and text of every table outside schema `personal`."""
        for schema, name in red_team.tables(self._owner):
            if schema != "personal":
                yield f"{schema}.{name}", red_team.table_text(self._owner, schema, name)

    def backup(self) -> bytes:
        """The backup of `deploy/README.md`, unpacked into the text that would be restored."""
        programs = postgres_programs()
        with TemporaryDirectory(prefix="arterial-attack-") as folder:
            dump = f"{folder}/arterial.dump"
            subprocess.run(
                [str(programs / "pg_dump"), *BACKUP, f"--file={dump}", self._settings.owner_dsn()], check=True
            )
            unpack = [str(programs / "pg_restore"), "--file=-", dump]
            return subprocess.run(unpack, check=True, stdout=subprocess.PIPE).stdout

    def logs(self) -> Iterator[tuple[str, bytes]]:
        """What ingest has logged, then the release job and the API, then the database."""
        for log in (self._ingest_log, self._services_log, self._database_log):
            yield log.name, log.text()

    def planted(self) -> Iterator[tuple[str, bytes]]:
        """The lines that the logs get when a pseudonym is logged in digits, as bytes, and by the database."""
        digits = self._subject.hex()
        log = self._ingest_log
        yield log.name, log.plant(self._log_as_ingest)
        log = self._services_log
        yield log.name, log.plant(lambda: _log.warning("a pseudonym was planted", subject=digits))
        yield log.name, log.plant(lambda: _log.warning("a pseudonym was planted", subject=self._subject))
        log = self._database_log
        yield log.name, log.plant(lambda: red_team.complain(self._owner, digits))

    def personal(self) -> bytes:
        """The text of the tables of schema `personal`."""
        return b"".join(
            red_team.table_text(self._owner, schema, name)
            for schema, name in red_team.tables(self._owner)
            if schema == "personal"
        )

    def close(self) -> None:
        """End the loop that requests run in."""
        self._runner.close()

    def _log_as_ingest(self) -> None:
        with logged_to(self._ingest_log.path, self._settings, "ingest"):
            _log.warning("a pseudonym was planted", subject=self._subject.hex())

    async def _get(self, path: str) -> tuple[int, bytes]:
        parts = urlsplit(path)
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": "GET",
            "scheme": "http",
            "path": parts.path,
            "raw_path": parts.path.encode(),
            "root_path": "",
            "query_string": parts.query.encode(),
            "headers": [(b"host", b"attacked")],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
        }
        status, pieces = 0, []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b"", "more_body": False}

        async def send(message: dict[str, Any]) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = int(message["status"])
            elif message["type"] == "http.response.body":
                pieces.append(bytes(message.get("body", b"")))

        await self._app(scope, receive, send)
        return status, b"".join(pieces)


@contextmanager
def attacked_platform(*, seed: int, many: int) -> Iterator[Platform]:
    """Start a throw-away PostgreSQL, fill it, release two days, and remove everything on leaving.

    Raises:
        ConfigurationError: the embedded PostgreSQL is not installed.

    """
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="arterial-attack-")))
        password = secrets.token_hex(8)
        database = start_postgres(folder, port=free_port(), password=password, durable=False)
        stack.callback(database.stop)
        settings = load_settings(
            {
                "data_dir": folder,
                "database_url": database.url,
                "database_password_ingest": password,
                "database_password_jobs": password,
                "database_password_api": password,
            }
        )
        migrate(settings)
        yield stack.enter_context(fill(settings, seed=seed, many=many, database_log=folder / "postgres.log"))


@contextmanager
def fill(settings: Settings, *, seed: int, many: int, database_log: Path) -> Iterator[Platform]:
    """Write a generated day into a fresh, migrated database, release it and the empty day after it, and serve both."""
    town = people.build_town(seed, _CELLS)
    rng = np.random.default_rng([seed, 3])
    inhabitants = people.settle(town, rng, many)
    sent = people.reports(inhabitants, people.drive(inhabitants, rng))
    names = people.pseudonyms(rng, many)
    rows = people.as_rows(town, sent, names)
    today = people.the_day()
    devices = [f"vehicle-{rng.bytes(8).hex()}" for _ in range(_DEVICES)]
    with ExitStack() as stack:
        paths = [Path(stack.enter_context(NamedTemporaryFile(prefix="arterial-attack-")).name) for _ in range(2)]
        owner = stack.enter_context(connect(settings.owner_dsn(), application="attacked", autocommit=True))
        pool = stack.enter_context(pooled(settings.role_dsn("api"), application="attacked", statement_timeout_s=30))
        logs = [
            LogFile(name, path)
            for name, path in zip(
                ("log of ingest", "log of the services", "log of the database"), (*paths, database_log), strict=True
            )
        ]
        with logged_to(paths[0], settings, "ingest"):
            taken_in = take_in(settings, owner, devices)
        stack.enter_context(logged_to(paths[1], settings, "attacked"))
        _write(owner, rows, today)
        plan = load_plan("presence")
        for day in range(2):
            closed = today.end + timedelta(days=day, hours=2)
            release_day(settings, plan, today.day + timedelta(days=day), now=closed)
        some = rng.choice(np.unique(sent.person), min(_MARKS, many // 2), replace=False)
        fine = np.unique(town.cells[sent.place])[:_MARKS].tolist()
        platform = Platform(
            owner,
            create_app(settings, pool),
            settings=settings,
            logs=logs,
            start=today.start,
            subjects=[*(names[one].tobytes() for one in some), *(subject for subject, _ in taken_in)],
            others=[
                *map(traces.of_device, devices),
                *map(traces.of_cell, dict.fromkeys([*(cell for _, cell in taken_in), *fine])),
            ],
        )
        stack.callback(platform.close)
        yield platform


def _write(owner: Connection, rows: Positions, today: LocalDay) -> None:
    """A district around the town, and its people's positions, one for each subject and second."""
    places.put_districts(owner, [("attacked", "Generated district", _circle(), None)])
    known = set()
    written = []
    for subject, cell, moment_us in zip(rows.subject, rows.cell.tolist(), rows.observed_us.tolist(), strict=True):
        key = (subject.tobytes(), moment_us)
        if key not in known:
            known.add(key)
            at = datetime.fromtimestamp(moment_us / 1_000_000, UTC)
            written.append({"day": today.day, "subject": key[0], "observed_at": at, "cell": cell, "speed_kmh": None})
    personal_intake.keep(owner, "position", written)
    personal_intake.keep(owner, "position", written[:1])  # a repeat, as brokers deliver: no log may name it


def _circle() -> dict[str, Any]:
    """A district of a radius of 3.6 km around the town's centre."""
    lat, lon = people.CENTRE
    angles = np.linspace(0, 2 * np.pi, 49)
    east = lon + _RADIUS_KM / _KM_PER_DEGREE / np.cos(np.radians(lat)) * np.cos(angles)
    north = lat + _RADIUS_KM / _KM_PER_DEGREE * np.sin(angles)
    corners = np.column_stack([east, north]).round(6).tolist()
    return {"type": "Polygon", "coordinates": [[*corners[:-1], corners[0]]]}
