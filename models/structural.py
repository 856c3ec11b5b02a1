"""Code concerned with the structural model: a level that wanders, a season that drifts, noise that lasts; by statsmodels.

For the few series where a person wants to see the parts of a series; a third of a second per series.

Reference: Harvey, Forecasting, Structural Time Series Models and the Kalman Filter (1989),
doi:10.1017/CBO9781107049994.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import ClassVar, Final

import numpy as np
from statsmodels.tsa.statespace.structural import UnobservedComponents

from models.explanation import Term
from models.innovations import Innovations
from models.panel import Values
from models.sarimax import estimated, finite_error, persistence
from models.season_regression import Errors, Form, SeasonRegression

_DRIFTING_WAVES: Final = 2
_STATES: Final = 2 + 2 * _DRIFTING_WAVES
_NAMES: Final = {
    "sigma2.irregular": "noise",
    "sigma2.level": "level, change per step",
    "sigma2.ar": "lasting noise, new per step",
    "ar.L1": "lasting noise, share that stays",
}


def _components(rest: Values, day: int, told: bool, *, drifts: bool, lasts: bool) -> Errors:
    """A level that is a random walk, with noise that lasts or does not, and first waves of the day that drift or do not."""
    waves = min(_DRIFTING_WAVES, (day - 1) // 2) if drifts else 0
    model = UnobservedComponents(
        rest,
        level="rwalk" if lasts else "llevel",
        autoregressive=1 if lasts else None,
        freq_seasonal=[{"period": day, "harmonics": waves}] if waves else None,
    )
    stays, variance = persistence(rest)
    begin = {"sigma2.level": 1e-3 * variance, "sigma2.ar": variance * (1 - stays**2), "ar.L1": stays}
    begin["sigma2.irregular"] = variance / 2
    start = np.array([begin.get(name, 1e-5 * variance) for name in model.param_names])
    found = estimated(model, start, told=told)
    filtered = found.filter_results
    last = int(np.flatnonzero(np.isfinite(rest))[-1])
    sizes = [k for k, name in enumerate(model.param_names) if name.startswith("sigma2")]
    return Errors(
        innovations=Innovations.of(
            np.asarray(filtered.transition[:, :, 0]),
            np.asarray(filtered.design[0, :, 0]),
            np.asarray(filtered.kalman_gain[:, 0, last]),
        ),
        terms=tuple(
            _term(name, float(found.params[k]), finite_error(found, k) if told else None)
            for k, name in enumerate(model.param_names)
        ),
        scaled=tuple(sizes),
        level=float(np.sqrt(max(0.0, filtered.filtered_state_cov[0, 0, -1]))),
    )


def _term(name: str, value: float, error: float | None) -> Term:
    """A variance as the standard deviation people think in, its error by the delta method."""
    said = _NAMES.get(name, "season, change per step")
    if not name.startswith("sigma2"):
        return Term(name=said, value=value, error=error)
    deviation = float(np.sqrt(value))
    return Term(name=said, value=deviation, error=error / (2 * deviation) if error and deviation else None)


_LADDER: Final = (
    Form(
        name="level that wanders, season that drifts, noise that lasts",
        estimate=partial(_components, drifts=True, lasts=True),
    ),
    Form(name="level that wanders, noise that lasts", estimate=partial(_components, drifts=False, lasts=True)),
    Form(name="level that wanders, noise", estimate=partial(_components, drifts=False, lasts=False)),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Structural(SeasonRegression):
    """Season by regression on waves of the day and kinds of days; level, drift of the first waves and noise as states.

    Ladder: all of them; without drift; with noise that does not last; a season without memory; a level alone. `forms` of
    what was fitted say which it was.

    Attributes:
        weeks: of history that it is fitted to; the states to the newest 2,000 steps of them at most.

    """

    ladder: ClassVar = _LADDER
    states: ClassVar = _STATES
    name: str = "structural"
