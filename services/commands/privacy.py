"""`arterial privacy`: what is published about people, at what price."""

from __future__ import annotations

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
def plan(*, as_json: AsJson = False) -> None:
    """Show the release plans: what they publish, what they guarantee, and their hashes."""
    import msgspec

    from services.privacy.plan import day_cap, load_plans
    from services.privacy.policy import check
    from services.settings import load_settings
    from services.storage.ledger import MICRO

    settings = load_settings()
    plans = load_plans()
    check(plans, settings)
    cap = day_cap(settings)
    lines = []
    for each in plans:
        bounds = "; ".join(
            f"{measure.name} in at most {measure.cells_per_subject} cells with at most {measure.per_cell}, "
            f"{measure.mechanism} at epsilon {each.parts(each.price(cap))[measure.name] / MICRO:g}, "
            f"rounded to {measure.rounding}"
            for measure in each.measure
        )
        lines += [
            f"{each.name} version {each.version} ({each.domain}), hash {each.hash}",
            f"  {each.purpose}",
            f"  guarantee  {each.subject} changes the odds of anything published by at most e^{each.price(cap) / MICRO:g}",
            f"  grid       {each.grid.partition}, {each.grid.slot_minutes} minutes",
            f"  bounds     {bounds}",
            f"  shown      where noisy {each.threshold.measure} reach the threshold, at least {each.threshold.minimum}",
            f"  raw rows   destroyed within {each.raw_hours} hours",
        ]
    documents = [msgspec.to_builtins(each) | {"hash": each.hash, "epsilon": each.price(cap) / MICRO} for each in plans]
    report({"epsilon_day": cap / MICRO, "plans": documents}, lines, as_json=as_json)


@app.command()
def release(*, day: Day = None, plan: PlanName = None, as_json: AsJson = False) -> None:
    """Publish closed days; what was published before is shown again and costs nothing."""
    from dataclasses import asdict
    from datetime import UTC, date, datetime

    from services.errors import InputError
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
    done = [release_day(settings, each, when, now=now) for when in days for each in plans]
    lines = [
        f"{summary.release.release_key}: {summary.release.cells - summary.release.suppressed} of "
        f"{summary.release.cells} values shown, epsilon {summary.release.epsilon:g}"
        + (", as published before" if summary.replayed else "")
        for summary in done
    ]
    report(
        {"releases": [asdict(summary.release) | {"replayed": summary.replayed} for summary in done]},
        lines or ["No day may be released now: the last one can be from one hour after its end."],
        as_json=as_json,
    )
