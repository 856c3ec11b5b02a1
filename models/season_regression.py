"""Code concerned with a series as season plus errors that remember: what SARIMAX and the structural model share.

Each series alone, over the last weeks: least squares for the season; statsmodels for the parameters of what is left, by
maximum likelihood; then the season once more by generalised least squares under those errors, which gives coefficients
and standard errors. What is left is written as states that are carried forward by one-step errors, all sensors at once.

Forms of the errors are tried in the order of a model's ladder; the first whose estimate converges to finite numbers is
used. Below the ladder stand a season without memory and, where the history is too short for a season or constant,
a level that is smoothed exponentially. No series can make a panel fail.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from models.contract import bounded, last_finite
from models.explanation import Explanation, Term
from models.innovations import Innovations
from models.panel import Panel, Values
from models.season_terms import Season, season_terms, term_names

NEWEST_STEPS: Final = 2_000  # that the memory of errors is estimated on
_ALPHA: Final = 0.3  # of a level where there is too little for an estimate
_PENALTY: Final = 1e-3  # on scaled values: keeps a kind of day that never came at zero
_VALUES_PER_TERM: Final = 3
_WEEK_DAYS: Final = 7
_KINDS: Final = {
    "Monday to Thursday": (0, 0, 0),
    "Friday": (1, 0, 0),
    "Saturday": (0, 1, 0),
    "Sunday or holiday": (0, 0, 1),
}


class NotEstimatedError(Exception):
    """A form of a model could not be estimated; the message says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Errors:
    """Errors that remember: one sensor's states at rest, and their parameters on scaled values.

    `scaled` are the numbers of those `terms` that are in the unit of the series. `level` is the standard error of the
    first state, where that is a level.
    """

    innovations: Innovations
    terms: tuple[Term, ...] = ()
    scaled: tuple[int, ...] = ()
    level: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Form:
    """A form of the errors: its name, and how it is estimated from what the season leaves.

    `estimate` takes those values, NaN where missing, the steps of a day, and whether standard errors are wanted; it
    raises NotEstimatedError, or an error of the linear algebra below it.
    """

    name: str
    estimate: Callable[[Values, int, bool], Errors]


def _forget(_rest: Values, _day: int, _told: bool) -> Errors:
    still = np.zeros((1, 1))
    return Errors(innovations=Innovations.of(still, still[0], still[0]))


_NO_MEMORY: Final = Form(name="errors without memory", estimate=_forget)
_LEVEL: Final = f"level alone, smoothed exponentially by {_ALPHA}"


@dataclass(frozen=True, kw_only=True, slots=True)
class SeriesFit:
    """What was made of one series: value = middle + size * (terms . coefficients + errors)."""

    form: str
    passed_over: tuple[str, ...]
    season: Season
    middle: float
    size: float
    coefficients: Values
    deviations: Values
    errors: Errors
    end: Innovations
    noise: float
    trend: Term | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class FittedSeasons:
    """Coefficients of the season (sensors x terms), states at the end of the fitted panel, and which form was used."""

    coefficients: Values
    innovations: Innovations
    middle: Values
    size: Values
    end_us: int
    forms: tuple[str, ...]

    def forecast(self, panel: Panel, steps: int) -> Values:
        """Carry the states through what came since the fit, then add the season.

        Raises:
            ValueError: the panel ends before the one fitted to.

        """
        return np.asarray(self.rolling(panel, np.array([panel.length]), steps)[0])

    def rolling(self, panel: Panel, origins: NDArray[np.int64], steps: int) -> Values:
        """As `forecast` from each origin, with what came before it.

        Raises:
            ValueError: an origin lies before the end of the panel fitted to.

        """
        fitted = (self.end_us - panel.start_us) // panel.step_us
        if fitted < 0 or (len(origins) and int(origins.min()) < fitted):
            message = "this model can only be carried forward from where it was fitted"
            raise ValueError(message)
        last = int(origins.max(initial=fitted))
        usual = self.coefficients @ season_terms(panel, fitted, last - fitted + steps).T
        rest = (panel.values[:, fitted:last] - self.middle[:, None]) / self.size[:, None] - usual[:, : last - fitted]
        made = self.innovations.rolling(rest, origins - fitted, steps)
        for k, origin in enumerate(origins):
            made[k] += usual[:, origin - fitted : origin - fitted + steps]
            unknown = np.isnan(last_finite(panel.values[:, :origin]))
            made[k] = np.where(
                unknown[:, None], np.nan, bounded(made[k] * self.size[:, None] + self.middle[:, None], panel)
            )
        return made


@dataclass(frozen=True, kw_only=True, slots=True)
class SeasonRegression:
    """A regression on waves of the day and kinds of days, with errors of the first form of a ladder that can be estimated.

    Attributes:
        ladder: the forms, best first.
        states: the most that a form of the ladder has.
        weeks: of history that it is fitted to.

    """

    ladder: ClassVar[Sequence[Form]]
    states: ClassVar[int]
    weeks: int = 8
    name: str
    shifts: bool = True

    def fit(self, panel: Panel, steps: int) -> FittedSeasons:
        """Estimate each sensor by itself."""
        del steps
        return fit_panel(panel, self.weeks, self.ladder, self.states)

    def explain(self, panel: Panel) -> Explanation:
        """What it makes of the only sensor of a panel."""
        return explain_series(self.name, panel, self.weeks, self.ladder)


def fit_panel(panel: Panel, weeks: int, ladder: Sequence[Form], states: int) -> FittedSeasons:
    """Fit each sensor to the last weeks by itself; `states` is the most that a form of the ladder has."""
    recent = _recent(panel, weeks)
    terms = season_terms(recent, 0, recent.length)
    fits = [_fit(row, terms, recent.steps_per_day, ladder) for row in recent.values]
    return FittedSeasons(
        coefficients=np.array([fit.coefficients for fit in fits]).reshape(panel.sensors, terms.shape[1]),
        innovations=Innovations.stacked([fit.end for fit in fits], states),
        middle=np.array([fit.middle for fit in fits]),
        size=np.array([fit.size for fit in fits]),
        end_us=panel.end_us,
        forms=tuple(fit.form for fit in fits),
    )


def explain_series(model: str, panel: Panel, weeks: int, ladder: Sequence[Form]) -> Explanation:
    """What a model makes of the only sensor of a panel.

    Raises:
        ValueError: the panel has more sensors, or no value.

    """
    recent = _recent(panel, weeks)
    row = recent.values.reshape(-1)
    known = np.flatnonzero(np.isfinite(row))
    if panel.sensors != 1 or not len(known):
        message = "one series with at least one value can be explained, no more and no fewer"
        raise ValueError(message)
    terms = season_terms(recent, 0, recent.length)
    fit = _fit(row, terms, recent.steps_per_day, ladder, told=True)
    names = term_names(recent.steps_per_day)
    used = range(1, fit.season.width(recent.steps_per_day))
    inner = fit.errors.terms
    variance = float(row[known].var())
    return Explanation(
        model=model,
        form=fit.form,
        passed_over=fit.passed_over,
        from_us=recent.start_us + int(known[0]) * recent.step_us,
        to_us=recent.start_us + (int(known[-1]) + 1) * recent.step_us,
        values=len(known),
        level=_level(fit),
        trend=fit.trend,
        season=_shapes(fit, recent) if fit.season else {},
        terms=(
            *(
                Term(
                    name=names[k],
                    value=float(fit.coefficients[k]) * fit.size,
                    error=float(fit.deviations[k]) * fit.size,
                )
                for k in used
                if terms[:, k].any()
            ),
            *(_in_unit(term, fit.size if k in fit.errors.scaled else 1.0) for k, term in enumerate(inner)),
        ),
        noise=fit.noise * fit.size,
        explained=1 - (fit.noise * fit.size) ** 2 / variance if variance > 0 else 1.0,
    )


def _recent(panel: Panel, weeks: int) -> Panel:
    return panel.since(max(0, panel.length - _WEEK_DAYS * weeks * panel.steps_per_day))


def _fit(row: Values, terms: Values, day: int, ladder: Sequence[Form], *, told: bool = False) -> SeriesFit:
    known = np.flatnonzero(np.isfinite(row))
    middle, size = (float(row[known].mean()), float(row[known].std())) if len(known) else (0.0, 0.0)
    season = Season.of_days((len(row) - known[0]) / day) if len(known) else Season.NONE
    while season and len(known) < _VALUES_PER_TERM * season.width(day):
        season = Season(season - 1)
    if size == 0 or not season:
        return _level_alone(row, known, terms.shape[1])
    width = season.width(day)
    scaled = (row - middle) / size
    rest = scaled - terms[:, :width] @ _least_squares(terms[known, :width], scaled[known])
    passed_over = []
    for form in (*ladder, _NO_MEMORY):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # what they warn of is looked at below
                errors = form.estimate(rest[-NEWEST_STEPS:], day, told)
            made = _generalised(scaled, terms[:, :width], errors, day, told=told)
        except (NotEstimatedError, np.linalg.LinAlgError, ValueError) as error:
            passed_over.append(f"{form.name}: {error}")
            continue
        return replace(
            made,
            form=f"{'season of a week' if season is Season.WEEK else 'season of a day'}, {form.name}",
            passed_over=tuple(passed_over),
            season=season,
            middle=middle,
            size=size,
            coefficients=np.pad(made.coefficients, (0, terms.shape[1] - width)),
            trend=made.trend and _in_unit(made.trend, size),
        )
    return _level_alone(row, known, terms.shape[1])


def _least_squares(terms: Values, values: Values) -> Values:
    penalised = terms.T @ terms + _PENALTY * np.eye(terms.shape[1])
    return np.linalg.solve(penalised, terms.T @ values).astype(np.float64)


def _generalised(scaled: Values, terms: Values, errors: Errors, day: int, *, told: bool) -> SeriesFit:
    """The season given how errors remember: least squares on one-step errors of the values and of each term.

    Raises:
        NotEstimatedError: the result is not finite.

    """
    known = np.isfinite(scaled)
    week = (np.arange(len(scaled)) - len(scaled)) / (_WEEK_DAYS * day)
    columns = np.vstack([scaled, np.where(known, np.hstack([terms, week[:, None]]).T, np.nan)])
    _, whitened = errors.innovations.repeated(len(columns)).after(columns)
    left, right = whitened[0, known], whitened[1:, known].T
    width = terms.shape[1]
    coefficients = _least_squares(right[:, :width], left)
    end, missed = errors.innovations.after((scaled - terms @ coefficients)[None])
    noise = float(np.sqrt((missed[0, known] ** 2).sum() / max(1, known.sum() - width)))
    if not (np.isfinite(coefficients).all() and np.isfinite(end.state).all() and np.isfinite(noise)):
        message = "the season under these errors is not finite"
        raise NotEstimatedError(message)
    trend = None
    if told:
        slope = _least_squares(right, left)[-1]
        trend = Term(name="change per week", value=float(slope), error=noise * float(_deviations(right)[-1]))
    return SeriesFit(
        form="",
        passed_over=(),
        season=Season.NONE,
        middle=0.0,
        size=1.0,
        coefficients=coefficients,
        deviations=noise * _deviations(right[:, :width]),
        errors=errors,
        end=end,
        noise=noise,
        trend=trend,
    )


def _deviations(terms: Values) -> Values:
    """Standard errors of coefficients where the noise has variance one."""
    inverse = np.linalg.inv(terms.T @ terms + _PENALTY * np.eye(terms.shape[1]))
    return np.sqrt(np.diag(inverse)).astype(np.float64)


def _level_alone(row: Values, known: NDArray[np.int64], width: int) -> SeriesFit:
    one = np.ones(1)
    start = replace(
        Innovations.of(one[None], one, np.array([_ALPHA])), state=np.array([[row[known[0]] if len(known) else 0.0]])
    )
    end, missed = start.after(row[None])
    noise = float(np.sqrt((missed[0, known] ** 2).mean())) if len(known) else 0.0
    return SeriesFit(
        form=_LEVEL,
        passed_over=("a season: too few days, or values that never change",),
        season=Season.NONE,
        middle=0.0,
        size=1.0,
        coefficients=np.zeros(width),
        deviations=np.zeros(width),
        errors=Errors(innovations=start, level=noise * float(np.sqrt(_ALPHA))),
        end=end,
        noise=noise,
    )


def _in_unit(term: Term, size: float) -> Term:
    return replace(term, value=term.value * size, error=None if term.error is None else term.error * size)


def _level(fit: SeriesFit) -> Term:
    """Where the series stands, at an average time of a day from Monday to Thursday."""
    wandered = float(fit.end.state[0, 0]) if fit.errors.level is not None else 0.0
    error = float(fit.deviations[0]) if fit.errors.level is None else fit.errors.level
    return Term(
        name="level",
        value=fit.middle + fit.size * (float(fit.coefficients[0]) + wandered),
        error=fit.size * error,
    )


def _shapes(fit: SeriesFit, panel: Panel) -> dict[str, tuple[float, ...]]:
    """The usual value at each step of the local day on each kind of day."""
    day = panel.steps_per_day
    waves = (fit.season.WEEK.width(day) - 5) // 3
    angle = 2 * np.pi * np.arange(day) / day
    names = term_names(day)[1 : 1 + waves]
    basis = np.array(
        [np.cos(int(n.split()[1]) * angle) if n.startswith("cos") else np.sin(int(n.split()[1]) * angle) for n in names]
    ).reshape(waves, day)
    own = fit.coefficients
    level = _level(fit).value
    shapes = {}
    for name, (friday, saturday, free) in _KINDS.items():
        shape = own[1 : 1 + waves] @ basis
        shape = shape + friday * own[1 + waves] + saturday * own[2 + waves] + free * own[3 + waves]
        shape = shape + saturday * (own[5 + waves : 5 + 2 * waves] @ basis) + free * (own[5 + 2 * waves :] @ basis)
        shapes[name] = tuple(float(value) for value in level + fit.size * shape)
        if fit.season is Season.DAY:
            return {"any day": shapes[name]}
    return shapes
