"""Code concerned with SARIMAX: a season by regression whose errors are an ARMA process, estimated by statsmodels.

For the few series where a person wants a classical model and its coefficients; a tenth of a second per series.

References: Box, Jenkins, Reinsel, Ljung, Time Series Analysis (2015); Durbin, Koopman, Time Series Analysis by State
Space Methods (2012), doi:10.1093/acprof:oso/9780199641178.001.0001.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Final

import numpy as np
from statsmodels.tsa.statespace.mlemodel import MLEModel, MLEResults
from statsmodels.tsa.statespace.sarimax import SARIMAX

from models.explanation import Term
from models.innovations import Innovations
from models.panel import Values
from models.season_regression import Errors, Form, NotEstimatedError, SeasonRegression

_MOST_ITERATIONS: Final = 50
_STATES: Final = 2
_START: Final = (0.99, 0.4, 0.9)  # hourly: what stays of level and noise, and how slowly the level is followed
_ENOUGH: Final = 2e-6  # of the mean log-likelihood gained by an iteration
_FLAT: Final = 1e-4  # of its gradient


def _arma(rest: Values, day: int, told: bool) -> Errors:
    """ARMA(2,1): a level that lasts plus noise that fades within hours is such a process, and that is the start."""
    lasting, fading, moving = (hourly ** (24 / day) for hourly in _START)
    start = np.array([lasting + fading, -lasting * fading, -moving])
    found = estimated(SARIMAX(rest, order=(2, 0, 1), concentrate_scale=True), start, told=told)
    first, second, moving = found.params
    return Errors(
        innovations=Innovations.of(
            np.array([[first, 1.0], [second, 0.0]]), np.array([1.0, 0.0]), np.array([first + moving, second])
        ),
        terms=_terms(("AR(1)", "AR(2)", "MA(1)"), found, told=told),
    )


def _autoregressive(rest: Values, day: int, told: bool) -> Errors:
    del day
    start = np.array([persistence(rest)[0]])
    found = estimated(SARIMAX(rest, order=(1, 0, 0), concentrate_scale=True), start, told=told)
    return Errors(
        innovations=Innovations.of(found.params[None], np.ones(1), found.params),
        terms=_terms(("AR(1)",), found, told=told),
    )


def _terms(names: tuple[str, ...], found: MLEResults, *, told: bool) -> tuple[Term, ...]:
    return tuple(
        Term(name=name, value=float(found.params[k]), error=finite_error(found, k) if told else None)
        for k, name in enumerate(names)
    )


def finite_error(found: MLEResults, k: int) -> float | None:
    """The standard error of a parameter, None where the likelihood is too flat to tell."""
    error = float(found.bse[k])
    return error if np.isfinite(error) else None


def persistence(rest: Values) -> tuple[float, float]:
    """The correlation of neighbouring values, from 0 to 0.95, and their variance: where an estimate starts."""
    known = np.isfinite(rest)
    both = known[1:] & known[:-1]
    variance = float(rest[known].var())
    if variance <= 0 or not both.any():
        message = "the season leaves nothing"
        raise NotEstimatedError(message)
    return float(np.clip((rest[1:][both] * rest[:-1][both]).mean() / variance, 0.0, 0.95)), variance


def estimated(model: MLEModel, start: Values, *, told: bool) -> MLEResults:
    """The estimate by maximum likelihood from a start; told: with standard errors.

    Raises:
        NotEstimatedError: it did not converge or is not finite.

    """
    found = model.fit(
        start,
        disp=False,
        maxiter=_MOST_ITERATIONS,
        factr=_ENOUGH / np.finfo(np.float64).eps,
        pgtol=_FLAT,
        cov_type="approx" if told else "none",
    )
    if not found.mle_retvals["converged"]:
        message = f"no convergence within {_MOST_ITERATIONS} iterations"
        raise NotEstimatedError(message)
    if not np.isfinite(found.params).all():
        message = "its parameters are not finite"
        raise NotEstimatedError(message)
    return found


_LADDER: Final = (
    Form(name="errors ARMA(2,1)", estimate=_arma),
    Form(name="errors AR(1)", estimate=_autoregressive),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Sarimax(SeasonRegression):
    """Regression on waves of the day and kinds of days, with ARMA(2,1) errors.

    SARIMAX(2,0,1) of statsmodels with the season among the regressors: a seasonal order of a week would need a state for
    each of its steps. Ladder: ARMA(2,1), AR(1), a season without memory, a level alone; `forms` of what was fitted say which it was.

    Attributes:
        weeks: of history that it is fitted to; the errors' memory to the newest 2,000 steps of them at most.

    """

    ladder: ClassVar = _LADDER
    states: ClassVar = _STATES
    name: str = "sarimax"
