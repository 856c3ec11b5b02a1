"""Code concerned with backtests: forecasting the past from one origin after another, each with what was known then.

A model is fitted to what precedes the part it forecasts and then handed, origin by origin, panels cut at the origin. It
can not look ahead because there is nothing ahead. Which model serves which sensor at which lead times is chosen on the
validation origins. Intervals come from the newest errors whose targets had been observed by then: those of the
validation origins first, and week by week those of the test origins that have passed.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models import metrics
from models.conformal import calibrate
from models.contract import Fitted, Forecaster
from models.leads import bands
from models.panel import Panel, Values
from models.protocol import Columns, Protocol, Span
from models.regimes import regimes
from models.selection import choice_bands, choose, random_walk

SELECTED: Final = "selected"
LEVELS: Final = (0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975)
"""Quantile levels of a backtest: those of every forecast and the two ends of the 95 % interval."""

_INTERVALS: Final = {"0.8": (LEVELS.index(0.1), LEVELS.index(0.9)), "0.95": (0, len(LEVELS) - 1)}
_RECALIBRATED_DAYS: Final = 7
_WIDEST: Final = 24  # steps of a band of lead times whose errors are pooled

Errors = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, slots=True)
class Result:
    """One model at one horizon. `metrics` are named; `coverage` is by interval, such as `0.8`.

    `bands` repeats the coverage for parts of a horizon that is measured on many steps, by `first-last` step.
    """

    model: str
    horizon: int
    metrics: dict[str, float]
    coverage: dict[str, float]
    bands: dict[str, dict[str, float]]


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


def backtest(
    panel: Panel,
    models: Sequence[Forecaster],
    protocol: Protocol,
    *,
    candidates: Sequence[str] | None = None,
    rows: Sequence[int] | None = None,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> Backtest:
    """Measure every model, and the one selected per sensor and lead times, on the test origins.

    Args:
        panel: the recording.
        models: each is fitted to what precedes the part it forecasts.
        protocol: origins, horizons and what is measured.
        candidates: the names selection may choose from; None is all.
        rows: the sensors that are scored; None is all.
        progress: told how many of the models are done.

    Raises:
        ValueError: the panel is too short for the protocol.

    """
    protocol.check(panel.length)
    scored = np.arange(panel.sensors) if rows is None else np.array(rows)
    trials: dict[str, _Trial] = {}
    for done, model in enumerate(models):
        progress(done, len(models))
        trials[model.name] = _Trial(
            before=_errors(model, panel, protocol, protocol.validation, int(protocol.test[0]), scored),
            test=_errors(model, panel, protocol, protocol.test, panel.length, scored),
        )
    names = [model.name for model in models if candidates is None or model.name in candidates]
    parts = choice_bands(protocol.leads, panel.steps_per_day)
    winners, _ = choose([trials[name].before for name in names], parts)
    trials[SELECTED] = _mixed([trials[name] for name in names], winners, parts)
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


def _errors(
    model: Forecaster, panel: Panel, protocol: Protocol, origins: Columns, end: int, scored: NDArray[np.int64]
) -> Errors:
    """Errors of a model that is fitted before the first origin, and anew as often as the protocol says.

    Targets from column `end` on are not looked at.
    """
    steps, leads = protocol.steps, protocol.leads
    result = np.full((len(origins), len(scored), len(leads)), np.nan, dtype=np.float32)
    fitted: Fitted | None = None
    fitted_at = 0
    for k, origin in enumerate(origins):
        if fitted is None or (protocol.refit is not None and origin - fitted_at >= protocol.refit):
            fitted, fitted_at = model.fit(panel.cut(int(origin)), steps), int(origin)
        targets = int(origin) + leads
        inside = targets < end
        points = fitted.forecast(panel.cut(int(origin)), steps)[scored][:, leads[inside]]
        result[k][:, inside] = panel.values[np.ix_(scored, targets[inside])] - points
    return result


def _mixed(trials: Sequence[_Trial], winners: NDArray[np.int64], parts: Sequence[range]) -> _Trial:
    """Each sensor's errors from its own winner at these lead times."""
    before, test = trials[0].before.copy(), trials[0].test.copy()
    for number, part in enumerate(parts):
        leads = slice(part.start, part.stop)
        for k, trial in enumerate(trials):
            mine = winners[:, number] == k
            before[:, mine, leads] = trial.before[:, mine, leads]
            test[:, mine, leads] = trial.test[:, mine, leads]
    return _Trial(before=before, test=test)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Measured:
    """What is the same for all models: truth at the test origins and scales."""

    panel: Panel
    protocol: Protocol
    truth: Errors
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
        columns = protocol.test[:, None] + leads
        inside = columns < panel.length
        truth = np.where(inside, mine.values[:, np.where(inside, columns, 0)], np.nan).transpose(1, 0, 2)
        ends = protocol.test if protocol.windowed_mase else protocol.test[:1]
        naive = np.stack([metrics.naive_error(mine.values[:, :end], protocol.season) for end in ends])
        return cls(
            panel=mine,
            protocol=protocol,
            truth=truth.astype(np.float32),
            fallback=random_walk(mine.cut(begin), protocol.steps)[:, leads],
            kinds=every[columns],
            kinds_before=every[protocol.validation[:, None] + leads],
            naive=naive,
        )

    def results(self, name: str, trial: _Trial) -> list[Result]:
        """All horizons of one model."""
        inside, lost, known = self._intervals(trial)
        protocol = self.protocol
        made = []
        for horizon in protocol.horizons:
            part = protocol.of_horizon(horizon)
            count = len(protocol.test)
            if protocol.whole:
                count = int((protocol.test + horizon <= self.panel.length).sum())
            total = known[:count, part].sum()
            made.append(
                Result(
                    model=name,
                    horizon=horizon,
                    metrics=self._points(trial.test[:count, :, part], self.truth[:count, :, part])
                    | {"pinball": _share(lost[:count, part].sum(), total)},
                    coverage={key: _share(one[:count, part].sum(), total) for key, one in inside.items()},
                    bands={
                        f"{band.start + 1}-{band.stop}": {
                            key: _share(
                                one[:count, band.start : band.stop].sum(), known[:count, band.start : band.stop].sum()
                            )
                            for key, one in inside.items()
                        }
                        for band in (
                            _day_bands(horizon, self.panel.steps_per_day) if part.stop - part.start > 1 else []
                        )
                    },
                )
            )
        return made

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

    def _intervals(self, trial: _Trial) -> tuple[dict[str, Values], Values, Values]:
        """Per test origin and lead: targets inside each interval, mean pinball loss, targets known; sums over sensors."""
        protocol, leads = self.protocol, self.protocol.leads
        shape = trial.test.shape[0], trial.test.shape[2]
        inside = {key: np.zeros(shape) for key in _INTERVALS}
        lost, known = np.zeros(shape), np.isfinite(trial.test).sum(axis=1).astype(np.float64)
        every = np.concatenate([protocol.validation, protocol.test])
        errors = np.concatenate([trial.before, trial.test])
        kinds = np.concatenate([self.kinds_before, self.kinds])
        newest = len(protocol.validation)
        levels = np.array(LEVELS)[:, None, None]
        for first, last in _weeks(protocol.test, _RECALIBRATED_DAYS * self.panel.steps_per_day):
            now = protocol.test[first]
            past = _spread(np.flatnonzero(every < now), every, newest)
            seen = np.where((every[past, None] + leads < now)[:, None], errors[past], np.nan)
            parts = (
                [range(k, k + 1) for k in range(len(leads))] if protocol.span is Span.AT else bands(len(leads), _WIDEST)
            )
            conformal = calibrate(seen, self.fallback, parts, levels=LEVELS, regimes=kinds[past])
            for k in range(first, last):
                wrong, truth = trial.test[k], self.truth[k]
                offsets = conformal.offsets[:, self.kinds[k], :, np.arange(len(leads))].transpose(1, 2, 0)
                if self.panel.nonnegative:
                    offsets = np.maximum(offsets, wrong - truth)  # no quantile below zero
                missed = wrong - offsets
                loss = np.maximum(levels * missed, (levels - 1) * missed).mean(axis=0)
                lost[k] = np.where(np.isfinite(loss), loss, 0.0).sum(axis=0)
                for key, (low, high) in _INTERVALS.items():
                    inside[key][k] = ((missed[low] >= -_EXACT) & (missed[high] <= _EXACT)).sum(axis=0)
        return inside, lost, known


_EXACT: Final = 1e-9


def _weeks(origins: Columns, width: int) -> list[tuple[int, int]]:
    """Runs of origins that lie within `width` steps, as (first, last + 1)."""
    made, first = [], 0
    while first < len(origins):
        last = int(np.searchsorted(origins, origins[first] + width))
        made.append((first, last))
        first = last
    return made


def _spread(past: NDArray[np.int64], every: Columns, newest: int) -> NDArray[np.int64]:
    """At most as many origins as validation has, spread over as long a time as validation took, the newest last."""
    reach = every[newest - 1] - every[0]
    recent = past[every[past] >= every[past[-1]] - reach]
    places = np.linspace(0, len(recent) - 1, min(newest, len(recent))).astype(np.int64)
    chosen: NDArray[np.int64] = recent[places]
    return chosen


def _day_bands(horizon: int, day: int) -> list[range]:
    """The parts of a long horizon that coverage is told of: the first day, the first week, and the rest."""
    edges = sorted({0, *(edge for edge in (max(1, day // 24), day, 7 * day) if edge < horizon), horizon})
    return [range(a, b) for a, b in itertools.pairwise(edges)]


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0 else float("nan")
