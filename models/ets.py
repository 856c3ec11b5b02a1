"""Code concerned with ETS(A,N,A): exponential smoothing of level and season, the classical model with a textbook behind it.

Parameters are estimated by statsmodels, one sensor after another, so this is for tables and for the few series where a
person wants a model to explain; the states are then carried forward for all sensors at once.

Reference: Hyndman, Koehler, Ord, Snyder, Forecasting with Exponential Smoothing (2008), doi:10.1007/978-3-540-71918-2.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from statsmodels.tsa.exponential_smoothing.ets import ETSModel

from models.contract import bounded, last_finite
from models.explanation import Explanation, Term
from models.panel import Panel, Values

_WEEKS: Final = 8  # of history that parameters are estimated from
_CYCLES: Final = 3  # of a season that must be there before it is used
_THURSDAY: Final = 3  # 1970-01-01 was one
_WEEKDAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_FORMS: Final = {
    0: "level alone",
    1: "level and season of a day, both smoothed exponentially",
    7: "level and season of a week, both smoothed exponentially",
}
_ALPHA: Final = 0.3  # where a series has too little for an estimate


@dataclass(frozen=True, kw_only=True, slots=True)
class ETS:
    """Additive errors, no trend, additive season of a week, or of a day where the history is short.

    Assumes one level and one repeating pattern that both drift slowly. A missing value changes no state. Public
    holidays are not known to it.
    """

    name: str = "ets"
    shifts: bool = True

    def fit(self, panel: Panel, steps: int) -> FittedETS:
        """Estimate each sensor's smoothing and starting states on the last eight weeks."""
        del steps
        recent = panel.since(max(0, panel.length - 7 * _WEEKS * panel.steps_per_day))
        season = _season(recent)
        alpha, gamma = np.full(panel.sensors, _ALPHA), np.zeros(panel.sensors)
        level, pattern = np.zeros(panel.sensors), np.zeros((season, panel.sensors))
        for k, row in enumerate(recent.values):
            found = _estimate(row, season)
            alpha[k], gamma[k], level[k], pattern[:, k] = found.alpha, found.gamma, found.level, found.pattern
        start = States(level=level, pattern=pattern, alpha=alpha, gamma=gamma)
        return FittedETS(states=start.after(recent.values, 0), end_us=panel.end_us, phase=recent.length % season)

    def explain(self, panel: Panel) -> Explanation:
        """What it makes of the only sensor of a panel.

        Raises:
            ValueError: the panel has more sensors, or no value.

        """
        recent = panel.since(max(0, panel.length - 7 * _WEEKS * panel.steps_per_day))
        known = np.flatnonzero(np.isfinite(recent.values.reshape(-1)))
        if panel.sensors != 1 or not len(known):
            message = "one series with at least one value can be explained, no more and no fewer"
            raise ValueError(message)
        row, season = recent.values[0], _season(recent)
        found = _estimate(row, season, told=True)
        start = States(
            level=np.array([found.level]),
            pattern=found.pattern[:, None].copy(),
            alpha=np.array([found.alpha]),
            gamma=np.array([found.gamma]),
        )
        noise, variance = start.noise(row), float(row[known].var())
        end = start.after(recent.values, 0)
        mean = float(end.pattern.mean())
        return Explanation(
            model=self.name,
            form=_FORMS[season // recent.steps_per_day] if end.pattern.any() else _FORMS[0],
            passed_over=(),
            from_us=recent.start_us + int(known[0]) * recent.step_us,
            to_us=recent.start_us + (int(known[-1]) + 1) * recent.step_us,
            values=len(known),
            level=Term(name="level", value=float(end.level[0]) + mean),
            trend=None,
            season=_shapes(end.pattern[:, 0] + float(end.level[0]), recent) if end.pattern.any() else {},
            terms=(
                Term(name="smoothing of level", value=found.alpha, error=found.errors[0]),
                Term(name="smoothing of season", value=found.gamma, error=found.errors[1]),
            ),
            noise=noise,
            explained=1 - noise**2 / variance if variance > 0 else 1.0,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class States:
    """Level (sensors) and pattern (season x sensors) with their smoothing parameters."""

    level: Values
    pattern: Values
    alpha: Values
    gamma: Values

    def after(self, values: Values, phase: int) -> States:
        """The states after more values (sensors x times), the first of which has this phase of the season."""
        level, pattern = self.level.copy(), self.pattern.copy()
        known = np.isfinite(values.T)
        seen = np.where(known, values.T, 0.0)
        alpha, gamma = known * self.alpha, known * self.gamma
        for t in range(len(seen)):
            season = pattern[(phase + t) % len(pattern)]
            error = seen[t] - level - season
            level += alpha[t] * error
            season += gamma[t] * error
        return States(level=level, pattern=pattern, alpha=self.alpha, gamma=self.gamma)

    def noise(self, row: Values) -> float:
        """The standard deviation of the one-step errors of the first sensor's values, which begin the season."""
        here, missed = self, []
        for t, value in enumerate(row):
            if np.isfinite(value):
                missed.append(value - here.level[0] - here.pattern[t % len(here.pattern), 0])
            here = here.after(np.array([[value]]), t)
        return float(np.sqrt(np.mean(np.square(missed))))


@dataclass(frozen=True, kw_only=True, slots=True)
class FittedETS:
    """States at the end of the fitted panel, and the phase of the season that comes next."""

    states: States
    end_us: int
    phase: int

    def forecast(self, panel: Panel, steps: int) -> Values:
        """Carry the states through what came since the fit, then repeat level and season.

        Raises:
            ValueError: the panel ends before the one fitted to.

        """
        new = (panel.end_us - self.end_us) // panel.step_us
        if not 0 <= new <= panel.length:
            message = "an ETS can only be carried forward from where it was fitted"
            raise ValueError(message)
        states = self.states.after(panel.values[:, panel.length - new :], self.phase)
        phases = (self.phase + new + np.arange(steps)) % len(states.pattern)
        known = np.isfinite(last_finite(panel.values))
        return bounded(np.where(known, states.level + states.pattern[phases], np.nan).T, panel)


def _season(panel: Panel) -> int:
    for days in (7, 1):
        if panel.length >= _CYCLES * days * panel.steps_per_day and days * panel.steps_per_day > 1:
            return days * panel.steps_per_day
    return 1


def _shapes(pattern: NDArray[np.float64], panel: Panel) -> dict[str, tuple[float, ...]]:
    """The pattern after a panel as the usual local days: each weekday of a season of a week, else any day."""
    day = panel.steps_per_day
    days, slots = panel.local(panel.length, len(pattern))
    kinds = (days + _THURSDAY) % 7 if len(pattern) > day else np.zeros_like(days)
    names = _WEEKDAYS if len(pattern) > day else ("any day",)
    ahead = pattern[(panel.length + np.arange(len(pattern))) % len(pattern)]
    shapes = np.zeros((len(names), day))
    shapes[kinds, slots] = ahead
    return {name: tuple(shapes[k].tolist()) for k, name in enumerate(names)}


@dataclass(frozen=True, kw_only=True, slots=True)
class _Estimate:
    """Smoothing of level and season, their standard errors, first level and first pattern of one series."""

    alpha: float
    gamma: float
    level: float
    pattern: NDArray[np.float64]
    errors: tuple[float | None, float | None] = (None, None)


def _estimate(row: Values, season: int, *, told: bool = False) -> _Estimate:
    known = np.flatnonzero(np.isfinite(row))
    flat = np.zeros(season)
    if not len(known):
        return _Estimate(alpha=_ALPHA, gamma=0.0, level=0.0, pattern=flat)
    middle, size = float(row[known].mean()), float(row[known].std())
    if size == 0 or season == 1 or len(known) < _CYCLES * season:
        return _Estimate(alpha=_ALPHA, gamma=0.0, level=float(row[known[0]]), pattern=flat)
    scaled = (np.interp(np.arange(len(row)), known, row[known]) - middle) / size
    model = ETSModel(
        scaled, error="add", trend=None, seasonal="add", seasonal_periods=season, initialization_method="heuristic"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an estimate that did not quite converge is still an estimate
        fitted = model.fit(disp=False)
        errors = [float(error) if np.isfinite(error) else None for error in fitted.bse[:2]] if told else [None, None]
    return _Estimate(
        alpha=float(fitted.smoothing_level),
        gamma=float(fitted.smoothing_seasonal),
        level=float(fitted.initial_level) * size + middle,
        pattern=np.asarray(fitted.initial_seasonal) * size,
        errors=(errors[0], errors[1]),
    )
