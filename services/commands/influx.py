"""`arterial influx import` and `arterial influx resend`: history from InfluxDB, and a period once more to it."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from services.commands.output import AsJson, report
from services.commands.times import moment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ingest.influx.backfill import Imported
    from ingest.influx.line_protocol import Point
    from ingest.influx.mapping import Mapping

_FIRST_ROWS = 10

app = typer.Typer(help="History from InfluxDB, and a copy to it.", no_args_is_help=True)

Moment = Annotated[str | None, typer.Option(metavar="TIME", help="Such as 2026-11-01 or 2026-11-01T08:00:00Z.")]


@app.callback()
def influx() -> None:
    """History from InfluxDB, and a copy to it."""


@app.command("import")
def import_(
    *,
    mapping: Annotated[Path, typer.Option(help="A TOML file: which measurement, tags and fields are what.")],
    file: Annotated[
        Path | None, typer.Option(help="Annotated CSV or line protocol (.gz too) instead of a server.")
    ] = None,
    precision: Annotated[
        Literal["s", "ms", "us", "ns"], typer.Option(help="What the times of a line-protocol file count.")
    ] = "ns",
    url: Annotated[str | None, typer.Option(help="The server; by default ARTERIAL_INFLUX_URL.")] = None,
    org: Annotated[str | None, typer.Option(help="By default ARTERIAL_INFLUX_ORG.")] = None,
    bucket: Annotated[str | None, typer.Option(help="By default ARTERIAL_INFLUX_BUCKET.")] = None,
    start: Moment = None,
    stop: Moment = None,
    every_hours: Annotated[
        float, typer.Option(min=0.01, max=8_784, help="Length of the windows in which a bucket is read.")
    ] = 6.0,
    again: Annotated[bool, typer.Option("--again", help="Also windows that an earlier run has finished.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show the first readings, store nothing.")] = False,
    as_json: AsJson = False,
) -> None:
    """Store the history of a bucket, or of an export of one. What is there already is not stored again.

    The token is ARTERIAL_INFLUX_TOKEN, or stands in the file named by ARTERIAL_INFLUX_TOKEN_FILE.
    """
    from datetime import UTC, timedelta

    from ingest.influx import backfill, sources
    from ingest.influx import mapping as mappings
    from ingest.influx.delivery import Server
    from services.commands.progress import progress_bar
    from services.errors import InputError
    from services.settings import load_settings

    given = {"influx_url": url, "influx_org": org, "influx_bucket": bucket}
    settings = load_settings({name: value for name, value in given.items() if value is not None})
    plan = mappings.read(mapping)
    done = backfill.Imported()
    if file is not None:
        csv = sources.is_annotated_csv(file)
        points = sources.annotated_csv(file) if csv else sources.line_file(file, precision)
        if dry_run:
            _show(points, plan, as_json=as_json)
            return
        backfill.store(settings, plan, points, done)
    else:
        if start is None:
            message = "say from when with --start, such as --start 2026-01-01, or name an export with --file"
            raise InputError(message)
        begin, end = moment(start, "--start"), datetime.now(UTC) if stop is None else moment(stop, "--stop")
        if end <= begin:
            message = f"--stop ({end.isoformat()}) must lie behind --start ({begin.isoformat()})"
            raise InputError(message)
        with Server(settings) as server, progress_bar(f"Importing {settings.influx_bucket}") as progress:
            if dry_run:
                spans = backfill.windows(begin, end, timedelta(hours=every_hours))
                _show((p for span in spans for p in backfill.of_window(server, plan, *span)), plan, as_json=as_json)
                return
            done = backfill.from_bucket(
                settings,
                server,
                plan,
                start=begin,
                stop=end,
                every=timedelta(hours=every_hours),
                again=again,
                progress=progress,
            )
    _tell(done, as_json=as_json)


@app.command()
def resend(*, start: Moment = None, stop: Moment = None, as_json: AsJson = False) -> None:
    """Send the stored rows of a period to InfluxDB once more; the server keeps one of each."""
    import signal
    import threading
    from dataclasses import asdict
    from datetime import UTC

    from ingest.influx import resend as resending
    from services.commands.progress import progress_bar
    from services.errors import InputError
    from services.logging import configure_logging
    from services.settings import load_settings

    if start is None:
        message = "say from when with --start, such as --start 2026-11-01"
        raise InputError(message)
    settings = load_settings()
    configure_logging(settings, "influx resend")
    ended = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: ended.set())
    end = datetime.now(UTC) if stop is None else moment(stop, "--stop")
    with progress_bar("Sending") as progress:
        done = resending.resend(settings, start=moment(start, "--start"), end=end, stop=ended, progress=progress)
    lines = [f"{done.written:,} rows sent in {done.seconds:.1f} s."]
    if done.refused:
        lines.append(f"{done.refused:,} rows were refused; they and the reasons are in {done.refused_file}.")
    if ended.is_set():
        lines.append("It was stopped before the end.")
    report({**asdict(done), "complete": not ended.is_set()}, lines, as_json=as_json)
    if ended.is_set():
        raise typer.Exit(1)


def _show(points: Iterator[Point], plan: Mapping, *, as_json: bool) -> None:
    """The first readings that points make."""
    from itertools import islice

    from ingest.influx import backfill
    from services.domain import from_us

    done = backfill.Imported()
    found = backfill.readings(plan, islice(points, 5_000), done)
    rows = [
        {
            "kind": plan.series[values.series].kind,
            "sensor": values.sensor,
            "observed_at": from_us(values.observed_us).isoformat(),
            **values.values,
        }
        for values in found[:_FIRST_ROWS]
    ]
    lines = ["  ".join(f"{name}={value}" for name, value in row.items()) for row in rows]
    report({"rows": rows, **_counts(done)}, [*lines, *_remarks(done), "Nothing was stored."], as_json=as_json)


def _tell(done: Imported, *, as_json: bool) -> None:
    skipped = f", {done.skipped_windows} windows were done before" if done.skipped_windows else ""
    lines = [
        f"{done.points:,} points read, {done.readings:,} readings made of them, {done.new_rows:,} new rows stored{skipped}.",
        *_remarks(done),
    ]
    report(_counts(done), lines, as_json=as_json)


def _counts(done: Imported) -> dict[str, object]:
    from dataclasses import asdict

    return {**asdict(done), "reasons": dict(done.reasons)}


def _remarks(done: Imported) -> list[str]:
    lines = []
    if done.unmapped:
        lines.append(f"{done.unmapped:,} points are not in the mapping.")
    if done.refused:
        lines.append(f"{done.refused:,} points cannot be used:")
        lines += [f"  {count:,} times: {reason}" for reason, count in done.reasons.most_common()]
    if done.dead_letters:
        lines.append(f"{done.dead_letters:,} messages became dead letters; sensing.dead_letter says why.")
    return lines
