"""`arterial privacy`: what is published about people, at what price."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from services.commands.output import AsJson, report

app = typer.Typer(help="What is published about people, at what price.", no_args_is_help=True)

Day = Annotated[
    str | None,
    typer.Option("--day", metavar="YYYY-MM-DD", help="A closed local day; by default all that may be released."),
]
PlanName = Annotated[str | None, typer.Option("--plan", metavar="NAME", help="One plan; by default all.")]


@app.command()
def plan(
    *,
    file: Annotated[
        Path | None,
        typer.Option("--file", metavar="FILE", help="Check this plan beside those that are on, and show it alone."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Show the release plans: what they publish, what they guarantee, whether they are on, and their hashes."""
    import msgspec

    from services.errors import InputError, reason
    from services.privacy.plan import day_cap, enabled_plans, load_plans, parse
    from services.privacy.policy import check
    from services.privacy.rendering import sentences
    from services.settings import load_settings
    from services.storage.ledger import MICRO

    settings = load_settings()
    on = {each.name: each for each in enabled_plans(settings)}
    plans = [*on.values(), *(each for each in load_plans() if each.name not in on)]
    if file is not None:
        try:
            candidate = parse(file.read_text(encoding="utf-8"), str(file))
        except (OSError, UnicodeDecodeError) as error:
            message = f"{file} cannot be read: {reason(error)}"
            raise InputError(message) from error
        on[candidate.name], plans = candidate, [candidate]
    check(list(on.values()), settings)
    for each in plans:
        if each.name not in on:
            check([each], settings)
    cap = day_cap(settings)
    documents = [
        msgspec.to_builtins(each)
        | {
            "on": each.name in on,
            "hash": each.hash,
            "epsilon": each.price(cap) / MICRO,
            "total_delta": float(each.delta),
        }
        for each in plans
    ]
    lines = [line for each in plans for line in sentences(each, cap, on=each.name in on)]
    report({"epsilon_day": cap / MICRO, "plans": documents}, lines, as_json=as_json)


@app.command()
def release(*, day: Day = None, plan: PlanName = None, as_json: AsJson = False) -> None:
    """Publish closed days; what was published before is shown again and costs nothing."""
    from dataclasses import asdict
    from datetime import UTC, date, datetime

    from services.errors import InputError, NotFoundError
    from services.privacy.days import open_for_release
    from services.privacy.plan import enabled_plan, enabled_plans
    from services.privacy.release import release_day
    from services.settings import load_settings

    settings = load_settings()
    now = datetime.now(UTC)
    plans = enabled_plans(settings) if plan is None else (enabled_plan(plan, settings),)
    try:
        days = [each.day for each in open_for_release(settings, now)] if day is None else [date.fromisoformat(day)]
    except ValueError:
        message = f"--day {day!r} is not a date such as 2026-11-21"
        raise InputError(message) from None
    done, waiting = [], []
    for when in days:
        for each in plans:
            try:
                done.append(release_day(settings, each, when, now=now))
            except NotFoundError as error:
                if plan is not None:
                    raise
                waiting.append(str(error))
    lines = [
        f"{summary.release.release_key}: {summary.release.cells - summary.release.suppressed} of "
        f"{summary.release.cells} values shown, epsilon {summary.release.epsilon:g}"
        + (", as published before" if summary.replayed else "")
        for summary in done
    ]
    report(
        {
            "releases": [asdict(summary.release) | {"replayed": summary.replayed} for summary in done],
            "not_released": waiting,
        },
        [*lines, *waiting] or ["No day may be released now: the last one can be from one hour after its end."],
        as_json=as_json,
    )
