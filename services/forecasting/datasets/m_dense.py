"""Code concerned with M_DENSE: 30 Madrid detectors, hourly, 2018 and 2019, as GIFT-Eval and fev-bench forecast them."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Final

import numpy as np

from models.calendar import Calendar
from models.calendar_ridge import CalendarRidge
from models.last_value import LastValue
from models.panel import Panel
from models.profile import Profile
from models.protocol import windows
from models.seasonal_naive import SeasonalNaive
from services.errors import InputError, reason
from services.forecasting.datasets.recording import Options, Published, Recording

M_DENSE_FILE: Final = "sp_data.csv"
_START_US: Final = 1_514_764_800_000_000  # 2018-01-01 00:00; local clock hours, read as they stand
_MOST_WINDOWS: Final = 20
_DAY: Final = 24
_VALIDATION_DAYS: Final = 364
_GIFT: Final = "GIFT-Eval, SalesforceAIResearch/gift-eval@4fd98a9 results/*/all_results.csv"
_FEV: Final = "fev-bench, autogluon/fev benchmarks/fev_bench/results"

# Fitted anew every week of two years: what takes minutes to fit to that much history is left out.
_MODELS: Final = (LastValue(), SeasonalNaive(days=1), SeasonalNaive(days=7), Profile(), CalendarRidge())


@dataclass(frozen=True, kw_only=True, slots=True)
class _Task:
    """A horizon in hours, how many windows of it end the recording, and the MASE that others have published."""

    horizon: int
    count: int | None
    source: str
    mase: dict[str, float]


_TASKS: Final = {
    "gift-eval-short": _Task(
        horizon=48,
        count=None,
        source=_GIFT,
        mase={"seasonal_naive": 1.488, "DLinear": 1.04, "PatchTST": 1.03, "deepar": 0.795, "chronos-2": 0.782,
              "Moirai2": 0.793, "TiRex": 0.782, "Toto-2.0-2.5B": 0.751, "TimesFM-2.5": 0.769},
    ),
    "gift-eval-medium": _Task(
        horizon=480,
        count=None,
        source=_GIFT,
        mase={"seasonal_naive": 1.570, "DLinear": 0.930, "PatchTST": 0.757, "deepar": 0.738, "chronos-2": 0.697,
              "Moirai2": 0.704, "TiRex": 0.698, "Toto-2.0-2.5B": 0.709, "TimesFM-2.5": 0.664},
    ),
    "gift-eval-long": _Task(
        horizon=720,
        count=None,
        source=_GIFT,
        mase={"seasonal_naive": 1.478, "DLinear": 1.24, "PatchTST": 0.738, "deepar": 0.805, "chronos-2": 0.682,
              "Moirai2": 0.718, "TiRex": 0.694, "Toto-2.0-2.5B": 0.728, "TimesFM-2.5": 0.662},
    ),
    "fev": _Task(
        horizon=168,
        count=10,
        source=_FEV,
        mase={"seasonal_naive": 1.240, "autoarima": 1.183, "autoets": 1.483, "lightgbm": 0.721, "catboost": 0.701,
              "tft": 0.715, "deepar": 0.720, "patchtst": 0.722, "chronos-bolt": 0.717, "chronos-2": 0.713,
              "tirex-2": 0.726, "timesfm-2_5": 0.669},
    ),
}  # fmt: skip
PROTOCOLS: Final = tuple(_TASKS)


def m_dense(path: Path, protocol: str, options: Options) -> Recording:
    """Hourly flow of 30 detectors: a file of numbers without header or times, a row per hour from 2018-01-01 on.

    GIFT-Eval takes min(20, ceil(hours / 10 / horizon)) windows of 48, 480 and 720 hours, fev 10 of 168. MASE scales
    each window by the seasonal naive of 24 hours on everything before it.

    Raises:
        InputError: the path does not hold such a file.

    """
    del options
    file = path / M_DENSE_FILE if path.is_dir() else path
    try:
        values = np.loadtxt(file, dtype=np.float64, ndmin=2).T
    except (OSError, ValueError) as error:
        message = f"{file} cannot be read as M_DENSE, rows of numbers with spaces between them: {reason(error)}"
        raise InputError(message) from error
    task = _TASKS[protocol]
    sensors, length = values.shape
    count = task.count or min(_MOST_WINDOWS, ceil(0.1 * length / task.horizon))
    described = (
        f"hourly flow of {sensors} detectors, the last {count} windows of {task.horizon} h; MASE period {_DAY} h on all "
        f"history before each window; chosen on the {_VALIDATION_DAYS} days before the first window"
    )
    return Recording(
        name="m_dense",
        panel=Panel(
            names=tuple(f"detector-{k + 1:02d}" for k in range(sensors)),
            values=np.ascontiguousarray(values),
            start_us=_START_US,
            step_seconds=3600,
            calendar=Calendar(country="ES", region="MD"),
            nonnegative=True,
        ),
        protocol=windows(
            length,
            task.horizon,
            count,
            _DAY,
            name=protocol,
            description=described,
            validation_steps=_VALIDATION_DAYS * _DAY,
            validation_stride=2 * _DAY,  # windows begin at midnight, so do these
            refit=7 * _DAY,
        ),
        published=tuple(
            Published(model=name, horizon=task.horizon, metrics={"mase": value}, source=task.source)
            for name, value in task.mase.items()
        ),
        models=_MODELS,
        candidates=tuple(one.name for one in _MODELS),
        without_holidays=True,
    )
