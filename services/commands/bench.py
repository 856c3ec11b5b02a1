"""`arterial bench`: measurements that anyone can repeat on their own machine."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from services.commands.output import AsJson, report

app = typer.Typer(help="Measure, beside the peers that can be installed here.", no_args_is_help=True)

Messages = Annotated[int, typer.Option(min=10_000, help="How many messages each consumer drains.")]
Peers = Annotated[bool, typer.Option("--peers/--no-peers", help="Whether to install and run the peers.")]


@app.command()
def ingest(
    *,
    messages: Messages = 200_000,
    peers: Peers = True,
    processes: Annotated[
        str | None, typer.Option(help="Instead: groups of so many processes in turn, for example 1,2,4.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Drain a full broker into durable rows: Arterial, a bare subscriber, mq-bridge, Pathway and Node-RED in turn."""
    from services.benchmarks.speed import scale_out
    from services.benchmarks.speed.report import compare, table

    if processes is not None:
        groups = scale_out.measure(
            messages, scale_out.sizes(processes), tell=lambda line: print(line, file=sys.stderr, flush=True)
        )
        report(groups, scale_out.table(groups), as_json=as_json)
        return
    document = compare(messages, with_peers=peers, tell=lambda line: print(line, file=sys.stderr, flush=True))
    report(document, table(document), as_json=as_json)


@app.command()
def nemesis(
    *,
    faults: Annotated[int, typer.Option(min=1, help="How many faults to inject.")] = 200,
    seconds: Annotated[float, typer.Option(min=1, help="Over which time [s].")] = 400,
    seed: Annotated[int, typer.Option(help="Decides every fault, its time and its length.")] = 1,
    per_s: Annotated[float, typer.Option(min=1, help="Messages a second of all devices together.")] = 400,
    broker_kills: Annotated[int, typer.Option(min=0, help="SIGKILLs of the broker, reported apart.")] = 3,
    peers: Annotated[bool, typer.Option("--peers/--no-peers", help="Whether peers go through the same storm.")] = False,
    keep: Annotated[Path | None, typer.Option(help="A folder that keeps the journal and the logs.")] = None,
    as_json: AsJson = False,
) -> None:
    """Publish while everything is killed, frozen, cut and filled; then account for every acknowledged message."""
    from services.benchmarks.nemesis.run import Plan, is_clean, run
    from services.benchmarks.nemesis.table import table
    from services.commands.progress import progress_bar

    plan = Plan(
        faults=faults, seconds=seconds, seed=seed, per_s=per_s, broker_kills=broker_kills, peers=peers, keep=keep
    )
    with progress_bar("Faults") as tell:
        document = run(plan, tell)
    report(document, table(document), as_json=as_json)
    if not is_clean(document):
        raise typer.Exit(1)


@app.command()
def forecast(
    *,
    path: Annotated[
        Path | None, typer.Option(help="The folder of M_DENSE or Berlin; else a generated city, which it says.")
    ] = None,
    series: Annotated[int, typer.Option(min=1, help="Of how many series at most.")] = 30,
    scale: Annotated[str, typer.Option(help="Numbers of sensors, for example 1000,10000,100000; '' is none.")] = (
        "1000,10000"
    ),
    learn: Annotated[
        int | None,
        typer.Option(
            min=1, help="Of about how many sensors of a larger city models are learnt; the others get the same."
        ),
    ] = None,
    peers: Annotated[bool, typer.Option("--peers/--no-peers", help="Whether to install and run statsforecast.")] = True,
    engine: Annotated[str, typer.Option(help="Where: local, local:4 (so many processes) or dask://host:port.")] = (
        "local"
    ),
    as_json: AsJson = False,
) -> None:
    """Forecast beside statsforecast, series by series, and whole cities by night and by day."""
    from services.benchmarks.forecast import report as measured
    from services.forecasting.engine import engine_of

    document = measured.measure(
        path,
        measured.sizes(scale),
        most=series,
        with_peers=peers,
        engine=engine_of(engine),
        most_learnt=learn,
        tell=lambda line: print(line, file=sys.stderr, flush=True),
    )
    report(document, measured.table(document), as_json=as_json)


@app.command(name="all")
def everything(*, as_json: AsJson = False) -> None:
    """Run every measurement there is; exit code 1 when the nemesis lost or doubled a message."""
    from services.benchmarks.forecast import report as forecasting
    from services.benchmarks.nemesis import run as nemesis
    from services.benchmarks.nemesis.table import table as nemesis_table
    from services.benchmarks.speed.report import compare
    from services.benchmarks.speed.report import table as speed_table
    from services.commands.progress import progress_bar

    def tell(line: str) -> None:
        print(line, file=sys.stderr, flush=True)

    speed = compare(200_000, with_peers=True, tell=tell)
    ahead = forecasting.measure(None, (1_000, 10_000), most=30, with_peers=True, engine=None, tell=tell)
    with progress_bar("Faults") as show:
        storm = nemesis.run(nemesis.Plan(faults=200, seconds=400, seed=1, per_s=400, broker_kills=3, peers=True), show)
    report(
        {"ingest": speed, "forecast": ahead, "nemesis": storm},
        [*speed_table(speed), "", *forecasting.table(ahead), "", *nemesis_table(storm)],
        as_json=as_json,
    )
    if not nemesis.is_clean(storm):
        raise typer.Exit(1)
