"""`arterial forecast run` and `arterial backtest`: forecast the city now, or measure the models on a recording."""

from __future__ import annotations

from typing import Annotated

import typer

from services.commands.output import AsJson, report

app = typer.Typer(help="Forecast every live sensor.", no_args_is_help=True)


@app.callback()
def forecast() -> None:
    """Forecast every live sensor."""


@app.command()
def run(
    *,
    at: Annotated[
        str | None, typer.Option(help="Forecast from what had been received by then, such as 2026-11-22T08:00:00Z.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Forecast all sensors once and store the result; nothing issued before is overwritten."""
    from datetime import datetime

    from services.errors import InputError
    from services.forecasting.run import forecast_all
    from services.settings import load_settings

    try:
        issued_at = None if at is None else datetime.fromisoformat(at)
    except ValueError as error:
        message = f"--at {at!r} is not a time: write it like 2026-11-22T08:00:00Z"
        raise InputError(message) from error
    done = forecast_all(load_settings(), issued_at)
    lines = [
        f"Issued at {done.issued_at:%Y-%m-%d %H:%M:%S} UTC in {done.seconds:.1f} s.",
        f"{done.series} series, {done.values} values.",
        "States: " + (", ".join(f"{count} {state}" for state, count in sorted(done.states.items())) or "none"),
        "Models: " + (", ".join(f"{count} {model}" for model, count in sorted(done.models.items())) or "none"),
        *(f"not forecast: {name}" for name in done.skipped),
    ]
    if not done.series:
        lines.append("No sensor had reported by then: nothing was forecast.")
    report(
        {
            "issued_at": done.issued_at,
            "runs": done.runs,
            "series": done.series,
            "values": done.values,
            "states": done.states,
            "models": done.models,
            "skipped": done.skipped,
            "seconds": round(done.seconds, 3),
        },
        lines,
        as_json=as_json,
    )
