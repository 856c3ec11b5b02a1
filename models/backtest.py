"""Code concerned with backtests: forecasting the past from one origin after another, each with what was known then.

A model is fitted once to the training part and then handed, origin by origin, panels cut at the origin. It can not look
ahead because there is nothing ahead. Its intervals come from its own errors on the validation part.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models import metrics
from models.conformal import calibrate
from models.contract import Forecaster
from models.panel import Panel, Values
from models.selection import choose, errors_at, random_walk
from services.domain import QUANTILE_LEVELS

SELECTED: Final = "selected"
_LEVELS: Final = np.array(QUANTILE_LEVELS)
_VALIDATION_ORIGINS: Final = 336


@dataclass(frozen=True, kw_only=True, slots=True)
class Split:
    """Where training ends and testing begins, in columns; what lies between is validation."""

    train_end: int
    test_begin: int

    @classmethod
    def of(cls, length: int, train: float = 0.7, test: float = 0.2) -> Split:
        """Chronological shares of a panel's columns."""
        return cls(train_end=round(length * train), test_begin=length - round(length * test))


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """One model at one lead time. `metrics` are named; `coverage` is by interval, such as `0.8`."""

    model: str
    horizon: int
    metrics: dict[str, float]
    coverage: dict[str, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Backtest:
    """All results, and how many sensors selection gave to each model."""

    results: tuple[Result, ...]
    chosen: dict[str, int]
    origins: int


@dataclass(frozen=True, kw_only=True, slots=True)
class _Trial:
    """One model's forecasts at the wanted lead times (origins x sensors x leads) and its quantiles, levels first."""

    points: Values
    quantiles: Values


def backtest(
    panel: Panel,
    candidates: Sequence[Forecaster],
    horizons: Sequence[int],
    split: Split,
    *,
    season: int,
    stride: int = 1,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> Backtest:
    """Measure every candidate, and the one selected per sensor on the validation part, on the test part.

    Args:
        panel: the recording.
        candidates: models; each is fitted to what precedes the part it forecasts.
        horizons: lead times in steps, 1 is the next step.
        split: of the panel's columns.
        season: the period of MASE in steps.
        stride: steps between test origins; 1 is every one.
        progress: told how many of the candidates are done.

    Raises:
        ValueError: the panel is too short for the split and the horizons.

    """
    steps = max(horizons)
    leads = np.array(sorted(horizons)) - 1
    origins = np.arange(split.test_begin, panel.length, stride)
    if split.train_end < 2 * season or split.test_begin - split.train_end < steps or len(origins) < 1:
        message = (
            f"{panel.length} steps are too few: training has {split.train_end}, at least {2 * season} are needed, "
            f"and validation {split.test_begin - split.train_end} for a horizon of {steps}"
        )
        raise ValueError(message)
    truth = _truth(panel, origins, leads)
    validation = _validation_origins(split)
    alone = [range(k, k + 1) for k in range(len(leads))]  # leads far apart share no errors
    errors, trials = [], {}
    for done, candidate in enumerate(candidates):
        progress(done, len(candidates))
        early = candidate.fit(panel.cut(split.train_end), steps)
        before_test = panel.cut(split.test_begin)
        errors.append(np.stack([errors_at(early, before_test, int(origin), steps)[:, leads] for origin in validation]))
        late = candidate.fit(before_test, steps)
        points = np.stack([late.forecast(panel.cut(int(origin)), steps)[:, leads] for origin in origins])
        conformal = calibrate(errors[-1], random_walk(before_test, steps)[:, leads], alone)
        trials[candidate.name] = _Trial(points=points, quantiles=_around(points, conformal.offsets, panel))
    winners, _ = choose(np.stack(errors))
    trials[SELECTED] = _mixed([trials[candidate.name] for candidate in candidates], winners)
    return Backtest(
        results=tuple(
            _result(name, trial, truth, panel.cut(split.test_begin).values, k, int(lead) + 1, season)
            for name, trial in trials.items()
            for k, lead in enumerate(leads)
        ),
        chosen={candidates[k].name: int((winners == k).sum()) for k in np.unique(winners)},
        origins=len(origins),
    )


def _validation_origins(split: Split) -> NDArray[np.int64]:
    stride = max(1, (split.test_begin - split.train_end) // _VALIDATION_ORIGINS) | 1
    return np.arange(split.train_end, split.test_begin, stride)


def _truth(panel: Panel, origins: NDArray[np.int64], leads: NDArray[np.int64]) -> Values:
    """What was observed at each lead after each origin (origins x sensors x leads), NaN beyond the end."""
    columns = origins[:, None] + leads
    inside = columns < panel.length
    return np.where(inside, panel.values[:, np.where(inside, columns, 0)], np.nan).transpose(1, 0, 2)


def _around(points: Values, offsets: Values, panel: Panel) -> Values:
    quantiles = points[None] + offsets[:, None]
    return np.maximum(quantiles, 0.0) if panel.nonnegative else quantiles


def _mixed(trials: Sequence[_Trial], winners: NDArray[np.int64]) -> _Trial:
    """Each sensor's forecasts from its own winner."""
    points, quantiles = trials[0].points.copy(), trials[0].quantiles.copy()
    for k, trial in enumerate(trials):
        points[:, winners == k] = trial.points[:, winners == k]
        quantiles[:, :, winners == k] = trial.quantiles[:, :, winners == k]
    return _Trial(points=points, quantiles=quantiles)


def _result(name: str, trial: _Trial, truth: Values, history: Values, k: int, horizon: int, season: int) -> Result:
    observed, points, quantiles = truth[:, :, k], trial.points[:, :, k], trial.quantiles[:, :, :, k]
    return Result(
        model=name,
        horizon=horizon,
        metrics={
            "mae": metrics.mae(observed, points),
            "rmse": metrics.rmse(observed, points),
            "wape": metrics.wape(observed, points),
            "mase": metrics.mase(observed.T, points.T, history, season),
            "pinball": metrics.pinball(observed, quantiles, _LEVELS),
        },
        coverage={
            "0.8": metrics.coverage(observed, quantiles[1], quantiles[-2]),
            "0.9": metrics.coverage(observed, quantiles[0], quantiles[-1]),
        },
    )
