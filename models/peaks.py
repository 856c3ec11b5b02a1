"""Code concerned with the highest load of a day: how high, when, and with which chance above a limit.

Quarter hours do not err alone: a day that is above its forecast at noon is likely to be above it in the evening. The
chance of a peak is therefore read from whole courses of a day, drawn with a Gaussian copula: their values at each step
follow the quantiles that were issued, and how they go together is learnt from the courses of earlier errors out of
sample, half from a sensor's own and half from all sensors'.

References: Pinson, Madsen, Nielsen, Papaefthymiou, Klöckl, From probabilistic forecasts to statistical scenarios, Wind
Energy 12 (2009), doi:10.1002/we.284, for the copula; Clark et al., J. Hydrometeorology 5 (2004), the Schaake shuffle, for
learning how values go together from courses of the past.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.panel import Values
from services.domain import QUANTILE_LEVELS

_DRAWS: Final = 512
_SEED: Final = 4  # the same input gives the same output
_OWN: Final = 0.5  # share of a sensor's own courses of errors in how its values go together
_FADES_STEPS: Final = 0.25  # of a day; how long errors last where none have been seen
_BLOCK: Final = 16  # sensors drawn at once
_AROUND: Final = 1  # steps on each side of a time that count for its being the likeliest
_NORMAL: Final = NormalDist()
_GRID: Final = (np.arange(4096) + 0.5) / 4096
_GRID_SCORES: Final = np.array([_NORMAL.inv_cdf(float(level)) for level in _GRID])

Errors = NDArray[np.floating[Any]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Peaks:
    """The peaks of some days: drawn values (draws x sensors x days) and the likeliest step of each (sensors x days).

    A step is counted from the first of the forecast; -1 says that the highest value so far is likeliest to stay it.
    """

    drawn: Values
    likeliest: NDArray[np.int64]

    def quantiles(self, levels: tuple[float, ...] = QUANTILE_LEVELS) -> Values:
        """Quantiles of the peaks (levels x sensors x days)."""
        return np.asarray(np.quantile(self.drawn, levels, axis=0))

    def chance_above(self, limits: Values) -> Values:
        """The chance that each peak lies above its limit (sensors x days), NaN where there is none."""
        chance = (self.drawn > limits[None]).mean(axis=0)
        return np.where(np.isnan(limits), np.nan, chance)


@dataclass(frozen=True, kw_only=True, slots=True)
class Courses:
    """How values of sensors go together over steps: common factors, and each sensor's own scores of earlier errors."""

    common: Values
    own: Values

    @classmethod
    def of_errors(cls, errors: Errors, day: int) -> Courses:
        """Learn from errors (origins x sensors x steps), NaN where nothing was observed; `day` is the steps of a day."""
        scores = _normal_scores(errors)
        steps = errors.shape[2]
        flat = scores.reshape(-1, steps)
        size = np.sqrt((flat**2).sum(axis=0))
        lag = np.abs(np.subtract.outer(np.arange(steps), np.arange(steps)))
        fading = np.exp(-lag / (_FADES_STEPS * day))
        seen = np.flatnonzero(size > 0)
        together = fading
        if len(seen):
            together = fading.copy()
            together[np.ix_(seen, seen)] = (flat[:, seen] / size[seen]).T @ (flat[:, seen] / size[seen])
        values, vectors = np.linalg.eigh(together)
        factors = vectors * np.sqrt(np.maximum(values, 0.0))
        own_size = np.sqrt((scores**2).sum(axis=0))
        own = np.where(own_size > 0, scores / np.where(own_size > 0, own_size, 1.0), 0.0)
        lengths = np.sqrt((factors**2).sum(axis=1))
        return cls(common=factors / lengths[:, None], own=own)

    def draw(self, draws: int, sensors: slice) -> Values:
        """Standard normal values (draws x sensors x steps) that go together as errors did."""
        random = np.random.default_rng(_SEED)
        half = draws // 2
        first = random.standard_normal((half, self.common.shape[1]))
        second = random.standard_normal((half, self.own.shape[0]))
        common = np.concatenate([first, -first]) @ self.common.T
        mine = self.own[:, sensors]
        own = np.tensordot(np.concatenate([second, -second]), mine, axes=1)
        shown = (mine**2).sum(axis=0) > 0
        share = np.where(shown, _OWN, 0.0)
        return np.asarray(np.sqrt(1 - share) * common[:, None] + np.sqrt(share) * own)


def peaks(
    quantiles: Values,
    courses: Courses,
    days: list[range],
    *,
    so_far: Values | None = None,
    levels: tuple[float, ...] = QUANTILE_LEVELS,
    draws: int = _DRAWS,
) -> Peaks:
    """The peaks of days that lie within a forecast.

    Args:
        quantiles: as issued (levels x sensors x steps), ordered; a quantity that is never negative has none below zero.
        courses: learnt from errors of the same sensors and steps.
        days: the steps of each day; what is left of it today.
        so_far: the highest value observed on each day (sensors x days), NaN where none was.
        levels: of the quantiles.
        draws: how many courses; a chance is a multiple of one over that.

    """
    sensors = quantiles.shape[1]
    drawn = np.empty((draws, sensors, len(days)))
    likeliest = np.empty((sensors, len(days)), dtype=np.int64)
    known = np.full((sensors, len(days)), -np.inf) if so_far is None else np.where(np.isnan(so_far), -np.inf, so_far)
    for first in range(0, sensors, _BLOCK):
        some = slice(first, min(first + _BLOCK, sensors))
        paths = at_scores(quantiles[:, some], courses.draw(draws, some), levels)
        for number, day in enumerate(days):
            here = paths[:, :, day.start : day.stop]
            highest = here.max(axis=2)
            past = known[some, number]
            drawn[:, some, number] = np.maximum(highest, past)
            likeliest[some, number] = _likeliest(here, past, day)
    return Peaks(drawn=drawn, likeliest=likeliest)


def at_scores(quantiles: Values, scores: Values, levels: tuple[float, ...] = QUANTILE_LEVELS) -> Values:
    """Values of distributions at standard normal scores (draws x sensors x steps).

    A distribution is its quantiles (levels x sensors x steps) with straight lines between them over normal scores, and
    beyond the outer ones as between them and the quartiles.
    """
    places = [_NORMAL.inv_cdf(level) for level in levels]
    quarter, outer = levels.index(0.25), levels.index(0.75)
    low = (quantiles[quarter] - quantiles[0]) / (places[quarter] - places[0])
    high = (quantiles[-1] - quantiles[outer]) / (places[-1] - places[outer])
    values = quantiles[0] + low * np.minimum(scores - places[0], 0.0) + high * np.maximum(scores - places[-1], 0.0)
    for k in range(len(levels) - 1):
        slope = (quantiles[k + 1] - quantiles[k]) / (places[k + 1] - places[k])
        values += slope * (np.clip(scores, places[k], places[k + 1]) - places[k])
    return np.where((quantiles[0] >= 0) & (values < 0), 0.0, values)


def _likeliest(paths: Values, past: Values, day: range) -> NDArray[np.int64]:
    """The step at which most courses peak, its neighbours counted; -1 where most stay below the past."""
    at = paths.argmax(axis=2)
    stays = paths.max(axis=2) <= past
    result = np.empty(paths.shape[1], dtype=np.int64)
    for k in range(paths.shape[1]):
        counts = np.bincount(at[~stays[:, k], k], minlength=paths.shape[2])
        around = np.convolve(counts, np.ones(2 * _AROUND + 1), mode="same")
        result[k] = -1 if 2 * stays[:, k].sum() > len(at) else day.start + int(around.argmax())
    return result


def _normal_scores(errors: Errors) -> Values:
    """Standard normal scores of the ranks of errors over origins, zero where there is none; same shape."""
    known = np.isfinite(errors)
    order = np.argsort(np.where(known, errors, np.inf), axis=0, kind="stable")
    ranks = np.empty(errors.shape, dtype=np.int64)
    np.put_along_axis(ranks, order, np.arange(len(errors)).reshape(-1, 1, 1), axis=0)
    count = np.maximum(known.sum(axis=0), 1)
    return np.where(known, np.interp((ranks + 0.5) / count, _GRID, _GRID_SCORES), 0.0)
