"""Code concerned with the hour-of-week profile: what is usual at this local time on this type of day.

Source of the recipe: hour-of-week medians are the usual baseline of city counts; a public holiday counted as a Sunday
is the day-type refinement that is worth more than a change of model on hourly city flow.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from math import prod
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.calendar import Calendar
from models.contract import bounded
from models.panel import Panel, Values

_SATURDAY: Final = 5
_HOLIDAY_WEEKS: Final = 4  # looked back in addition, as a weekday that is a holiday is missing from its type
_SAME_TYPE_LAG: Final = 7  # a profile uses no day of the target's own week, so past profiles are what was known then
_SAME_CLASS_LAG: Final = 3
_BLOCK: Final = 4_000_000  # numbers of one block of days
_NETWORK: Final = 16  # numbers up to which a network of comparisons is the quickest sort
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

    def rolling(self, panel: Panel, origins: NDArray[np.int64], steps: int) -> Values:
        """The usual value at each target of each origin."""
        return bounded(usual_from(panel, origins, steps, self.weeks), panel)


def usual_ahead(panel: Panel, steps: int, weeks: int = 6) -> Values:
    """The usual values of the `steps` columns after the panel's end (sensors x steps); finite where a value is known."""
    return _usual(_Days.of(panel, weeks), panel, panel.length, steps, weeks, fill=True)


def usual_before(panel: Panel, first: int, weeks: int = 6) -> Values:
    """The usual values of the panel's own columns from `first` on, each from days before it alone; NaN where too few."""
    if first >= panel.length:
        return np.empty((panel.sensors, 0))
    days = _Days.of(panel, weeks, back_from=int(panel.local(first, 1)[0][0]))
    return _usual(days, panel, first, panel.length - first, weeks, fill=False)


def usual_from(panel: Panel, origins: NDArray[np.int64], steps: int, weeks: int = 6) -> Values:
    """As `usual_ahead` from each origin, from what came before it (origins x sensors x steps)."""
    result = np.full((len(origins), panel.sensors, steps), np.nan)
    if panel.length and len(origins):
        start, first = int(panel.local(0, 1)[0][0]), int(origins.min())
        days, slots = panel.local(first - 1, int(origins.max()) - first + steps + 1)
        pairs: dict[tuple[int, int], int] = {}  # of a day and the oldest day that counts for it
        chosen = []
        for k, origin in enumerate(origins):
            here = slice(int(origin) - first + 1, int(origin) - first + 1 + steps)
            today = max(start, int(days[here.start - 1]))
            if days[here.stop - 1] - _SAME_CLASS_LAG >= today:  # days that count had not ended at the origin
                result[k] = usual_ahead(panel.cut(int(origin)), steps, weeks)
            else:
                oldest = start + max(0, _reach(today - start, weeks))
                begin, end = int(days[here.start]), int(days[here.stop - 1]) + 1
                mine = np.array([pairs.setdefault((day, oldest), len(pairs)) for day in range(begin, end)])
                chosen.append((k, mine[days[here] - begin], slots[here]))
        if pairs:
            wanted, oldest_of = np.array(list(pairs)).T
            made = _Days.of(panel, weeks, back_from=int(days[1]) - 1).usual(wanted, weeks, oldest_of)
            for k, which, at in chosen:
                result[k] = made[:, which, at]
    for k, origin in enumerate(origins):
        lacking = np.isnan(result[k]).any(axis=1)
        lacking[lacking] = np.isfinite(panel.values[lacking, :origin]).any(axis=1)
        if lacking.any():
            known = panel.cut(int(origin)).rows(lacking)
            result[k][lacking] = _filled(
                result[k][lacking], _Days.of(known, weeks), known, panel.local(int(origin), steps)[1]
            )
    return result


def _reach(days: int, weeks: int) -> int:
    """The first of `days` days that a median of the newest ones looks at."""
    return days - 7 * (weeks + _HOLIDAY_WEEKS) - 1


@dataclass(frozen=True, kw_only=True, slots=True)
class Usual:
    """What was usual, kept: the panel's own past and the week after it, which that past already determines."""

    values: Values
    start_us: int
    weeks: int

    @classmethod
    def learn(cls, panel: Panel, weeks: int) -> Usual:
        """Keep what is usual for all columns of a panel and for the rest of the next seven days."""
        return cls.continued(usual_before(panel, 0, weeks), panel, weeks)

    @classmethod
    def continued(cls, past: Values, panel: Panel, weeks: int) -> Usual:
        """As `learn`, where what was usual in the panel's columns is known from a longer one."""
        ahead = max(0, (_SAME_TYPE_LAG - 1) * panel.steps_per_day)
        values = np.hstack([past[:, : panel.length], usual_ahead(panel, ahead, weeks)])
        return cls(values=values, start_us=panel.start_us, weeks=weeks)

    def newest(self, columns: int, panel: Panel) -> Usual:
        """Only what a forecast from the panel's end or later looks at: its last `columns` and what comes after."""
        first = max(0, panel.length - columns)
        return Usual(
            values=self.values[:, first:].copy(), start_us=self.start_us + first * panel.step_us, weeks=self.weeks
        )

    def before(self, panel: Panel, first: int) -> Values:
        """As `usual_before`, from memory as far as it reaches."""
        offset = (panel.start_us - self.start_us) // panel.step_us
        known = max(0, min(panel.length, self.values.shape[1] - offset) - first)
        if offset + first < 0 or known <= 0:
            return usual_before(panel, first, self.weeks)
        remembered = self.values[:, offset + first : offset + first + known]
        return np.hstack([remembered, usual_before(panel, first + known, self.weeks)])

    def rolling(self, panel: Panel, origins: NDArray[np.int64], steps: int) -> Values:
        """As `ahead` from each origin (origins x sensors x steps)."""
        result = np.empty((len(origins), panel.sensors, steps))
        fresh = np.ones(len(origins), dtype=np.bool_)
        for k, origin in enumerate(origins):
            remembered = self._remembered(panel.start_us + int(origin) * panel.step_us, panel, steps)
            if remembered is not None:
                result[k], fresh[k] = remembered, False
        if fresh.any():
            result[fresh] = usual_from(panel, origins[fresh], steps, self.weeks)
        return result

    def ahead(self, panel: Panel, steps: int) -> Values:
        """As `usual_ahead`, from memory where it holds all of the targets."""
        remembered = self._remembered(panel.end_us, panel, steps)
        return usual_ahead(panel, steps, self.weeks) if remembered is None else remembered

    def _remembered(self, from_us: int, panel: Panel, steps: int) -> Values | None:
        offset = (from_us - self.start_us) // panel.step_us
        if offset >= 0 and offset + steps <= self.values.shape[1]:
            remembered = self.values[:, offset : offset + steps]
            if not np.isnan(remembered).any():
                return remembered
        return None


def _usual(days: _Days, panel: Panel, first: int, count: int, weeks: int, *, fill: bool) -> Values:
    """The usual values of `count` columns; with `fill` what no day of its kind tells comes from any day, then from all."""
    columns, slots = panel.local(first, count)
    distinct, where = np.unique(columns, return_inverse=True)
    result = days.usual(distinct, weeks)[:, where, slots]
    return _filled(result, days, panel, slots) if fill else result


def _filled(usual: Values, days: _Days, panel: Panel, slots: NDArray[np.int64]) -> Values:
    """What no day of its kind tells (sensors x slots) from any day, and what no day tells from all that is known."""
    if np.isnan(usual).any():
        usual = np.where(np.isnan(usual), median(days.grid)[:, slots], usual)
    if np.isnan(usual).any():
        usual = np.where(np.isnan(usual), median(panel.values)[:, None], usual)
    return usual


@dataclass(frozen=True, kw_only=True, slots=True)
class _Days:
    """A panel folded into local days: `grid` is sensors x days x slots; hours that a day does not have are NaN.

    Behind the days there is one more of which nothing is known.
    """

    grid: Values
    first: int
    types: NDArray[np.int64]
    calendar: Calendar

    @classmethod
    def of(cls, panel: Panel, weeks: int, back_from: int | None = None) -> _Days:
        """Fold the weeks a median needs before the panel's end, or before the local day `back_from`, and all after."""
        oldest = 0
        if panel.length:
            day = back_from if back_from is not None else int(panel.local(panel.length - 1, 1)[0][0])
            ahead = day - int(panel.local(0, 1)[0][0])
            oldest = max(0, _reach(ahead, weeks) * panel.steps_per_day)
        columns, slots = panel.local(oldest, panel.length - oldest)
        first, last = (int(columns[0]), int(columns[-1])) if len(columns) else (0, -1)
        known = np.arange(first, last + 1)
        grid = np.full((panel.sensors, len(known) + 1, panel.steps_per_day), np.nan)
        grid[:, columns - first, slots] = panel.values[:, oldest:]
        return cls(grid=grid, first=first, types=panel.calendar.day_types(known), calendar=panel.calendar)

    def usual(self, wanted: NDArray[np.int64], weeks: int, oldest: NDArray[np.int64] | None = None) -> Values:
        """What is usual on local days at each slot, from days well before each (sensors x days x slots); NaN where too few.

        Only days from the `oldest` of each on count.
        """
        kinds = self.calendar.day_types(wanted)[:, None]
        days = self.first + np.arange(len(self.types))
        counts = days >= (self.first if oldest is None else oldest[:, None])
        same = counts & (self.types == kinds) & (days <= wanted[:, None] - _SAME_TYPE_LAG)
        alike = counts & ((self.types >= _SATURDAY) == (kinds >= _SATURDAY))
        alike &= days <= wanted[:, None] - _SAME_CLASS_LAG
        result = np.empty((len(self.grid), len(wanted), self.grid.shape[2]))
        width = max(1, _BLOCK // max(1, weeks * self.grid[:, 0].size))
        for some in (slice(k, k + width) for k in range(0, len(wanted), width)):
            made = median(self.grid[:, _newest(same[some], weeks).T], _LEAST)
            sensor, day = np.nonzero(np.isnan(made).any(axis=2))
            lacking = made[sensor, day]
            others = median(self.grid[sensor[:, None], _newest(alike[some], weeks)[day]])
            made[sensor, day] = np.where(np.isnan(lacking), others, lacking)
            result[:, some] = made
        return result


def _newest(counts: NDArray[np.bool_], weeks: int) -> NDArray[np.int64]:
    """For each row the newest `weeks` days that count, newest first, -1 where there are no more."""
    age = np.cumsum(counts[:, ::-1], axis=1)[:, ::-1]
    made = np.full((len(counts), min(weeks, int(age.max(initial=0)))), -1)
    rows, days = np.nonzero(counts & (age <= weeks))
    made[rows, age[rows, days] - 1] = days
    return made


def median(values: Values, least: int = 1) -> Values:
    """The median over axis 1 of what is not missing, NaN where fewer than `least` are left.

    Much faster than `numpy.nanmedian` on short axes: one sort puts what is missing last.
    """
    rows, count, *rest = values.shape
    if count == 0:
        return np.full((rows, *rest), np.nan)
    finite = np.isfinite(values)
    known = finite.sum(axis=1)
    ordered = np.where(finite, values, np.inf)
    if count <= _NETWORK:
        _network_sort(ordered)
    else:
        ordered.sort(axis=1)
    width = prod(rest)
    begin = (np.arange(rows)[:, None] * (count * width) + np.arange(width)).reshape(known.shape)
    ordered = np.ascontiguousarray(ordered)
    upper = ordered.take(begin + width * np.minimum(known // 2, count - 1))
    lower = ordered.take(begin + width * (np.maximum(known - 1, 0) // 2))
    with np.errstate(invalid="ignore"):
        return np.where(known >= least, (lower + upper) / 2, np.nan)


def _network_sort(values: Values) -> None:
    """Order along axis 1 in place: a few passes over all, by Batcher's odd-even merge sort."""
    for low, high in _comparators(values.shape[1]):
        smaller = np.minimum(values[:, low], values[:, high])
        np.maximum(values[:, low], values[:, high], out=values[:, high])
        values[:, low] = smaller


@cache
def _comparators(count: int) -> tuple[tuple[int, int], ...]:
    """Pairs that sort `count` numbers when each is put in order in turn (Knuth, TAOCP 3, 5.2.2, algorithm M)."""
    made = []
    top = 1 << (count - 1).bit_length() >> 1
    p = top
    while p > 0:
        q, r, d = top, 0, p
        while d > 0:
            made += [(k, k + d) for k in range(count - d) if k & p == r]
            d, q, r = q - p, q // 2, p
        p //= 2
    return tuple(made)
