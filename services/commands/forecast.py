"""`arterial forecast run` and `arterial backtest`: forecast the city now, or measure the models on a recording."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from services.commands.output import AsJson, report
from services.commands.times import moment

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
    engine: Annotated[
        str, typer.Option(help="Where: inline, local, local:4 (so many processes) or dask://host:port.")
    ] = "inline",
    as_json: AsJson = False,
) -> None:
    """Forecast all sensors once and store the result; nothing issued before is overwritten.

    Where no sensor reports any more, as after loading a recording, the forecast is made as of its newest reading.
    """
    from services.commands.progress import progress_bar
    from services.forecasting.engine import engine_of
    from services.forecasting.run import forecast_all
    from services.settings import load_settings
    from services.storage import health
    from services.storage.database import connect

    issued_at = None if at is None else moment(at, "--at")
    settings = load_settings()
    chosen = engine_of(engine)
    with progress_bar("Forecasting") as progress:
        done = forecast_all(settings, issued_at, progress, chosen)
        with connect(settings.role_dsn("jobs"), application="forecast") as connection:
            newest = health.newest_receipt(connection)
            if not done.series and issued_at is None and newest is not None:
                done = forecast_all(settings, newest, progress, chosen)
            silent = health.without_forecast(connection, done.runs)
    lines = [
        f"Issued at {done.issued_at:%Y-%m-%d %H:%M:%S} UTC in {done.seconds:.1f} s.",
        f"{done.series} series, {done.values} values.",
        "States: " + (", ".join(f"{count} {state}" for state, count in sorted(done.states.items())) or "none"),
        "Models: " + (", ".join(f"{count} {model}" for model, count in sorted(done.models.items())) or "none"),
        *(f"not forecast: {name}" for name in done.skipped),
    ]
    if newest is None:
        lines.append(
            "No sensor has readings yet: let `arterial ingest` run, or load a recording with `arterial replay`."
        )
    elif silent:
        lines.append(
            f"{silent} sensors had not reported for long and were not forecast. "
            "For a recording of the past say when with --at, or load it with `arterial replay --shift now`."
        )
    report(
        {
            "issued_at": done.issued_at,
            "runs": done.runs,
            "series": done.series,
            "values": done.values,
            "states": done.states,
            "models": done.models,
            "learnt": done.learnt,
            "skipped": done.skipped,
            "silent_sensors": silent,
            "seconds": round(done.seconds, 3),
        },
        lines,
        as_json=as_json,
    )


def backtest(
    *,
    dataset: Annotated[
        str, typer.Option(help="A data set by name; wide-csv: first column time, one column per sensor.")
    ],
    path: Annotated[Path, typer.Option(help="The folder or file of the recording.")],
    protocol: Annotated[str | None, typer.Option(help="How it is measured; else the data set's first.")] = None,
    quantity: Annotated[str | None, typer.Option(help="Such as flow or speed, where a data set has several.")] = None,
    freq: Annotated[str | None, typer.Option(help="wide-csv: the step, such as 15min; else the commonest.")] = None,
    horizon: Annotated[int | None, typer.Option(min=1, help="wide-csv: furthest step ahead; else a day.")] = None,
    season: Annotated[int | None, typer.Option(min=1, help="wide-csv: period of MASE in steps; else a week.")] = None,
    country: Annotated[str | None, typer.Option(help="wide-csv: whose public holidays, such as DE or DE-BE.")] = None,
    zone: Annotated[
        str, typer.Option(help="wide-csv: IANA time zone of the local days; times without an offset are UTC.")
    ] = "UTC",
    test_share: Annotated[float, typer.Option(min=0.02, max=0.5, help="wide-csv: last share that is measured.")] = 0.2,
    school_holidays: Annotated[
        Path | None,
        typer.Option(help="A CSV of school holidays: start,end and if wanted region,name; days like 2024-07-18."),
    ] = None,
    covariates: Annotated[
        Path | None,
        typer.Option(help="A CSV of weather or events as was known: variable,valid_at,value and if wanted issued_at."),
    ] = None,
    also: Annotated[
        str, typer.Option(help="More models to measure, such as blend or sarimax,structural; they are not selected.")
    ] = "",
    engine: Annotated[
        str, typer.Option(help="Where, model by model: inline, local, local:4 (so many processes) or dask://host:port.")
    ] = "inline",
    as_json: AsJson = False,
) -> None:
    """Measure every model on the last part of a recording, fitted and selected on what came before."""
    from dataclasses import replace

    from services.commands.progress import progress_bar
    from services.forecasting import congestion_evaluation, evaluation
    from services.forecasting.city_calendar import with_school_holidays
    from services.forecasting.covariate_files import described, in_words, read_covariates, with_schools
    from services.forecasting.datasets.catalogue import load
    from services.forecasting.datasets.recording import Options
    from services.forecasting.engine import engine_of

    chosen = engine_of(engine)
    recording = load(
        dataset,
        path,
        protocol,
        Options(
            quantity=quantity,
            freq=freq,
            horizon=horizon,
            season=season,
            country=country,
            zone=zone,
            test_share=test_share,
        ),
    )
    if school_holidays is not None:
        calendar = with_school_holidays(recording.panel.calendar, school_holidays)
        recording = replace(recording, panel=replace(recording.panel, calendar=calendar))
    said = {} if covariates is None else read_covariates(covariates)
    known = with_schools(said, recording.panel.calendar)
    if known:
        recording = evaluation.informed(recording, known)
    recording = evaluation.beside(recording, also.split(",") if also else [])
    with progress_bar(f"Measuring on {recording.name}") as progress:
        if recording.flow is not None:
            scores = congestion_evaluation.evaluate(recording, recording.flow, progress)
            told = congestion_evaluation.document(recording, scores)
            report(told, congestion_evaluation.table(recording, scores), as_json=as_json)
            return
        done = evaluation.evaluate(recording, progress, chosen)
    document, lines = evaluation.document(recording, done), evaluation.table(recording, done)
    if said:
        document |= {"covariates": described(said)}
        lines = [*in_words(said), *lines]
    report(document, lines, as_json=as_json)
