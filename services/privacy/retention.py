"""Code concerned with the end of personal data: rows and pseudonym keys are destroyed by the local day.

Destruction runs every hour. A closed day goes before its oldest row outlives the configured age, once every plan of its
domain has released it; unreleased, it waits at most for the end of its release window. No row lives 48 hours.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from services.local_day import day_of
from services.privacy.days import DESTROYED_EVERY, LocalDay, local_day
from services.privacy.plan import Plan, enabled_plans
from services.settings import Settings
from services.storage import personal, releases
from services.storage.database import Connection, connect

_DAYS_BACK = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Destroyed:
    """How much was destroyed. Exact counts of personal rows: for who runs the platform, never for publication."""

    positions: int
    households: int
    keys: int
    dead_letters: int


def destroy_expired(settings: Settings, now: datetime) -> Destroyed:
    """Destroy personal rows, keys and dead letters that are due at `now`; a key destroyed is never made again.

    Raises:
        UnavailableError: the database does not answer.

    """
    plans = enabled_plans(settings)
    positions = households = keys = 0
    with (
        connect(settings.role_dsn("jobs"), application="retention", autocommit=True) as connection,
        personal.release_transaction(connection),
    ):
        mobility = _newest_due(connection, settings, [plan for plan in plans if plan.domain == "mobility"], now)
        if mobility is not None:
            positions = personal.destroy_positions(connection, mobility)
            keys += personal.destroy_keys(connection, "mobility", mobility)
        household = _newest_due(connection, settings, [plan for plan in plans if plan.domain == "household"], now)
        if household is not None:
            households = personal.destroy_households(connection, household)
            keys += personal.destroy_keys(connection, "household", household)
        oldest = now - settings.personal_retention + DESTROYED_EVERY
        dead_letters = personal.destroy_dead_letters(connection, oldest)
    return Destroyed(positions=positions, households=households, keys=keys, dead_letters=dead_letters)


def _newest_due(connection: Connection, settings: Settings, plans: list[Plan], now: datetime) -> date | None:
    """The newest day that is due; all days before it are, since each is at least 23 hours older."""
    today = day_of(now, settings.zone)
    days = (local_day(today - timedelta(days=back), settings) for back in range(1, _DAYS_BACK))
    return next((day.day for day in days if _due(connection, settings, plans, day, now)), None)


def _due(connection: Connection, settings: Settings, plans: list[Plan], day: LocalDay, now: datetime) -> bool:
    if now < day.release_from or now < day.start + settings.personal_retention - DESTROYED_EVERY:
        return False
    released = all(releases.find_release(connection, plan.release_key(day.day)) is not None for plan in plans)
    return released or now >= day.release_until
