"""Code concerned with the width of intervals that are issued day by day: steered by what they held, wider on old or patchy input.

Where the intervals of a day held less of what then happened than they promised, those of the next are wider, for each lead
time by itself: the logarithm of the width follows the sum of what was missed (Gibbs, Candès, Adaptive conformal inference
under distribution shift, NeurIPS 2021, arXiv:2106.00170). An interval whose sensor has been silent for some steps is as
wide as one for so much longer a lead time. Gaps in the newest day that end before its newest value cost much less.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.panel import Panel, Values
from models.regimes import regimes
from services.domain import QUANTILE_LEVELS

NOMINAL: Final = (0.8, 0.9)
"""The intervals that steer: between the quantiles 0.1 and 0.9, and between 0.05 and 0.95."""

_CLOSES: Final = np.array([2.23, 2.95])  # change of log width per change of coverage of a normal distribution
_GAIN: Final = 0.1  # of the step that would close a normal distribution's gap at once, a day
_MOST: Final = 0.7  # of the logarithm, a factor of two
_PRIOR: Final = 200.0  # targets it takes for a day to steer half as much as it could
_OUTER: Final = np.array([level in (QUANTILE_LEVELS[0], QUANTILE_LEVELS[-1]) for level in QUANTILE_LEVELS])
_MIDDLE: Final = QUANTILE_LEVELS.index(0.5)
_GAPS: Final = 0.04
"""How much wider a day of nothing but gaps would make intervals.

Chosen on the Berlin validation part: with half or three quarters of the newest day taken away, but not its newest value,
80 % intervals held 0.4 and 0.8 points less of the next hour's flow. (Silent for three hours they held 5 points less,
and with the width of a lead time three hours longer as much as before.)
"""


def steer(known: Values, inside: Values) -> Values:
    """The logarithm of the width that is due after some days (intervals of `NOMINAL` x lead times).

    Args:
        known: targets that were observed (days x lead times), days ascending.
        inside: how many of them each interval held (intervals x days x lead times).

    """
    log_width = np.zeros((len(NOMINAL), known.shape[1]))
    for day, count in enumerate(known):
        share = inside[:, day] / np.maximum(count, 1)
        trust = count / (count + _PRIOR)
        step = _GAIN * trust * _CLOSES[:, None] * (np.array(NOMINAL)[:, None] - share)
        log_width = np.clip(log_width + step, -_MOST, _MOST)
    return log_width


def over_leads(log_width: Values, leads: NDArray[np.int64], steps: int) -> Values:
    """Log widths of every step ahead (intervals x steps) from those at some: in between by the logarithm of the lead time.

    `leads` are steps ahead from 1, ascending.
    """
    at = np.log(np.arange(1, steps + 1))
    return np.stack([np.interp(at, np.log(leads), row) for row in log_width])


def widened(quantiles: Values, log_width: Values | None, factor: Values) -> Values:
    """Quantiles (levels x sensors x steps) stretched around their median, ordered.

    Args:
        quantiles: at `QUANTILE_LEVELS`.
        log_width: as steered (intervals x steps); None steers nothing.
        factor: of each sensor and step besides.

    """
    logs = np.zeros((len(NOMINAL), quantiles.shape[2])) if log_width is None else log_width
    stretch = np.exp(np.where(_OUTER[:, None], logs[1], logs[0]))[:, None] * factor
    middle = quantiles[_MIDDLE]
    return np.sort(middle + (quantiles - middle) * stretch, axis=0)


def input_factor(panel: Panel, offsets: Values, steps: int) -> Values:
    """How much wider intervals are for what is missing at the end of a panel (sensors x steps), at least 1.

    Args:
        panel: up to the issue time.
        offsets: of the quantiles from the point forecast (levels x regimes x sensors x steps), of `models.conformal`.
        steps: how far ahead.

    """
    known = np.isfinite(panel.values)
    day = min(panel.steps_per_day, panel.length)
    factor = np.ones((panel.sensors, steps))
    if not day:
        return factor
    age = np.where(known.any(axis=1), np.argmax(known[:, ::-1], axis=1), 0)
    silent = np.minimum(age, day)
    gaps = (~known[:, panel.length - day :]).sum(axis=1) - silent
    factor += _GAPS * (gaps / np.maximum(day - silent, 1))[:, None]
    rows = np.flatnonzero(age > 0)
    if len(rows):
        kinds = regimes(panel, panel.length, steps) if offsets.shape[1] > 1 else np.zeros(steps, dtype=np.int64)
        span = offsets[-1] - offsets[0]
        lead = np.arange(steps)
        later = np.minimum(lead + age[rows, None], span.shape[2] - 1)
        here = span[kinds, rows[:, None], lead]
        there = span[kinds, rows[:, None], later]
        factor[rows] *= np.where(here > 0, np.maximum(there / np.where(here > 0, here, 1.0), 1.0), 1.0)
    return factor
