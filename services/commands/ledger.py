"""`arterial privacy ledger`: what was spent on each day, in the accounts of two accountants."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from services.commands.output import AsJson, report

if TYPE_CHECKING:
    from collections.abc import Iterator

    from services.privacy.accountants import Checked


def ledger(
    *,
    accept_restore: Annotated[
        bool,
        typer.Option(
            "--accept-restore",
            help="Take a restored database over: the days that had closed are burnt, and releases go on with today.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Show what was spent in the last year, and what it costs together. Exit code 1 when the accountants disagree."""
    from dataclasses import asdict
    from datetime import UTC, datetime, timedelta

    from services.privacy import continuity
    from services.privacy.accountants import DELTA, cross_check
    from services.privacy.composition import WINDOWS, compose
    from services.privacy.plan import day_cap, load_plans
    from services.settings import load_settings
    from services.storage import ledger as book
    from services.storage.database import connect

    settings = load_settings()
    accepted: list[str] = []
    if accept_restore:
        with connect(settings.role_dsn("jobs"), application="ledger", autocommit=True) as connection:
            accepted = continuity.accept(connection, settings, datetime.now(UTC))
    last_day = datetime.now(settings.zone).date() - timedelta(days=1)
    first_day = last_day - timedelta(days=max(WINDOWS) - 1)
    with connect(settings.role_dsn("api"), application="ledger", autocommit=True) as connection:
        budgets = book.budgets(connection, first_day=first_day, last_day=last_day)
        charges = book.charges(connection, first_day=first_day, last_day=last_day)
        restored = continuity.differences(connection, settings)
        burnt = book.burnt_days(connection)
    together = [
        window
        for domain in sorted({plan.domain for plan in load_plans()})
        for window in compose(budgets, domain, last_day=last_day, cap=day_cap(settings))
    ]
    checked = cross_check(budgets, charges, last_day=last_day)
    report(
        {
            "days": [asdict(budget) for budget in budgets],
            "charges": [asdict(charge) for charge in charges],
            "composition": [asdict(window) for window in together],
            "accountant": "basic",
            "accountants": {"agree": checked.agree, "delta": DELTA, **asdict(checked)},
            "restored": restored,
            "burnt_through": burnt,
            "accepted": accepted,
        },
        [
            *(f"{each.day} {each.domain:<10} spent {each.spent:g} of {each.cap:g}" for each in budgets),
            *_windows(checked, day_cap(settings) / book.MICRO),
            "Both accountants agree."
            if checked.agree
            else "THE ACCOUNTANTS DISAGREE: release nothing until it is clear why.",
            *(f"{domain}: days up to {day} are burnt" for domain, day in burnt.items()),
            *(f"Taken over although {reason}." for reason in accepted),
            *(f"The database seems to have been restored: {reason}. See --accept-restore." for reason in restored),
        ],
        as_json=as_json,
    )
    if not checked.agree:
        raise typer.Exit(1)


def _windows(checked: Checked, cap: float) -> Iterator[str]:
    for each in checked.days:
        if not each.agree:
            yield f"{each.day} {each.domain}: charged {each.basic:g}, but the noise loses {each.distribution:g}"
    for window in checked.windows:
        yield (
            f"last {window.days:>3} days {window.domain:<10} epsilon {window.basic:g} by sum, at most {window.days * cap:g} with "
            f"today's cap; {window.distribution:.3g} by distribution of loss at delta 1e-6"
        )
