"""Code concerned with choosing: which models serve which sensor, decided by rolling validation inside the history.

The last days of the history are held back, every candidate is fitted to the rest and forecasts from origins inside the
days held back, each time from a panel cut at the origin. The smallest mean absolute error wins, per sensor and band of
lead times, shrunk towards what wins for the city, and the winner is blended with what serves the city best (`models.weighing`).
The blend's errors become its intervals, told apart by regime; then all models that have a weight are fitted to everything.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.conformal import Conformal, calibrate
from models.contract import Fitted, Forecaster, Light, Patient, Shared, last_finite, rolling
from models.few_days import as_issued
from models.panel import Panel, Values
from models.regimes import regimes
from models.weighing import choice_bands, choose, heard_bands, mean_of, weigh

_LONGEST_VALIDATION_DAYS: Final = 7
_ORIGINS: Final = 40
_LONGEST_DAILY_DAYS: Final = 21


@dataclass(frozen=True, kw_only=True, slots=True)
class Forecast:
    """What is forecast for a panel: `quantiles` (levels x sensors x steps) and the models of each sensor's row."""

    points: Values
    quantiles: Values
    models: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Selected:
    """Fitted models with their weights and intervals; itself forecasts like one model.

    `weights` are of the `candidates` for each sensor and band of lead times (sensors x bands x candidates), `chosen` is the
    number of the one that won there; `evidence` counts a sensor's origins. `errors` are the blend's on validation origins
    (origins x sensors x steps), issued at `origins_us`: how sensors err together and how an error goes on. Panels of one step
    share their origins, whenever each begins and ends.
    """

    candidates: tuple[Forecaster, ...]
    fitted: dict[str, Fitted]
    chosen: NDArray[np.int64]
    weights: Values
    parts: tuple[range, ...]
    conformal: Conformal
    evidence: NDArray[np.int64]
    errors: NDArray[np.float32]
    origins_us: NDArray[np.int64]

    def light(self) -> Selected:
        """With its models in fewer bytes, where they offer that, and intervals in single precision."""
        lighter = {name: one.light() if isinstance(one, Light) else one for name, one in self.fitted.items()}
        offsets: NDArray[Any] = self.conformal.offsets.astype(np.float32)
        return replace(self, fitted=lighter, conformal=replace(self.conformal, offsets=offsets))

    def forecast(self, panel: Panel, steps: int) -> Values:
        """Point forecasts, each sensor's the weighted mean of its models (sensors x steps)."""
        used = [k for k, one in enumerate(self.candidates) if one.name in self.fitted]
        points = (self.fitted[self.candidates[k].name].forecast(panel, steps) for k in used)
        return mean_of(points, self.weights[:, :, used], self.parts)

    def intervals(self, panel: Panel, steps: int) -> Forecast:
        """Point forecasts and their quantiles."""
        points = self.forecast(panel, steps)
        ahead = regimes(panel, panel.length, steps)
        return Forecast(
            points=points,
            quantiles=self.conformal.around(points, nonnegative=panel.nonnegative, regimes=ahead),
            models=tuple(self._named(row) for row in np.asarray(self.weights.any(axis=1))),
        )

    def _named(self, used: NDArray[np.bool_]) -> str:
        """The models of a sensor that have a weight, in the order of the candidates, so that a blend has one name."""
        return "+".join(one.name for one, counts in zip(self.candidates, used, strict=True) if counts)


def select(panel: Panel, steps: int, candidates: Sequence[Forecaster], *, daily: bool = False) -> Selected:
    """Choose for each sensor and band of lead times, calibrate, and fit what has a weight to the whole panel.

    A candidate that says how much history it needs (`models.contract.Patient`) is left out where there is less. `daily` is
    for who forecasts once a day: all origins lie whole days before the panel's end, where nothing of the day to come is known.
    """
    days = panel.length / panel.steps_per_day
    candidates = [one for one in candidates if not isinstance(one, Patient) or days >= one.least_days]
    begin, origins = _daily_origins(panel) if daily else _origins(panel, steps)
    truth = observed(panel, origins, steps)
    fits = [_fits(candidate, panel, (begin, panel.length), steps) for candidate in candidates]
    errors = [truth - rolling(early, panel, origins, steps) for early, _ in fits]
    parts, heard = (bands(np.arange(steps), panel.steps_per_day) for bands in (choice_bands, heard_bands))
    chosen, evidence = choose(errors, heard)
    weights = weigh(errors, heard, chosen)
    used = [k for k in range(len(candidates)) if weights[:, :, k].any()]
    blended = mean_of((errors[k] for k in used), weights[:, :, used], parts)
    kinds = regimes(panel, 0, panel.length + steps)[origins[:, None] + np.arange(steps)]
    learnt = calibrate(blended, random_walk(panel, steps), regimes=kinds)
    return Selected(
        candidates=tuple(candidates),
        fitted={candidates[k].name: fits[k][1]() for k in used},
        chosen=chosen,
        weights=weights,
        parts=tuple(parts),
        conformal=as_issued(learnt, blended, origins, day=panel.steps_per_day),
        evidence=evidence,
        errors=blended.astype(np.float32),
        origins_us=panel.start_us + origins * panel.step_us,
    )


def _fits(model: Forecaster, panel: Panel, ends: tuple[int, int], steps: int) -> tuple[Fitted, Callable[[], Fitted]]:
    """A fit to what precedes the first end, and how to get one to all; at once where they share their work."""
    if isinstance(model, Shared):
        early, late = model.fit_at(panel, ends, steps)
        return early, lambda: late
    return model.fit(panel.cut(ends[0]), steps), lambda: model.fit(panel.cut(ends[1]), steps)


def observed(panel: Panel, origins: NDArray[np.int64], steps: int) -> Values:
    """What was observed at each step after each origin (origins x sensors x steps), NaN beyond the end."""
    columns = origins[:, None] + np.arange(steps)
    inside = columns < panel.length
    found = np.where(inside, panel.values[:, np.where(inside, columns, 0)], np.nan)
    return np.asarray(found.transpose(1, 0, 2))


def random_walk(panel: Panel, steps: int) -> Values:
    """The typical error of a sensor of which only its own steps are known: mean step times root of lead; finite."""
    change = np.abs(np.diff(panel.values, axis=1))
    known = np.isfinite(change)
    typical = np.where(known, change, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    level = np.abs(np.nan_to_num(last_finite(panel.values)))
    typical = np.where(known.any(axis=1), typical, level / 4)
    return np.asarray(typical[:, None] * np.sqrt(np.arange(1, steps + 1)))


def _origins(panel: Panel, steps: int) -> tuple[int, NDArray[np.int64]]:
    """Where the held-back days begin, and the origins in them: evenly spread, never at the same hours every day.

    They lie on multiples of their distance since 1970, so that panels that are cut elsewhere have the same ones.
    """
    held = min(_LONGEST_VALIDATION_DAYS * panel.steps_per_day + steps, panel.length // 3)
    begin = panel.length - held
    last = max(panel.length - steps, begin + 1)
    stride = max(1, (last - begin) // _ORIGINS) | 1  # odd, so it shares no factor with a day of 24, 48 or 96 steps
    if stride % 3 == 0:
        stride += 2
    first = begin + -(panel.start_us // panel.step_us + begin) % stride
    end = min(last, panel.length)
    return begin, np.arange(first if first < end else begin, end, stride)


def _daily_origins(panel: Panel) -> tuple[int, NDArray[np.int64]]:
    """Where the held-back days begin, half of the history or three weeks, and the origins a day apart."""
    day = panel.steps_per_day
    begin = panel.length - min(_LONGEST_DAILY_DAYS, max(panel.length // day // 2, 1)) * day
    return max(begin, 0), np.arange(max(begin, 0), panel.length, day)
