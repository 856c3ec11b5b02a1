"""Code concerned with what to expect of weather and events: what usually came of what was forecast, and of what was seen.

A regression for each band of lead times learns how far a forecast of the covariate could be relied upon, beside what was
seen last and a day before; where nothing had been forecast, only these are asked.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.covariates import Covariates, Times
from models.effects import SHAPES, Shapes, known_at
from models.panel import Panel, Values
from models.weighing import choice_bands

_ORIGINS: Final = 400
_LEADS: Final = 8  # of a band of lead times that are learnt from
_FEWEST: Final = 200  # pairs of what was expected and what came, from which it is learnt how far to rely on it
_PENALTY: Final = 0.001  # per row


@dataclass(frozen=True, kw_only=True, slots=True)
class Told:
    """What was known from origins: shapes at targets, the same time days before, and just now (shapes x origins x steps).

    `said` (variables x origins x steps) is where something had been said of the target itself.
    """

    ahead: Values
    before: Values
    lately: Values
    said: NDArray[np.bool_]

    @classmethod
    def of(cls, covariates: Covariates, place: int, shapes: Shapes, panel: Panel, origins: Times, steps: int) -> Told:
        """As it was known from each origin (columns of the panel) for the `steps` steps after it."""
        day = panel.steps_per_day
        by = (panel.start_us + origins * panel.step_us)[:, None]
        times = by + np.arange(-2 * day, steps) * panel.step_us
        found = [covariates.known(place, k, times, by) for k in range(len(covariates.names))]
        made = shapes.of_values(np.array([one for one, _ in found]), day)
        made = made.reshape(made.shape[0] * SHAPES, *times.shape)
        leads = np.arange(steps)
        return cls(
            ahead=made[:, :, 2 * day :],
            before=made[:, :, day + leads % day],
            lately=made[:, :, 2 * day - 1 : 2 * day],
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
class Outlook:
    """How far to rely, in a band of lead times, on what is forecast and on what was seen (shapes x features).

    `forecast` is for targets of which something was said, `seen` for others; NaN where too little was there to learn from.
    """

    leads: range
    forecast: Values
    seen: Values

    @classmethod
    def learn(cls, leads: range, some: Times, told: Told, truth: Values) -> Outlook:
        """From what was told at some leads and what came (shapes x origins x leads)."""
        said = told.said_of(some)
        return cls(
            leads=leads,
            forecast=_fits(told.features(some, with_ahead=True), np.where(said, truth, np.nan)),
            seen=_fits(told.features(some, with_ahead=False), truth),
        )

    def expected(self, told: Told, leads: Times) -> Values:
        """What to expect of each shape (shapes x origins x leads), NaN where nothing is known."""
        by_forecast = np.einsum("jolf,jf->jol", told.features(leads, with_ahead=True), self.forecast)
        by_seen = np.einsum("jolf,jf->jol", told.features(leads, with_ahead=False), self.seen)
        said = told.said_of(leads)
        plainly = np.where(said, told.ahead[:, :, leads], np.nan)
        trusted = np.where(np.isfinite(by_forecast) & said, by_forecast, plainly)
        return np.where(said, trusted, by_seen)


def outlook(covariates: Covariates, place: int, shapes: Shapes, panel: Panel, steps: int) -> tuple[Outlook, ...]:
    """What usually came of what was told, in each band of lead times."""
    first = min(2 * panel.steps_per_day, panel.length)
    origins = np.arange(first, panel.length, max(1, (panel.length - first) // _ORIGINS) | 1)
    if not len(origins):
        return ()
    told = Told.of(covariates, place, shapes, panel, origins, steps)
    came = known_at(covariates, place, panel, 0, panel.length, np.array(panel.end_us))
    made = shapes.of_values(came, panel.steps_per_day).reshape(len(came) * SHAPES, panel.length)
    learnt = []
    for part in choice_bands(np.arange(steps), panel.steps_per_day):
        some = np.unique(np.linspace(part.start, part.stop - 1, min(_LEADS, len(part))).astype(np.int64))
        columns = origins[:, None] + some
        inside = columns < panel.length
        truth = np.where(inside, made[:, np.where(inside, columns, 0)], np.nan)
        learnt.append(Outlook.learn(part, some, told, truth))
    return tuple(learnt)


def expected(outlooks: Sequence[Outlook], told: Told) -> Values:
    """What to expect of each shape at all steps that were asked for (shapes x origins x steps)."""
    steps = told.ahead.shape[2]
    result = np.full(told.ahead.shape, np.nan)
    for one in outlooks:
        leads = np.arange(one.leads.start, min(one.leads.stop, steps))
        result[:, :, leads] = one.expected(told, leads)
    return result


@dataclass(frozen=True, kw_only=True, slots=True)
class Inputs:
    """Inputs of a regression: `by_place` is places x origins x steps x inputs, `places` the place of each sensor."""

    by_place: Values
    places: Times

    def before(self, features: Values, leads: Times) -> Values:
        """Put in front of the features (sensors x origins x leads x features) of some leads."""
        return np.concatenate([self.by_place[:, :, leads][self.places], features], axis=-1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Outlooks:
    """What to expect of the variables `names` at each place, as inputs of a regression."""

    names: tuple[str, ...]
    places: tuple[tuple[int, Shapes, tuple[Outlook, ...]], ...]

    @classmethod
    def learn(cls, panel: Panel, covariates: Covariates, steps: int) -> Outlooks:
        """From all that was said by the panel's end."""
        places = []
        for place in (int(one) for one in np.unique(covariates.places)):
            shapes = Shapes.of(known_at(covariates, place, panel, 0, panel.length, np.array(panel.end_us)))
            places.append((place, shapes, outlook(covariates, place, shapes, panel, steps)))
        return cls(names=covariates.names, places=tuple(places))

    def inputs(self, panel: Panel, origins: Times, steps: int) -> Inputs:
        """What was expected from each origin, and what was the same time days before; zero where nothing is known."""
        width = 2 * len(self.names) * SHAPES
        covariates = panel.covariates
        if covariates is None or covariates.names != self.names:
            nothing = np.zeros((1, len(origins), steps, width))
            return Inputs(by_place=nothing, places=np.zeros(panel.sensors, dtype=np.int64))
        made = np.zeros((len(self.places), len(origins), steps, width))
        which = np.zeros(panel.sensors, dtype=np.int64)
        for k, (place, shapes, outlooks) in enumerate(self.places):
            told = Told.of(covariates, place, shapes, panel, origins, steps)
            both = np.concatenate([expected(outlooks, told), told.before])
            made[k] = np.nan_to_num(both).transpose(1, 2, 0)
            which[covariates.places == place] = k
        return Inputs(by_place=made, places=which)


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
