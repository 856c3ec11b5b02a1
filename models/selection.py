"""Code concerned with choosing: which model serves which sensor, decided by rolling validation inside the history.

The last days of the history are held back, every candidate is fitted to the rest and forecasts from origins inside the
days held back, each time from a panel cut at the origin. The smallest mean absolute error wins, per sensor, shrunk
towards what wins for the city. The winner's errors become its intervals; then all winners are fitted to everything.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.conformal import Conformal, calibrate
from models.contract import Fitted, Forecaster, last_finite
from models.panel import Panel, Values

_LONGEST_VALIDATION_DAYS: Final = 7
_ORIGINS: Final = 40
_PRIOR: Final = 10.0  # origins' worth of trust in the city's winner


@dataclass(frozen=True, kw_only=True, slots=True)
class Forecast:
    """What is forecast for a panel: `quantiles` (levels x sensors x steps) and the model behind each sensor's row."""

    points: Values
    quantiles: Values
    models: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Selected:
    """Fitted winners with their intervals; itself forecasts like one model. `evidence` counts each sensor's origins."""

    candidates: tuple[Forecaster, ...]
    fitted: dict[str, Fitted]
    chosen: NDArray[np.int64]
    conformal: Conformal
    evidence: NDArray[np.int64]

    def forecast(self, panel: Panel, steps: int) -> Values:
        """Point forecasts, each sensor's from its own winner (sensors x steps)."""
        result = np.empty((panel.sensors, steps))
        for k, candidate in enumerate(self.candidates):
            mine = np.flatnonzero(self.chosen == k)
            if len(mine):
                result[mine] = self.fitted[candidate.name].forecast(panel, steps)[mine]
        return result

    def intervals(self, panel: Panel, steps: int) -> Forecast:
        """Point forecasts and their quantiles."""
        points = self.forecast(panel, steps)
        return Forecast(
            points=points,
            quantiles=self.conformal.around(points, nonnegative=panel.nonnegative),
            models=tuple(self.candidates[k].name for k in self.chosen),
        )


def select(panel: Panel, steps: int, candidates: Sequence[Forecaster]) -> Selected:
    """Choose for each sensor, calibrate, and fit the winners to the whole panel."""
    begin, origins = _origins(panel, steps)
    errors = np.full((len(candidates), len(origins), panel.sensors, steps), np.nan)
    for k, candidate in enumerate(candidates):
        fitted = candidate.fit(panel.cut(begin), steps)
        for m, origin in enumerate(origins):
            errors[k, m] = errors_at(fitted, panel, origin, steps)
    chosen, evidence = choose(errors)
    winning = errors[chosen, :, np.arange(panel.sensors)].transpose(1, 0, 2)
    return Selected(
        candidates=tuple(candidates),
        fitted={candidates[k].name: candidates[k].fit(panel, steps) for k in np.unique(chosen)},
        chosen=chosen,
        conformal=calibrate(winning, random_walk(panel, steps)),
        evidence=evidence,
    )


def errors_at(fitted: Fitted, panel: Panel, origin: int, steps: int) -> Values:
    """Observed minus forecast from one origin (sensors x steps), NaN where nothing was observed."""
    truth = np.full((panel.sensors, steps), np.nan)
    seen = panel.values[:, origin : origin + steps]
    truth[:, : seen.shape[1]] = seen
    return truth - fitted.forecast(panel.cut(origin), steps)


def random_walk(panel: Panel, steps: int) -> Values:
    """The typical error of a sensor of which only its own steps are known: mean step times root of lead; finite."""
    change = np.abs(np.diff(panel.values, axis=1))
    known = np.isfinite(change)
    typical = np.where(known, change, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    level = np.abs(np.nan_to_num(last_finite(panel.values)))
    typical = np.where(known.any(axis=1), typical, level / 4)
    return np.asarray(typical[:, None] * np.sqrt(np.arange(1, steps + 1)))


def _origins(panel: Panel, steps: int) -> tuple[int, NDArray[np.int64]]:
    """Where the held-back days begin, and the origins in them: evenly spread, never at the same hours every day."""
    held = min(_LONGEST_VALIDATION_DAYS * panel.steps_per_day + steps, panel.length // 3)
    begin = panel.length - held
    last = max(panel.length - steps, begin + 1)
    stride = max(1, (last - begin) // _ORIGINS) | 1  # odd, so it shares no factor with a day of 24, 48 or 96 steps
    if stride % 3 == 0:
        stride += 2
    return begin, np.arange(begin, min(last, panel.length), stride)


def choose(errors: Values) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The best candidate of each sensor and how many origins spoke; errors are candidates x origins x sensors x steps."""
    known = np.asarray(np.isfinite(errors).all(axis=0))
    own = np.where(known, np.abs(errors), 0.0).sum(axis=(1, 3)) / np.maximum(known.sum(axis=(0, 2)), 1)
    evidence = known.any(axis=2).sum(axis=0)
    scale = own.mean(axis=0)
    relative = np.where(scale > 0, own / np.where(scale > 0, scale, 1.0), 1.0)
    spoke = evidence > 0
    city = relative[:, spoke].mean(axis=1) if spoke.any() else np.arange(errors.shape[0], dtype=np.float64)
    shrunk = (relative * evidence + city[:, None] * _PRIOR) / (evidence + _PRIOR)
    return np.argmin(shrunk, axis=0), evidence
