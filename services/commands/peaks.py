"""`arterial forecast peaks`: measure coherent totals and the chances of peaks on a recording."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from services.commands.output import AsJson, report


def peaks(
    *,
    dataset: Annotated[str, typer.Option(help="A data set by name, such as gb_load, ett or wide-csv.")],
    path: Annotated[Path, typer.Option(help="The folder or file of the recording.")],
    quantity: Annotated[str | None, typer.Option(help="Where a data set has several.")] = None,
    freq: Annotated[str | None, typer.Option(help="wide-csv: the step, such as 15min; else the commonest.")] = None,
    country: Annotated[str | None, typer.Option(help="wide-csv: whose public holidays, such as DE or DE-BE.")] = None,
    zone: Annotated[
        str, typer.Option(help="wide-csv: IANA time zone of the local days; times without an offset are UTC.")
    ] = "UTC",
    as_json: AsJson = False,
) -> None:
    """Measure on a recording how totals that add up do by each method, and the chances said of the peaks of days."""
    from services.commands.progress import progress_bar
    from services.forecasting import load_evaluation
    from services.forecasting.datasets.catalogue import load
    from services.forecasting.datasets.recording import Options

    recording = load(dataset, path, None, Options(quantity=quantity, freq=freq, country=country, zone=zone))
    with progress_bar(f"Measuring on {recording.name}") as progress:
        groups, done = load_evaluation.evaluate(recording, progress)
    report(
        load_evaluation.document(recording, groups, done),
        load_evaluation.table(recording, groups, done),
        as_json=as_json,
    )
