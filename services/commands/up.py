"""`arterial up`: the whole city on this machine, and nothing left behind when it stops."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from services.commands.output import AsJson, report


def up(
    *,
    data_dir: Annotated[
        Path | None,
        typer.Option(help="Where the embedded database and broker keep their data.", show_default=".arterial"),
    ] = None,
    port: Annotated[
        int | None, typer.Option(min=1, max=65_535, help="Port of the API and the dashboard.", show_default="8000")
    ] = None,
    mqtt_port: Annotated[int, typer.Option(min=1, max=65_535, help="Port of the embedded broker.")] = 1883,
    simulator: Annotated[bool, typer.Option(help="Load and run the synthetic city.")] = True,
    broker: Annotated[
        Literal["mosquitto", "iotcore"] | None,
        typer.Option(help="The embedded broker.", show_default="mosquitto where installed"),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Run everything on this machine: what is not configured is started here. Ctrl-C stops it all; the data stays."""
    from services.city import City
    from services.settings import load_settings

    given = {"data_dir": data_dir, "api_port": port}
    settings = load_settings({name: value for name, value in given.items() if value is not None}, join_running=False)
    if settings.school_holidays is not None:
        from services.forecasting.city_calendar import city_calendar

        city_calendar(settings)  # what cannot be read is told before anything is started
    city = City(settings, mqtt_port=mqtt_port, with_simulator=simulator, broker=broker)
    try:
        with city.running(lambda line: None if as_json else print(line, flush=True)) as endpoints:
            report(endpoints.document(), endpoints.lines(), as_json=as_json)
            city.watch()
    except KeyboardInterrupt:
        raise typer.Exit(130) from None  # stopped before it was ready
