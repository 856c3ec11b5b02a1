"""Code concerned with the hour-of-week profile: what is usual at this local time on this type of day.

Source of the recipe: hour-of-week medians are the usual baseline of city counts; a public holiday counted as a Sunday
is the day-type refinement that is worth more than a change of model on hourly city flow.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.calendar import Calendar
from models.contract import bounded
from models.panel import Panel, Values

_SATURDAY: Final = 5
_LOOK_BACK_DAYS: Final = 70  # holds six days of each type even around Christmas and Easter
_SAME_TYPE_LAG: Final = 7  # a profile uses no day of the target's own week, so past profiles are what was known then
_SAME_CLASS_LAG: Final = 3
_LEAST: Final = 2  # values that a median of one day type needs


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """The median of the last `weeks` days of the target's day type, at its local time.

    Days less than a week before the target do not count, so the profile of a past time is exactly what could be known
    up to seven days before it. With fewer than two such values: the days of its class (working day or weekend), then
    any day, then the median of all that is known.
    """

    weeks: int = 6
    name: str = "profile"
    shifts: bool = True

    def fit(self, panel: Panel, steps: int) -> Profile:
        """There is nothing to keep: the profile is taken from the newest weeks at each forecast."""
        del panel, steps
        return self

    def forecast(self, panel: Panel, steps: int) -> Values:
        """The usual value at each target."""
        return bounded(usual_ahead(panel, steps, self.weeks), panel)


def usual_ahead(panel: Panel, steps: int, weeks: int = 6) -> Values:
    """The usual values of the `steps` columns after the panel's end (sensors x steps)."""
    days = _Days.of(panel)
    target_days, slots = panel.local(panel.length, steps)
    result = np.empty((panel.sensors, steps))
    for day in np.unique(target_days):
        here = target_days == day
        usual = days.usual(int(day), weeks, newest=days.newest)
        missing = np.isnan(usual)
        if missing.any():
            usual = np.where(missing, median(days.grid), usual)
        result[:, here] = usual[:, slots[here]]
    if np.isnan(result).any():
        result = np.where(np.isnan(result), median(panel.values)[:, None], result)
    return result


def usual_before(panel: Panel, first: int, weeks: int = 6) -> Values:
    """The usual values of the panel's own columns from `first` on, each from days before it alone; NaN where too few."""
    columns, slots = panel.local(first, panel.length - first)
    days = _Days.of(panel, back_from=int(columns[0]) if len(columns) else 0)
    result = np.empty((panel.sensors, panel.length - first))
    for day in np.unique(columns):
        here = columns == day
        result[:, here] = days.usual(int(day), weeks, newest=int(day) - _SAME_CLASS_LAG)[:, slots[here]]
    return result


@dataclass(frozen=True, kw_only=True, slots=True)
class _Days:
    """A panel folded into local days: `grid` is sensors x days x slots; hours that a day does not have are NaN."""

    grid: Values
    first: int
    types: NDArray[np.int64]
    calendar: Calendar

    @classmethod
    def of(cls, panel: Panel, back_from: int | None = None) -> _Days:
        """Fold what lies within `_LOOK_BACK_DAYS` before the end, or before the local day `back_from`, and all after."""
        oldest = 0
        if back_from is None:
            oldest = max(0, panel.length - (_LOOK_BACK_DAYS + 1) * panel.steps_per_day)
        elif panel.length:
            start = int(panel.local(0, 1)[0][0])
            oldest = max(0, (back_from - start - _LOOK_BACK_DAYS - 1) * panel.steps_per_day)
        columns, slots = panel.local(oldest, panel.length - oldest)
        first, last = (int(columns[0]), int(columns[-1])) if len(columns) else (0, -1)
        known = np.arange(first, last + 1)
        grid = np.full((panel.sensors, len(known), panel.steps_per_day), np.nan)
        grid[:, columns - first, slots] = panel.values[:, oldest:]
        return cls(grid=grid, first=first, types=panel.calendar.day_types(known), calendar=panel.calendar)

    @property
    def newest(self) -> int:
        """The last local day of which anything is known."""
        return self.first + len(self.types) - 1

    def usual(self, day: int, weeks: int, *, newest: int) -> Values:
        """What is usual on a local day at each slot, from days up to `newest` (sensors x slots); NaN where too few."""
        kind = int(self.calendar.day_types(np.array([day]))[0])
        days = self.first + np.arange(len(self.types))
        same = np.flatnonzero((self.types == kind) & (days <= min(day - _SAME_TYPE_LAG, newest)))[-weeks:]
        result = median(self.grid[:, same], least=_LEAST)
        if np.isnan(result).any():
            alike = (self.types >= _SATURDAY) == (kind >= _SATURDAY)
            same = np.flatnonzero(alike & (days <= min(day - _SAME_CLASS_LAG, newest)))[-weeks:]
            result = np.where(np.isnan(result), median(self.grid[:, same]), result)
        return result


def median(values: Values, least: int = 1) -> Values:
    """The median over axis 1 of what is not missing, NaN where fewer than `least` are left.

    Much faster than `numpy.nanmedian` on short axes: one sort puts NaN last.
    """
    if values.shape[1] == 0:
        return np.full((values.shape[0], *values.shape[2:]), np.nan)
    ordered = np.sort(values, axis=1)
    known = np.isfinite(values).sum(axis=1)
    upper = np.take_along_axis(ordered, np.minimum(known // 2, values.shape[1] - 1)[:, None], axis=1)[:, 0]
    lower = np.take_along_axis(ordered, np.maximum((known - 1) // 2, 0)[:, None], axis=1)[:, 0]
    return np.where(known >= least, (lower + upper) / 2, np.nan)
