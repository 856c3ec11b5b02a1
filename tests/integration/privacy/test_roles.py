"""Only the release role reads personal rows, and only for the length of a release transaction."""

from __future__ import annotations

from itertools import product

import psycopg
import pytest
from psycopg import sql

from services.errors import StorageError
from services.settings import Role, Settings
from services.storage import audit, personal
from services.storage.database import Connection, connect

TABLES = ("position", "household", "bike_trip", "charging", "day_key", "dead_letter")
DENIED = psycopg.errors.InsufficientPrivilege


def login(settings: Settings, role: Role) -> Connection:
    return connect(settings.role_dsn(role), application="test", autocommit=True)


@pytest.fixture
def someone(owner: Connection) -> None:
    """One row in every personal table, so that an empty answer cannot pass for a refusal."""
    owner.execute("INSERT INTO personal.position VALUES ('2026-11-20', decode(repeat('ab', 16), 'hex'), now(), 1, 50)")
    owner.execute(
        "INSERT INTO personal.household VALUES ('2026-11-20', decode(repeat('ab', 16), 'hex'), now(), 1, 500)"
    )
    owner.execute("INSERT INTO personal.bike_trip VALUES ('2026-11-20', decode(repeat('ab', 16), 'hex'), 1, 2)")
    owner.execute("INSERT INTO personal.charging VALUES ('2026-11-20', decode(repeat('ab', 16), 'hex'), now(), 1, 500)")
    owner.execute("INSERT INTO personal.day_key VALUES ('mobility', '2026-11-20', decode(repeat('cd', 32), 'hex'))")
    owner.execute(
        "INSERT INTO personal.dead_letter (received_at, topic, payload, payload_bytes, reason) "
        "VALUES (now(), 'city/v1/probe/x/telemetry', '{}', 2, 'broken')"
    )
    owner.execute("ANALYZE")


@pytest.mark.parametrize("role", ["api", "jobs", "ingest"])
def test_processes_cannot_read_personal_rows(settings: Settings, someone: None, role: Role) -> None:
    statements = ("SELECT * FROM personal.{}", "SELECT count(*) FROM personal.{}", "COPY personal.{} TO STDOUT")
    with login(settings, role) as connection:
        for table, statement in product(TABLES, statements):
            with pytest.raises(DENIED):
                connection.execute(sql.SQL(statement).format(sql.Identifier(table)))  # type: ignore[arg-type]  # fixed texts


@pytest.mark.parametrize("role", ["api", "jobs"])
def test_the_schema_is_closed_by_every_other_way(settings: Settings, someone: None, role: Role) -> None:
    with login(settings, role) as connection:
        connection.execute("SET search_path = personal, public")
        with pytest.raises((DENIED, psycopg.errors.UndefinedTable)):
            connection.execute("SELECT * FROM position")
        with pytest.raises(DENIED):
            connection.execute("SELECT personal.key_of_day('mobility', '2026-11-20', '2026-01-01')")
        with pytest.raises(DENIED):
            connection.execute("DELETE FROM personal.position")
        with pytest.raises(DENIED):
            connection.execute("CREATE VIEW published.peek AS SELECT * FROM personal.position")
        assert connection.execute("SELECT * FROM pg_stats WHERE schemaname = 'personal'").fetchall() == []


@pytest.mark.parametrize("role", ["api", "ingest"])
def test_api_and_ingest_can_become_nobody_else(settings: Settings, owner: Connection, role: Role) -> None:
    others = {"arterial", "arterial_release", "arterial_jobs", "arterial_api", "arterial_ingest"} - {f"arterial_{role}"}
    with login(settings, role) as connection:
        for other in others:
            with pytest.raises(DENIED):
                connection.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(other)))
        with pytest.raises(StorageError, match="only role arterial_jobs"), personal.release_transaction(connection):
            pytest.fail("it stepped into the release role")
    (refused,) = audit.newest(owner, most=9, action="access.denied")
    assert (refused.role, refused.body) == (f"arterial_{role}", '{"refused":"arterial_release"}')


def test_the_release_role_ends_with_its_transaction(settings: Settings, someone: None) -> None:
    with login(settings, "jobs") as connection:
        with personal.release_transaction(connection):
            assert connection.execute("SELECT count(*) FROM personal.position").fetchone() == (1,)
        with pytest.raises(DENIED):
            connection.execute("SELECT count(*) FROM personal.position")


def test_the_release_role_itself_can_neither_forge_nor_copy_nor_forget(settings: Settings, someone: None) -> None:
    statements = (
        "SELECT key FROM personal.day_key",
        "INSERT INTO personal.position VALUES ('2026-11-20', decode(repeat('ef', 16), 'hex'), now(), 1, 50)",
        "UPDATE personal.position SET cell = 2",
        "UPDATE published.presence SET vehicles = 7",
        "DELETE FROM published.release",
        "DELETE FROM governance.charge",
        "DELETE FROM governance.budget",
        "DELETE FROM governance.destruction",
        "UPDATE governance.budget SET cap_micro_epsilon = 9000000",
        "CREATE TABLE published.copy AS SELECT * FROM personal.position",
        "CREATE TABLE public.copy AS SELECT * FROM personal.position",
    )
    with login(settings, "jobs") as connection:
        for statement in statements:
            with pytest.raises(DENIED), personal.release_transaction(connection):
                connection.execute(statement)


def test_even_the_owner_cannot_take_back_what_was_spent(settings: Settings, owner: Connection) -> None:
    owner.execute("INSERT INTO governance.budget VALUES ('mobility', '2026-11-20', 1000000, 600000)")
    owner.execute("INSERT INTO governance.charge VALUES ('k', 'mobility', '2026-11-20', 'h', 600000)")
    for statement in (
        "UPDATE governance.budget SET spent_micro_epsilon = 0",
        "UPDATE governance.budget SET cap_micro_epsilon = 2000000",
        "DELETE FROM governance.budget",
        "TRUNCATE governance.budget CASCADE",
        "UPDATE governance.charge SET micro_epsilon = 1",
        "DELETE FROM governance.charge",
    ):
        with pytest.raises(DENIED):
            owner.execute(statement)  # type: ignore[arg-type]  # fixed texts above
    owner.execute("UPDATE governance.budget SET spent_micro_epsilon = 1000000")
