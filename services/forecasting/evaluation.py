"""Code concerned with measuring the models on a recording and saying so, to a program and to a person."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Final

from models import catalogue
from models.backtest import SELECTED, Backtest, Split, backtest
from models.panel import Panel
from services.errors import InputError
from services.forecasting.datasets import Recording

_MOST_ORIGINS: Final = 4_000
_SELECTED_ON: Final = "validation part, per sensor; no choice was made on the test part"


def evaluate(recording: Recording, progress: Callable[[int, int], None]) -> Backtest:
    """Every model of the catalogue and the selected one, on the last fifth of a recording.

    Raises:
        InputError: the recording is too short.

    """
    panel = recording.panel
    split = Split.of(panel.length)
    try:
        return backtest(
            panel,
            catalogue.FORECASTERS,
            recording.horizons,
            split,
            season=recording.season,
            stride=stride(panel, split.test_begin),
            progress=progress,
        )
    except ValueError as error:
        message = f"{recording.name}: {error}"
        raise InputError(message) from error


def stride(panel: Panel, test_begin: int) -> int:
    """1, or what keeps the origins of a long recording below 4,000; never a divisor of the day, so all hours count."""
    wanted = max(1, -(-(panel.length - test_begin) // _MOST_ORIGINS))
    while wanted > 1 and panel.steps_per_day % wanted == 0:
        wanted += 1
    return wanted


def document(recording: Recording, done: Backtest) -> dict[str, Any]:
    """The results as one JSON document."""
    return {
        "dataset": recording.name,
        "protocol": f"{recording.protocol}; {done.origins} origins",
        "selected_on": _SELECTED_ON,
        "chosen": done.chosen,
        "results": [asdict(one) for one in done.results],
        "published": [],
    }


def table(recording: Recording, done: Backtest) -> list[str]:
    """The results as lines: a block per lead time, best model first."""
    lines = [f"{recording.name}: {recording.protocol}; {done.origins} origins", f"Selected on the {_SELECTED_ON}."]
    lines.append("Selection chose " + ", ".join(f"{name} for {count}" for name, count in done.chosen.items()) + ".")
    for horizon in recording.horizons:
        ahead = horizon * recording.panel.step_seconds / 3600
        lines += ["", f"+{ahead:g} h" + " " * 17 + "MAE      RMSE    WAPE    MASE  pinball  in 80 %  in 90 %"]
        here = sorted((one for one in done.results if one.horizon == horizon), key=lambda one: one.metrics["mae"])
        for one in here:
            name = f"* {SELECTED}" if one.model == SELECTED else f"  {one.model}"
            m, c = one.metrics, one.coverage
            lines.append(
                f"{name:<22}{m['mae']:>9.3f}{m['rmse']:>10.3f}{m['wape']:>8.1%}{m['mase']:>8.3f}"
                f"{m['pinball']:>9.3f}{c['0.8']:>9.1%}{c['0.9']:>9.1%}"
            )
    return lines
