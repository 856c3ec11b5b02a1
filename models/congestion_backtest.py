"""Code concerned with how good the chances of congestion are: forecast as in service, scored by what then happened.

Every so often (`Trial.refit`) models of speed and flow are selected on the history a service would hold then, and forecast
from one origin after another, each from panels cut there. Scores are the ranked probability score over the classes
(Epstein 1969; 0 is perfect), the Brier score of the worst class, and how far its chances are from how often it came.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.congestion import LIMITS, Congestion, Roads, chances, classes, roads, usual_flow
from models.contract import Forecaster
from models.habits import Habits, local_hours
from models.panel import Panel, Values
from models.recalibration import Recalibration, from_validation
from models.selection import Selected, select

_WEEK_DAYS: Final = 7
_BINS: Final = np.array([0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9])
_MEAN_COUNTS: Final = 2.0  # weeks' worth of trust of a climatology in the sensor's mean over all hours
_CLASSES: Final = len(Congestion)


@dataclass(frozen=True, kw_only=True, slots=True)
class ClassScore:
    """One way to forecast the classes at one horizon [steps].

    Attributes:
        model: its name.
        horizon: steps ahead.
        rps: mean ranked probability score: squared differences of cumulated chances and outcomes, summed over limits.
        brier: mean squared difference of the chance of `CONGESTED` and whether it came.
        unreliability: mean over cases of the distance between the chance and how often it came, by bins of the chance.
        bins: of the chance of `CONGESTED`: mean chance, how often it came, cases.
        cases: how many forecasts were scored.

    """

    model: str
    horizon: int
    rps: float
    brier: float
    unreliability: float
    bins: tuple[tuple[float, float, int], ...]
    cases: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Trial:
    """From where to where is measured and how; all in steps."""

    begin: int
    end: int
    horizons: tuple[int, ...]
    stride: int
    refit: int
    history: int


def measure(
    speed: Panel,
    flow: Panel,
    trial: Trial,
    candidates: Sequence[Forecaster],
    progress: Callable[[int, int], None] = lambda *_: None,
) -> list[ClassScore]:
    """Score what the service would say, without its recalibration, by speed alone, climatology and persistence.

    Free-flow speed and capacity are learnt from what precedes `trial.begin`, once for all. Climatology is how often each
    class came at that hour of the week at that sensor, in all weeks before the origin; persistence is the newest class.

    Args:
        speed: km/h.
        flow: veh/h of the same sensors and times.
        trial: what is measured.
        candidates: the models selection chooses from.
        progress: told how many of the origins are done.

    """
    steps, week = max(trial.horizons), _WEEK_DAYS * speed.steps_per_day
    known = roads(speed.values[:, : trial.begin], flow.values[:, : trial.begin], week)
    happened = _all_classes(speed, flow, known, week)
    told: dict[str, list[tuple[Values, NDArray[np.int64]]]] = {}
    leads = np.array(trial.horizons) - 1
    hours = local_hours(speed, 0, trial.end)
    for origin, (speeds, flows, better, habits) in _learnt(speed, flow, known, trial, candidates, progress):
        past = max(0, origin - trial.history)
        expected = speeds.intervals(speed.cut(origin).since(past), steps).quantiles[:, :, leads]
        carried = flows.intervals(flow.cut(origin).since(past), steps).quantiles[:, :, leads]
        usual = usual_flow(flow.values[:, :origin], week, steps)[:, leads]
        plain = chances(expected, carried, usual, known)
        alone = chances(expected, np.full_like(carried, np.nan), usual, known)
        newest = happened[:, origin - 1]
        truth = happened[:, origin + leads]
        truth = np.where(np.isnan(plain[0]) | (newest < 0)[:, None], -1, truth)
        said = {
            "selected": plain if better is None else better.applied(plain, leads, habits.at(hours[origin + leads])),
            "not_recalibrated": plain,
            "speed_alone": alone,
            "climatology": _climatology(happened[:, :origin], origin + leads, week),
            "persistence": _one_hot(np.repeat(newest[:, None], len(leads), axis=1)),
        }
        for name, one in said.items():
            told.setdefault(name, []).append((one, truth))
    return [score for name, pairs in told.items() for score in _scores(name, pairs, trial.horizons)]


def _learnt(
    speed: Panel,
    flow: Panel,
    known: Roads,
    trial: Trial,
    candidates: Sequence[Forecaster],
    progress: Callable[[int, int], None],
) -> Iterator[tuple[int, tuple[Selected, Selected, Recalibration | None, Habits]]]:
    """Each origin with what had been learnt by then."""
    steps = max(trial.horizons)
    origins = range(trial.begin, trial.end - steps + 1, trial.stride)
    learnt: tuple[Selected, Selected, Recalibration | None, Habits] | None = None
    learnt_at = 0
    for done, origin in enumerate(origins):
        progress(done, len(origins))
        if learnt is None or origin - learnt_at >= trial.refit:
            past = max(0, origin - trial.history)
            recent = [panel.cut(origin).since(past) for panel in (speed, flow)]
            speeds, flows = (select(panel, steps, candidates) for panel in recent)
            before = None if learnt is None else learnt[2]
            better = from_validation(known, recent[0], speeds, recent[1], flows, before)
            learnt = speeds, flows, better, Habits.of(recent[0], recent[1].values, known)
            learnt_at = origin
        yield origin, learnt


def _all_classes(speed: Panel, flow: Panel, known: Roads, week: int) -> NDArray[np.int64]:
    """The class at every time (sensors x times), -1 where speed or flow is missing."""
    day = speed.steps_per_day
    usual = np.full(speed.values.shape, np.nan)
    for first in range(0, speed.length, day):
        ahead = usual_flow(flow.values[:, :first], week, min(day, speed.length - first))
        usual[:, first : first + day] = ahead
    ratio = speed.values / known.free_flow_kmh[:, None]
    found = classes(ratio, flow.values, usual, known.few_vph[:, None])
    return np.where(np.isnan(flow.values), -1, found)


def _climatology(before: NDArray[np.int64], targets: NDArray[np.int64], week: int) -> Values:
    """How often each class came at the targets' times of the week (classes x sensors x targets)."""
    sensors, length = before.shape
    came = np.stack([(before == k).sum(axis=1) for k in range(_CLASSES)]).astype(np.float64)
    mean = came / np.maximum(came.sum(axis=0), 1)
    made = np.empty((_CLASSES, sensors, len(targets)))
    for number, target in enumerate(targets):
        same = before[:, int(target) % week :: week] if target % week < length else before[:, :0]
        counts = np.stack([(same == k).sum(axis=1) for k in range(_CLASSES)])
        made[:, :, number] = (counts + _MEAN_COUNTS * mean) / (counts.sum(axis=0) + _MEAN_COUNTS)
    return made


def _one_hot(found: NDArray[np.int64]) -> Values:
    return np.stack([found == k for k in range(_CLASSES)]).astype(np.float64)


def _scores(
    name: str, pairs: Sequence[tuple[Values, NDArray[np.int64]]], horizons: Sequence[int]
) -> Iterator[ClassScore]:
    found = np.stack([one for one, _ in pairs], axis=1)
    truth = np.stack([one for _, one in pairs])
    for place, horizon in enumerate(horizons):
        scored = truth[:, :, place] >= 0
        said, came = found[:, :, :, place][:, scored], truth[:, :, place][scored]
        outcome = np.stack([came <= k for k in range(len(LIMITS))])
        missed = np.cumsum(said, axis=0)[: len(LIMITS)] - outcome
        bins = _bins(said[Congestion.CONGESTED], came == Congestion.CONGESTED)
        yield ClassScore(
            model=name,
            horizon=horizon,
            rps=float((missed**2).sum(axis=0).mean()),
            brier=float((missed[Congestion.CONGESTED] ** 2).mean()),
            unreliability=sum(count * abs(said - came) for said, came, count in bins) / max(len(came), 1),
            bins=bins,
            cases=len(came),
        )


def _bins(said: Values, came: NDArray[np.bool_]) -> tuple[tuple[float, float, int], ...]:
    place = np.digitize(said, _BINS)
    return tuple(
        (float(said[place == k].mean()), float(came[place == k].mean()), int((place == k).sum()))
        for k in range(len(_BINS) + 1)
        if (place == k).any()
    )
