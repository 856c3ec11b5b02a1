"""Services the tests share: one PostgreSQL for the session, one clone of a migrated template per test, real brokers.

`ARTERIAL_TEST_DATABASE_URL` names a server of your own instead of the embedded one, see CONTRIBUTING.md.
"""

from __future__ import annotations

import os
import secrets
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import hypothesis
import psycopg
import pytest
import structlog
from psycopg import sql

from services.embedded import Running, free_port, start_broker, start_postgres
from services.settings import Settings, load_settings
from services.storage.database import Connection, connect
from services.storage.migrate import migrate

RECORDINGS = Path(__file__).resolve().parents[2] / "shared" / "data"
_PASSWORD = "example-password-of-the-tests"
_OWN_SERVER = os.environ.get("ARTERIAL_TEST_DATABASE_URL")

hypothesis.settings.register_profile("unhurried", deadline=None)  # a loaded machine is no failure
if os.environ.get("CI") != "true":  # there Hypothesis chooses a profile of its own, without a deadline as well
    hypothesis.settings.load_profile("unhurried")

for _name in [name for name in os.environ if name.startswith("ARTERIAL_")]:
    del os.environ[_name]


def missing(what: str, how: str) -> None:
    """Skip with the reason, or fail where CI must not skip."""
    message = f"{what} is not here: {how}"
    if os.environ.get("CI") == "true":
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


@pytest.fixture(autouse=True)
def log_lines_to_standard_error() -> None:
    """As in every process of Arterial: by itself structlog would print among the results of a command under test."""
    structlog.reset_defaults()
    structlog.configure(logger_factory=lambda *_: structlog.PrintLogger(sys.stderr))


@pytest.fixture(scope="session")
def recordings() -> Path:
    """The folder of real recordings; the tests that need it say so and skip without it."""
    if not RECORDINGS.is_dir():
        pytest.skip(f"no recordings at {RECORDINGS.name}: they are not part of the repository")
    return RECORDINGS


@pytest.fixture(scope="session")
def chromium() -> tuple[str, str]:
    """The programs of Debian's browser and of its driver."""
    found = shutil.which("chromium"), shutil.which("chromedriver")
    if found[0] is None or found[1] is None:
        missing("the browser chromium", "`apt-get install chromium chromium-driver`")
    return str(found[0]), str(found[1])


@dataclass(frozen=True, kw_only=True, slots=True)
class _OwnServer:
    """A PostgreSQL that runs already and stays running."""

    url: str

    def alive(self) -> bool:
        return True

    def stop(self) -> None:
        """It is not ours to stop."""


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    if _OWN_SERVER is not None:
        yield _OwnServer(url=_OWN_SERVER)
        return
    folder = tmp_path_factory.mktemp("cluster")
    server = start_postgres(folder, port=free_port(), password=_PASSWORD, durable=False)
    yield server
    server.stop()
    shutil.rmtree(folder, ignore_errors=True)


def _settings(url: str, data_dir: Path) -> Settings:
    return load_settings(
        {
            "data_dir": data_dir,
            "database_url": url,
            "database_password_ingest": _PASSWORD,
            "database_password_jobs": _PASSWORD,
            "database_password_api": _PASSWORD,
        }
    )


@pytest.fixture(scope="session")
def template(postgres: Running, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The name of a migrated database that each test clones; it goes with the session."""
    server = postgres.url.rpartition("/")[0]
    name = f"template_{secrets.token_hex(6)}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    migrate(_settings(f"{server}/{name}", tmp_path_factory.mktemp("template")))
    with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
        # One that background workers of an extension connect to could not be cloned.
        admin.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(sql.Identifier(name)))
        admin.execute("SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s", [name])
    yield name
    with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def make_database(
    postgres: Running, template: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Callable[[], Settings]]:
    """Makes migrated databases, each with its settings and data folder; all are dropped after the test."""
    server = postgres.url.rpartition("/")[0]
    made: list[str] = []

    def make() -> Settings:
        name = f"test_{secrets.token_hex(6)}"
        with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
            admin.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
            )
        made.append(name)
        return _settings(f"{server}/{name}", tmp_path_factory.mktemp(name))

    yield make
    with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
        for name in made:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def settings(make_database: Callable[[], Settings]) -> Settings:
    """Settings of a fresh migrated database."""
    return make_database()


@pytest.fixture
def owner(settings: Settings) -> Iterator[Connection]:
    """A connection as the owner of the database."""
    with connect(settings.owner_dsn(), application="test", autocommit=True) as connection:
        yield connection


@pytest.fixture
def hypertables(owner: Connection) -> bool:
    """Whether the observation tables are TimescaleDB's, as the server of the tests has loaded it; else they are partitions."""
    return owner.execute("SELECT FROM pg_extension WHERE extname = 'timescaledb'").fetchone() is not None


def _broker(name: str, tmp_path: Path) -> Iterator[tuple[Running, str]]:
    running, _, protocol = start_broker(tmp_path, port=free_port(), prefer=name)
    yield running, protocol
    running.stop()


@pytest.fixture
def require_mosquitto() -> str:
    """The path of mosquitto, for tests that need that broker."""
    program = shutil.which("mosquitto", path=os.environ["PATH"] + ":/usr/sbin")
    if program is None:
        missing("the broker mosquitto", "`apt-get install mosquitto`")
    return str(program)


@pytest.fixture(scope="session")
def require_victoria() -> str:
    """The path of victoria-metrics, for tests that need a server which takes InfluxDB writes."""
    program = shutil.which("victoria-metrics")
    if program is None:
        missing("victoria-metrics", "`apt-get install victoria-metrics`")
    return str(program)


@pytest.fixture(params=["iotcore", pytest.param("mosquitto", marks=pytest.mark.mosquitto)])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Running, str]]:
    """Each broker Arterial embeds, with the MQTT version to speak."""
    if request.param == "mosquitto":
        request.getfixturevalue("require_mosquitto")
    yield from _broker(request.param, tmp_path)
