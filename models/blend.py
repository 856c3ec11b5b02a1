"""Code concerned with the blend: a weighted mean of several models, because models that err in different ways err less together.

A part of the weight goes to what wins for a sensor in a band of lead times (`models.selection.choose`), the rest to the
combination of the better models that had the least squared error for the city. Both are judged by rolling validation
inside the history, on origins that no model had seen.

References: Bates, Granger, Operational Research Quarterly 20 (1969), doi:10.1057/jors.1969.103; Claeskens, Magnus,
Vasnev, Wang, Int. J. Forecasting 32 (2016), doi:10.1016/j.ijforecast.2015.12.005 (why weights must be shrunk).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.contract import Fitted, Forecaster, Patient, bounded, rolling
from models.panel import Panel, Values
from models.selection import choice_bands, choose, observed

_VALIDATION_DAYS: Final = 28
_ORIGINS: Final = 60
_WORSE: Final = 1.3  # times the error of the city's best: a model that errs more gets no weight
_CITY: Final = 0.4  # weight of the city's combination, the rest is the winner's
_LARGEST: Final = 4.0  # times a sensor's own mean error: no error counts for more
_ROUNDS: Final = 300


@dataclass(frozen=True, kw_only=True, slots=True)
class Blend:
    """A weighted mean of `members`, fitted twice: without the validation days for the weights, then to everything.

    Assumes that what erred together in the last four weeks will again. `_WORSE` and `_CITY` were chosen on validation
    origins of M_DENSE, Berlin, GB load and ETTh1, cut into halves and quarters: with them no part lost to selection, half
    a percent was gained on average, and weights of each sensor's own lost. As the weights are the city's, a broken sensor
    can move those of others, as it can move what selection chooses; its errors count for no more than anybody's.
    """

    members: tuple[Forecaster, ...]
    name: str = "blend"
    shifts: bool = True

    def fit(self, panel: Panel, steps: int) -> FittedBlend:
        """Weigh the members on the last days, then fit those that have a weight to all days."""
        days = panel.length / panel.steps_per_day
        members = [one for one in self.members if not isinstance(one, Patient) or days >= one.least_days]
        begin = panel.length - min(_VALIDATION_DAYS * panel.steps_per_day + steps, panel.length // 3)
        last = max(panel.length - steps, begin + 1)
        origins = np.arange(begin, min(last, panel.length), max(1, (last - begin) // _ORIGINS) | 1)
        parts = choice_bands(np.arange(steps), panel.steps_per_day)
        truth = observed(panel, origins, steps)
        early = panel.cut(begin)
        weights = blend_weights(
            [truth - rolling(one.fit(early, steps), panel, origins, steps) for one in members], parts
        )
        used = [k for k in range(len(members)) if weights[:, :, k].any()]
        return FittedBlend(
            fitted=tuple(members[k].fit(panel, steps) for k in used),
            names=tuple(members[k].name for k in used),
            weights=weights[:, :, used],
            parts=tuple(parts),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class FittedBlend:
    """Fitted members by `names`, and their weights (sensors x bands of lead times x members), which sum to one."""

    fitted: tuple[Fitted, ...]
    names: tuple[str, ...]
    weights: Values
    parts: tuple[range, ...]

    def forecast(self, panel: Panel, steps: int) -> Values:
        """The weighted mean of the members' forecasts."""
        return np.asarray(self.rolling(panel, np.array([panel.length]), steps)[0])

    def rolling(self, panel: Panel, origins: NDArray[np.int64], steps: int) -> Values:
        """As `forecast` from each origin, with what came before it."""
        shares = np.repeat(self.weights, [len(part) for part in self.parts], axis=1)[:, :steps]
        result = np.zeros((len(origins), panel.sensors, steps))
        for k, fitted in enumerate(self.fitted):
            result += shares[:, :, k] * rolling(fitted, panel, origins, steps)
        return bounded(result, panel)


def blend_weights(errors: Sequence[NDArray[np.floating[Any]]], parts: Sequence[range]) -> Values:
    """Weights from out-of-sample errors: not negative, sum one (sensors x bands x candidates).

    Args:
        errors: one array per candidate (origins x sensors x steps), NaN where nothing was observed.
        parts: runs of steps that share their weights.

    """
    winners, _ = choose(errors, parts)
    every = np.stack(errors).astype(np.float64, copy=False)
    known: NDArray[np.bool_] = np.logical_and.reduce(np.isfinite(every))
    weights = (1 - _CITY) * np.eye(len(errors))[winners]
    for number, part in enumerate(parts):
        here = known[:, :, part.start : part.stop]
        missed = np.where(here, every[:, :, :, part.start : part.stop], 0.0)
        weights[:, number] += _CITY * _of_city(missed, here, weights[:, number].sum(axis=0))
    return weights


def _of_city(missed: Values, known: NDArray[np.bool_], votes: Values) -> Values:
    """The weights of one band that the city as a whole would take (candidates,).

    Args:
        missed: errors (candidates x origins x sensors x steps), 0 where not known.
        known: where all candidates have an error (origins x sensors x steps).
        votes: what wins where nothing has been observed.

    """
    count = known.sum(axis=(0, 2))
    own = np.abs(missed).sum(axis=(1, 3)) / np.maximum(count, 1)
    scale = own.mean(axis=0)
    spoke = (count > 0) & (scale > 0)
    result = np.zeros(len(missed))
    if not spoke.any():
        result[np.argmax(votes)] = 1.0
        return result
    relative = (own[:, spoke] / scale[spoke]).mean(axis=1)
    kept = np.flatnonzero(relative <= _WORSE * relative.min())
    scaled = np.clip(missed[kept][:, :, spoke] / scale[spoke][:, None], -_LARGEST, _LARGEST)
    share = np.sqrt(1.0 / count[spoke])[:, None]  # a sensor counts once, however often it was observed
    flat = (scaled * share).reshape(len(kept), -1)
    result[kept] = _on_simplex(flat @ flat.T)
    return result


def _on_simplex(gram: Values) -> Values:
    """The weights w, not negative and of sum one, with the least w.gram.w: by projected gradient."""
    weights = np.full(len(gram), 1 / len(gram))
    steepest = float(np.linalg.eigvalsh(gram)[-1])
    for _ in range(_ROUNDS if steepest > 0 else 0):
        moved = weights - gram @ weights / steepest
        ordered = np.sort(moved)[::-1]
        over = (np.cumsum(ordered) - 1) / np.arange(1, len(gram) + 1)
        weights = np.maximum(moved - over[np.flatnonzero(ordered > over)[-1]], 0.0)
    return np.asarray(weights)
