"""Code concerned with what a model leaves over: how it fades, and how much of it can be told from its recent past."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.panel import Panel, Values

_HALF_LIVES: Final = (1.0, 4.0, 14.0, 40.0)  # of running means, in days
_WEEK_DAYS: Final = 7
_SLOT_MEANS: Final = 3  # so many of them also at the target's own time of day
_RECENT_HOURS: Final = (1, 3, 6)
_HALF_KNOWN: Final = 0.1  # a mean of little counts less
_EDGES_HOURS: Final = (0, 1, 3, 6, 12, 24, 48, 96, 168, 336)
_PARTS: Final = 4  # of the day, six hours each and the first centred on midnight, that near leads tell apart
_PART_HOURS: Final = 24 // _PARTS
_MOST_LEADS: Final = 24  # of a group that are learnt from
_BACK_DAYS: Final = 300
_FIRST_DAYS: Final = 28  # before which running means have not settled
_NEAR_STRIDE_HOURS: Final = 11
_FAR_STRIDE_HOURS: Final = 65
_FEWEST: Final = 12  # origins
_TARGET: Final = 3.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Remainders:
    """Scaled remainders (sensors x times, zero where missing) and their running means by time of day."""

    values: Values
    means: tuple[Values, ...]
    sums: tuple[Values, ...]
    day: int

    @classmethod
    def of(cls, left: Values, day: int) -> Remainders:
        """Work out running means; a half-life of h days looks at the same time of earlier days."""
        known = np.isfinite(left)
        values = np.where(known, left, 0.0)
        means = []
        for half_life in _HALF_LIVES:
            keep = 0.5 ** (1 / half_life)
            total, weight = np.zeros_like(values), np.zeros_like(values)
            for first in range(0, values.shape[1], day):
                now = slice(first, min(first + day, values.shape[1]))
                total[:, now] = (1 - keep) * values[:, now]
                weight[:, now] = (1 - keep) * known[:, now]
                if first:
                    before = slice(now.start - day, now.stop - day)
                    total[:, now] += keep * total[:, before]
                    weight[:, now] += keep * weight[:, before]
            means.append(total / (weight + _HALF_KNOWN))
        return cls(values=values, means=tuple(means), sums=_sums(*means, values), day=day)

    @classmethod
    def newest(cls, left: Values, day: int) -> Remainders:
        """As `of` as far as features at the end of `left` look at it: its last week, and running means of its last day."""
        days = left.shape[1] // day
        kept = (_WEEK_DAYS + 1) * day
        if left.shape[1] < kept:
            return cls.of(left, day)
        folded = left[:, -days * day :].reshape(len(left), days, day)
        known = np.isfinite(folded)
        filled = np.where(known, folded, 0.0).transpose(1, 0, 2).reshape(days, -1)
        counted = known.transpose(1, 0, 2).reshape(days, -1).astype(np.float64)
        ages = np.arange(days)[::-1]
        weights = np.array([(1 - 0.5 ** (1 / half_life)) * 0.5 ** (ages / half_life) for half_life in _HALF_LIVES])
        newest = ((weights @ filled) / (weights @ counted + _HALF_KNOWN)).reshape(-1, len(left), day)
        means = [np.concatenate([np.zeros((len(left), kept - day)), one], axis=1) for one in newest]
        values = np.nan_to_num(left[:, -kept:])
        return cls(values=values, means=tuple(means), sums=_sums(*means, values), day=day)

    def features(self, origins: NDArray[np.int64], leads: NDArray[np.int64], hour: int) -> Values:
        """What is known at each origin about each lead (sensors x origins x leads x features); zero before the start."""
        shape = (len(self.values), len(origins), len(leads))
        block = leads // self.day
        yesterday = origins[:, None] - self.day + leads % self.day
        weeks = block // _WEEK_DAYS + 1
        last_week = origins[:, None] + leads - _WEEK_DAYS * self.day * weeks
        begin = origins[:, None] + (block - _WEEK_DAYS * weeks) * self.day
        level = [self._mean(k, origins - self.day, origins) for k in range(len(_HALF_LIVES))]
        late = [self._mean(-1, origins - hours * hour, origins) for hours in _RECENT_HOURS]
        same = [_at(one, yesterday) for one in self.means[:_SLOT_MEANS]]
        made = [*(np.broadcast_to(one[:, :, None], shape) for one in (*level, *late)), *same]
        made += [_at(self.values, yesterday), _at(self.values, last_week), self._mean(-1, begin, begin + self.day)]
        return np.stack(made, axis=-1)

    def _mean(self, which: int, begin: NDArray[np.int64], end: NDArray[np.int64]) -> Values:
        sums = self.sums[which]
        width = np.maximum(end - begin, 1)
        return np.asarray((sums[:, np.maximum(end, 0)] - sums[:, np.maximum(begin, 0)]) / width)


def _sums(*series: Values) -> tuple[Values, ...]:
    return tuple(np.concatenate([np.zeros((len(one), 1)), np.cumsum(one, axis=1)], axis=1) for one in series)


def _at(values: Values, columns: NDArray[np.int64]) -> Values:
    return (
        np.where(columns >= 0, values[:, np.maximum(columns, 0)], 0.0)
        if values.shape[1]
        else np.zeros((len(values), *columns.shape))
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class RemainderRidge:
    """Coefficients by part of the day and group of leads (sensors x features); each sensor has its own."""

    coefficients: dict[tuple[int, int], Values]
    groups: tuple[range, ...]

    @classmethod
    def learn(cls, past: Remainders, panel: Panel, steps: int, penalty: float) -> RemainderRidge:
        """Regress remainders on what was known before them, from origins all over the last 300 days."""
        hour = max(1, panel.steps_per_day // 24)
        groups = _groups(steps, panel.steps_per_day)
        length = panel.length
        oldest = max(_FIRST_DAYS * panel.steps_per_day, length - _BACK_DAYS * panel.steps_per_day)
        made: dict[tuple[int, int], Values] = {}
        for group in groups:
            near = group.stop <= panel.steps_per_day
            stride = (_NEAR_STRIDE_HOURS if near else _FAR_STRIDE_HOURS) * hour
            origins = np.arange(oldest, length - group.start, stride)
            parts = _parts(panel, origins) if near else np.zeros(len(origins), dtype=np.int64)
            leads = np.unique(np.linspace(group.start, group.stop - 1, _MOST_LEADS).round().astype(np.int64))
            for part in range(_PARTS if near else 1):
                mine = origins[parts == part]
                if len(mine) >= _FEWEST:
                    made[part, group.start] = _solve(past, mine, leads, hour, penalty)
        return cls(coefficients=made, groups=tuple(groups))

    def ahead(self, past: Remainders, panel: Panel, steps: int) -> Values:
        """The remainder expected at each step after the end (sensors x steps); zero where nothing could be learnt."""
        parts = _parts(panel, np.array([panel.length]))
        end = np.array([past.values.shape[1]])
        return np.asarray(self._ahead(past, end, parts, panel.steps_per_day, steps)[0])

    def rolling(self, past: Remainders, panel: Panel, origins: NDArray[np.int64], steps: int) -> Values:
        """As `ahead` from each origin, a column of the panel and of what is past (origins x sensors x steps)."""
        return self._ahead(past, origins, _parts(panel, origins), panel.steps_per_day, steps)

    def _ahead(
        self, past: Remainders, origins: NDArray[np.int64], parts: NDArray[np.int64], day: int, steps: int
    ) -> Values:
        hour = max(1, day // 24)
        result = np.zeros((len(origins), len(past.values), steps))
        for group in self.groups:
            leads = np.arange(group.start, min(group.stop, steps))
            near = group.stop <= day
            for part in np.unique(parts) if near else (0,):
                key = int(part), group.start
                if len(leads) and key in self.coefficients:
                    mine = np.flatnonzero(parts == part) if near else np.arange(len(origins))
                    features = past.features(origins[mine], leads, hour)
                    told = np.matmul(features, self.coefficients[key][:, None, :, None])[..., 0]
                    result[mine[:, None], :, leads] = told.transpose(1, 2, 0)
        return result


def _solve(past: Remainders, origins: NDArray[np.int64], leads: NDArray[np.int64], hour: int, penalty: float) -> Values:
    targets = origins[:, None] + leads
    inside = targets < past.values.shape[1]
    features = past.features(origins, leads, hour) * inside[:, :, None]
    wanted = np.clip(_at(past.values, np.where(inside, targets, -1)), -_TARGET, _TARGET)
    rows = features.reshape(len(features), -1, features.shape[-1])
    gram = np.matmul(rows.transpose(0, 2, 1), rows)
    right = np.matmul(rows.transpose(0, 2, 1), wanted.reshape(len(wanted), -1, 1))
    index = np.arange(gram.shape[1])
    gram[:, index, index] += penalty * inside.sum() + 1e-9
    return np.linalg.solve(gram, right)[:, :, 0]


def _parts(panel: Panel, origins: NDArray[np.int64]) -> NDArray[np.int64]:
    """The part of the local day of each origin: six hours each, the first centred on midnight."""
    if not len(origins):
        return origins
    first = int(origins[0])
    _, slots = panel.local(first, int(origins[-1]) - first + 1)
    hours = slots[origins - first] * panel.step_seconds // 3600
    parts: NDArray[np.int64] = (hours + _PART_HOURS // 2) % 24 // _PART_HOURS
    return parts


def _groups(steps: int, day: int) -> list[range]:
    edges = sorted({min(steps, round(hours * day / 24)) for hours in _EDGES_HOURS} | {steps})
    return [range(a, b) for a, b in itertools.pairwise(edges)]
