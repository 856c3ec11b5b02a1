"""Code concerned with forecasts that know covariates: a plain model of what is left without them, plus what they will do.

What weather or events do to a sensor (`models.effects`) is taken off its history, a plain model forecasts the rest, and
what they are expected to do at the target is added. What is expected is not what a forecast of the weather says but what
usually came of such a forecast at that lead time, beside what was seen last: so the forecast leans on it only as far as it
could be relied on, and where nothing was forecast, on what was seen alone. What is missed all the same is in the errors
that intervals are made from.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from models.contract import Fitted, Forecaster, Patient, bounded
from models.effects import SHAPES, Effects, known_at
from models.outlook import Outlook, Told, expected, outlook
from models.panel import Panel, Values


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
            places.append((place, effects, outlook(covariates, place, effects.shapes, panel, steps)))
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
    places: tuple[tuple[int, Effects, tuple[Outlook, ...]], ...]

    def without(self, panel: Panel) -> Panel:
        """The panel without what covariates did, as far as they are known by its end."""
        covariates = panel.covariates
        rest = panel.values.copy()
        if covariates is not None and covariates.names == self.names:
            for place, effects, _ in self.places:
                known = known_at(covariates, place, panel, 0, panel.length, np.array(panel.end_us))
                shapes = effects.shapes.of_values(known, panel.steps_per_day).reshape(len(known) * SHAPES, panel.length)
                rest[covariates.places == place] -= effects.on(shapes, panel, 0)
        return replace(panel, values=rest, nonnegative=False, covariates=None, part_of_checked=True)

    def ahead(self, panel: Panel, steps: int) -> Values:
        """What covariates are expected to do in the steps after the panel's end (sensors x steps)."""
        covariates = panel.covariates
        result = np.zeros((panel.sensors, steps))
        if covariates is None or covariates.names != self.names:
            return result
        for place, effects, outlooks in self.places:
            told = Told.of(covariates, place, effects.shapes, panel, np.array([panel.length]), steps)
            result[covariates.places == place] = effects.on(expected(outlooks, told)[:, 0], panel, panel.length)
        return result
