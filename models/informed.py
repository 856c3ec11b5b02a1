"""Code concerned with forecasts that know covariates: a plain model of what is left without them, plus what they will do.

What weather or events do to a sensor (`models.effects`) is taken off its history, a plain model forecasts the rest, and
what they are expected to do at the target is added. What is expected is not what a forecast of the weather says but what
usually came of such a forecast at that lead time, beside what was seen last: so the forecast leans on it only as far as it
could be relied on, and where nothing was forecast, on what was seen alone. What is missed all the same is in the errors
that intervals are made from.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.contract import Fitted, Forecaster, Patient, bounded
from models.covariates import Covariates, Times
from models.effects import SHAPES, Effects, known_at
from models.panel import Panel, Values
from models.selection import choice_bands

_ORIGINS: Final = 400
_LEADS: Final = 8  # of a band of lead times that are learnt from
_FEWEST: Final = 200  # pairs of what was expected and what came, from which it is learnt how far to rely on it
_PENALTY: Final = 0.001  # per row
_DAY_US: Final = 86_400_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Informed:
    """A plain model that is told of covariates; without covariates it is the plain model itself.

    Assumes that a variable acts on all days alike, with its mean of the last day beside it, curved and by time of day.
    What is not known of it changes nothing; values beyond those ever seen count as the last that was.
    """

    plain: Forecaster

    @property
    def name(self) -> str:
        """That of the plain model with what was added."""
        return f"{self.plain.name}_informed"

    @property
    def shifts(self) -> bool:
        """As the plain model."""
        return self.plain.shifts

    @property
    def least_days(self) -> int:
        """As the plain model."""
        return self.plain.least_days if isinstance(self.plain, Patient) else 0

    def fit(self, panel: Panel, steps: int) -> Fitted:
        """Learn effects and what to expect, and fit the plain model to what is left."""
        covariates = panel.covariates
        if covariates is None or not covariates.names:
            return self.plain.fit(panel, steps)
        places = []
        for place in (int(one) for one in np.unique(covariates.places)):
            known = known_at(covariates, place, panel, 0, panel.length, np.array(panel.end_us))
            effects = Effects.learn(panel, panel.values[covariates.places == place], known)
            places.append((place, effects, _outlook(covariates, place, effects, panel, steps)))
        learnt = _Learnt(names=covariates.names, places=tuple(places))
        return FittedInformed(plain=self.plain.fit(learnt.without(panel), steps), learnt=learnt)


@dataclass(frozen=True, kw_only=True, slots=True)
class FittedInformed:
    """The plain model of what is left, and what covariates do."""

    plain: Fitted
    learnt: _Learnt

    def forecast(self, panel: Panel, steps: int) -> Values:
        """What the plain model forecasts of the rest plus what the covariates are expected to do."""
        rest = self.plain.forecast(self.learnt.without(panel), steps)
        return bounded(rest + self.learnt.ahead(panel, steps), panel)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Learnt:
    """Effects of the variables `names` and what to expect of them, by place."""

    names: tuple[str, ...]
    places: tuple[tuple[int, Effects, tuple[_Outlook, ...]], ...]

    def without(self, panel: Panel) -> Panel:
        """The panel without what covariates did, as far as they are known by its end."""
        covariates = panel.covariates
        rest = panel.values.copy()
        if covariates is not None and covariates.names == self.names:
            for place, effects, _ in self.places:
                known = known_at(covariates, place, panel, 0, panel.length, np.array(panel.end_us))
                shapes = effects.shapes.of_values(known, panel.steps_per_day).reshape(-1, panel.length)
                rest[covariates.places == place] -= effects.on(shapes, panel, 0)
        return replace(panel, values=rest, nonnegative=False, covariates=None, part_of_checked=True)

    def ahead(self, panel: Panel, steps: int) -> Values:
        """What covariates are expected to do in the steps after the panel's end (sensors x steps)."""
        covariates = panel.covariates
        result = np.zeros((panel.sensors, steps))
        if covariates is None or covariates.names != self.names:
            return result
        for place, effects, outlooks in self.places:
            told = _Told.of(covariates, place, effects, panel, np.array([panel.length]), steps)
            expected = np.full((len(self.names) * SHAPES, steps), np.nan)
            for outlook in outlooks:
                leads = np.arange(outlook.leads.start, min(outlook.leads.stop, steps))
                expected[:, leads] = outlook.expected(told, leads)[:, 0]
            result[covariates.places == place] = effects.on(expected, panel, panel.length)
        return result


@dataclass(frozen=True, kw_only=True, slots=True)
class _Told:
    """What was known from origins: shapes at targets, the same time days before, and just now (shapes x origins x steps).

    `said` (variables x origins x steps) is where something had been said of the target itself.
    """

    ahead: Values
    before: Values
    lately: Values
    said: NDArray[np.bool_]

    @classmethod
    def of(
        cls, covariates: Covariates, place: int, effects: Effects, panel: Panel, origins: Times, steps: int
    ) -> _Told:
        day = panel.steps_per_day
        by = (panel.start_us + origins * panel.step_us)[:, None]
        times = by + np.arange(-2 * day, steps) * panel.step_us
        found = [covariates.known(place, k, times, by) for k in range(len(covariates.names))]
        shapes = effects.shapes.of_values(np.array([one for one, _ in found]), day).reshape(-1, *times.shape)
        leads = np.arange(steps)
        return cls(
            ahead=shapes[:, :, 2 * day :],
            before=shapes[:, :, day + leads % day],
            lately=shapes[:, :, 2 * day - 1 : 2 * day],
            said=np.array([one[:, 2 * day :] for _, one in found]),
        )

    def features(self, leads: Times, *, with_ahead: bool) -> Values:
        """Shapes x origins x leads x features, NaN where one is not known."""
        before = self.before[:, :, leads]
        lately = np.broadcast_to(self.lately, before.shape)
        some = [self.ahead[:, :, leads]] if with_ahead else []
        return np.stack([*some, before, lately, np.ones(before.shape)], axis=-1)

    def said_of(self, leads: Times) -> NDArray[np.bool_]:
        """Where something had been said, by shape."""
        return np.repeat(self.said[:, :, leads], SHAPES, axis=0)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Outlook:
    """How far to rely, in a band of lead times, on what is forecast and on what was seen (shapes x features).

    `forecast` is for targets of which something was said, `seen` for others; NaN where too little was there to learn from.
    """

    leads: range
    forecast: Values
    seen: Values

    @classmethod
    def learn(cls, leads: range, some: Times, told: _Told, truth: Values) -> _Outlook:
        """From what was told at some leads and what came (shapes x origins x leads)."""
        said = told.said_of(some)
        return cls(
            leads=leads,
            forecast=_fits(told.features(some, with_ahead=True), np.where(said, truth, np.nan)),
            seen=_fits(told.features(some, with_ahead=False), truth),
        )

    def expected(self, told: _Told, leads: Times) -> Values:
        """What to expect of each shape (shapes x origins x leads), NaN where nothing is known."""
        by_forecast = np.einsum("jolf,jf->jol", told.features(leads, with_ahead=True), self.forecast)
        by_seen = np.einsum("jolf,jf->jol", told.features(leads, with_ahead=False), self.seen)
        said = told.said_of(leads)
        plainly = np.where(said, told.ahead[:, :, leads], np.nan)
        trusted = np.where(np.isfinite(by_forecast) & said, by_forecast, plainly)
        return np.where(said, trusted, by_seen)


def _outlook(covariates: Covariates, place: int, effects: Effects, panel: Panel, steps: int) -> tuple[_Outlook, ...]:
    """What usually came of what was told, in each band of lead times."""
    first = min(2 * panel.steps_per_day, panel.length)
    origins = np.arange(first, panel.length, max(1, (panel.length - first) // _ORIGINS) | 1)
    told = _Told.of(covariates, place, effects, panel, origins, steps)
    came = known_at(covariates, place, panel, 0, panel.length, np.array(panel.end_us))
    shapes = effects.shapes.of_values(came, panel.steps_per_day).reshape(-1, panel.length)
    learnt = []
    for part in choice_bands(np.arange(steps), panel.steps_per_day):
        some = np.unique(np.linspace(part.start, part.stop - 1, min(_LEADS, len(part))).astype(np.int64))
        columns = origins[:, None] + some
        inside = columns < panel.length
        truth = np.where(inside, shapes[:, np.where(inside, columns, 0)], np.nan)
        learnt.append(_Outlook.learn(part, some, told, truth))
    return tuple(learnt)


def _fits(features: Values, truth: Values) -> Values:
    """Least squares of each shape (shapes x features), NaN where fewer than `_FEWEST` pairs are known."""
    result = np.full((len(features), features.shape[-1]), np.nan)
    for k, (rows, wanted) in enumerate(zip(features, truth, strict=True)):
        known = np.isfinite(rows).all(axis=-1) & np.isfinite(wanted)
        if known.sum() >= _FEWEST:
            mine = rows[known]
            gram = mine.T @ mine + _PENALTY * known.sum() * np.eye(mine.shape[1])
            result[k] = np.linalg.solve(gram, mine.T @ wanted[known])
    return result
