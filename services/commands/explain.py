"""`arterial forecast explain`: what a classical model makes of one sensor's history, in numbers a person can read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from services.commands.output import AsJson, report
from services.commands.times import moment


def explain(
    *,
    sensor: Annotated[str, typer.Option(help="The sensor's code, or its name in the recording.")],
    model: Annotated[str, typer.Option(help="sarimax, structural or ets.")] = "structural",
    quantity: Annotated[str | None, typer.Option(help="Such as flow_vph or speed_kmh; else the first it has.")] = None,
    at: Annotated[
        str | None, typer.Option(help="From what had been received by then, such as 2026-11-22T08:00:00Z.")
    ] = None,
    dataset: Annotated[str | None, typer.Option(help="A recording instead of the city, as in `backtest`.")] = None,
    path: Annotated[Path | None, typer.Option(help="The folder or file of the recording.")] = None,
    as_json: AsJson = False,
) -> None:
    """Fit a model to the last eight weeks of one sensor and print its level, trend, season and coefficients."""
    from services.errors import InputError
    from services.forecasting import explained

    if dataset is None:
        from services.settings import load_settings

        until = None if at is None else moment(at, "--at")
        quantity, panel = explained.of_city(load_settings(), sensor, quantity, until)
    else:
        from services.forecasting.datasets.catalogue import load
        from services.forecasting.datasets.recording import Options

        if path is None:
            message = f"--dataset {dataset} needs --path, its folder or file"
            raise InputError(message)
        panel = explained.of_recording(load(dataset, path, None, Options(quantity=quantity)), sensor)
    told = explained.explain(panel, model)
    report(explained.document(sensor, quantity, told), explained.table(sensor, quantity, told), as_json=as_json)
