"""Code concerned with the highest load of a day: how high, when, and with which chance above a limit.

Quarter hours do not err alone: a day that is above its forecast at noon is likely to be above it in the evening. The
chance of a peak is therefore read from whole courses of a day, drawn with a Gaussian copula: their values at each step
follow the quantiles that were issued, and how they go together is learnt from the courses of earlier errors out of
sample, half from a sensor's own and half from all sensors'.

A forecast that follows the noise of the past is itself too high where it is highest, and its errors are low there: drawn
errors, which do not know that, would add to it. How much the highest value of earlier forecasts with their own errors
differed from that with errors of other days moves and stretches what is drawn (`correction`).

Nor do quantiles that hold what they promise over all hours hold it at the hour that is forecast highest, where errors are
largest. So what is drawn is at least as wide as the conformal 80 % interval of how far earlier peaks lay from the highest
value forecast (`models.conformal`, one error for each origin and day). Chosen on the fifth of M_DENSE, ETTh1 and GB load
before their test parts: there 80 % intervals held 64, 78 and 80 % without it and 76, 81 and 81 % with it, at 2 and 0.5 %
lower and 0.2 % higher pinball loss. The conformal interval alone held 76, 80 and 76 %.

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

from models.conformal import calibrate
from models.panel import Values
from services.domain import QUANTILE_LEVELS

_DRAWS: Final = 256
_SEED: Final = 4  # the same input gives the same output
_OWN: Final = 0.5  # share of a sensor's own courses of errors in how its values go together
_FADES_STEPS: Final = 0.25  # of a day; how long errors last where none have been seen
_BLOCK: Final = 16  # sensors drawn at once
_AROUND: Final = 1  # steps on each side of a time that count for its being the likeliest
_DAY_US: Final = 86_400_000_000
_SAME_TIME_US: Final = 7_200_000_000  # times of day this near count as the same
_PARTNERS: Final = 3  # origins with whose errors each is paired
_FEWEST: Final = 10  # origins, from which a correction is learnt
_PRIOR: Final = 10.0  # as many origins as it takes for it to count half
_STRETCH: Final = (0.5, 1.5)
_INNER: Final = (0.1, 0.9)  # levels
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

    common: NDArray[np.float32]
    own: NDArray[np.float32]

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
        return cls(common=(factors / lengths[:, None]).astype(np.float32), own=own.astype(np.float32))

    def draw(self, draws: int, sensors: slice) -> NDArray[np.float32]:
        """Standard normal values (draws x sensors x steps) that go together as errors did."""
        random = np.random.default_rng(_SEED)
        half = draws // 2
        first = random.standard_normal((half, self.common.shape[1]), dtype=np.float32)
        second = random.standard_normal((half, self.own.shape[0]), dtype=np.float32)
        common = first @ self.common.T
        mine = self.own[:, sensors]
        share = np.where((mine != 0).any(axis=0), np.float32(_OWN), np.float32(0))
        own = (second @ (np.sqrt(share) * mine).reshape(len(mine), share.size)).reshape(half, *share.shape)
        drawn = own + np.sqrt(1 - share) * common[:, None]
        return np.concatenate([drawn, -drawn])


@dataclass(frozen=True, kw_only=True, slots=True)
class Correction:
    """By how much drawn peaks are moved, how much they are stretched about their median, and then how wide they are at least.

    All are sensors x days; `least` is between the quantiles 0.1 and 0.9, and 0 for what is left of a day.
    """

    shift: Values
    stretch: Values
    least: Values


def correction(errors: Errors, truth: Values, origins_us: NDArray[np.int64], days: list[range]) -> Correction:
    """Learn from earlier forecasts how their peaks err with their own errors, beside errors of other days.

    Args:
        errors: observed minus forecast (origins x sensors x steps), NaN where nothing was observed.
        truth: what was observed, of the same shape.
        origins_us: when each was issued; errors are exchanged between origins at about the same time of day.
        days: the steps of each day.

    """
    sensors = errors.shape[1]
    shift, stretch, least = (np.full((sensors, len(days)), start) for start in (0.0, 1.0, 0.0))
    apart = np.subtract.outer(origins_us, origins_us) % _DAY_US
    near = np.minimum(apart, _DAY_US - apart) <= _SAME_TIME_US
    np.fill_diagonal(near, val=False)
    first, second = _some_pairs(near)
    longest = max(map(len, days))
    for number, day in enumerate(days):
        here = slice(day.start, day.stop)
        points = truth[:, :, here] - errors[:, :, here]
        top = points.max(axis=2)
        own = truth[:, :, here].max(axis=2) - top
        other = (points[first] + errors[second][:, :, here]).max(axis=2) - top[first]
        count = np.isfinite(own).sum(axis=0)
        mean, spread = _moments(own)
        other_mean, other_spread = _moments(other)
        usable = (count >= _FEWEST) & (np.isfinite(other).sum(axis=0) >= _FEWEST) & (other_spread > 0)
        weight = np.where(usable, count / (count + _PRIOR), 0.0)
        ratio = np.where(usable, spread / np.where(usable, other_spread, 1.0), 1.0)
        shift[:, number] = weight * np.where(usable, mean - other_mean, 0.0)
        stretch[:, number] = np.clip(1 + weight * (ratio - 1), *_STRETCH)
        if len(day) == longest:  # what is left of today began at other hours
            low, high = calibrate(own[:, :, None], np.zeros((sensors, 1)), levels=_INNER).offsets[:, 0, :, 0]
            least[:, number] = np.where(count >= _FEWEST, high - low, 0.0)
    return Correction(shift=shift, stretch=stretch, least=least)


def peaks(
    quantiles: Values,
    courses: Courses,
    days: list[range],
    *,
    so_far: Values | None = None,
    corrected: Correction | None = None,
    levels: tuple[float, ...] = QUANTILE_LEVELS,
    draws: int = _DRAWS,
) -> Peaks:
    """The peaks of days that lie within a forecast.

    Args:
        quantiles: as issued (levels x sensors x steps), ordered; a quantity that is never negative has none below zero.
        courses: learnt from errors of the same sensors and steps.
        days: the steps of each day; what is left of it today.
        so_far: the highest value observed on each day (sensors x days), NaN where none was.
        corrected: as learnt from earlier forecasts; None leaves what is drawn as it is.
        levels: of the quantiles.
        draws: how many courses; a chance is a multiple of one over that.

    """
    sensors = quantiles.shape[1]
    drawn = np.empty((draws, sensors, len(days)))
    likeliest = np.empty((sensors, len(days)), dtype=np.int64)
    known = np.full((sensors, len(days)), -np.inf) if so_far is None else np.where(np.isnan(so_far), -np.inf, so_far)
    last = max(day.stop for day in days)
    for first in range(0, sensors, _BLOCK):
        some = slice(first, min(first + _BLOCK, sensors))
        paths = at_scores(quantiles[:, some, :last], courses.draw(draws, some)[:, :, :last], levels)
        for number, day in enumerate(days):
            here = paths[:, :, day.start : day.stop]
            highest = here.max(axis=2)
            if corrected is not None:
                middle = np.median(highest, axis=0)
                low, high = np.quantile(highest, _INNER, axis=0)
                stretch = corrected.stretch[some, number]
                wide = stretch * (high - low)
                stretch = stretch * np.maximum(corrected.least[some, number] / np.where(wide > 0, wide, np.inf), 1.0)
                moved = stretch * (highest - middle) + middle + corrected.shift[some, number]
                highest = np.where((quantiles[0, some].min(axis=1) >= 0) & (moved < 0), 0.0, moved)
            past = known[some, number]
            drawn[:, some, number] = np.maximum(highest, past)
            likeliest[some, number] = _likeliest(here, past, day)
    return Peaks(drawn=drawn, likeliest=likeliest)


def at_scores(
    quantiles: Values, scores: NDArray[np.float32], levels: tuple[float, ...] = QUANTILE_LEVELS
) -> NDArray[np.float32]:
    """Values of distributions at standard normal scores (draws x sensors x steps).

    A distribution is its quantiles (levels x sensors x steps) with straight lines between them over normal scores, and
    beyond the outer ones as between them and the quartiles.
    """
    places = np.array([_NORMAL.inv_cdf(level) for level in levels], dtype=np.float32)
    table = quantiles.astype(np.float32)
    quarter, outer = levels.index(0.25), levels.index(0.75)
    slopes = (table[1:] - table[:-1]) / np.diff(places)[:, None, None]
    low = (table[quarter] - table[0]) / (places[quarter] - places[0])
    high = (table[-1] - table[outer]) / (places[-1] - places[outer])
    values = low * (scores - places[0])
    values += table[0]
    for place, turn in zip(places, np.diff(np.stack([low, *slopes, high]), axis=0), strict=True):
        beyond = scores - place
        np.maximum(beyond, 0.0, out=beyond)
        beyond *= turn
        values += beyond
    if (table[0] >= 0).any():
        np.maximum(values, np.where(table[0] >= 0, np.float32(0), -np.float32(np.inf)), out=values)
    return np.asarray(values)


def _likeliest(paths: NDArray[np.float32], past: Values, day: range) -> NDArray[np.int64]:
    """The step at which most courses peak, its neighbours counted; -1 where most stay below the past."""
    at = paths.argmax(axis=2)
    stays = paths.max(axis=2) <= past
    result = np.empty(paths.shape[1], dtype=np.int64)
    for k in range(paths.shape[1]):
        counts = np.bincount(at[~stays[:, k], k], minlength=paths.shape[2])
        around = np.convolve(counts, np.ones(2 * _AROUND + 1), mode="same")
        result[k] = -1 if 2 * stays[:, k].sum() > len(at) else day.start + int(around.argmax())
    return result


def _some_pairs(near: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """At most a few partners for each origin, those that lie nearest in order."""
    first, second = np.nonzero(near)
    order = np.lexsort((np.abs(first - second), first))
    first, second = first[order], second[order]
    place = np.arange(len(first)) - np.searchsorted(first, first)
    return first[place < _PARTNERS], second[place < _PARTNERS]


def _moments(values: Values) -> tuple[Values, Values]:
    """Mean and standard deviation of each column without its NaN; zero where there is nothing."""
    known = np.isfinite(values)
    count = np.maximum(known.sum(axis=0), 1)
    mean = np.where(known, values, 0.0).sum(axis=0) / count
    return mean, np.sqrt((np.where(known, values - mean, 0.0) ** 2).sum(axis=0) / count)


def _normal_scores(errors: Errors) -> Values:
    """Standard normal scores of the ranks of errors over origins, zero where there is none; same shape."""
    known = np.isfinite(errors)
    order = np.argsort(np.where(known, errors, np.inf), axis=0, kind="stable")
    ranks = np.empty(errors.shape, dtype=np.int64)
    np.put_along_axis(ranks, order, np.arange(len(errors)).reshape(-1, 1, 1), axis=0)
    count = np.maximum(known.sum(axis=0), 1)
    return np.where(known, np.interp((ranks + 0.5) / count, _GRID, _GRID_SCORES), 0.0)
