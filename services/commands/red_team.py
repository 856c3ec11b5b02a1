"""`arterial privacy attack` and `utility`: how much the releases give away, and how much of the city they keep."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Final

import typer

from services.commands.output import AsJson, report

_MANY: Final = 6_000
_FEW: Final = 1_500
"""People of the throw-away platform."""
_WHEN: Final = (", the first day,", ", after 4 weeks,")


def attack(
    *,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="NAME", help="This attack; may be repeated.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the generated people; noise is never seeded.")] = 1,
    short: Annotated[bool, typer.Option("--short", help="A smaller city and fewer trials: seconds.")] = False,
    meters: Annotated[
        Path | None,
        typer.Option(exists=True, help="Recorded half-hourly loads for the smart-meter game, a parquet file."),
    ] = None,
    trips: Annotated[
        Path | None, typer.Option(exists=True, help="Recorded bicycle trips for differencing, a parquet file.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Attack our own releases on generated people; every attack first has to work on unprotected data."""
    import sys
    from contextlib import ExitStack

    from services.benchmarks.attacked import attacked_platform
    from services.commands.progress import progress_bar
    from services.privacy.attacks import recordings, suite
    from services.privacy.attacks.ground import Ground

    for path, columns in ((meters, recordings.LOAD_COLUMNS), (trips, recordings.TRIP_COLUMNS)):
        if path is not None:
            recordings.require_columns(path, columns)
    attacks = suite.named(only or [])
    with ExitStack() as stack:
        tell = stack.enter_context(progress_bar("attacks"))
        store = None
        if any(one.name in suite.ON_A_PLATFORM for one in attacks):
            store = stack.enter_context(attacked_platform(seed=seed, many=_FEW if short else _MANY))
        current = 0

        def begin(name: str) -> None:
            nonlocal current
            current += 1
            if not as_json:
                print(f"{current}/{len(attacks)} {name}", file=sys.stderr, flush=True)

        ground = Ground(
            seed=seed,
            short=short,
            meters=meters,
            trips=trips,
            store=store,
            tell=lambda done, of: tell(100 * (current - 1) + 100 * done // of, 100 * len(attacks)),
        )
        document = suite.run(ground, attacks, begin)
    if not only:
        document["stored"] = _keep(document)
    lines = [line for each in document["attacks"] for line in suite.sentences(each)]
    report(document, [*lines, "passed" if document["passed"] else "FAILED"], as_json=as_json)
    if not document["passed"]:
        raise typer.Exit(1)


def _keep(document: dict[str, Any]) -> bool:
    """Store the result for the transparency page, where there is a database."""
    from services.errors import ConfigurationError, UnavailableError
    from services.settings import load_settings
    from services.storage import audit
    from services.storage.database import connect
    from services.storage.red_team import store_result

    settings = load_settings()
    try:
        with connect(settings.role_dsn("jobs"), application="attack") as connection:
            store_result(connection, document)
            facts = {name: document[name] for name in ("passed", "short")} | {"attacks": len(document["attacks"])}
            audit.append(connection, audit.Action.RELEASES_ATTACKED, "arterial privacy attack", facts)
    except (ConfigurationError, UnavailableError):
        return False
    return True


def utility(
    *,
    seed: Annotated[int, typer.Option(min=0, help="Of the generated people.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Measure what releases of presence keep of a generated city of 50,000 people, first and after four weeks.

    Exit code 1 if after four weeks a day is below the bar at ε = 1.
    """
    from dataclasses import asdict

    from services.privacy.attacks import utility as measured
    from services.privacy.plan import load_plan

    plan = load_plan("presence")
    found = measured.measure(plan, seed=seed)
    (at_one,) = [each for each in found if each.epsilon == 1 and each.earlier_days == measured.WORKING_DAYS]
    bar = {"kept": measured.LEAST_KEPT, "weighted_error": measured.MOST_ERROR, "seconds": measured.MOST_SECONDS}
    passed = (
        at_one.kept >= bar["kept"]
        and at_one.weighted_error <= bar["weighted_error"]
        and at_one.seconds <= bar["seconds"]
    )
    report(
        {
            "passed": passed,
            "plan": plan.name,
            "plan_version": plan.version,
            "people": measured.PEOPLE,
            "cells": measured.CELLS,
            "generated": True,
            "seed": seed,
            "bar_at_epsilon_1": bar,
            "utility": [asdict(each) for each in found],
        },
        [
            f"presence version {plan.version}, a generated city of {measured.PEOPLE:,} people and {measured.CELLS} cells",
            *(
                f"epsilon {each.epsilon:<4g}{_WHEN[bool(each.earlier_days)]} keeps {each.kept:.1%} of the volume in {each.shown:,.0f} cell-hours, weighted error "
                f"{each.weighted_error:.2%}, within the interval {each.covered:.0%}, falsely shown {each.false_presence:.1f} of "
                f"{each.empty:,}, {each.seconds:.2f} s"
                for each in found
            ),
            f"the bar at epsilon 1, after four weeks: {bar['kept']:.0%} kept, {bar['weighted_error']:.0%} error, {bar['seconds']:g} s: "
            + ("passed" if passed else "NOT REACHED"),
        ],
        as_json=as_json,
    )
    if not passed:
        raise typer.Exit(1)
