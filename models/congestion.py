"""Code concerned with congestion: speed ratio, travel-time index and the chance of each class, from speed and flow together.

The speed ratio is speed over free-flow speed, the travel-time index its inverse (PeMS; FHWA). Both are monotone in the
speed, so their quantiles are those of the speed, divided, and for the index mirrored. A class is a range of the ratio,
confirmed by the flow: few vehicles that are slow at an hour that is usually quiet do not make a jam. How speed and flow
hang together is a Gaussian copula whose correlation each sensor has shown.

Aggregates are ratios of sums over vehicles (travel time at free flow over travel time as driven), never means of ratios.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri, owens_t

from models.panel import Values
from services.domain import QUANTILE_LEVELS

LIMITS: Final = (0.5, 0.65, 0.85)
"""Speed ratios below which traffic is congested, slow, dense; at or above the last it flows freely."""
SLOWEST: Final = 0.01
"""Speed ratios below are taken as this: a travel-time index ends at 100."""

_FEW: Final = 0.05
"""Flows below this share of the capacity are few vehicles: in 15 minutes about ten on a lane, whose mean says little."""
_FREE_LEVEL: Final = 0.85
_CAPACITY_LEVEL: Final = 0.99
_WEEKS: Final = 4
_ENOUGH: Final = 96
_STRONGEST: Final = 0.95
_LEVELS: Final = np.array(QUANTILE_LEVELS)


class Congestion(IntEnum):
    """The classes of traffic, worst first; numbers are places in `LIMITS`, of which the first above the ratio counts."""

    CONGESTED = 0
    SLOW = 1
    DENSE = 2
    FREE = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Roads:
    """What is known about the roads at sensors, each of shape (sensors,), NaN where nothing is.

    Attributes:
        free_flow_kmh: as the device told, else estimated.
        is_estimated: which of them are estimated.
        capacity_vph: as the device told, else the flow that 1 % of the history exceeded.
        alike: correlation of the normal scores of speed and flow where flow is low.

    """

    free_flow_kmh: Values
    is_estimated: NDArray[np.bool_]
    capacity_vph: Values
    alike: Values

    @property
    def few_vph(self) -> Values:
        """Flows below it are few vehicles."""
        return _FEW * self.capacity_vph

    def told(self, free_flow_kmh: Values, capacity_vph: Values) -> Roads:
        """With what devices have told in the place of what was estimated; NaN where they have not."""
        is_told = np.isfinite(free_flow_kmh)
        return Roads(
            free_flow_kmh=np.where(is_told, free_flow_kmh, self.free_flow_kmh),
            is_estimated=self.is_estimated & ~is_told,
            capacity_vph=np.where(np.isfinite(capacity_vph), capacity_vph, self.capacity_vph),
            alike=self.alike,
        )


def roads(speed: Values, flow: Values, week: int) -> Roads:
    """Learn what devices may not tell from the history.

    The free-flow speed is the speed that 15 % exceed in the quieter half of the history.

    Args:
        speed: km/h, sensors x times, NaN where missing.
        flow: veh/h of the same sensors and times.
        week: steps of a week.

    """
    quiet = ~(flow > _level(flow, 0.5)[:, None])
    free = _level(np.where(quiet, speed, np.nan), _FREE_LEVEL)
    return Roads(
        free_flow_kmh=free,
        is_estimated=np.isfinite(free),
        capacity_vph=_level(flow, _CAPACITY_LEVEL),
        alike=_alike(np.where(quiet, speed, np.nan), np.where(quiet, flow, np.nan), week),
    )


def usual_flow(flow: Values, week: int, steps: int) -> Values:
    """The median flow at the times of the next steps in the last four weeks (sensors x steps), NaN where none is known.

    `steps` reach a week ahead at most.
    """
    if not flow.shape[1]:
        return np.full((len(flow), steps), np.nan)
    columns = flow.shape[1] + np.arange(steps) - week * np.arange(1, _WEEKS + 1)[:, None]
    found = np.where(columns >= 0, flow[:, np.maximum(columns, 0)], np.nan)
    return _level(found.transpose(0, 2, 1).reshape(-1, _WEEKS), 0.5).reshape(len(flow), steps)


def classes(ratio: Values, flow: Values, usual: Values, few: Values) -> NDArray[np.int64]:
    """The class of each measured speed ratio, -1 where it is missing.

    Args:
        ratio: speed over free-flow speed.
        flow: veh/h at the same time.
        usual: what flow is usual then.
        few: below this flow is few vehicles.

    """
    found = np.searchsorted(np.array(LIMITS), ratio, side="right")
    found = np.where((flow < few) & ~(usual >= few), int(Congestion.FREE), found)
    return np.where(np.isnan(ratio), -1, found)


def class_of(ratio: float) -> Congestion:
    """The class of one speed ratio on a road where vehicles are."""
    return Congestion(int(np.searchsorted(np.array(LIMITS), ratio, side="right")))


def chances(speed: Values, flow: Values, usual: Values, known: Roads) -> Values:
    """The chance of each class (classes x sensors x steps); it sums to 1, or is NaN where speed or free flow is.

    Args:
        speed: quantiles at `QUANTILE_LEVELS` (levels x sensors x steps).
        flow: those of the flow; NaN where it is not forecast, and then speed decides alone.
        usual: what flow is usual at the targets (sensors x steps).
        known: the roads.

    """
    below = np.stack([chance_below(speed, limit * known.free_flow_kmh[:, None]) for limit in LIMITS])
    few = known.few_vph[:, None]
    quiet = ~(usual >= few) & np.isfinite(flow[0]) & np.isfinite(few)
    if quiet.any():
        rare = chance_below(flow, few)[quiet]
        alike = np.broadcast_to(known.alike[:, None], quiet.shape)[quiet]
        for part in below:
            part[quiet] = np.maximum(part[quiet] - _both_below(part[quiet], rare, alike), 0.0)
        below = np.maximum.accumulate(below, axis=0)
    edges = np.concatenate([np.zeros((1, *below.shape[1:])), below, np.ones((1, *below.shape[1:]))])
    made = np.diff(edges, axis=0)
    return np.where(np.isnan(below).any(axis=0), np.nan, made)


def chance_below(quantiles: Values, limit: Values) -> Values:
    """The chance to lie below a limit; between quantiles linear, beyond them halved as often as the last two are apart.

    The tails pass through both outer quantiles of their side: the chance 0.1 at one and 0.05 at the next is 0.025 as far
    again beyond.

    Args:
        quantiles: at `QUANTILE_LEVELS` along the first axis, ascending.
        limit: of a shape that broadcasts to one of them.

    """
    result = np.zeros(np.broadcast_shapes(quantiles.shape[1:], limit.shape))
    outer = _LEVELS[0]
    for k, share in enumerate(np.diff(_LEVELS)):
        result = result + share * _way(quantiles[k], quantiles[k + 1], limit)
    low = _halved(quantiles[0] - limit, quantiles[1] - quantiles[0])
    high = _halved(limit - quantiles[-1], quantiles[-1] - quantiles[-2])
    inside = outer + result
    result = np.where(limit < quantiles[0], outer * low, np.where(limit > quantiles[-1], 1 - outer * high, inside))
    return np.asarray(np.where(np.isnan(quantiles[0]) | np.isnan(limit), np.nan, result))


def index_quantiles(ratios: Values) -> Values:
    """Quantiles of the travel-time index from those of the speed ratio, ascending along the first axis again."""
    return 1 / np.maximum(ratios, SLOWEST)[::-1]


def joint_ratio(speed: Values, free_flow_kmh: Values, flow: Values) -> Values:
    """The speed ratio of several roads together: travel time at free flow over travel time as driven, over all vehicles.

    Each detector stands for the same length of road. The travel-time index of them together is the inverse.

    Args:
        speed: km/h (sensors x times).
        free_flow_kmh: shape (sensors,).
        flow: veh/h (sensors x times); a missing flow counts as one vehicle.

    Returns:
        Shape (times,), NaN where no sensor has a speed.

    """
    known = np.isfinite(speed) & np.isfinite(free_flow_kmh)[:, None]
    weight = np.where(known, np.maximum(np.nan_to_num(flow), 1.0), 0.0)
    free = np.where(known, free_flow_kmh[:, None], 1.0)
    driven = (weight / np.maximum(np.where(known, speed, 1.0), SLOWEST * free)).sum(axis=0)
    return np.where(driven > 0, (weight / free).sum(axis=0) / np.where(driven > 0, driven, 1.0), np.nan)


def _way(low: Values, high: Values, limit: Values) -> Values:
    """How far a limit is on the way from one quantile to the next, 0 to 1."""
    width = high - low
    with np.errstate(invalid="ignore"):
        share = (limit - low) / np.where(width > 0, width, 1.0)
    return np.where(width > 0, np.clip(share, 0.0, 1.0), (limit >= high).astype(np.float64))


def _halved(beyond: Values, width: Values) -> Values:
    """One, halved for each `width` beyond; none is left beyond where the width is 0."""
    times = np.maximum(beyond, 0.0) / np.where(width > 0, width, 1.0)
    return np.where((width > 0) | (beyond <= 0), 0.5 ** np.minimum(times, 64.0), 0.0)


def _both_below(first: Values, second: Values, alike: Values) -> Values:
    """The chance that both lie below, from each one's chance and the correlation of their normal scores.

    Owen (1956), doi:10.1214/aoms/1177728074.
    """
    tiny = 1e-9
    h, k = (ndtri(np.clip(one, tiny, 1 - tiny)) for one in (first, second))
    h, k = (np.where(np.abs(one) < tiny, tiny, one) for one in (h, k))
    rest = np.sqrt(1 - alike**2)
    found = 0.5 * (ndtr(h) + ndtr(k)) - owens_t(h, (k / h - alike) / rest) - owens_t(k, (h / k - alike) / rest)
    found = found - np.where(h * k < 0, 0.5, 0.0)
    return np.asarray(np.clip(found, np.maximum(first + second - 1, 0.0), np.minimum(first, second)))


def _alike(speed: Values, flow: Values, week: int) -> Values:
    """The correlation of normal scores, from how often both changed in the same direction against a week before.

    Blomqvist's beta, Annals of Mathematical Statistics 21 (1950): rho = sin(beta pi / 2). Zero where little is known.
    """
    if speed.shape[1] <= week:
        return np.zeros(len(speed))
    both = np.sign(speed[:, week:] - speed[:, :-week]) * np.sign(flow[:, week:] - flow[:, :-week])
    known = np.isfinite(both)
    count = known.sum(axis=1)
    beta = np.where(known, both, 0.0).sum(axis=1) / np.maximum(count, 1)
    return np.clip(np.where(count >= _ENOUGH, np.sin(beta * np.pi / 2), 0.0), -_STRONGEST, _STRONGEST)


def _level(values: Values, level: float) -> Values:
    """The value of each row that a share `level` of its known values does not exceed, NaN where none is known."""
    if values.shape[1] == 0:
        return np.full(len(values), np.nan)
    ordered = np.sort(values, axis=1)
    last = np.isfinite(values).sum(axis=1) - 1
    place = np.maximum(np.round(last * level), 0).astype(np.int64)
    return np.where(last >= 0, ordered[np.arange(len(values)), place], np.nan)
