"""Code concerned with intervals as they would have been issued: learnt day by day from errors known by then, and steered.

Each day the errors whose targets had been observed by then are calibrated anew. How often the intervals issued so far
held what then happened steers their width: where 80 % intervals held less than 80 % of a day's targets they become
wider for the next, for near and far lead times apart. What is known late steers less at once, so that it does not
overshoot. Validation origins come first, so that the steering has settled when the test begins.

Daily steps and their size were chosen on the second half of the validation origins of M_DENSE, Berlin and GB load,
where they halve how far coverage of 40 days strays from what is promised, at an equal or lower pinball loss than weekly
ones.

Few days of errors are believed less, as in the service (`models.few_days`).

Reference: Gibbs, Candès, Adaptive conformal inference under distribution shift, NeurIPS 2021, arXiv:2106.00170; here it
is the logarithm of the width that is steered, one step a day.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from math import exp
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.conformal import calibrate
from models.few_days import as_issued
from models.panel import Values
from models.protocol import Columns

LEVELS: Final = (0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975)
"""Quantile levels of a backtest: those of every forecast and the two ends of the 95 % interval."""

INTERVALS: Final = {"0.8": (LEVELS.index(0.1), LEVELS.index(0.9)), "0.95": (0, len(LEVELS) - 1)}
_NOMINAL: Final = np.array([0.8, 0.95])
_STEERED_HOURS: Final = (1, 6, 24, 48, 96, 192, 384)
_GAIN: Final = 0.2  # of the step that would close a normal distribution's gap at once
_LATE_GAIN: Final = exp(-1)
"""What all steps add up to that are made before the first of them shows, where targets lie further than a step ahead.

The most that does not overshoot an answer that comes late (integral control with dead time). With 0.2, as for near
targets, 80 % intervals for 8 to 30 days ahead held 73, 75 and 80 % in three stretches of ETTh1 before its test part, with
this 77, 76 and 81 %; on M_DENSE before its test part no band held 1.2 points more or less than with 0.2.
"""
_CLOSES: Final = np.array(
    [2.23, 4.36]
)  # change of log width per change of coverage of a normal distribution, at 80 and 95 %
_MOST: Final = 0.7  # of the logarithm, a factor of two
_OUTER: Final = np.array([1.0, 0.7, 0.0, 0.0, 0.0, 0.0, 0.0, 0.7, 1.0])  # how much a level follows the 95 % interval
_BURN_IN: Final = 4  # the first quarter of the validation origins is only learnt from
_SELDOM: Final = 4  # times as far apart are calibrations before the test part
_EXACT: Final = 1e-9
Errors = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, slots=True)
class Issued:
    """Sums over sensors for each origin and lead: targets inside each interval, mean pinball loss, targets known.

    `middle` is by how much the median that is scored differs from the point forecast (origins x sensors x leads).
    """

    inside: dict[str, Values]
    lost: Values
    known: Values
    middle: Errors


@dataclass(frozen=True, kw_only=True, slots=True)
class History:
    """Errors (origins x sensors x leads) in order of origins, with the truth and the regime of every target.

    `first_test` is the place of the first origin that is measured; targets of earlier ones beyond it are NaN.
    """

    origins: Columns
    leads: Columns
    errors: Errors
    truth: Errors
    kinds: NDArray[np.int64]
    first_test: int
    nonnegative: bool


def issue(history: History, fallback: Values, parts: list[range], day: int, every: int) -> Issued:
    """Issue intervals for every test origin from what was known then.

    Args:
        history: of validation and test origins.
        fallback: the typical error of a sensor that has shown none (sensors x leads).
        parts: leads whose errors are pooled.
        day: steps of a day.
        every: steps between calibrations.

    """
    origins, leads = history.origins, history.leads
    shape = history.errors.shape[0], history.errors.shape[2]
    inside = {key: np.zeros(shape) for key in INTERVALS}
    lost, known = np.zeros(shape), np.isfinite(history.errors).sum(axis=1).astype(np.float64)
    middle = np.zeros((shape[0] - history.first_test, *history.errors.shape[1:]), dtype=np.float32)
    log_width = np.zeros((len(_NOMINAL), len(leads)))
    waiting = np.zeros(shape, dtype=np.bool_)
    levels = np.array(LEVELS)[:, None, None]
    steered = _steered(leads, day, every)
    begin = history.first_test // _BURN_IN
    for first, last in _rounds(origins, begin, history.first_test, every):
        now = origins[first]
        seen = waiting & (origins[:, None] + leads < now)
        _steer(log_width, seen, inside, known, steered)
        waiting &= ~seen
        past = _spread(first, history.first_test)
        errors = np.where((origins[past, None] + leads < now)[:, None], history.errors[past], np.nan)
        learnt = calibrate(errors, fallback, parts, levels=LEVELS, regimes=history.kinds[past])
        believed = as_issued(learnt, errors, origins[past], day=day, leads=leads, levels=LEVELS)
        offsets = _widened(believed.offsets, log_width)
        for k in range(first, last):
            around = offsets[:, history.kinds[k], :, np.arange(len(leads))].transpose(1, 2, 0)
            wrong = history.errors[k]
            if history.nonnegative:
                around = np.maximum(around, wrong - history.truth[k])  # no quantile below zero
            if k >= history.first_test:
                middle[k - history.first_test] = around[LEVELS.index(0.5)]
            missed = wrong - around
            loss = np.maximum(levels * missed, (levels - 1) * missed).mean(axis=0)
            lost[k] = np.where(np.isfinite(loss), loss, 0.0).sum(axis=0)
            for key, (low, high) in INTERVALS.items():
                inside[key][k] = ((missed[low] >= -_EXACT) & (missed[high] <= _EXACT)).sum(axis=0)
        waiting[first:last] = True
    return Issued(
        inside={key: one[history.first_test :] for key, one in inside.items()},
        lost=lost[history.first_test :],
        known=known[history.first_test :],
        middle=middle,
    )


def _steer(
    log_width: Values,
    seen: NDArray[np.bool_],
    inside: dict[str, Values],
    known: Values,
    steered: list[tuple[range, float]],
) -> None:
    """Step each log width by how far the coverage of what has become known misses what was promised."""
    for band, gain in steered:
        here = slice(band.start, band.stop)
        total = known[:, here][seen[:, here]].sum()
        if total > 0:
            held = np.array([one[:, here][seen[:, here]].sum() / total for one in inside.values()])
            step = gain * _CLOSES * (_NOMINAL - held)
            log_width[:, here] = np.clip(log_width[:, here] + step[:, None], -_MOST, _MOST)


def _steered(leads: Columns, day: int, every: int) -> list[tuple[range, float]]:
    """Places in `leads` whose widths are steered together, and how strongly at each of the steps that are `every` apart."""
    edges = np.searchsorted(leads, [max(1, round(day * hours / 24)) for hours in _STEERED_HOURS])
    cuts = sorted({0, *(int(edge) for edge in edges), len(leads)})
    late = [_LATE_GAIN * every / max(int(leads[a]), 1) for a in cuts[:-1]]
    return [(range(a, b), min(_GAIN, gain)) for (a, b), gain in zip(itertools.pairwise(cuts), late, strict=True)]


def _widened(offsets: Values, log_width: Values) -> Values:
    """Offsets stretched around their median, ordered along the levels."""
    logs = (1 - _OUTER)[:, None] * log_width[0] + _OUTER[:, None] * log_width[1]
    middle = offsets[LEVELS.index(0.5)]
    return np.sort(middle + (offsets - middle) * np.exp(logs)[:, None, None, :], axis=0)


def _rounds(origins: Columns, begin: int, first_test: int, width: int) -> list[tuple[int, int]]:
    """Runs of origins that lie within `width` steps of the test part or four of before, as (first, last + 1)."""
    made, first = [], max(begin, 1)
    while first < len(origins):
        before = first < first_test
        last = int(np.searchsorted(origins, origins[first] + (_SELDOM if before else 1) * width))
        last = min(last, first_test) if before else last
        made.append((first, last))
        first = last
    return made


def _spread(now: int, most: int) -> NDArray[np.int64]:
    """At most `most` of the places before `now`, evenly spread: a year keeps its last Christmas in mind."""
    return np.unique(np.linspace(0, now - 1, min(most, now)).astype(np.int64))
