"""Code concerned with backtests: forecasting the past from one origin after another, each with what was known then.

A model is fitted to what precedes the part it forecasts and then handed, origin by origin, panels cut at the origin. It
can not look ahead because there is nothing ahead. How much which model counts for a sensor at which lead times is decided on
the validation origins (`models.weighing`). Intervals come from the newest errors whose targets had been observed by then: those of the
validation origins first, and day by day those of the test origins that have passed (`models.adaptive`).

What is selected is scored by a median, as what a city publishes is one: the point forecast moved by the median of the
errors known by then, as far as their days are believed (`models.few_days`, as in the service). Where a protocol's
headline is a squared error, whose best forecast is a mean, and for every model by itself, it is the model's own points.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models import metrics
from models.adaptive import Errors, History, Issued, issue
from models.contract import Fitted, Forecaster, Patient
from models.informed import Informed
from models.leads import bands
from models.panel import Panel, Values
from models.protocol import Columns, Protocol, Span
from models.regimes import regimes
from models.selection import random_walk
from models.weighing import choice_bands, choose, heard_bands, mean_of, weigh

SELECTED: Final = "selected"
UNBLENDED: Final = "unblended"
_OURS: Final = (SELECTED, UNBLENDED)
_SQUARED: Final = ("rmse", "mse")
_RECALIBRATED_DAYS: Final = 1
_WIDEST: Final = 168  # steps of a band of lead times whose errors are pooled


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """One model at one horizon. `metrics` are named; `coverage` is by interval, such as `0.8`.

    `bands` repeats the coverage for parts of a horizon that is measured on many steps, by `first-last` step. `uncertain`
    and `bands_uncertain` are its standard errors, with days of origins as what was drawn: sensors and hours of one day miss
    together. It is NaN of a single day, and too small where windows of several days overlap.
    """

    model: str
    horizon: int
    metrics: dict[str, float]
    coverage: dict[str, float]
    bands: dict[str, dict[str, float]]
    uncertain: dict[str, float]
    bands_uncertain: dict[str, dict[str, float]]


@dataclass(frozen=True, kw_only=True, slots=True)
class Backtest:
    """All results, and how many sensors selection gave to each model (for the first lead times, and so on)."""

    results: tuple[Result, ...]
    chosen: dict[str, dict[str, int]]
    origins: int


@dataclass(frozen=True, kw_only=True, slots=True)
class _Trial:
    """One model's errors, observed minus forecast (origins x sensors x leads): on validation and on test origins."""

    before: Errors
    test: Errors


Work = Callable[[Forecaster], tuple[str, _Trial]]
Each = Callable[[Work, Sequence[Forecaster]], Iterable[tuple[str, _Trial]]]


def backtest(
    panel: Panel,
    models: Sequence[Forecaster],
    protocol: Protocol,
    *,
    candidates: Sequence[str] | None = None,
    rows: Sequence[int] | None = None,
    progress: Callable[[int, int], None] = lambda *_: None,
    each: Each = map,
) -> Backtest:
    """Measure every model, what is selected per sensor and lead times, and the winners alone, unblended, on the test origins.

    Args:
        panel: the recording.
        models: each is fitted to what precedes the part it forecasts.
        protocol: origins, horizons and what is measured.
        candidates: the names selection may choose from; None is all. A model that needs more history than precedes the
            test part (`models.contract.Patient`) is measured, but not chosen, unless it knows covariates.
        rows: the sensors that are scored; None is all.
        progress: told how many of the models are done.
        each: calls a function with each model, here or elsewhere; results may come in any order.

    Raises:
        ValueError: the panel is too short for the protocol.

    """
    protocol.check(panel.length)
    scored = np.arange(panel.sensors) if rows is None else np.array(rows)
    found: dict[str, _Trial] = {}
    progress(0, len(models))
    for name, trial in each(partial(_tried, panel=panel, protocol=protocol, scored=scored), models):
        found[name] = trial
        progress(len(found), len(models))
    trials = {model.name: found[model.name] for model in models}
    names = _eligible(models, candidates, int(protocol.test[0]) / panel.steps_per_day)
    parts = choice_bands(protocol.leads, panel.steps_per_day)
    heard = heard_bands(protocol.leads, panel.steps_per_day)
    winners, _ = choose([trials[name].before for name in names], heard)
    eligible = [trials[name] for name in names]
    trials[SELECTED] = _selected(eligible, winners, parts, heard)
    if len(names) > 1:
        trials[UNBLENDED] = _mean(eligible, np.eye(len(names))[winners], parts)
    measured = _Measured.of(panel, protocol, scored)
    results = [result for name, trial in trials.items() for result in measured.results(name, trial)]
    return Backtest(
        results=tuple(results),
        chosen={
            f"{protocol.leads[part.start] + 1}-{protocol.leads[part.stop - 1] + 1}": {
                names[k]: int((winners[:, number] == k).sum()) for k in np.unique(winners[:, number])
            }
            for number, part in enumerate(parts)
        },
        origins=len(protocol.test),
    )


def select_errors(panel: Panel, models: Sequence[Forecaster], protocol: Protocol) -> tuple[Errors, Errors]:
    """Errors of the models that validation chooses, on its origins and on those of the test (origins x sensors x leads)."""
    every = np.arange(panel.sensors)
    trials = [
        _Trial(
            before=_errors(model, panel, protocol, protocol.validation, int(protocol.test[0]), every),
            test=_errors(model, panel, protocol, protocol.test, panel.length, every, fitted_to=protocol.fitted_to),
        )
        for model in models
    ]
    parts = choice_bands(protocol.leads, panel.steps_per_day)
    heard = heard_bands(protocol.leads, panel.steps_per_day)
    winners, _ = choose([trial.before for trial in trials], heard)
    selected = _selected(trials, winners, parts, heard)
    return selected.before, selected.test


def _eligible(models: Sequence[Forecaster], candidates: Sequence[str] | None, days: float) -> list[str]:
    """The names selection may choose from with so many days of history; all that were asked for if none is left.

    Where a person has given covariates what they bring is tried however short the history.
    """
    asked = [one for one in models if candidates is None or one.name in candidates]
    ready = [
        one.name for one in asked if isinstance(one, Informed) or not isinstance(one, Patient) or days >= one.least_days
    ]
    return ready or [one.name for one in asked]


def _tried(model: Forecaster, *, panel: Panel, protocol: Protocol, scored: NDArray[np.int64]) -> tuple[str, _Trial]:
    """A model's name and its errors."""
    return model.name, _Trial(
        before=_errors(model, panel, protocol, protocol.validation, int(protocol.test[0]), scored),
        test=_errors(model, panel, protocol, protocol.test, panel.length, scored, fitted_to=protocol.fitted_to),
    )


def _errors(
    model: Forecaster,
    panel: Panel,
    protocol: Protocol,
    origins: Columns,
    end: int,
    scored: NDArray[np.int64],
    *,
    fitted_to: int | None = None,
) -> Errors:
    """Errors of a model that is fitted before the first origin or `fitted_to`, and anew as often as the protocol says.

    Targets from column `end` on are not looked at.
    """
    steps, leads = protocol.steps, protocol.leads
    result = np.full((len(origins), len(scored), len(leads)), np.nan, dtype=np.float32)
    fitted: Fitted | None = None
    fitted_at = 0
    for k, origin in enumerate(origins):
        if fitted is None or (protocol.refit is not None and origin - fitted_at >= protocol.refit):
            known = int(origin) if fitted is not None or fitted_to is None else fitted_to
            fitted, fitted_at = model.fit(panel.cut(known), steps), int(origin)
        targets = int(origin) + leads
        inside = targets < end
        points = fitted.forecast(panel.cut(int(origin)), steps)[scored][:, leads[inside]]
        result[k][:, inside] = panel.values[np.ix_(scored, targets[inside])] - points
    return result


def _selected(
    trials: Sequence[_Trial], winners: NDArray[np.int64], parts: Sequence[range], heard: Sequence[range]
) -> _Trial:
    """Errors of what is selected, with weights from the validation origins."""
    return _mean(trials, weigh([trial.before for trial in trials], heard, winners), parts)


def _mean(trials: Sequence[_Trial], weights: Values, parts: Sequence[range]) -> _Trial:
    """Errors of a weighted mean of models: those of a mean are the mean of those."""
    return _Trial(
        before=mean_of((trial.before for trial in trials), weights, parts).astype(np.float32),
        test=mean_of((trial.test for trial in trials), weights, parts).astype(np.float32),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Measured:
    """What is the same for all models: truth at the test origins and scales."""

    panel: Panel
    protocol: Protocol
    truth: Errors
    truth_before: Errors
    fallback: Values
    kinds: NDArray[np.int64]
    kinds_before: NDArray[np.int64]
    naive: Values

    @classmethod
    def of(cls, panel: Panel, protocol: Protocol, scored: NDArray[np.int64]) -> _Measured:
        leads, begin = protocol.leads, int(protocol.test[0])
        mine = Panel(
            names=tuple(panel.names[k] for k in scored),
            values=panel.values[scored],
            start_us=panel.start_us,
            step_seconds=panel.step_seconds,
            calendar=panel.calendar,
            nonnegative=panel.nonnegative,
        )
        every = regimes(panel, 0, panel.length + protocol.steps)
        ends = protocol.test if protocol.windowed_mase else protocol.test[:1]
        naive = np.stack([metrics.naive_error(mine.values[:, :end], protocol.season) for end in ends])
        return cls(
            panel=mine,
            protocol=protocol,
            truth=_observed(mine, protocol.test, leads),
            truth_before=_observed(mine, protocol.validation, leads),
            fallback=random_walk(mine.cut(begin), protocol.steps)[:, leads],
            kinds=every[protocol.test[:, None] + leads],
            kinds_before=every[protocol.validation[:, None] + leads],
            naive=naive,
        )

    def results(self, name: str, trial: _Trial) -> list[Result]:
        """All horizons of one model."""
        issued = self._intervals(trial)
        inside, lost, known = issued.inside, issued.lost, issued.known
        protocol = self.protocol
        errors = trial.test - issued.middle if name in _OURS and protocol.headline not in _SQUARED else trial.test
        made = []
        for horizon in protocol.horizons:
            part = protocol.of_horizon(horizon)
            count = len(protocol.test)
            if protocol.whole:
                count = int((protocol.test + horizon <= self.panel.length).sum())
            held = partial(self._held, inside, known, count)
            whole, uncertain = held(part)
            split = _day_bands(horizon, self.panel.steps_per_day) if part.stop - part.start > 1 else []
            of_bands = {f"{band.start + 1}-{band.stop}": held(slice(band.start, band.stop)) for band in split}
            made.append(
                Result(
                    model=name,
                    horizon=horizon,
                    metrics=self._points(errors[:count, :, part], self.truth[:count, :, part])
                    | {"pinball": _share(lost[:count, part].sum(), known[:count, part].sum())},
                    coverage=whole,
                    bands={band: shares for band, (shares, _) in of_bands.items()},
                    uncertain=uncertain,
                    bands_uncertain={band: one for band, (_, one) in of_bands.items()},
                )
            )
        return made

    def _held(
        self, inside: dict[str, Values], known: Values, count: int, leads: slice
    ) -> tuple[dict[str, float], dict[str, float]]:
        """The share of targets inside each interval, from the first `count` origins, and its standard error."""
        first = np.unique(self.protocol.test[:count] // self.panel.steps_per_day, return_index=True)[1]
        total = np.add.reduceat(known[:count, leads].sum(axis=1), first)
        sums = {key: np.add.reduceat(one[:count, leads].sum(axis=1), first) for key, one in inside.items()}
        shares = {key: _share(one.sum(), total.sum()) for key, one in sums.items()}
        return shares, {key: _ratio_error(one, total) for key, one in sums.items()}

    def _points(self, errors: Errors, truth: Errors) -> dict[str, float]:
        units = self.protocol.units
        wrong, seen = errors.astype(np.float64), truth.astype(np.float64)
        scaled = wrong if units is None else wrong / units.scale[:, None]
        zero = np.zeros_like(scaled)
        own = metrics.by_sensor(np.abs(wrong), windowed=self.protocol.windowed_mase)
        with np.errstate(divide="ignore", invalid="ignore"):
            mase = own / self.naive[: len(own)]
        mase = mase[np.isfinite(mase)]
        made = {
            "mae": metrics.mae(scaled, zero),
            "rmse": metrics.rmse(scaled, zero),
            "wape": metrics.wape(seen, seen - wrong),
            "mape": metrics.mape(seen, seen - wrong),
            "mase": float(mase.mean()) if len(mase) else float("nan"),
        }
        return made | ({"mse": made["rmse"] ** 2} if units is not None else {})

    def _intervals(self, trial: _Trial) -> Issued:
        protocol, leads = self.protocol, self.protocol.leads
        history = History(
            origins=np.concatenate([protocol.validation, protocol.test]),
            leads=leads,
            errors=np.concatenate([trial.before, trial.test]),
            truth=np.concatenate([self.truth_before, self.truth]),
            kinds=np.concatenate([self.kinds_before, self.kinds]),
            first_test=len(protocol.validation),
            nonnegative=self.panel.nonnegative,
        )
        alone = [range(k, k + 1) for k in range(len(leads))]  # leads far apart share no errors
        parts = alone if protocol.span is Span.AT else bands(len(leads), _WIDEST)
        every = protocol.recalibrated or _RECALIBRATED_DAYS * self.panel.steps_per_day
        return issue(history, self.fallback, parts, self.panel.steps_per_day, every)


def _observed(panel: Panel, origins: Columns, leads: Columns) -> Errors:
    """What was observed at each lead after each origin (origins x sensors x leads), NaN beyond the end."""
    columns = origins[:, None] + leads
    inside = columns < panel.length
    found = np.where(inside, panel.values[:, np.where(inside, columns, 0)], np.nan)
    return found.transpose(1, 0, 2).astype(np.float32)


def _day_bands(horizon: int, day: int) -> list[range]:
    """The parts of a long horizon that coverage is told of: the first day, the first week, and the rest."""
    edges = sorted({0, *(edge for edge in (max(1, day // 24), day, 7 * day) if edge < horizon), horizon})
    return [range(a, b) for a, b in itertools.pairwise(edges)]


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0 else float("nan")


def _ratio_error(parts: Values, wholes: Values) -> float:
    """The standard error of a ratio of sums over clusters, NaN of fewer than two (Cochran, Sampling Techniques, 1977, 6.3)."""
    seen = wholes > 0
    clusters, total = int(seen.sum()), float(wholes.sum())
    if clusters <= 1:
        return float("nan")
    strayed = parts - wholes * parts.sum() / total
    return float(np.sqrt(clusters / (clusters - 1) * (strayed**2).sum()) / total)
