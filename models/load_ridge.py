"""Code concerned with the load ridge: day-ahead load from its own past at the same time of day, for networks and feeders."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.calendar import Calendar
from models.conformal import quantiles_of
from models.contract import bounded
from models.day_features import WEEKDAYS, day_features
from models.outlook import Outlooks
from models.panel import Panel, Values
from models.profile import median, usual_ahead

_DAYS_BACK: Final = (1, 2)
_WEEKS_BACK: Final = (1, 2, 3)
_REACH_DAYS: Final = 29
_MEANS: Final = 7  # daily means of the last week
_LAST_HOURS: Final = (0.0, 1.0, 2.0)
_BESIDE: Final = (0, 5, 6)  # Monday, Saturday and Sunday follow another kind of day
_YEAR_DAYS: Final = 365.2425
_HARMONICS: Final = (1, 2)
_ENOUGH_FOR_YEAR: Final = 400  # days of history before the time of the year says anything
_FEWEST: Final = 42  # days to learn from; fewer give the profile
_NEARLY_ALL: Final = (0.02, 0.98)  # of the values, whose half distance is the unit
_FAR: Final = 4.0  # units from the middle beyond which a value is no load
_FILLS: Final = 4  # weeks looked back for a missing value
_BLOCK: Final = 8_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadRidge:
    """One ridge regression per step ahead and local time of issue, on levels.

    Assumes that tomorrow's load at a time follows that of the last days and weeks at the same time, its last hours, the
    kind of day and the time of the year. A missing value is taken from the weeks before it. Regressions for a time of
    day are solved when a forecast is first made at that time.

    Attributes:
        half_life_days: after which a day counts half.
        penalty: of the ridge on standardised features, in days.
        informed: whether it looks at covariates, where the panel has them.

    The first two were chosen on the GB load before its test part, on the 364 days before the last 365.

    """

    half_life_days: float = 365.0
    penalty: float = 0.5
    informed: bool = False
    name: str = "load_ridge"
    shifts: bool = True

    def fit(self, panel: Panel, steps: int) -> FittedLoadRidge:
        """Keep the history, scaled and filled."""
        centre = median(panel.values)
        low, high = quantiles_of(panel.values, _NEARLY_ALL)
        wide = np.nanmax(np.abs(panel.values - centre[:, None]), axis=1, initial=0.0)
        spread = np.where(high > low, (high - low) / 2, np.where(wide > 0, wide, 1.0))
        covariates = panel.covariates if self.informed else None
        return FittedLoadRidge(
            model=self,
            panel=panel,
            steps=steps,
            centre=np.nan_to_num(centre),
            spread=np.nan_to_num(spread, nan=1.0),
            outlooks=None if covariates is None else Outlooks.learn(panel, covariates, steps),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class FittedLoadRidge:
    """The history fitted to, and the coefficients of each local time of issue that has been asked for."""

    model: LoadRidge
    panel: Panel
    steps: int
    centre: Values
    spread: Values
    outlooks: Outlooks | None = None
    solved: dict[int, tuple[Values, NDArray[np.bool_]]] = field(default_factory=dict)

    def forecast(self, panel: Panel, steps: int) -> Values:
        """The regressions of this time of day; the profile for sensors with too little history."""
        usual = usual_ahead(panel, steps)
        _, slots = panel.local(panel.length, 1)
        slot = int(slots[0])
        if slot not in self.solved:
            self.solved[slot] = self._solve(slot)
        coefficients, learnt = self.solved[slot]
        if not learnt.any() or panel.length < _REACH_DAYS * panel.steps_per_day:
            return usual
        recent = panel.since(max(0, panel.length - (_REACH_DAYS + 7 * _FILLS) * panel.steps_per_day))
        known = self._scaled(recent.values, panel.steps_per_day)
        ahead = np.empty((panel.sensors, steps))
        yearly = self.panel.length >= _ENOUGH_FOR_YEAR * panel.steps_per_day
        told = None if self.outlooks is None else self.outlooks.inputs(panel, np.array([panel.length]), steps)
        for first in range(0, steps, max(1, _BLOCK // max(1, panel.sensors * 50))):
            leads = np.arange(first, min(steps, first + max(1, _BLOCK // max(1, panel.sensors * 50))))
            features = _features(known, recent, np.array([recent.length]), leads, yearly=yearly)
            if told is not None:
                features = told.before(features, leads)
            ahead[:, leads] = np.einsum("slf,slf->sl", features[:, 0], coefficients[:, leads])
        ahead = np.clip(ahead, -_FAR, _FAR) * self.spread[:, None] + self.centre[:, None]
        return bounded(np.where(learnt[:, None] & np.isfinite(usual), ahead, usual), panel)

    def _scaled(self, values: Values, day: int) -> Values:
        """Deviations from the usual level in usual deviations, filled from the weeks before; zero where none helps."""
        scaled = np.clip((values - self.centre[:, None]) / self.spread[:, None], -_FAR, _FAR)
        for back in [7 * day] * _FILLS + [day]:
            if back >= scaled.shape[1] or not np.isnan(scaled).any():
                break
            before = np.concatenate([np.full((len(scaled), back), np.nan), scaled[:, :-back]], axis=1)
            scaled = np.where(np.isnan(scaled), before, scaled)
        return np.nan_to_num(scaled)

    def _solve(self, slot: int) -> tuple[Values, NDArray[np.bool_]]:
        """Coefficients (sensors x steps x features) for issues at a local time, and which sensors had enough days."""
        panel, day = self.panel, self.panel.steps_per_day
        _, slots = panel.local(0, panel.length)
        origins = np.flatnonzero(slots == slot)
        origins = origins[origins >= _REACH_DAYS * day]
        learnt = np.zeros(panel.sensors, dtype=np.bool_)
        if len(origins) < _FEWEST:
            return np.zeros((panel.sensors, self.steps, 0)), learnt
        yearly = panel.length >= _ENOUGH_FOR_YEAR * day
        known = self._scaled(panel.values, day)
        age = (panel.length - origins) / day
        weights = 0.5 ** (age / self.model.half_life_days)
        told = None if self.outlooks is None else self.outlooks.inputs(panel, origins, self.steps)
        made = []
        width = max(1, _BLOCK // (panel.sensors * len(origins) * 50))
        for first in range(0, self.steps, width):
            leads = np.arange(first, min(first + width, self.steps))
            columns = origins[:, None] + leads
            inside = columns < panel.length
            columns = np.where(inside, columns, 0)
            there = np.isfinite(panel.values[:, columns]) & inside
            learnt |= there.any(axis=2).sum(axis=1) >= _FEWEST
            features = _features(known, panel, origins, leads, yearly=yearly)
            if told is not None:
                features = told.before(features, leads)
            rows = features.transpose(0, 2, 1, 3)
            weight = (there * weights[:, None]).transpose(0, 2, 1)[..., None]
            made.append(_ridge(rows, known[:, columns].transpose(0, 2, 1), weight, self.model.penalty))
        return np.concatenate(made, axis=1), learnt


def _ridge(rows: Values, wanted: Values, weight: Values, penalty: float) -> Values:
    """Weighted ridge for each sensor and lead, features brought to one size; the last feature is the intercept."""
    total = np.maximum(weight.sum(axis=2), 1e-9)
    mean = (weight * rows).sum(axis=2) / total
    size = np.sqrt(np.maximum((weight * rows**2).sum(axis=2) / total - mean**2, 0.0))
    size = np.where(size > 1e-6, size, np.inf)
    size[..., -1] = 1.0
    mean[..., -1] = 0.0
    even = (rows - mean[:, :, None]) / size[:, :, None]
    weighted = (even * weight).swapaxes(-1, -2)
    gram = weighted @ even
    index = np.arange(gram.shape[-1])
    gram[..., index[:-1], index[:-1]] += penalty
    gram[..., -1, -1] += 1e-6
    solved = np.linalg.solve(gram, weighted @ wanted[..., None])[..., 0] / size
    solved[..., -1] -= (solved[..., :-1] * mean[..., :-1]).sum(axis=-1)
    made: Values = solved
    return made


def _features(
    known: Values, panel: Panel, origins: NDArray[np.int64], leads: NDArray[np.int64], *, yearly: bool
) -> Values:
    """What is known at each origin for each lead: sensors x origins x leads x features, the last of them one."""
    day = panel.steps_per_day
    shape = (len(known), len(origins), len(leads))
    yesterday = origins[:, None] - day + leads % day
    ahead = (leads // (7 * day) + 1) * 7
    lags = [known[:, np.maximum(yesterday - (back - 1) * day, 0)] for back in _DAYS_BACK]
    week = origins[:, None] + leads - ahead * day
    lags += [known[:, np.maximum(week - 7 * (back - 1) * day, 0)] for back in _WEEKS_BACK]
    sums = np.concatenate([np.zeros((len(known), 1)), np.cumsum(known, axis=1)], axis=1)
    means = [(sums[:, origins - k * day] - sums[:, origins - (k + 1) * day]) / day for k in range(_MEANS)]
    last = [known[:, origins - 1 - round(hours * day / 24)] for hours in _LAST_HOURS]
    first = int(origins[0])
    days, _ = panel.local(first, int(origins[-1] - first) + int(leads[-1]) + 1)
    target = days[origins[:, None] - first + leads]
    kinds = day_features(panel.calendar, int(days[0]), int(days[-1] - days[0]) + 1)[target - days[0]]
    own = [np.broadcast_to(one[:, :, None], shape) for one in (*means, *last)]
    beside = [kinds[..., k] * one for k in _BESIDE for one in (lags[0], own[0])]
    angle = 2 * np.pi * target / _YEAR_DAYS
    season = [wave(k * angle) for k in _HARMONICS for wave in (np.sin, np.cos)] if yearly else []
    fixed = [kinds[..., k] for k in range(WEEKDAYS + 4)] + season + _schools(panel.calendar, target)
    return np.stack([*lags, *own, *beside, *(np.broadcast_to(one, shape) for one in fixed), np.ones(shape)], axis=-1)


def _schools(calendar: Calendar, target: NDArray[np.int64]) -> list[Values]:
    """Whether targets lie in school holidays, and whether the days did not that they are compared with."""
    if not calendar.school_breaks:
        return []
    first = int(target.min()) - 7
    there = calendar.school_breaks_at(np.arange(first, int(target.max()) + 1)).astype(np.float64)
    now, yesterday, last_week = (there[target - first - back] for back in (0, 1, 7))
    return [now, now - yesterday, now - last_week]
