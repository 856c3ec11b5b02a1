"""`arterial stations`: the register of places where bicycles are rented and cars are charged."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from services.commands.output import AsJson, report

app = typer.Typer(help="The register of bike and charging stations.", no_args_is_help=True)


@app.callback()
def about() -> None:
    """The register of bike and charging stations that releases are laid over."""


@app.command()
def load(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="GBFS station_information.json, or CSV with code, name, lon, lat.")
    ],
    purpose: Annotated[Literal["bike", "charging"], typer.Option("--purpose", help="What the stations are for.")],
    *,
    as_json: AsJson = False,
) -> None:
    """Add stations to the register, or replace those of the same code; each belongs to the district it lies in."""
    from services.settings import load_settings
    from services.station_register import read_stations
    from services.storage import releases
    from services.storage.database import connect
    from services.storage.stations import put_stations

    settings = load_settings()
    with connect(settings.owner_dsn(), application="stations") as connection:
        found = read_stations(file, releases.district_outlines(connection))
        put_stations(connection, purpose, found)
    outside = sum(one.district_id is None for one in found)
    report(
        {"purpose": purpose, "stations": len(found), "outside_all_districts": outside},
        [f"{len(found)} {purpose} stations are in the register, {outside} of them in no district"],
        as_json=as_json,
    )
