"""`arterial worker` and `arterial reconcile`: what keeps the stored data in order."""

from __future__ import annotations

from typing import Annotated

import typer

from services.commands.output import AsJson, report
from services.commands.times import moment


def worker() -> None:
    """Run the jobs until stopped: roll-ups, forecasts, scores, releases, retention. Start as many as you like."""
    from services.forecasting.city_calendar import city_calendar
    from services.governance import configuration
    from services.jobs import worker as jobs
    from services.logging import configure_logging
    from services.settings import load_settings

    settings = load_settings()
    city_calendar(settings)  # a list of school holidays that cannot be read is told now, not in every forecast
    configure_logging(settings, "worker")
    configuration.note(settings, "worker")
    jobs.run(settings)


def reconcile(
    *,
    start: Annotated[str | None, typer.Option("--from", help="First moment compared, such as 2026-11-01.")] = None,
    end: Annotated[str | None, typer.Option("--to", help="First moment no longer compared.")] = None,
    repair: Annotated[bool, typer.Option("--repair", help="Write what the readings say over what differs.")] = False,
    as_json: AsJson = False,
) -> None:
    """Compare the 15-minute and hourly roll-ups with the readings. Exit code 1 when they differ and were not repaired."""
    from services.errors import InputError
    from services.settings import load_settings
    from services.storage import rollups
    from services.storage.database import connect

    first = None if start is None else moment(start, "--from")
    last = None if end is None else moment(end, "--to")
    if first is not None and last is not None and first >= last:
        message = f"--from {start} must be before --to {end}: nothing would be compared"
        raise InputError(message)
    with connect(load_settings().role_dsn("jobs"), application="reconcile") as connection:
        done = rollups.reconcile(connection, start=first, end=last, repair=repair)
    lines = [f"{name}: {count} differ" for name, count in done.differences.items() if count]
    if done.start is None:
        lines.append("There are no readings to compare with.")
    elif done.total == 0:
        lines.append("The roll-ups equal the readings.")
    else:
        lines.append("Repaired." if repair else "Run again with --repair to write what the readings say.")
    report(
        {
            "from": done.start,
            "to": done.end,
            "differences": dict(done.differences),
            "total": done.total,
            "repaired": done.repaired,
        },
        lines,
        as_json=as_json,
    )
    if done.total and not repair:
        raise typer.Exit(1)
