"""Code concerned with the measurement of forecasting as one document, and as lines for a person."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from services.benchmarks.forecast import scale, series
from services.benchmarks.machine import machine
from services.errors import InputError
from services.forecasting.engine import Engine, Local


def sizes(text: str) -> list[int]:
    """Numbers of sensors from a list such as 1000,10000; empty measures none.

    Raises:
        InputError: it is not such a list.

    """
    parts = [part for part in text.split(",") if part.strip()]
    if not all(part.strip().isdecimal() and int(part) > 0 for part in parts):
        message = f"--scale takes numbers of sensors with commas between, for example 1000,10000, not {text!r}"
        raise InputError(message)
    return sorted({int(part) for part in parts})


def measure(
    path: Path | None,
    wanted: Sequence[int],
    *,
    most: int,
    with_peers: bool,
    engine: Engine | None,
    most_learnt: int | None = None,
    tell: Callable[[str], None],
) -> dict[str, Any]:
    """The time of one series beside the peers', in one process with one thread each, and the time of whole cities."""
    compared = partial(_compare, most=most, with_peers=with_peers)
    document = next(iter(Local(processes=1).run(compared, [path])))
    return {"machine": machine(), **document, **scale.measure(wanted, tell, engine, most_learnt)}


def _compare(path: Path | None, *, most: int, with_peers: bool) -> dict[str, Any]:
    return series.compare(path, most=most, with_peers=with_peers, tell=lambda _: None)


def table(document: dict[str, Any]) -> list[str]:
    """The document for a person."""
    lines = [
        document["machine"],
        (
            f"{document['dataset']}: {document['series']} series, {document['history']} steps of history, "
            f"{document['origins']} origins, a day ahead"
        ),
        f"{'':<22}{'ms per series':>16}{'MASE':>9}",
    ]
    for name in document["mase"]:
        took = document["per_series_ms"].get(name)
        lines.append(f"{name:<22}{'' if took is None else f'{took:.2f}':>16}{document['mase'][name]:>9.4f}")
    lines.append(f"{'arterial, refresh only':<22}{document['per_series_ms']['arterial_refresh']:>16.2f}")
    for peer, ratio in document["ratio"].items():
        lines.append(
            f"{peer} takes {ratio:g} times as long as learning, choosing and forecasting here, "
            f"{document['ratio_refresh'][peer]:g} times as long as a refresh"
        )
    if "peers" in document:
        lines.append(f"No peers: {document['peers']}")
    if document["scale"]:
        lines += ["", f"{'sensors':>10}{'refresh s':>12}{'CPU s':>9}{'RSS GB':>9}{'first s':>10}"]
        lines[-1] += f"{'learnt':>10}{'in s':>12}{'CPU s':>9}{'RSS GB':>9}"
    for row in document["scale"]:
        lines.append(
            f"{row['sensors']:>10}{row['seconds']:>12.1f}{row['cpu_seconds']:>9.1f}{row['rss_gb']:>9.2f}"
            f"{row['first_seconds']:>10.1f}{row['learnt']:>10}{row['training_seconds']:>12.1f}"
            f"{row['training_cpu_seconds']:>9.1f}{row['training_rss_gb']:>9.2f}"
        )
    if document["growth"]:
        told = ", ".join(f"{name} {power:g}" for name, power in document["growth"].items())
        lines.append(f"Time grows with sensors to the power of: {told}.")
    return lines
