"""Code concerned with the end of personal data: rows and pseudonym keys are destroyed by the local day.

Destruction runs every hour. A closed day goes before its oldest row outlives the configured age, once every plan of its
domain has released it; unreleased, it waits at most for the end of its release window. No row lives 48 hours.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from services.errors import StorageError
from services.local_day import day_of
from services.privacy.days import DESTROYED_EVERY, LONGEST_RETENTION, LocalDay, local_day
from services.privacy.plan import Plan, enabled_plans
from services.settings import Settings
from services.storage import audit, personal, releases
from services.storage.audit import Action
from services.storage.database import Connection, connect

_DAYS_BACK = 4
_ACTOR = "retention"


@dataclass(frozen=True, kw_only=True, slots=True)
class Destroyed:
    """How much was destroyed. Exact counts of personal rows: for who runs the platform, never for publication."""

    rows: dict[str, int]
    keys: int
    dead_letters: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Kept:
    """One class of data: for how long, what of it is there, and what of that the next run destroys.

    `held` and `due` are local days of personal data, and empty for what is not personal.
    """

    name: str
    rule: str
    held: tuple[date, ...] = ()
    due: tuple[date, ...] = ()
    overdue: tuple[date, ...] = ()


def destroy_expired(settings: Settings, now: datetime) -> Destroyed:
    """Destroy personal rows, keys and dead letters that are due at `now`; a key destroyed is never made again.

    What was destroyed is looked for again and, when nothing is left, goes into the audit log: which days, not how much.

    Raises:
        UnavailableError: the database does not answer.
        StorageError: something is left of a day that was destroyed; nothing is recorded.

    """
    rows: dict[str, int] = dict.fromkeys(personal.DOMAINS, 0)
    news: list[tuple[str, date]] = []
    keys = 0
    with (
        connect(settings.role_dsn("jobs"), application="retention", autocommit=True) as connection,
        personal.release_transaction(connection),
    ):
        due = _due_days(connection, settings, now)
        for domain, day in due.items():
            rows[domain] = personal.destroy_rows(connection, domain, day)
            keys += personal.destroy_keys(connection, domain, day)
            if personal.record_destruction(connection, domain, day):
                news.append((domain, day))
        dead_letters = personal.destroy_dead_letters(connection, now - settings.personal_retention + DESTROYED_EVERY)
        _require_gone(connection, due)
        for domain, day in news:
            facts = {"purpose": domain, "through": day.isoformat(), "left": 0}
            audit.append(connection, Action.ROWS_DESTROYED, _ACTOR, facts)
            audit.append(connection, Action.KEY_DESTROYED, _ACTOR, facts)
        if news:
            run = {
                "through": {domain: day.isoformat() for domain, day in due.items()},
                "hours": settings.personal_retention_hours,
            }
            audit.append(connection, Action.RETENTION_RUN, _ACTOR, run)
    return Destroyed(rows=rows, keys=keys, dead_letters=dead_letters)


def preview(settings: Settings, now: datetime) -> list[Kept]:
    """What is kept, for how long, and what a run at `now` would destroy; nothing is destroyed.

    Raises:
        UnavailableError: the database does not answer.

    """
    with (
        connect(settings.role_dsn("jobs"), application="retention", autocommit=True) as connection,
        personal.release_transaction(connection),
    ):
        due, gone = _due_days(connection, settings, now), personal.destroyed_through(connection)
        held = personal.days_held(connection)
        oldest = personal.oldest_dead_letter(connection)
    hours = f"{settings.personal_retention_hours} h after the day began, at the latest 48 h"
    classes = [f"{domain}{what}" for domain in personal.DOMAINS for what in ("", " claims", " key")]
    found = [
        _personal(name, hours, [day for each, day in held if each == name], due, gone, settings, now)
        for name in classes
    ]
    letter = () if oldest is None else (day_of(oldest, settings.zone),)
    late = oldest is not None and oldest < now - LONGEST_RETENTION
    found.append(
        Kept(name="personal dead letters", rule="48 h after receipt", held=letter, overdue=letter if late else ())
    )
    return [
        *found,
        Kept(name="dead letters", rule=f"{settings.dead_letter_days} days"),
        Kept(name="forecasts", rule=f"first of each hour {settings.forecast_keep_days} days, others 2 days"),
        Kept(name="sensor readings", rule="kept: fixed sensors observe no person"),
        Kept(name="published", rule="kept: releases are private by their noise, and erasing them would free no budget"),
        *(
            Kept(
                name=f"noisy counts of {plan.name}",
                rule=f"{plan.earlier_days} days, for smoothing; private by their noise",
            )
            for plan in enabled_plans(settings)
            if plan.earlier_days
        ),
        Kept(name="ledger and audit log", rule="kept: append-only"),
    ]


def _personal(
    name: str,
    rule: str,
    held: list[date],
    due: dict[str, date],
    gone: dict[str, date],
    settings: Settings,
    now: datetime,
) -> Kept:
    domain = name.split(" ", maxsplit=1)[0]
    through = due.get(domain, date.min)
    return Kept(
        name=name,
        rule=rule,
        held=tuple(held),
        due=tuple(day for day in held if day <= through),
        overdue=tuple(
            day
            for day in held
            if day <= gone.get(domain, date.min) or now >= local_day(day, settings).start + LONGEST_RETENTION
        ),
    )


def _require_gone(connection: Connection, due: dict[str, date]) -> None:
    left = [
        f"{name} of {day}"
        for name, day in personal.days_held(connection)
        if day <= due.get(name.split(" ")[0], date.min)
    ]
    if left:
        message = f"destroyed, but still there: {', '.join(left)}"
        raise StorageError(message)


def _due_days(connection: Connection, settings: Settings, now: datetime) -> dict[str, date]:
    """The newest day of each domain that is due; all days before it are."""
    plans = enabled_plans(settings)
    found = {
        domain: _newest_due(connection, settings, [plan for plan in plans if plan.domain == domain], now)
        for domain in personal.DOMAINS
    }
    return {domain: day for domain, day in found.items() if day is not None}


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
