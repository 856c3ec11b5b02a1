"""Code concerned with the usual day: the smoothed mean of days alike, for a past day without that day itself.

Unlike `models.profile` it learns from few days (three are enough) and looks at all of them, so it is fit for
differences that a regression learns from and unfit as a forecast of the past: leaving a day out is not knowing only
what came before it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from models.panel import Panel, Values

_TYPES: Final = 7
_SATURDAY: Final = 5
_SMOOTH_S: Final = 20 * 60  # standard deviation of the Gaussian over the local time of day
_CLASS_DAYS: Final = 2.0  # what its class (working days or weekend) counts for a type of day, in days
_EVERY_DAYS: Final = 0.5  # what the mean over all days counts for a class
_MEAN_DAYS: Final = 0.05  # what the sensor's mean counts for the mean over all days


@dataclass(frozen=True, kw_only=True, slots=True)
class UsualDay:
    """The usual value of each sensor on each type of day (sensors x 7 x slots); NaN for sensors without a value.

    A type of day with few days leans on its class (working days or weekend), a class on all days, and they on the
    sensor's mean.
    """

    by_type: Values

    @classmethod
    def learn(cls, panel: Panel, values: Values) -> tuple[UsualDay, Values]:
        """The usual days, and for each column of the panel what the other days say (sensors x columns).

        Args:
            panel: whose times and calendar count.
            values: those of the panel, or those of them that can be believed.

        """
        days, slots = panel.local(0, panel.length)
        distinct, where = np.unique(days, return_inverse=True)
        types = panel.calendar.day_types(distinct)
        known = np.isfinite(values)
        mean = np.where(known, values, 0.0).sum(axis=1) / np.where(known.any(axis=1), known.sum(axis=1), np.nan)
        smooth = _smoothing(panel)
        shape = (panel.sensors, len(distinct), panel.steps_per_day)
        total, count = np.zeros(shape), np.zeros(shape)
        total[:, where, slots] = np.where(known, values - mean[:, None], 0.0)
        count[:, where, slots] = known
        total, count = total @ smooth, count @ smooth
        weekend = np.arange(_TYPES) >= _SATURDAY
        same_type = np.eye(_TYPES)[:, types]
        same_class = (weekend[:, None] == weekend)[:, types].astype(np.float64)
        sums = [
            (np.einsum("td,nds->nts", alike, total), np.einsum("td,nds->nts", alike, count))
            for alike in (np.ones_like(same_type), same_class, same_type)
        ]
        by_type = _leaning(sums)
        others = _leaning([(all_[:, types] - total, days_[:, types] - count) for all_, days_ in sums])
        return (
            cls(by_type=by_type + mean[:, None, None]),
            (others + mean[:, None, None])[:, where, slots],
        )

    def at(self, panel: Panel, first: int, count: int) -> Values:
        """What is usual in `count` columns from `first` on, also beyond the panel's end (sensors x count)."""
        days, slots = panel.local(first, count)
        distinct, where = np.unique(days, return_inverse=True)
        found: Values = self.by_type[:, panel.calendar.day_types(distinct)[where], slots]
        return found


def _smoothing(panel: Panel) -> Values:
    """Weights of a Gaussian around the clock (slots x slots), columns of sum one, nothing beyond three deviations."""
    slots = panel.steps_per_day
    apart = np.abs(np.arange(slots)[:, None] - np.arange(slots))
    seconds = np.minimum(apart, slots - apart) * panel.step_seconds
    weights = np.where(seconds <= 3 * _SMOOTH_S, np.exp(-0.5 * (seconds / _SMOOTH_S) ** 2), 0.0)
    return np.asarray(weights / weights.sum(axis=0))


def _leaning(sums: Sequence[tuple[Values, Values]]) -> Values:
    """Means of ever fewer days, from (sum, count) pairs, each leaning on the one before and the first on zero."""
    result = np.zeros_like(sums[0][0])
    for (total, count), days in zip(sums, (_MEAN_DAYS, _EVERY_DAYS, _CLASS_DAYS), strict=True):
        result = (total + days * result) / (count + days)
    return result
