"""Code concerned with the calendar ridge: what a day of this kind is like, plus how far the last days differed from that.

Two regressions in closed form. The first explains each time of day by the kind of day; because every feature belongs to
a day, all times of day and all sensors share one small matrix. The second predicts what the first leaves over from its
recent past. Made for hours to weeks ahead on counts, speeds and loads that follow the calendar.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.calendar import Calendar
from models.contract import bounded
from models.day_features import SCHOOL_BREAK, WEEKDAYS, day_features
from models.panel import Panel, Values
from models.profile import median
from models.remainders import RemainderRidge, Remainders

_RECENT_DAYS: Final = 120  # that say how large a remainder usually is
_REACH_DAYS: Final = 70  # of the past that remainders are remembered
_CLIP: Final = 4.0  # times the usual remainder beyond which a value counts no more than that
_ROUNDS: Final = 3
_WEEKDAY_PENALTY: Final = 0.1
_BLOCK: Final = 20_000_000  # values of one block of sensors
_FREE: Final = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class CalendarRidge:
    """Kind of day x time of day, then a ridge on what is left.

    Assumes that days of one kind resemble each other, newer ones more, and that a difference from them fades over
    hours, days and weeks. Values far from what their day suggests are drawn in (Huber), and missing ones are filled
    with it, so that one matrix serves all sensors.

    Attributes:
        half_life_days: after which a day counts half.
        penalty: of the ridge for what is special about a day, in days.
        remainder_penalty: of the second ridge, as a share of its rows.
        least_days: of history from which selection tries it. Chosen between 8 weeks, where selection does better without
            it, and 26, where it gains 1 to 5 %, on six weeks each of Berlin and M_DENSE before their last 30 %.

    `half_life_days` and `penalty` were chosen on M_DENSE before its test parts: 57 origins from 2018-09-28 to
    2019-09-01, 30 days ahead each, all windows ending before the first test window of any of its protocols.

    """

    half_life_days: float = 240.0
    penalty: float = 0.3
    remainder_penalty: float = 0.03
    least_days: int = 100
    name: str = "calendar_ridge"
    shifts: bool = True

    def fit(self, panel: Panel, steps: int) -> FittedCalendarRidge:
        """Solve both regressions, block by block of sensors."""
        width = max(1, _BLOCK // max(1, panel.length))
        parts = [self._fit(panel, slice(k, k + width), steps) for k in range(0, panel.sensors, width)]
        return FittedCalendarRidge(parts=tuple(parts), width=width)

    def _fit(self, panel: Panel, sensors: slice, steps: int) -> _Part:
        some = panel.values[sensors]
        usual = _KindsOfDay.learn(panel, some, self.half_life_days, self.penalty)
        raw = some - usual.at(panel, 0, panel.length)
        recent = np.abs(raw[:, -_RECENT_DAYS * panel.steps_per_day :])
        known = np.isfinite(recent)
        size = np.where(known, recent, 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
        size = np.where(size > 0, size, 1.0)
        left = np.clip(raw / size[:, None], -_CLIP, _CLIP)
        ridge = RemainderRidge.learn(Remainders.of(left, panel.steps_per_day), panel, steps, self.remainder_penalty)
        finite = np.isfinite(some)
        low = np.where(finite, some, np.inf).min(axis=1, initial=np.inf)
        high = np.where(finite, some, -np.inf).max(axis=1, initial=-np.inf)
        return _Part(usual=usual, size=size, ridge=ridge, low=low, high=high)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Part:
    """What was learnt of a block of sensors."""

    usual: _KindsOfDay
    size: Values
    ridge: RemainderRidge
    low: Values
    high: Values

    def rolling(self, panel: Panel, values: Values, origins: NDArray[np.int64], steps: int) -> Values:
        day, last = panel.steps_per_day, int(origins.max())
        first = max(0, int(origins.min()) - _REACH_DAYS * day)
        usual = self.usual.at(panel, first, last - first + steps)
        left = np.clip((values[:, first:last] - usual[:, : last - first]) / self.size[:, None], -_CLIP, _CLIP)
        here = origins - first
        ahead = self.ridge.rolling(Remainders.of(left, day), panel.since(first), here, steps)
        expected = usual[:, here[:, None] + np.arange(steps)].transpose(1, 0, 2)
        late = np.stack([self._late(values[:, :origin]) for origin in origins])
        return self._limited(expected + ahead * self.size[:, None], late)

    def forecast(self, panel: Panel, values: Values, steps: int) -> Values:
        first = max(0, panel.length - _REACH_DAYS * panel.steps_per_day)
        raw = values[:, first:] - self.usual.at(panel, first, panel.length - first)
        left = np.clip(raw / self.size[:, None], -_CLIP, _CLIP)
        ahead = self.ridge.ahead(Remainders.newest(left, panel.steps_per_day), panel, steps)
        points = self.usual.at(panel, panel.length, steps) + ahead * self.size[:, None]
        return self._limited(points, self._late(values))

    def _limited(self, points: Values, late: Values) -> Values:
        """Kept near what was ever seen; for a sensor that reported only after the fit what it says since."""
        with np.errstate(invalid="ignore"):
            room = (self.high - self.low) / 2
            limited = np.clip(points, (self.low - room)[:, None], (self.high + room)[:, None])
        return np.where(np.isfinite(self.low)[:, None], limited, late)

    def _late(self, values: Values) -> Values:
        """The median of sensors that reported only after the fit (sensors x 1)."""
        result = np.full((len(values), 1), np.nan)
        new = ~np.isfinite(self.low)
        if new.any():
            result[new] = median(values[new])[:, None]
        return result


@dataclass(frozen=True, kw_only=True, slots=True)
class FittedCalendarRidge:
    """What was learnt, by block of sensors of one width."""

    parts: tuple[_Part, ...]
    width: int

    def forecast(self, panel: Panel, steps: int) -> Values:
        """What days of the targets' kinds are like plus the predicted remainder, kept near what was ever seen."""
        made = [
            part.forecast(panel, panel.values[k * self.width : (k + 1) * self.width], steps)
            for k, part in enumerate(self.parts)
        ]
        return bounded(np.concatenate(made), panel) if made else np.empty((0, steps))

    def rolling(self, panel: Panel, origins: NDArray[np.int64], steps: int) -> Values:
        """As `forecast` from each origin, with what came before it."""
        if not (panel.length and len(origins) and self.parts):
            return np.full((len(origins), panel.sensors, steps), np.nan)
        made = [
            part.rolling(panel, panel.values[k * self.width : (k + 1) * self.width], origins, steps)
            for k, part in enumerate(self.parts)
        ]
        return bounded(np.concatenate(made, axis=1), panel)


@dataclass(frozen=True, kw_only=True, slots=True)
class _KindsOfDay:
    """Coefficients (features x sensors x slots) of centred day features, and the mean of each slot."""

    coefficients: Values
    mean: Values
    centre: Values
    calendar: Calendar

    @classmethod
    def learn(cls, panel: Panel, values: Values, half_life: float, penalty: float) -> _KindsOfDay:
        sensors, slots = len(values), panel.steps_per_day
        columns, at = panel.local(0, panel.length)
        first, count = (int(columns[0]), int(columns[-1] - columns[0]) + 1) if panel.length else (0, 0)
        grid = np.full((count, sensors, slots), np.nan)
        grid[columns - first, :, at] = values.T
        features = day_features(panel.calendar, first, count)
        weights = 0.5 ** (np.arange(count)[::-1] / half_life)
        centre = weights @ features / weights.sum() if count else np.zeros(features.shape[1])
        centred = features - centre
        gram = (centred * weights[:, None]).T @ centred
        gram += np.diag([_WEEKDAY_PENALTY] * WEEKDAYS + [penalty] * (features.shape[1] - WEEKDAYS))
        solver = np.linalg.solve(gram, (centred * weights[:, None]).T)
        flat = grid.reshape(count, sensors * slots)
        explained = _start(grid, features).reshape(count, sensors * slots)
        coefficients, mean = np.zeros((features.shape[1], flat.shape[1])), np.zeros(flat.shape[1])
        for _ in range(_ROUNDS if count else 0):
            left = flat - explained
            room = _CLIP * np.nan_to_num(median(np.abs(left[-_RECENT_DAYS:])[None]))[0]
            filled = explained + np.nan_to_num(np.clip(left, -room, room))
            mean = weights @ filled / weights.sum()
            coefficients = solver @ (filled - mean)
            explained = mean + centred @ coefficients
        return cls(
            coefficients=coefficients.reshape(-1, sensors, slots),
            mean=mean.reshape(sensors, slots),
            centre=centre,
            calendar=panel.calendar,
        )

    def at(self, panel: Panel, first: int, count: int) -> Values:
        """What is usual in `count` columns from `first` on, also beyond the panel's end (sensors x columns)."""
        result = np.zeros((self.mean.shape[0], count))
        if not count:
            return result
        columns, slots = panel.local(first, count)
        begin = int(columns[0])
        centred = day_features(self.calendar, begin, int(columns[-1]) - begin + 1) - self.centre
        usual = self.mean + np.tensordot(centred, self.coefficients, axes=1)
        made: NDArray[np.float64] = usual[columns - begin, :, slots].T
        return made


def _start(grid: Values, features: Values) -> Values:
    """A robust first guess: the median of each slot over working and over free days, or over all where none is known.

    Working days in school holidays, where these are known, have medians of their own.
    """
    if not len(grid):
        return grid
    kinds = (features[:, _FREE:WEEKDAYS].sum(axis=1) > 0) + 2 * (features[:, SCHOOL_BREAK:].sum(axis=1) > 0)
    every = median(grid.transpose(1, 0, 2))
    always = median(grid.transpose(1, 0, 2).reshape(grid.shape[1], -1))
    every = np.nan_to_num(np.where(np.isnan(every), always[:, None], every))
    result = np.empty_like(grid)
    for kind in np.unique(kinds):
        mine = kinds == kind
        own = median(grid[mine].transpose(1, 0, 2))
        result[mine] = np.where(np.isnan(own), every, own)
    return result
