"""A database that was put back to an earlier state spends nothing twice: it is noticed, and what it may have lost is burnt."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import psycopg
import pytest
from psycopg import sql

from services.errors import BudgetExhaustedError, ConfigurationError
from services.governance import checkpoint as checkpoints
from services.privacy import continuity
from services.privacy.plan import load_plan
from services.privacy.release import release_day
from services.settings import Settings
from services.storage import audit, ledger, releases
from services.storage.database import Connection, connect

DAY = date(2026, 11, 20)
NOW = datetime(2026, 11, 21, 6, 0, tzinfo=UTC)


def put_back(settings: Settings, owner: Connection) -> None:
    """As a backup of before the release would: the rows are gone, everything else is as it was."""
    with owner.transaction():
        owner.execute("SET LOCAL session_replication_role = replica")  # triggers and references off
        for table in ("published.presence", "published.release", "governance.charge", "governance.budget"):
            owner.execute(sql.SQL("DELETE FROM {}").format(sql.SQL(table)))  # type: ignore[arg-type]  # fixed names


def jobs(settings: Settings) -> Connection:
    return connect(settings.role_dsn("jobs"), application="test", autocommit=True)


def actions(owner: Connection) -> list[str]:
    return [entry.action for entry in audit.entries(owner)]


def test_a_ledger_put_back_is_refused_until_it_is_taken_over_and_then_burnt(
    settings: Settings, owner: Connection, districts: list[int]
) -> None:
    plan = load_plan("presence")
    release_day(settings, plan, DAY, now=NOW)
    assert actions(owner)[1:] == ["release.charged", "release.published"]
    put_back(settings, owner)

    for _ in range(2):
        with pytest.raises(BudgetExhaustedError, match="its ledger has lost presence/4/2026-11-20"):
            release_day(settings, plan, DAY, now=NOW)
    assert ledger.budgets(owner, first_day=DAY, last_day=DAY) == []
    assert actions(owner)[3:] == ["restore.found", "release.denied"]  # said once, however often it is tried

    with jobs(settings) as connection:
        assert continuity.accept(connection, settings, NOW)
        assert continuity.accept(connection, settings, NOW) == []
    with pytest.raises(BudgetExhaustedError, match="2026-11-20 was burnt"):
        release_day(settings, plan, DAY, now=NOW)
    assert {(each.day, each.spent) for each in ledger.budgets(owner, first_day=date(2026, 11, 1), last_day=DAY)} == {
        (DAY - timedelta(days=back), 1.0) for back in range(3)
    }
    assert releases.releases(owner, first_day=DAY, last_day=DAY) == []

    after = release_day(settings, plan, DAY + timedelta(days=1), now=NOW + timedelta(days=1))
    assert not after.replayed


def test_a_charge_that_was_put_back_without_its_release_is_not_completed_again(
    settings: Settings, owner: Connection, districts: list[int]
) -> None:
    plan = load_plan("presence")
    release_day(settings, plan, DAY, now=NOW)
    with owner.transaction():
        owner.execute("SET LOCAL session_replication_role = replica")
        owner.execute("DELETE FROM published.presence")
        owner.execute("DELETE FROM published.release")
        owner.execute("UPDATE governance.incarnation SET timeline = timeline - 1")  # as after a recovery

    with pytest.raises(BudgetExhaustedError, match="its timeline changed"):
        release_day(settings, plan, DAY, now=NOW)
    with jobs(settings) as connection:
        continuity.accept(connection, settings, NOW)
    with pytest.raises(BudgetExhaustedError, match="was burnt"):
        release_day(settings, plan, DAY, now=NOW)
    assert releases.releases(owner, first_day=DAY, last_day=DAY) == []


def test_a_copy_of_the_database_is_another_one(
    settings: Settings, owner: Connection, districts: list[int], make_database: Callable[[], Settings]
) -> None:
    plan = load_plan("presence")
    release_day(settings, plan, DAY, now=NOW)
    with jobs(settings) as connection:
        checkpoints.write(
            checkpoint := checkpoints.sign(settings, connection, "test"),
            settings.checkpoint_dir() / checkpoints.file_name(checkpoint),
        )
        assert continuity.differences(connection, settings) == []
    stranger = make_database()
    with connect(stranger.role_dsn("api"), application="test") as connection:
        kept_here = stranger.model_copy(update={"data_dir": settings.data_dir})
        (lost, unsigned) = continuity.differences(connection, kept_here)
    assert "has lost presence/4/2026-11-20" in lost
    assert "has not the row 3 that a checkpoint has signed" in unsigned

    (settings.data_dir / "ledger.json").write_text("{", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"ledger\.json, which remembers what was spent, cannot be read"):
        release_day(settings, plan, DAY + timedelta(days=1), now=NOW + timedelta(days=1))


def test_nobody_takes_a_burn_back(settings: Settings, owner: Connection) -> None:
    owner.execute("INSERT INTO governance.burnt (domain, through) VALUES ('mobility', '2026-11-20')")
    for statement in ("DELETE FROM governance.burnt", "UPDATE governance.burnt SET through = '2026-11-01'"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            owner.execute(statement)  # type: ignore[arg-type]  # fixed texts above
