"""Code concerned with the time and the error of one series: ours and statsforecast's, on the same machine and histories.

Each has one thread and its processor time is measured, so that other work on the machine counts for neither.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np

from models.calendar import Calendar
from models.panel import Panel, Values
from services.benchmarks.forecast import peers
from services.errors import UnavailableError
from services.forecasting.datasets.catalogue import load
from services.forecasting.datasets.recording import Options
from services.forecasting.series import learn

_WEEKS: Final = 8
_WINDOWS: Final = 4
_AHEAD_DAYS: Final = 1
_SYNTHETIC: Final = "synthetic: a daily and weekly rhythm with persistent noise"


def compare(path: Path | None, *, most: int, with_peers: bool, tell: Callable[[str], None]) -> dict[str, Any]:
    """Milliseconds per series and MASE of each.

    From four origins, each a day and an odd number of hours before the next, eight weeks of history are learnt from and a
    day is forecast; ours includes choosing among all models by validation and fitting intervals, and is the mean of once
    before the peers and once after. MASE divides by the mean absolute change over a day in the history.

    Args:
        path: the folder or file of M_DENSE or Berlin, told apart by its files; None is a generated city.
        most: of how many series at most.
        with_peers: whether statsforecast is installed and run.
        tell: told what is being done.

    """
    name, panel = _panel(path, most)
    day, week = panel.steps_per_day, 7 * panel.steps_per_day
    steps, length = _AHEAD_DAYS * day, _WEEKS * week
    ends = [panel.length - steps - k * (steps + max(1, day // 8) + 1) for k in range(_WINDOWS)]
    cuts = [panel.cut(end).since(end - length) for end in ends]
    truths = np.stack([panel.values[:, end : end + steps] for end in ends])
    scales = np.stack([np.nanmean(np.abs(cut.values[:, day:] - cut.values[:, :-day]), axis=1) for cut in cuts])

    tell(f"{name}: {panel.sensors} series from {len(ends)} origins")
    learn(cuts[0].rows(np.arange(panel.sensors) == 0), steps)  # to warm up on, as the peers have
    ours, *before = _ours(cuts, steps)
    errors = {"arterial": _mase(ours, truths, scales)}
    weekly = np.stack([panel.values[:, end - week : end - week + steps] for end in ends])
    errors["seasonal_naive_168h"] = _mase(weekly, truths, scales)
    document: dict[str, Any] = {"dataset": name, "series": panel.sensors, "origins": len(ends), "history": length}
    found: dict[str, tuple[float, Values]] = {}
    if with_peers:
        tell("statsforecast: AutoETS and MSTL")
        try:
            found = peers.run(np.stack([cut.values for cut in cuts]), day=day, week=week, steps=steps)
        except UnavailableError as error:
            document["peers"] = str(error)
    _, *after = _ours(cuts, steps)  # again behind the peers: what else the machine does changes from minute to minute
    learning, refreshing = (sum(pair) / 2 / len(cuts) / panel.sensors for pair in zip(before, after, strict=True))
    took = {"arterial": learning + refreshing, "arterial_refresh": refreshing}
    for peer, (seconds, made) in found.items():
        took[peer] = seconds
        errors[peer] = _mase(made, truths, scales)
    document["per_series_ms"] = {name: round(1000 * seconds, 3) for name, seconds in took.items()}
    document["ratio"] = {peer: round(took[peer] / took["arterial"], 1) for peer in ("autoets", "mstl") if peer in took}
    document["ratio_refresh"] = {
        peer: round(took[peer] / took["arterial_refresh"], 1) for peer in ("autoets", "mstl") if peer in took
    }
    document["mase"] = {name: round(value, 4) for name, value in errors.items()}
    return document


def _ours(cuts: list[Panel], steps: int) -> tuple[Values, float, float]:
    """Points (origins x series x steps), and processor seconds of learning and of forecasting."""
    began = time.process_time()
    selected = [learn(cut, steps) for cut in cuts]
    learnt = time.process_time()
    points = np.stack([one.intervals(cut, steps).points for one, cut in zip(selected, cuts, strict=True)])
    return points, learnt - began, time.process_time() - learnt


def _panel(path: Path | None, most: int) -> tuple[str, Panel]:
    if path is None:
        return _SYNTHETIC, generated(most, (_WEEKS + 2) * 7, 3600)
    folder = path if path.is_dir() else path.parent
    name = "berlin_mq" if list(folder.glob("berlin*")) else "m_dense"
    panel = load(name, path, None, Options()).panel
    first = Panel(
        names=panel.names[:most],
        values=panel.values[:most],
        start_us=panel.start_us,
        step_seconds=panel.step_seconds,
        calendar=panel.calendar,
        nonnegative=panel.nonnegative,
    )
    return name, first


def generated(sensors: int, days: int, step_seconds: int, *, end_us: int = 1_763_942_400_000_000) -> Panel:
    """A city that does not exist: a daily and weekly rhythm with persistent noise, two in a hundred values missing."""
    per_day = 86_400 // step_seconds
    length = days * per_day
    rng = np.random.default_rng(1)
    hours = np.arange(length) % per_day * 24 / per_day
    rhythm = 1.2 - np.cos(2 * np.pi * (hours - 3) / 24) + 0.4 * np.exp(-(((hours - 8) / 1.5) ** 2))
    rhythm *= np.where(np.arange(length) // per_day % 7 >= 5, 0.6, 1.0)
    noise = rng.normal(0, 1, (sensors, length)).astype(np.float32)
    fade = np.float32(0.9)
    for t in range(1, length):
        noise[:, t] += fade * noise[:, t - 1]
    size = rng.uniform(50, 900, (sensors, 1))
    values = np.maximum(0.0, size * (rhythm + 0.04 * noise))
    values[rng.random((sensors, length)) < 0.02] = np.nan
    return Panel(
        names=tuple(map(str, range(1, sensors + 1))),
        values=values,
        start_us=end_us // (step_seconds * 1_000_000) * step_seconds * 1_000_000 - length * step_seconds * 1_000_000,
        step_seconds=step_seconds,
        calendar=Calendar(zone="Europe/Berlin", country="DE", region="BE"),
        nonnegative=True,
    )


def _mase(made: Values, truths: Values, scales: Values) -> float:
    missed = np.abs(made - truths)
    known = np.isfinite(missed)
    scaled = np.where(known, missed, 0.0).sum(axis=2) / np.maximum(known.sum(axis=2), 1) / scales
    return float(scaled[known.any(axis=2) & np.isfinite(scales)].mean())
