"""`arterial covariates`: weather and events that forecasts should know."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from services.commands.output import AsJson, report

app = typer.Typer(help="Weather and events that forecasts know.", no_args_is_help=True)


@app.callback()
def about() -> None:
    """Weather and events that forecasts know, as they were observed and as they were forecast."""


@app.command(name="import")
def import_(
    file: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="CSV: variable,valid_at,value and if wanted issued_at,district."),
    ],
    *,
    as_json: AsJson = False,
) -> None:
    """Add observations and forecasts to what is stored; nothing is changed, and a file may be imported again.

    A row whose issued_at is before its valid_at is a forecast; a row without issued_at is an observation. Forecasts are
    made with them from the next night on.
    """
    from services.forecasting.covariate_files import in_words
    from services.forecasting.covariate_store import import_covariates
    from services.settings import load_settings
    from services.storage.database import connect

    with connect(load_settings().role_dsn("jobs"), application="covariates") as connection:
        done = import_covariates(connection, file)
        connection.commit()
    report(
        {
            "file": str(file),
            "given": sum(len(one.values) for one, _ in done.values()),
            "stored": sum(new for _, new in done.values()),
            "variables": [
                {
                    "variable": variable,
                    "district": district,
                    "observations": len(one.values) - one.forecasts,
                    "forecasts": one.forecasts,
                    "stored": new,
                }
                for (variable, district), (one, new) in done.items()
            ],
        },
        [
            *in_words({key: one for key, (one, _) in done.items()}),
            f"{sum(new for _, new in done.values()):,} of {sum(len(one.values) for one, _ in done.values()):,} values were new.",
        ],
        as_json=as_json,
    )


@app.command(name="list")
def list_(*, as_json: AsJson = False) -> None:
    """Say what is stored: by variable and district observations, forecasts, from when to when."""
    from dataclasses import asdict

    from services.settings import load_settings
    from services.storage import covariates
    from services.storage.database import connect

    with connect(load_settings().role_dsn("jobs"), application="covariates") as connection:
        found = covariates.summary(connection)
    report(
        {"variables": [asdict(one) for one in found]},
        [
            f"{one.variable} {'everywhere' if one.district is None else 'in ' + one.district}: {one.observations:,} observations, "
            f"{one.forecasts:,} forecasts, {one.since:%Y-%m-%d %H:%M} to {one.until:%Y-%m-%d %H:%M} UTC, "
            f"newest issue {one.newest_issue:%Y-%m-%d %H:%M} UTC"
            for one in found
        ]
        or ["There are none: add some with `arterial covariates import FILE`."],
        as_json=as_json,
    )
