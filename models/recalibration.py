"""Code concerned with chances of congestion that come true as often as they say.

Quantiles that hold what they promise on the whole still say too much where a road is far from its usual state: extremes
pass, and the longer ahead, the more of them. So the logit of each cumulated chance is shifted and stretched for the whole
city, both changing with the logarithm of the lead time, learnt by logistic regression on the validation origins of
selection, which the models had not seen (Platt 1999; Cox, Biometrika 45, 1958, doi:10.1093/biomet/45.3-4.562). Where the
history shows habits (`models.habits`), the logit of their share is added, weighed by the same regression.

A week of validation holds few days with jams, and one week is not like the next. So what earlier learnings have seen is
remembered as a quadratic around what they found (Laplace's approximation of their likelihood) and fades: half of it in
eight weeks. A learning that follows soon looks at days the last one saw as well, so it adds as much as is new.

Nor may the intervals have seen them: those that were calibrated on the very errors they are judged by are too narrow by
just what is to be learnt. So the origins that came since the last learning are judged by intervals from those before, as
they were issued then (Dawid, J. R. Stat. Soc. A 147, 1984, doi:10.2307/2981683). Where there is nothing before, all are cut
into blocks of days that follow each other, and the chances of each are worked out with intervals from the others (Stone,
J. R. Stat. Soc. B 36, 1974; blocks because neighbouring origins share their errors: Burman, Chow, Nolan, Biometrika 81,
1994, doi:10.1093/biomet/81.2.351).

Blocks, change with lead time and memory were chosen on 20 and 26 weeks before the Berlin test part: chances above 30 %
were 3.3, 2.3 and 3.1 points from how often congestion came at +1, +6 and +24 h, without the memory 2.1, 4.3 and 6.3, at an
equal or lower ranked probability score. Halves of 4 or 26 weeks did as well; beta calibration, a bend at even chances and
two or seven blocks no better, coefficients for bands of lead times worse (3.2, 4.9, 3.2).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit

from models.conformal import Conformal, calibrate
from models.congestion import LIMITS, Congestion, Roads, chances, classes, usual_flow
from models.few_days import as_issued
from models.habits import LEAST_DAYS, Habits, local_hours
from models.panel import Panel, Values
from models.regimes import regimes
from models.selection import Selected, random_walk
from services.domain import QUANTILE_LEVELS

_LEADS: Final = 8  # that are looked at
_BLOCKS: Final = 4  # of the validation origins
_PRIOR: Final = 20.0  # forecasts' worth of trust in the chances as they are
_CONVERGED: Final = 1e-6
_STEPS: Final = 25  # of Newton's method; it converges in fewer than ten
_HALVINGS: Final = 12  # of one step, at most
_SUREST: Final = 1e-3  # no chance is taken as surer than this
_LEAST_STRETCH: Final = 0.1
_WEEK_DAYS: Final = 7
_HALF_LIFE_US: Final = 56 * 86_400_000_000
_START: Final = np.array([0.0, 1.0, 0.0, 0.0])  # leaves chances as they are
_OF_HABITS: Final = 2  # coefficients more where habits are known


@dataclass(frozen=True, kw_only=True, slots=True)
class Memory:
    """What has been learnt up to `until_us`: a quadratic for each of `LIMITS`, by its bend and its pull at the origin.

    `bend` has a square of coefficients for each limit, `pull` a row of them.
    """

    bend: Values
    pull: Values
    until_us: int

    def faded(self, until_us: int) -> Memory:
        """As much of it as counts at a later time."""
        left = 0.5 ** (max(0, until_us - self.until_us) / _HALF_LIFE_US)
        return Memory(bend=left * self.bend, pull=left * self.pull, until_us=until_us)

    @property
    def size(self) -> int:
        """How many coefficients it is about."""
        return int(self.pull.shape[1])

    @classmethod
    def empty(cls, until_us: int = 0, size: int = len(_START)) -> Memory:
        """Nothing learnt yet."""
        return cls(bend=np.zeros((len(LIMITS), size, size)), pull=np.zeros((len(LIMITS), size)), until_us=until_us)


@dataclass(frozen=True, kw_only=True, slots=True)
class Recalibration:
    """Of the logits of the chances to lie below each of `LIMITS` (limits x 4): shift, stretch, how these change.

    The third is the change of the stretch and the fourth that of the shift per logarithm of the lead time, 0 at the middle
    of 1 to `horizon` steps and 1 between its ends. Where habits were known there are two more: how much of the logit of
    their share is added, and how this changes. `memory` is what the next learning begins with.
    """

    coefficients: Values
    horizon: int
    memory: Memory | None = None

    def applied(self, found: Values, leads: NDArray[np.int64], usual: Values | None = None) -> Values:
        """Better chances (classes x …) from chances; they sum to 1 again. What was impossible or certain stays so.

        Args:
            found: the chances.
            leads: steps ahead from 0, of a shape that broadcasts to that of the chances of one class.
            usual: the shares of habits then (limits x …), where they are known.

        """
        below = np.cumsum(found, axis=0)[: len(LIMITS)]
        shape = (len(LIMITS),) + (1,) * (found.ndim - 1)
        shift, stretch, change, drift, *of_habits = (column.reshape(shape) for column in self.coefficients.T)
        later = _later(leads, self.horizon)
        shift, stretch = shift + drift * later, np.maximum(stretch + change * later, _LEAST_STRETCH)
        if of_habits and usual is not None:
            weight, growth = of_habits
            shift = shift + (weight + growth * later) * _logit(usual)
        better = expit(shift + stretch * _logit(below))
        better = np.where(below <= 0, 0.0, np.where(below >= 1, 1.0, better))
        better = np.maximum.accumulate(np.where(np.isnan(below), np.nan, better), axis=0)
        edges = np.concatenate([np.zeros((1, *found.shape[1:])), better, np.ones((1, *found.shape[1:]))])
        made = np.diff(edges, axis=0)
        return np.asarray(np.where(np.isnan(found).any(axis=0), np.nan, made))


def recalibrated(
    found: Values,
    happened: NDArray[np.int64],
    leads: NDArray[np.int64],
    horizon: int,
    weight: float = 1.0,
    before: Memory | None = None,
    usual: Values | None = None,
) -> Recalibration:
    """Learn from chances (classes x cases) and the classes that happened (cases,), `leads` steps ahead from 0 (cases,).

    `weight` is what one case counts: less than one where cases tell nearly the same. `before` is what else is known, of as
    many coefficients as are learnt. `usual` are the shares of habits (limits x cases), where they are known.
    """
    memory = before or Memory.empty(size=len(_START) + (0 if usual is None else _OF_HABITS))
    logits = _logit(np.cumsum(found, axis=0)[: len(LIMITS)])
    later = _later(leads, horizon)
    made = []
    for k in range(len(LIMITS)):
        features = [np.ones_like(logits[k]), logits[k], logits[k] * later, later]
        if usual is not None:
            habit = _logit(usual[k])
            features += [habit, habit * later]
        came = (happened <= k).astype(np.float64)
        made.append(_fitted(np.stack(features, axis=1), came, weight, memory.bend[k], memory.pull[k]))
    coefficients, bend, pull = (np.stack(part) for part in zip(*made, strict=True))
    return Recalibration(
        coefficients=coefficients,
        horizon=horizon,
        memory=Memory(bend=bend, pull=pull, until_us=memory.until_us),
    )


def from_validation(
    known: Roads,
    speed: Panel,
    speeds: Selected,
    flow: Panel | None,
    flows: Selected | None,
    before: Recalibration | None = None,
) -> Recalibration | None:
    """Learn from the validation origins of what was selected for speed and flow; where there are none `before` stays.

    Habits are those shown before the first origin that is judged, where that is long enough after the panel begins.

    Args:
        known: the roads at the sensors of `speed`.
        speed: the panel that `speeds` was selected on.
        speeds: the models of speed, with their errors on the validation origins.
        flow: the same for the flow, of any sensors and any start; None where no flow is known.
        flows: the models of flow.
        before: what was learnt of these roads earlier; of another horizon, or of a time yet to come, it is not used.

    """
    if not len(speeds.origins_us):
        return before
    steps, newest_us = speeds.errors.shape[2], int(speeds.origins_us[-1])
    columns = (speeds.origins_us - speed.start_us) // speed.step_us
    with_habits = bool(columns[0] >= LEAST_DAYS * speed.steps_per_day)
    size = len(_START) + (_OF_HABITS if with_habits else 0)
    memory = _remembered(before, steps, newest_us, size)
    judged = _judged(speeds.origins_us, memory)
    leads = np.unique(np.linspace(0, steps - 1, _LEADS).astype(np.int64))
    carried = np.full((speed.sensors, speed.length), np.nan) if flow is None else aligned([flow], speed)
    begin = int(columns[judged[0]]) if len(judged) else 0
    habits = Habits.of(speed.cut(begin), carried[:, :begin], known) if with_habits and len(judged) else None
    since_us = int(speeds.origins_us[judged[0]]) if len(judged) < len(columns) and len(judged) else None
    slow = _apart(speeds, speed, since_us)
    many = None if flow is None or flows is None else _apart(flows, flow, since_us)
    cases = []
    for k in judged:
        origin = int(columns[k])
        ahead = leads[origin + leads < speed.length]
        expected = _quantiles(speeds, slow[k], k, speed, origin)[:, :, ahead]
        carry = _carried(flow, flows, many, speed, int(speeds.origins_us[k]), steps)[:, :, ahead]
        cases.append(_cases(origin, ahead, (expected, carry), (speed, carried), known, habits))
    if not any(len(one.happened) for one in cases) and memory is None:
        return before
    none = np.empty(0, dtype=np.int64)
    return recalibrated(
        np.concatenate([np.empty((len(Congestion), 0)), *(one.found for one in cases)], axis=1),
        np.concatenate([none, *(one.happened for one in cases)]),
        np.concatenate([none, *(one.ahead for one in cases)]),
        steps,
        _share(speeds.origins_us, judged, memory) / len(leads),
        Memory.empty(newest_us, size) if memory is None else memory.faded(newest_us),
        np.concatenate([np.empty((len(LIMITS), 0)), *(one.usual for one in cases)], axis=1) if with_habits else None,
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Cases:
    """What would have been said at one origin, and what happened; `usual` has no rows where habits are not known."""

    found: Values
    happened: NDArray[np.int64]
    ahead: NDArray[np.int64]
    usual: Values


def _cases(
    origin: int,
    ahead: NDArray[np.int64],
    said: tuple[Values, Values],
    seen: tuple[Panel, Values],
    known: Roads,
    habits: Habits | None,
) -> _Cases:
    """Those of all sensors at the targets `ahead` of an origin, from quantiles and values of speed and flow."""
    (speed, flow), steps = seen, int(ahead[-1]) + 1 if len(ahead) else 0
    before = usual_flow(flow[:, :origin], _WEEK_DAYS * speed.steps_per_day, steps)[:, ahead]
    found = chances(*said, before, known)
    ratio = speed.values[:, origin + ahead] / known.free_flow_kmh[:, None]
    happened = classes(ratio, flow[:, origin + ahead], before, known.few_vph[:, None])
    told = (happened >= 0) & np.isfinite(found[0])
    shares = np.empty((0, *told.shape)) if habits is None else habits.at(local_hours(speed, origin, steps)[ahead])
    return _Cases(
        found=found[:, told],
        happened=happened[told],
        ahead=np.broadcast_to(ahead, told.shape)[told],
        usual=shares[:, told],
    )


def _remembered(before: Recalibration | None, steps: int, newest_us: int, size: int) -> Memory | None:
    """What an earlier learning of as many steps and coefficients has left, if it was not later than now."""
    memory = None if before is None or before.horizon != steps else before.memory
    return None if memory is None or memory.until_us > newest_us or memory.size != size else memory


def _judged(origins_us: NDArray[np.int64], memory: Memory | None) -> NDArray[np.int64]:
    """Places of the origins that were not looked at before, where enough precede them to know intervals; else all."""
    every = np.arange(len(origins_us))
    if memory is None or (origins_us <= memory.until_us).sum() < 2 * _BLOCKS:
        return every
    return every[origins_us > memory.until_us]


def _share(origins_us: NDArray[np.int64], judged: NDArray[np.int64], memory: Memory | None) -> float:
    """Which share of what is judged the memory has not seen."""
    span = int(origins_us[-1] - origins_us[0])
    if memory is None or len(judged) < len(origins_us) or not span:
        return 1.0
    return min(1.0, (int(origins_us[-1]) - memory.until_us) / span)


def aligned(panels: Sequence[Panel], like: Panel) -> Values:
    """The rows of the sensors of `like` over its times, from panels of the same step; the last that has one counts."""
    made = np.full((like.sensors, like.length), np.nan)
    place = {name: k for k, name in enumerate(like.names)}
    for panel in panels:
        both = [(place[name], k) for k, name in enumerate(panel.names) if name in place]
        offset = int((panel.start_us - like.start_us) // like.step_us)
        first, last = max(0, offset), min(like.length, offset + panel.length)
        if both and last > first:
            mine, theirs = (np.array(rows) for rows in zip(*both, strict=True))
            made[mine, first:last] = panel.values[theirs, first - offset : last - offset]
    return made


def _apart(selected: Selected, panel: Panel, since_us: int | None) -> list[Conformal]:
    """For each validation origin intervals from other errors: of what came before `since_us`, else of other blocks.

    From all errors where there are hardly any.
    """
    count, _, steps = selected.errors.shape
    if count < 2 * _BLOCKS:
        return [selected.conformal] * count
    origins = (selected.origins_us - panel.start_us) // panel.step_us
    kinds = regimes(panel, 0, panel.length + steps)[origins[:, None] + np.arange(steps)]
    errors, typical = selected.errors.astype(np.float64), random_walk(panel, steps)

    def of(places: NDArray[np.int64]) -> Conformal:
        learnt = calibrate(errors[places], typical, regimes=kinds[places])
        return as_issued(learnt, errors[places], origins[places], day=panel.steps_per_day)

    every = np.arange(count)
    if since_us is not None:
        return [of(every[selected.origins_us < since_us])] * count
    made: list[Conformal] = []
    for block in np.array_split(every, _BLOCKS):
        made += [of(np.setdiff1d(every, block))] * len(block)
    return made


def _quantiles(selected: Selected, conformal: Conformal, k: int, panel: Panel, origin: int) -> Values:
    """What would have been issued at a validation origin: what was observed there, less the error, and its intervals."""
    steps = selected.errors.shape[2]
    truth = np.full((panel.sensors, steps), np.nan)
    seen = panel.values[:, origin : origin + steps]
    truth[:, : seen.shape[1]] = seen
    points = truth - selected.errors[k]
    return conformal.around(points, nonnegative=panel.nonnegative, regimes=regimes(panel, origin, steps))


def _carried(
    flow: Panel | None,
    flows: Selected | None,
    conformal: list[Conformal] | None,
    speed: Panel,
    moment_us: int,
    steps: int,
) -> Values:
    """The same for the flow, in the rows of the speed; NaN where no flow was forecast then."""
    made = np.full((len(QUANTILE_LEVELS), speed.sensors, steps), np.nan)
    if flow is None or flows is None or conformal is None or moment_us not in flows.origins_us:
        return made
    k = int(np.flatnonzero(flows.origins_us == moment_us)[0])
    found = _quantiles(flows, conformal[k], k, flow, int((moment_us - flow.start_us) // flow.step_us))
    place = {name: row for row, name in enumerate(speed.names)}
    rows = [(place[name], row) for row, name in enumerate(flow.names) if name in place]
    if rows:
        mine, theirs = (np.array(some) for some in zip(*rows, strict=True))
        made[:, mine] = found[:, theirs]
    return made


def _later(leads: NDArray[np.int64], horizon: int) -> Values:
    """How late steps ahead from 0 are among `horizon` ones, by the logarithm: -0.5 to 0.5."""
    return np.asarray(np.log1p(leads) / np.log(max(horizon, 2)) - 0.5)


def _logit(chance: Values) -> Values:
    """Of chances that are no surer than `_SUREST`."""
    return np.asarray(logit(np.clip(chance, _SUREST, 1 - _SUREST)))


def _fitted(
    features: Values, happened: Values, weight: float, bend: Values, pull: Values
) -> tuple[Values, Values, Values]:
    """Logistic regression of what happened on features (cases x coefficients), held by the prior to chances as they are.

    `bend` and `pull` are what was known before; returned are the coefficients, and what is known now.
    """
    size = len(pull)
    start, prior = np.pad(_START, (0, size - len(_START))), _PRIOR * np.eye(size)

    def loss(at: Values) -> float:
        logits, off = features @ at, at - start
        unlikely = np.logaddexp(0, logits).sum() - happened @ logits
        return float(weight * unlikely + off @ prior @ off / 2 + at @ bend @ at / 2 - pull @ at)

    found = np.linalg.solve(bend + prior, pull + prior @ start)
    gain, curve = np.zeros_like(found), np.zeros_like(bend)
    for _ in range(_STEPS):
        expected = expit(features @ found)
        gain = weight * features.T @ (happened - expected)
        curve = weight * (features * (expected * (1 - expected))[:, None]).T @ features
        slope = gain - prior @ (found - start) - bend @ found + pull
        step = np.linalg.solve(curve + bend + prior, slope)
        if np.abs(step).max() < _CONVERGED:
            break
        now = loss(found)
        for _ in range(_HALVINGS):  # where jams are rare a whole step can lead far astray
            if loss(found + step) <= now:
                break
            step = step / 2
        found = found + step
    return found, bend + curve, pull + curve @ found + gain
