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
from models.panel import Panel, Values

_WEEKS: Final = 8  # of history that parameters are estimated from
_CYCLES: Final = 3  # of a season that must be there before it is used
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
            alpha[k], gamma[k], level[k], pattern[:, k] = _estimate(row, season)
        start = States(level=level, pattern=pattern, alpha=alpha, gamma=gamma)
        return FittedETS(states=start.after(recent.values, 0), end_us=panel.end_us, phase=recent.length % season)


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


def _estimate(row: Values, season: int) -> tuple[float, float, float, NDArray[np.float64]]:
    """Smoothing of level and season, first level and first pattern of one series."""
    known = np.flatnonzero(np.isfinite(row))
    flat = np.zeros(season)
    if not len(known):
        return _ALPHA, 0.0, 0.0, flat
    middle, size = float(row[known].mean()), float(row[known].std())
    if size == 0 or season == 1 or len(known) < _CYCLES * season:
        return _ALPHA, 0.0, float(row[known[0]]), flat
    scaled = (np.interp(np.arange(len(row)), known, row[known]) - middle) / size
    model = ETSModel(
        scaled, error="add", trend=None, seasonal="add", seasonal_periods=season, initialization_method="heuristic"
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an estimate that did not quite converge is still an estimate
        fitted = model.fit(disp=False)
    return (
        float(fitted.smoothing_level),
        float(fitted.smoothing_seasonal),
        float(fitted.initial_level) * size + middle,
        np.asarray(fitted.initial_seasonal) * size,
    )
