"""Code concerned with bringing a database to this version: numbered SQL files, once each, under a lock.

Where the server has loaded TimescaleDB, a new database gets hypertables as observation tables: the `PARTITION BY` clauses
are left out and the files of `timescale/` run after the last migration. A database stays what it was made as. The job queue's
own tables are kept by procrastinate.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from importlib.resources import files

import procrastinate
import psycopg
from psycopg import sql

from services.errors import StorageError
from services.settings import Role, Settings
from services.storage import audit
from services.storage.database import Connection, connect, first_line

_LOCK = 0x41525445  # "ARTE": one migration at a time
_FILE_NAME = re.compile(r"^(\d{4})_[a-z0-9_]+\.sql$")
_PARTITION_BY = re.compile(r" PARTITION BY RANGE \(observed_at\)")
_ROLES: tuple[Role, ...] = ("ingest", "jobs", "api")
_LEAST_SERVER = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Migration:
    """One numbered file and the checksum by which a changed file is noticed."""

    number: int
    name: str
    text: str

    @property
    def checksum(self) -> str:
        """SHA-256 of the file's text."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True, kw_only=True, slots=True)
class Migrated:
    """What `migrate` did."""

    applied: tuple[str, ...]
    version: int
    timescale: str | None  # its version where the observation tables are hypertables


def available() -> list[Migration]:
    """All migrations of this version, in order.

    Raises:
        StorageError: a file's name is not `NNNN_name.sql`, or the numbers have a gap.

    """
    folder = files("services.storage") / "sql" / "migrations"
    found = []
    for file in sorted(folder.iterdir(), key=lambda entry: entry.name):
        match = _FILE_NAME.match(file.name)
        if match is None:
            message = f"migration {file.name} is not named NNNN_name.sql"
            raise StorageError(message)
        found.append(Migration(number=int(match[1]), name=file.name, text=file.read_text(encoding="utf-8")))
    if [migration.number for migration in found] != list(range(1, len(found) + 1)):
        message = "the migration numbers have a gap or a double"
        raise StorageError(message)
    return found


def migrate(settings: Settings) -> Migrated:
    """Apply what is missing and give the three roles their login.

    Raises:
        StorageError: a migration failed, an applied one was changed, the database is newer than this version or not in UTF-8,
            or its server too old.
        UnavailableError: the database does not answer.
        ConfigurationError: the database or a role's password is not configured.

    """
    with connect(settings.owner_dsn(), application="migrate") as connection:
        require_server(connection.info.server_version)
        require_encoding(connection.info.parameter_status("server_encoding"))
        connection.execute("SELECT pg_advisory_lock(%s)", [_LOCK])
        connection.commit()
        try:
            timescale = _timescale_version(connection)
            applied = _apply_missing(connection, timescale=timescale is not None)
            _prepare_job_queue(connection)
            _let_roles_in(connection, settings)
        finally:
            connection.rollback()
            connection.execute("SELECT pg_advisory_unlock(%s)", [_LOCK])
            connection.commit()
    return Migrated(applied=applied, version=len(available()), timescale=timescale)


def require_server(version: int) -> None:
    """Refuse a PostgreSQL that lacks what the migrations use.

    Args:
        version: as the server counts, 160004 is 16.4.

    Raises:
        StorageError: it is too old.

    """
    if version < _LEAST_SERVER * 10_000:
        message = f"the server runs PostgreSQL {version // 10_000}, Arterial needs {_LEAST_SERVER} or newer"
        raise StorageError(message)


def require_encoding(encoding: str | None) -> None:
    """Refuse a database that cannot hold every name, or that, as SQL_ASCII does, gives bytes where text is asked for.

    Args:
        encoding: as the server calls it.

    Raises:
        StorageError: it is not UTF8.

    """
    if encoding != "UTF8":
        message = (
            f"the database is encoded in {encoding}, Arterial needs UTF8: make it with "
            "`createdb --template=template0 --encoding=UTF8 --locale=C.UTF-8`"
        )
        raise StorageError(message)


def version_of(connection: Connection) -> int:
    """The number of the last migration applied, 0 for an empty database."""
    if not _exists(connection, "public.arterial_migration"):
        return 0
    row = connection.execute("SELECT coalesce(max(number), 0) FROM public.arterial_migration").fetchone()
    return int(row[0]) if row else 0


def _apply_missing(connection: Connection, *, timescale: bool) -> tuple[str, ...]:
    connection.execute(
        "CREATE TABLE IF NOT EXISTS public.arterial_migration ("
        "number integer PRIMARY KEY, name text NOT NULL, checksum text NOT NULL, applied_at timestamptz NOT NULL DEFAULT now())"
    )
    connection.execute("GRANT SELECT ON public.arterial_migration TO PUBLIC")
    connection.commit()
    done: dict[int, str] = dict(connection.execute("SELECT number, checksum FROM public.arterial_migration").fetchall())
    migrations = available()
    if done and max(done) > len(migrations):
        message = (
            f"the database is at version {max(done)}, this Arterial knows {len(migrations)}: "
            "upgrade Arterial, or restore the backup made before the upgrade"
        )
        raise StorageError(message)
    for migration in migrations:
        if done.get(migration.number, migration.checksum) != migration.checksum:
            message = f"migration {migration.name} was changed after it had been applied: restore the file as it was"
            raise StorageError(message)
    missing = [migration for migration in migrations if migration.number not in done]
    for migration in missing:
        _run(connection, migration, timescale=timescale)
    if missing:
        facts = {"applied": {migration.name: migration.checksum for migration in missing}, "version": len(migrations)}
        audit.append(connection, audit.Action.MIGRATION_APPLIED, "arterial migrate", facts)
        connection.commit()
    if timescale and not _is_hypertable(connection):
        _make_hypertables(connection)
    return tuple(migration.name for migration in missing)


def _run(connection: Connection, migration: Migration, *, timescale: bool) -> None:
    text = _PARTITION_BY.sub("", migration.text) if timescale else migration.text
    try:
        connection.execute(text)
        connection.execute(
            "INSERT INTO public.arterial_migration (number, name, checksum) VALUES (%s, %s, %s)",
            [migration.number, migration.name, migration.checksum],
        )
        connection.commit()
    except psycopg.Error as error:
        connection.rollback()
        message = f"migration {migration.name} failed, nothing of it was kept: {first_line(error)}"
        raise StorageError(message) from error


def _prepare_job_queue(connection: Connection) -> None:
    """Let procrastinate make its tables and functions in schema `jobs`, where the worker's search path finds them."""
    if not _exists(connection, "jobs.procrastinate_jobs"):
        connection.execute("SET LOCAL search_path = jobs")
        connection.execute(procrastinate.schema.SchemaManager.get_schema())
        connection.execute("SET LOCAL search_path = DEFAULT")
    for grant in (
        "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA jobs TO arterial_jobs",
        "GRANT USAGE ON ALL SEQUENCES IN SCHEMA jobs TO arterial_jobs",
        "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA jobs TO arterial_jobs",
        "ALTER ROLE arterial_jobs SET search_path = jobs",
    ):
        connection.execute(grant)
    connection.commit()


def _let_roles_in(connection: Connection, settings: Settings) -> None:
    """Give each role its login and password; roles without a configured password stay locked out."""
    for role in _ROLES:
        secret = getattr(settings, f"database_password_{role}")
        if secret is not None:
            connection.execute(
                sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(
                    sql.Identifier(f"arterial_{role}"), sql.Literal(secret.get_secret_value())
                )
            )
    connection.commit()


def _timescale_version(connection: Connection) -> str | None:
    """The version of TimescaleDB this database is kept with, None where its observation tables are partitions.

    Raises:
        StorageError: the server has loaded the extension but does not let the owner create it, or has not loaded what it
            once made the tables with.

    """
    made = connection.execute(
        "SELECT relkind = 'p' FROM pg_class WHERE oid = to_regclass('sensing.traffic')"
    ).fetchone()
    loaded = connection.execute(
        "SELECT coalesce(current_setting('timescaledb.disable_load', true) = 'off', false)"
    ).fetchone()
    if made == (False,) and loaded == (False,):
        message = (
            "the observation tables are hypertables, and the server has not loaded TimescaleDB: "
            "set shared_preload_libraries = 'timescaledb' and restart it"
        )
        raise StorageError(message)
    if made == (True,) or loaded == (False,):
        return None
    try:
        connection.execute("CREATE EXTENSION IF NOT EXISTS timescaledb")
    except psycopg.Error as error:
        message = (
            f"TimescaleDB cannot be created, a superuser may with CREATE EXTENSION timescaledb: {first_line(error)}"
        )
        raise StorageError(message) from error
    found = connection.execute("SELECT extversion FROM pg_extension WHERE extname = 'timescaledb'").fetchone()
    connection.commit()
    return None if found is None else str(found[0])


def _is_hypertable(connection: Connection) -> bool:
    row = connection.execute(
        "SELECT count(*) > 0 FROM timescaledb_information.hypertables "
        "WHERE (hypertable_schema, hypertable_name) = ('sensing', 'traffic')"
    ).fetchone()
    return row == (True,)


def _make_hypertables(connection: Connection) -> None:
    folder = files("services.storage") / "timescale"
    connection.execute((folder / "hypertables.sql").read_text(encoding="utf-8"))
    licence = connection.execute("SELECT current_setting('timescaledb.license')").fetchone()
    if licence != ("apache",):  # as Debian, PGDG and some clouds ship it: hypertables without compression
        connection.execute((folder / "compression.sql").read_text(encoding="utf-8"))
    connection.commit()


def _exists(connection: Connection, table: str) -> bool:
    row = connection.execute("SELECT to_regclass(%s)::text", [table]).fetchone()
    return row is not None and row[0] is not None
