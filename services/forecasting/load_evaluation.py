"""Code concerned with measuring coherent totals and the chances of peaks on a recording, and with saying so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from typing import Any, Final

import numpy as np

from models.catalogue import CANDIDATES
from models.contract import Forecaster
from models.load_backtest import LoadBacktest, measure
from models.load_ridge import LoadRidge
from models.panel import Panel, Values
from services.errors import InputError
from services.forecasting.datasets.recording import Recording

_MODELS: Final[tuple[Forecaster, ...]] = (*CANDIDATES, LoadRidge())
_MOST_TEST_DAYS: Final = 365
_TEST_SHARE: Final = 0.2
_ETT: Final = {"high": ("HUFL", "HULL"), "middle": ("MUFL", "MULL"), "low": ("LUFL", "LULL")}
_SELECTED_ON: Final = "local midnights before the test part, per series and lead times"


def evaluate(
    recording: Recording, progress: Callable[[int, int], None]
) -> tuple[dict[str, tuple[str, ...]], LoadBacktest]:
    """Totals of a recording by the names of what makes them up, and what was measured.

    The loads of ETT are added up by voltage and altogether; of other recordings all series, where there are several.

    Raises:
        InputError: the recording is too short, or its sensors are of several quantities or too often silent.

    """
    groups, panel = _groups(recording.panel)
    members: Values = np.array([[float(name in group) for name in panel.names] for group in groups.values()])
    days = panel.length // panel.steps_per_day
    test = min(_MOST_TEST_DAYS, int(days * _TEST_SHARE))
    try:
        done = measure(
            panel,
            members.reshape(len(groups), panel.sensors),
            _MODELS if panel.sensors > 1 else recording.models,
            test_days=test,
            validation_days=test,
            progress=progress,
        )
    except ValueError as error:
        message = f"{recording.name}: {error}"
        raise InputError(message) from error
    return groups, done


def _groups(panel: Panel) -> tuple[dict[str, tuple[str, ...]], Panel]:
    loads = [name for pair in _ETT.values() for name in pair]
    if set(loads) <= set(panel.names):
        rows = [panel.names.index(name) for name in loads]
        chosen = replace(panel, names=tuple(loads), values=np.ascontiguousarray(panel.values[rows]))
        return _ETT | {"all": tuple(loads)}, chosen
    if panel.sensors == 1:
        return {}, panel
    return {"all": panel.names}, panel


def document(recording: Recording, groups: dict[str, tuple[str, ...]], done: LoadBacktest) -> dict[str, Any]:
    """What was measured as one JSON document."""
    return {
        "dataset": recording.name,
        "protocol": "48 h from each local midnight of the last fifth, at most a year; models fitted anew every 28 days",
        "selected_on": _SELECTED_ON,
        "limits": "percentiles of the daily peaks of the year before the test part",
        "totals": groups,
        **asdict(done),
    }


def table(recording: Recording, groups: dict[str, tuple[str, ...]], done: LoadBacktest) -> list[str]:
    """What was measured as lines."""
    lines = [f"{recording.name}: 48 h from each of {done.origins} local midnights; chosen on {_SELECTED_ON}."]
    if groups:
        lines += ["", f"Totals ({', '.join(groups)}): mean absolute error against that of the sums of the forecasts"]
        lines.append(f"{'method':<12}{'hours':>8}{'totals':>9}{'sensors':>9}{'validation':>12}")
        lines += [
            f"{one.method:<12}{one.hours:>8}{one.totals:>9.3f}{one.sensors:>9.3f}{one.validated:>12.3f}"
            for one in done.added
        ]
    lines += ["", "Peak of the day: error of the median, days inside the 80 % interval (if steps erred alone)"]
    lines += [
        f"  day {one.day}: {one.wape:.2%}, {one.coverage_80:.1%} ({one.independent_80:.1%})" for one in done.heights
    ]
    lines += ["", "Chance that it exceeds a percentile of the year before: Brier score (lower is better)"]
    lines.append(
        f"{'day':>5}{'limit':>8}{'days':>8}{'happened':>10}{'said':>8}{'alone':>8}{'usual':>8}  said -> happened"
    )
    for one in done.chances:
        bins = ", ".join(f"{said:.2f} -> {happened:.2f} ({days})" for said, happened, days in one.reliability)
        lines.append(
            f"{one.day:>5}{one.exceeded:>8.0%}{one.days:>8}{one.happened:>10.1%}{one.brier:>8.3f}{one.independent:>8.3f}"
            f"{one.usual:>8.3f}  {bins}"
        )
    return lines
