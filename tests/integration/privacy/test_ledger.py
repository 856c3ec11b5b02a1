"""The ledger never overspends, whoever asks at once, and keeps a charge whatever happens after it."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime

import pytest

from services.errors import BudgetExhaustedError, NotFoundError
from services.privacy.plan import load_plan
from services.privacy.release import release_day
from services.settings import Settings
from services.storage import ledger, personal, releases
from services.storage.database import Connection, connect

DAY = date(2026, 11, 20)
NOW = datetime(2026, 11, 21, 6, 0, tzinfo=UTC)


def charge(settings: Settings, key: str, price: int, cap: int = 1_000_000) -> int | None:
    """What was paid for the key, None when it was refused."""
    with connect(settings.role_dsn("jobs"), application="test", autocommit=True) as connection:
        try:
            with personal.release_transaction(connection):
                return ledger.charge(
                    connection, release_key=key, domain="mobility", day=DAY, plan_hash="h", micro_epsilon=price, cap=cap
                ).micro_epsilon
        except BudgetExhaustedError:
            return None


def test_sixteen_threads_never_overspend(settings: Settings, owner: Connection) -> None:
    # 320 attempts at 7 000 for 200 keys, half of them asked for twice or more: 142 fit into 1 000 000, the rest are refused.
    keys = [f"key {number % 200}" for number in range(320)]
    with ThreadPoolExecutor(16) as threads:
        paid = list(threads.map(lambda key: charge(settings, key, 7_000), keys))

    (budget,) = ledger.budgets(owner, first_day=DAY, last_day=DAY)
    charges = ledger.charges(owner, first_day=DAY, last_day=DAY)
    assert budget.spent_micro_epsilon == 142 * 7_000
    assert len(charges) == 142
    assert sum(row.micro_epsilon for row in charges) == budget.spent_micro_epsilon
    granted = {key for key, amount in zip(keys, paid, strict=True) if amount is not None}
    assert granted == {row.release_key for row in charges}


def test_a_charge_is_made_once_and_a_refusal_leaves_no_trace(settings: Settings, owner: Connection) -> None:
    assert [charge(settings, "a", 600_000), charge(settings, "a", 600_000)] == [600_000, 600_000]
    assert charge(settings, "b", 500_000) is None
    assert charge(settings, "c", 300_000, cap=800_000) is None  # the cap was lowered since the day's first charge
    assert charge(settings, "d", 500_000, cap=2_000_000) is None  # raising it later does not re-open the day
    assert charge(settings, "e", 400_000) == 400_000
    assert [row.release_key for row in ledger.charges(owner, first_day=DAY, last_day=DAY)] == ["a", "e"]
    with pytest.raises(NotFoundError, match="nothing was charged for b"):
        ledger.find_charge(owner, "b")


DIE_AFTER_THE_CHARGE = """
import os, signal, sys
from datetime import UTC, date, datetime
from services.privacy import release
from services.privacy.plan import load_plan
from services.settings import load_settings

def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)

setattr(release, sys.argv[1], die)
release.release_day(load_settings(), load_plan("presence"), date(2026, 11, 20), now=datetime(2026, 11, 21, 6, tzinfo=UTC))
"""


@pytest.mark.parametrize("point", ["_complete", "draw"])
def test_a_process_killed_between_charge_and_publication_keeps_the_charge(
    settings: Settings, owner: Connection, districts: list[int], point: str
) -> None:
    assert settings.database_password_jobs is not None
    done = subprocess.run(
        [sys.executable, "-c", DIE_AFTER_THE_CHARGE, point],
        env={
            "ARTERIAL_DATABASE_URL": settings.owner_dsn(),
            "ARTERIAL_DATA_DIR": str(settings.data_dir),
            "ARTERIAL_DATABASE_PASSWORD_JOBS": settings.database_password_jobs.get_secret_value(),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == -9, done.stderr
    assert [row.micro_epsilon for row in ledger.charges(owner, first_day=DAY, last_day=DAY)] == [1_000_000]
    assert releases.releases(owner, first_day=DAY, last_day=DAY) == []
    assert owner.execute("SELECT count(*) FROM published.presence").fetchone() == (0,)

    summary = release_day(settings, load_plan("presence"), DAY, now=NOW)  # completes it under the same charge

    assert not summary.replayed
    assert [row.spent for row in ledger.budgets(owner, first_day=DAY, last_day=DAY)] == [1.0]


def test_workers_that_release_the_same_day_at_once_publish_one_result(
    settings: Settings, owner: Connection, districts: list[int]
) -> None:
    plan = load_plan("presence")
    with ThreadPoolExecutor(6) as threads:
        summaries = list(threads.map(lambda _: release_day(settings, plan, DAY, now=NOW), range(6)))

    assert sorted(summary.replayed for summary in summaries) == [False, True, True, True, True, True]
    assert len({summary.release for summary in summaries}) == 1
    assert [row.spent for row in ledger.budgets(owner, first_day=DAY, last_day=DAY)] == [1.0]


def test_a_release_without_a_charge_is_refused_by_the_database(settings: Settings, owner: Connection) -> None:
    import psycopg

    with pytest.raises(psycopg.errors.ForeignKeyViolation):
        owner.execute(
            "INSERT INTO published.release (release_key, plan, plan_version, plan_hash, day, epsilon, delta, mechanism, "
            "noise_scale, threshold, rounding, ci95, cells, suppressed) "
            "VALUES ('free', 'presence', '1', 'h', '2026-11-20', 1, 0, 'none', 0, 10, 5, 0, 0, 0)"
        )
