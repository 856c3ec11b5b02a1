"""Code concerned with measuring, on the past, coherent totals by each method and the chances said of the peaks of days.

Every local midnight is an origin from which two days are forecast. Models are chosen and fitted as in `models.backtest`;
what reconciles totals is learnt on validation origins. Intervals, and how errors go together, are learnt anew every week
from the errors whose targets had been observed by then. Limits are percentiles of the daily peaks of the year before the
test part: they are known when it begins.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.backtest import select_errors
from models.conformal import calibrate
from models.contract import Forecaster
from models.few_days import as_issued
from models.metrics import wape
from models.panel import Panel, Values
from models.peaks import Courses, correction, peaks
from models.protocol import Protocol, Span
from models.reconciliation import Hierarchy, Method, reconciliation
from models.regimes import regimes
from services.domain import QUANTILE_LEVELS

DAYS: Final = 2
EXCEEDED: Final = (0.8, 0.95)
"""The limits: percentiles of the daily peaks of a year."""

_WEEK: Final = 7
_YEAR: Final = 365
_BANDS_HOURS: Final = (0, 1, 6, 24, 48)
_FOLDS: Final = 3
_LATEST: Final = 364  # origins whose errors are looked at
_BINS: Final = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)
_MIDDLE: Final = QUANTILE_LEVELS.index(0.5)
_LOW, _HIGH = QUANTILE_LEVELS.index(0.1), QUANTILE_LEVELS.index(0.9)


@dataclass(frozen=True, kw_only=True, slots=True)
class Added:
    """One method's mean absolute error at lead times, over totals and over sensors, each against its bottom-up error.

    `validated` is the same of the totals on validation origins that were left out of what was learnt.
    """

    method: str
    hours: str
    totals: float
    sensors: float
    validated: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Chances:
    """How the chances said of one limit did, over all series and days: Brier scores, and how often what was said happened.

    `independent` is the Brier score when steps erred alone, `usual` when the share of days before the test is said.
    `reliability` has for each bin of chances: mean chance said, share that exceeded, days.
    """

    day: int
    exceeded: float
    days: int
    happened: float
    brier: float
    independent: float
    usual: float
    reliability: tuple[tuple[float, float, int], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Heights:
    """How forecast peaks did on the first or second day: errors of the median over all peaks, and coverage of 80 %.

    `independent_80` is the coverage when steps erred alone.
    """

    day: int
    wape: float
    coverage_80: float
    independent_80: float


@dataclass(frozen=True, kw_only=True, slots=True)
class LoadBacktest:
    """What was measured; `added` is empty for a single series."""

    origins: int
    added: tuple[Added, ...]
    heights: tuple[Heights, ...]
    chances: tuple[Chances, ...]


def measure(
    panel: Panel,
    members: Values,
    models: Sequence[Forecaster],
    *,
    test_days: int,
    validation_days: int,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> LoadBacktest:
    """Measure totals and peaks on the last days of a recording.

    Args:
        panel: of the sensors.
        members: which sensors make up which totals (totals x sensors); none for a single series.
        models: to choose from, for sensors and totals.
        test_days: local midnights that are measured.
        validation_days: those before that are for choosing.
        progress: told how much is done.

    Raises:
        ValueError: the recording is too short.

    """
    hierarchy = Hierarchy(members=members)
    protocol = _protocol(panel, test_days, validation_days)
    total = replace(panel, names=tuple(f"total {k}" for k in range(len(members))), values=hierarchy.sums(panel.values))
    progress(0, 3)
    sensors = select_errors(panel, models, protocol)
    progress(1, 3)
    totals = select_errors(total, models, protocol) if len(members) else (sensors[0][:, :0], sensors[1][:, :0])
    progress(2, 3)
    before, test = (np.concatenate([t, s], axis=1).astype(np.float64) for t, s in zip(totals, sensors, strict=True))
    summed = [
        np.concatenate([hierarchy.sums(e[:, len(members) :]), e[:, len(members) :]], axis=1) for e in (before, test)
    ]
    both = np.concatenate([total.values, panel.values])
    heights, chances = _peaks(replace(panel, names=(*total.names, *panel.names), values=both), protocol, *summed)
    hours = panel.step_seconds / 3600
    added = _added(hierarchy, before, test, hours) if len(members) else ()
    return LoadBacktest(origins=len(protocol.test), added=added, heights=heights, chances=chances)


def _protocol(panel: Panel, test_days: int, validation_days: int) -> Protocol:
    _, slots = panel.local(0, panel.length)
    steps = DAYS * panel.steps_per_day
    midnights = np.flatnonzero(slots == 0)
    midnights = midnights[midnights + steps <= panel.length]
    if len(midnights) < test_days + validation_days + 2 * _WEEK:
        message = f"{len(midnights)} whole days are too few for {test_days} of test and {validation_days} of validation"
        raise ValueError(message)
    validation = midnights[-test_days - validation_days : -test_days]
    protocol = Protocol(
        name="load",
        description="two days from each local midnight",
        horizons=(steps,),
        train_end=int(validation[0]),
        validation=validation,
        test=midnights[-test_days:],
        season=_WEEK * panel.steps_per_day,
        span=Span.THROUGH,
        refit=28 * panel.steps_per_day,
    )
    protocol.check(panel.length)
    return protocol


def _added(hierarchy: Hierarchy, before: Values, test: Values, hours: float) -> tuple[Added, ...]:
    count = len(hierarchy.members)
    edges = [round(edge / hours) for edge in _BANDS_HOURS]
    parts = [range(a, b) for a, b in itertools.pairwise(edges) if b > a]
    folds = [part for part in np.array_split(np.arange(len(before)), _FOLDS) if len(part)]
    base = (
        _by_part(hierarchy, before, before, Method.BOTTOM_UP, parts),
        _by_part(hierarchy, before, test, Method.BOTTOM_UP, parts),
    )
    made = []
    for method in Method:
        found = _by_part(hierarchy, before, test, method, parts)
        left = np.zeros_like(found)
        for fold in folds:
            rest = np.setdiff1d(np.arange(len(before)), fold)
            left += _by_part(hierarchy, before[rest], before[fold], method, parts) * len(fold) / len(before)
        for k, part in enumerate(parts):
            made.append(
                Added(
                    method=str(method),
                    hours=f"{part.start * hours:g}-{part.stop * hours:g}",
                    totals=float((found[:count, k] / base[1][:count, k]).mean()),
                    sensors=float((found[count:, k] / base[1][count:, k]).mean()),
                    validated=float((left[:count, k] / base[0][:count, k]).mean()),
                )
            )
    return tuple(made)


def _by_part(hierarchy: Hierarchy, learnt: Values, errors: Values, method: Method, parts: Sequence[range]) -> Values:
    """Mean absolute error of each series and part of the lead times (series x parts)."""
    count = len(hierarchy.members)
    summed, kept = reconciliation(hierarchy, learnt, method, parts).apply(errors[:, :count], errors[:, count:])
    wrong = np.abs(np.concatenate([summed, kept], axis=1))
    return np.stack([np.nanmean(wrong[:, :, part.start : part.stop], axis=(0, 2)) for part in parts], axis=1)


def _peaks(
    panel: Panel, protocol: Protocol, before: Values, test: Values
) -> tuple[tuple[Heights, ...], tuple[Chances, ...]]:
    steps = protocol.steps
    leads = np.arange(steps)
    origins = np.concatenate([protocol.validation, protocol.test])
    errors = np.concatenate([before, test])
    kinds = regimes(panel, 0, panel.length)[origins[:, None] + leads]
    days, _ = panel.local(0, panel.length)
    limits = _limits(panel, days, int(protocol.test[0]))
    first = len(protocol.validation)
    shape = (len(protocol.test), panel.sensors, DAYS)
    truth, middle = np.full(shape, np.nan), np.full(shape, np.nan)
    said = {name: np.full((*shape, len(EXCEEDED)), np.nan) for name in ("together", "alone")}
    inside = {name: np.full(shape, np.nan) for name in ("together", "alone")}
    typical = np.repeat(np.nanmean(np.abs(before), axis=(0, 2))[:, None], steps, axis=1)
    for place in range(first, len(origins)):
        now = int(origins[place])
        if (place - first) % _WEEK == 0:
            past = slice(max(0, place - _LATEST), place)
            known = np.where((origins[past, None] + leads < now)[:, None], errors[past], np.nan)
            learnt = calibrate(known, typical, regimes=kinds[past])
            offsets = as_issued(learnt, known, origins[past], day=panel.steps_per_day)
            courses = {"together": Courses.of_errors(known, panel.steps_per_day), "alone": _alone(panel.sensors, steps)}
            seen = panel.values[:, np.minimum(origins[past, None] + leads, panel.length - 1)].transpose(1, 0, 2)
            times = panel.start_us + origins[past] * panel.step_us
            corrected = correction(known, seen, times, [range(panel.steps_per_day), range(panel.steps_per_day, steps)])
        observed = panel.values[:, now : now + steps]
        points = observed - errors[place]
        if np.isnan(points).all():
            continue
        quantiles = offsets.around(_filled(points), nonnegative=panel.nonnegative, regimes=kinds[place])
        today = int(days[now])
        parts = [_day(days[now : now + steps], today + ahead) for ahead in range(DAYS)]
        k = place - first
        for number, part in enumerate(parts):
            truth[k, :, number] = observed[:, part.start : part.stop].max(axis=1)
        for name, one in courses.items():
            found = peaks(quantiles, one, parts, corrected=corrected if name == "together" else None)
            height = found.quantiles()
            for m, _ in enumerate(EXCEEDED):
                said[name][k, :, :, m] = found.chance_above(np.repeat(limits[:, m : m + 1], DAYS, axis=1))
            inside[name][k] = (truth[k] >= height[_LOW]) & (truth[k] <= height[_HIGH])
            if name == "together":
                middle[k] = height[_MIDDLE]
    there = np.isfinite(truth)
    heights = tuple(
        Heights(
            day=day + 1,
            wape=wape(truth[..., day][there[..., day]], middle[..., day][there[..., day]]),
            coverage_80=float(inside["together"][..., day][there[..., day]].mean()),
            independent_80=float(inside["alone"][..., day][there[..., day]].mean()),
        )
        for day in range(DAYS)
    )
    chances = tuple(
        _chances(
            day, level, truth[..., day] > limits[:, m], {n: s[:, :, day, m] for n, s in said.items()}, there[..., day]
        )
        for day in range(DAYS)
        for m, level in enumerate(EXCEEDED)
    )
    return heights, chances


def _chances(
    day: int, level: float, over: NDArray[np.bool_], said: dict[str, Values], there: NDArray[np.bool_]
) -> Chances:
    happened = over[there].astype(np.float64)
    together, alone = said["together"][there], said["alone"][there]
    bins = np.clip(np.searchsorted(_BINS, together, side="right") - 1, 0, len(_BINS) - 2)
    return Chances(
        day=day + 1,
        exceeded=level,
        days=len(happened),
        happened=float(happened.mean()),
        brier=float(((together - happened) ** 2).mean()),
        independent=float(((alone - happened) ** 2).mean()),
        usual=float(((1 - level - happened) ** 2).mean()),
        reliability=tuple(
            (float(together[bins == b].mean()), float(happened[bins == b].mean()), int((bins == b).sum()))
            for b in np.unique(bins)
        ),
    )


def _limits(panel: Panel, days: NDArray[np.int64], end: int) -> Values:
    """Percentiles of the daily peaks of the year before a column (series x limits)."""
    begin = max(0, end - _YEAR * panel.steps_per_day)
    edges = np.flatnonzero(np.diff(days[begin:end])) + 1
    highest = [part.max(axis=1) for part in np.split(panel.values[:, begin:end], edges, axis=1)[1:-1]]
    return np.asarray(np.nanquantile(np.stack(highest, axis=1), EXCEEDED, axis=1).T)


def _day(days: NDArray[np.int64], day: int) -> range:
    here = np.flatnonzero(days == day)
    return range(int(here[0]), int(here[-1]) + 1)


def _filled(points: Values) -> Values:
    """Forecasts without gaps: those of steps without observation are not known here, their neighbours stand in."""
    steps = np.arange(points.shape[1])
    rows = []
    for row in points:
        known = np.isfinite(row)
        rows.append(np.interp(steps, steps[known], row[known]) if known.any() else np.zeros(len(row)))
    return np.stack(rows)


def _alone(sensors: int, steps: int) -> Courses:
    """Steps that have nothing to do with each other."""
    return Courses(common=np.eye(steps, dtype=np.float32), own=np.zeros((1, sensors, steps), dtype=np.float32))
