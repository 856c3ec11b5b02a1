"""Code concerned with the command line: one command tree, errors in sentences, `--json` everywhere.

The modules of `services.commands` import what is heavy inside their functions, so `arterial --help` answers at once.
"""

from __future__ import annotations

import os
import sys
from typing import Annotated, NoReturn

import typer

from services.commands import (
    audit,
    bench,
    covariates,
    doctor,
    explain,
    forecast,
    governance,
    influx,
    ingest,
    ledger,
    migrate,
    peaks,
    privacy,
    privacy_rules,
    red_team,
    released,
    rights,
    serve,
    simulate,
    stations,
    up,
    worker,
)
from services.errors import ArterialError

app = typer.Typer(
    name="arterial",
    help="Arterial: smart-city sensor analytics.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command()(up.up)
app.command()(simulate.simulate)
app.command()(simulate.replay)
app.command()(ingest.ingest)
app.command()(ingest.decode)
app.add_typer(influx.app, name="influx")
app.add_typer(stations.app, name="stations")
app.command()(worker.worker)
app.command()(serve.serve)
app.command()(worker.reconcile)
app.command()(migrate.migrate)
forecast.app.command()(explain.explain)
forecast.app.command()(peaks.peaks)
forecast.app.command()(released.released)
app.add_typer(forecast.app, name="forecast")
app.command()(forecast.backtest)
app.add_typer(covariates.app, name="covariates")
privacy.app.command()(ledger.ledger)
privacy.app.command()(rights.retention)
privacy.app.command()(rights.access)
privacy.app.command()(rights.erase)
privacy.app.command(name="object")(rights.object_)
privacy.app.command()(red_team.attack)
privacy.app.command()(red_team.utility)
privacy.app.command()(privacy_rules.rules)
app.add_typer(privacy.app, name="privacy")
app.add_typer(audit.app, name="audit")
app.add_typer(governance.app, name="governance")
app.command()(doctor.doctor)
app.add_typer(bench.app, name="bench")


@app.callback(invoke_without_command=True)
def about(
    *,
    version: Annotated[bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)] = False,
) -> None:
    """Arterial: smart-city sensor analytics."""
    if version:
        from importlib.metadata import version as installed

        print(f"arterial {installed('arterial')}")
        raise typer.Exit


def main() -> NoReturn:
    """The entry point `arterial`: a person's mistake becomes one sentence and an exit code, never a traceback."""
    # Forecasting multiplies many small matrices: threads of the linear algebra library only wait for each other there.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    try:
        app()
    except ArterialError as error:
        print(f"arterial: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
    sys.exit(0)


if __name__ == "__main__":
    main()
