"""Migrations run once, in order, one at a time, and refuse a database they do not know."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg import sql

from services.embedded import Running
from services.errors import StorageError
from services.settings import Settings, load_settings
from services.storage.database import Connection, connect
from services.storage.migrate import available, migrate, require_server, version_of


@pytest.fixture
def empty(postgres: Running) -> Iterator[Settings]:
    """Settings of a database in which nothing has been made."""
    server = postgres.url.rpartition("/")[0]
    name = f"empty_{secrets.token_hex(6)}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    yield load_settings({"database_url": f"{server}/{name}"})
    with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def test_a_second_migration_changes_nothing(settings: Settings, owner: Connection) -> None:
    again = migrate(settings)

    assert again.applied == ()
    assert version_of(owner) == len(available())


def test_two_at_once_apply_each_migration_once(empty: Settings, template: str) -> None:
    with ThreadPoolExecutor(2) as both:
        done = list(both.map(migrate, [empty, empty]))

    assert sorted(len(one.applied) for one in done) == [0, len(available())]
    with connect(empty.owner_dsn(), application="test") as connection:
        assert version_of(connection) == len(available())


def test_a_changed_migration_is_refused_by_name(settings: Settings, owner: Connection) -> None:
    owner.execute("UPDATE public.arterial_migration SET checksum = 'another' WHERE number = 2")

    with pytest.raises(StorageError, match=r"0002_sensing\.sql was changed"):
        migrate(settings)


def test_a_newer_database_is_refused(settings: Settings, owner: Connection) -> None:
    owner.execute("INSERT INTO public.arterial_migration VALUES (99, '0099_future.sql', 'x')")

    with pytest.raises(StorageError, match="version 99, this Arterial knows"):
        migrate(settings)


def test_an_old_server_is_refused_in_words() -> None:
    require_server(160_000)
    with pytest.raises(StorageError, match="runs PostgreSQL 15, Arterial needs 16 or newer"):
        require_server(150_020)


def test_a_database_that_is_not_in_utf8_is_refused_before_anything_is_made(empty: Settings) -> None:
    server, _, name = empty.owner_dsn().rpartition("/")
    make = sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'")
    with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
        admin.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(name)))
        admin.execute(make.format(sql.Identifier(name)))

    with pytest.raises(StorageError, match="encoded in SQL_ASCII, Arterial needs UTF8"):
        migrate(empty)

    with psycopg.connect(empty.owner_dsn()) as connection:
        assert connection.execute("SELECT to_regclass('public.arterial_migration')").fetchone() == (None,)


def test_partitions_are_made_for_known_months_only(settings: Settings, owner: Connection, hypertables: bool) -> None:
    with connect(settings.role_dsn("ingest"), application="test", autocommit=True) as ingest:
        ingest.execute("SELECT sensing.ensure_month('2026-11-22')")
        ingest.execute("SELECT sensing.ensure_month('2026-11-01')")
        with pytest.raises(psycopg.errors.CheckViolation):
            ingest.execute("SELECT sensing.ensure_month('2111-01-01')")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            ingest.execute("CREATE TABLE sensing.own (a int)")

    found = owner.execute("SELECT count(*) FROM pg_inherits WHERE inhparent = 'sensing.traffic'::regclass").fetchone()
    assert found == ((0,) if hypertables else (1,))  # those make their own chunks
