"""Code concerned with the next hour on a road network: a sensor's own last hour, and that of sensors up- and downstream.

What happens at the neighbours now is what happens here in some minutes: queues grow upstream, platoons move downstream.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.contract import bounded, last_finite
from models.network_inputs import REACH, Columns, Features, Inputs, Neighbours, believed, own_features, plausible
from models.panel import Panel, Values
from models.symmetric import solved
from models.usual_day import UsualDay

_HOUR_S: Final = 3600
_NOW: Final = 0.01  # penalty of the newest difference, where that of all others is 1
_WEEKS: Final = 12
_MOST_COLUMNS: Final = 2_000  # that correlations are taken from
_PRESENT: Final = 0.5
_HELD_BACK: Final = 0.25
_ALIKE: Final = 0.2
_GAIN: Final = 0.05
_ROOM: Final = 0.1
_BLOCK: Final = 20_000_000  # numbers of one block of features: 80 MB


@dataclass(frozen=True, kw_only=True, slots=True)
class Network:
    """Ridge regression of a sensor's difference from its usual day, on its own last hour and on its neighbours'.

    Features, all differences from the usual day: seven of the sensor's own last twelve steps, the newest one times the
    time of day, the course of the usual day over the leads, the time of day, and the last three steps of up to
    `neighbours` other sensors. The leads of one hour share a Gram matrix. Beyond an hour the last difference fades as
    the sensor's own differences do; other models are better there.

    Neighbours are the sensors whose differences correlate most in training, by 0.2 at least, among `near` where a road
    graph says who can matter. A sensor keeps its neighbours only if they lessen its squared error by 5 % on the last
    quarter of the training rows, held back for that; else it is forecast from its own past alone.

    One bad sensor spoils no other: a neighbour that is missing, stuck or far outside its range is replaced by what the
    sensor's own difference says about it (that, times their correlation), in training as in forecasting, so that a
    forecast beside a bad neighbour is the forecast beside an absent one. A sensor absent for half of the training is
    nobody's neighbour.

    Attributes:
        near: for each row the rows that can be its neighbours; None allows all.
        neighbours: how many at most.
        penalty: ridge penalty per row on standardised features.
        neighbour_penalty: times as much for those of neighbours.
        rows: from how many columns the regressions learn at most, evenly spread over the twelve weeks.

    Constants were chosen on two stretches inside the training part of Los-loop, with test figures printed beside them.

    """

    near: tuple[tuple[int, ...], ...] | None = None
    neighbours: int = 8
    penalty: float = 1.0
    neighbour_penalty: float = 2.0
    rows: int = 12_000
    name: str = "network"
    shifts: bool = True

    def fit(self, panel: Panel, steps: int) -> FittedNetwork:
        """Learn usual days, neighbours and coefficients from the newest twelve weeks."""
        recent = panel.since(max(0, panel.length - _WEEKS * 7 * panel.steps_per_day))
        leads = min(steps, max(1, _HOUR_S // panel.step_seconds))
        bounds = plausible(recent.values)
        values = believed(recent.values, bounds)
        usual, others = UsualDay.learn(recent, values)
        scale = _scale(values - others)
        inputs = Inputs.of(recent, values, others, scale)
        rows = np.arange(1, recent.length - leads + 1)
        rows = rows[:: max(1, -(-len(rows) // self.rows))]
        neighbours = self._neighbours(inputs)
        width = own_features(leads) + 3 * neighbours.which.shape[1]
        coefficients = np.zeros((recent.sensors, width, leads))
        kept = np.zeros(recent.sensors, dtype=np.bool_)
        size = max(1, _BLOCK // (width * max(1, len(rows))))
        for first in range(0, recent.sensors, size):
            some = slice(first, first + size)
            kept[some], coefficients[some] = self._block(inputs, rows, some, neighbours.some(some), leads)
        return FittedNetwork(
            usual=usual,
            scale=scale,
            bounds=bounds,
            shown=_shown(values),
            neighbours=neighbours.only(kept),
            coefficients=coefficients,
            fading=_fading(inputs.raw, leads),
        )

    def _neighbours(self, inputs: Inputs) -> Neighbours:
        """Those whose differences correlate most."""
        sensors, length = inputs.raw.shape
        count = max(0, min(self.neighbours, sensors - 1))
        columns = np.arange(0, length, max(1, -(-length // _MOST_COLUMNS)))
        heard = inputs.heard[:, inputs.heard.shape[1] - length :][:, columns]
        sample = np.where(heard, inputs.raw[:, columns], 0.0).astype(np.float32)
        norm = np.sqrt((sample**2).sum(axis=1))
        sound = (norm > 0) & (heard.sum(axis=1) >= _PRESENT * len(columns))
        sample /= np.where(sound, norm, 1.0)[:, None]
        which, alike = np.empty((sensors, count), dtype=np.int64), np.empty((sensors, count))
        for row in range(sensors):
            others = np.flatnonzero(sound) if self.near is None else np.array(self.near[row], dtype=np.int64)
            others = others[sound[others] & (others != row)]
            correlation = sample[others] @ sample[row]
            best = np.argsort(-correlation, kind="stable")[:count]
            best = best[correlation[best] >= _ALIKE]
            which[row], alike[row] = row, 0.0
            which[row, : len(best)], alike[row, : len(best)] = others[best], correlation[best]
        return Neighbours(which=which, alike=alike)

    def _block(
        self, inputs: Inputs, rows: Columns, some: slice, neighbours: Neighbours, leads: int
    ) -> tuple[NDArray[np.bool_], Values]:
        """Which of some sensors gain by their neighbours, and the coefficients of all of them."""
        features = inputs.features(rows, some, neighbours, leads)
        targets, known = inputs.targets(rows, some, leads)
        cut = int(len(rows) * (1 - _HELD_BACK))
        early, late = (
            _Sums.over(features[:, :, part], targets[:, :, part], known[:, :, part])
            for part in (slice(cut), slice(cut, None))
        )
        lost = []
        for beside in (np.ones(len(features), dtype=np.bool_), np.zeros(len(features), dtype=np.bool_)):
            learnt = self._solve(early, beside, leads)
            explained = np.matmul(learnt.transpose(0, 2, 1).astype(np.float32), features[:, :, cut:])
            missed = np.where(known[:, :, cut:], targets[:, :, cut:] - explained, np.float32(0))
            lost.append((missed.astype(np.float64) ** 2).sum(axis=(1, 2)))
        kept: NDArray[np.bool_] = lost[0] < (1 - _GAIN) * lost[1]
        return kept, self._solve(early.plus(late), kept, leads)

    def _solve(self, sums: _Sums, beside: NDArray[np.bool_], leads: int) -> Values:
        """Ridge coefficients of some sensors (sensors x features x leads), zero for neighbours of those not `beside` any.

        Each lead's right side is scaled to the weight of the Gram matrix.
        """
        own, features = own_features(leads), sums.gram.shape[1]
        counts = beside[:, None] | (np.arange(features) < own)
        size = np.sqrt(np.einsum("spp->sp", sums.gram) / np.maximum(sums.weight, 1)[:, None])
        size = np.where(counts & (size > 0), size, 1.0)
        shown = counts / size
        gram = sums.gram * shown[:, :, None] * shown[:, None, :]
        right = sums.right * shown[:, :, None]
        right *= np.where(sums.told > 0, sums.weight[:, None] / np.maximum(sums.told, 1), 0.0)[:, None, :]
        relative = np.ones(features)
        relative[own:] = self.neighbour_penalty
        relative[[0, own - 1]] = _NOW, 0.0
        index = np.arange(features)
        gram[:, index, index] += self.penalty * np.maximum(sums.weight, 1.0)[:, None] * relative + 1e-6
        return np.asarray(solved(gram, right) / size[:, :, None])


@dataclass(frozen=True, kw_only=True, slots=True)
class _Sums:
    """Of some sensors over rows: Gram matrices, right sides, weights, and how many targets of each lead are known.

    The Gram matrix counts each row by the share of its leads that are known.
    """

    gram: Values
    right: Values
    weight: Values
    told: NDArray[np.int64]

    @classmethod
    def over(cls, features: Features, targets: Features, known: NDArray[np.bool_]) -> _Sums:
        """From features (sensors x features x rows) and targets (sensors x leads x rows)."""
        share = known.mean(axis=1, dtype=np.float32)
        return cls(
            gram=np.matmul(features * share[:, None], features.transpose(0, 2, 1)).astype(np.float64),
            right=np.matmul(features, targets.transpose(0, 2, 1)).astype(np.float64),
            weight=share.sum(axis=1).astype(np.float64),
            told=known.sum(axis=2),
        )

    def plus(self, other: _Sums) -> _Sums:
        """Over the rows of both."""
        return _Sums(
            gram=self.gram + other.gram,
            right=self.right + other.right,
            weight=self.weight + other.weight,
            told=self.told + other.told,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class FittedNetwork:
    """Usual days, neighbours and coefficients (sensors x features x leads); `fading` is per step (sensors,).

    `bounds` are of what is believed, `shown` of what is forecast.
    """

    usual: UsualDay
    scale: Values
    bounds: tuple[Values, Values]
    shown: tuple[Values, Values]
    neighbours: Neighbours
    coefficients: Values
    fading: Values

    def forecast(self, panel: Panel, steps: int) -> Values:
        """What is usual plus the predicted difference, within what the sensor has shown."""
        leads = self.coefficients.shape[2]
        recent = panel.since(max(0, panel.length - REACH))
        values = believed(recent.values, self.bounds)
        usual = self.usual.at(recent, 0, recent.length + max(steps, leads))
        result = usual[:, recent.length : recent.length + steps].copy()
        if recent.length:
            inputs = Inputs.of(recent, values, usual, self.scale)
            features = inputs.features(np.array([recent.length]), slice(None), self.neighbours, leads)[:, :, 0]
            ahead = np.einsum("np,npl->nl", features.astype(np.float64), self.coefficients)
            later = ahead[:, -1:] * self.fading[:, None] ** np.arange(1, steps - leads + 1)
            result += np.hstack([ahead, later])[:, :steps] * self.scale[:, None]
        result = np.clip(result, self.shown[0][:, None], self.shown[1][:, None])
        return bounded(np.where(np.isnan(result), last_finite(panel.values)[:, None], result), panel)


def _scale(differences: Values) -> Values:
    """Each sensor's mean absolute difference from its usual day, 1 where there is none."""
    known = np.isfinite(differences)
    size = np.where(known, np.abs(differences), 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return np.where(size > 0, size, 1.0)


def _shown(values: Values) -> tuple[Values, Values]:
    """A tenth of its range beyond what a sensor has shown, without end where it has shown nothing."""
    known = np.isfinite(values)
    low = np.where(known, values, np.inf).min(axis=1, initial=np.inf)
    high = np.where(known, values, -np.inf).max(axis=1, initial=-np.inf)
    seen = known.any(axis=1)
    room = _ROOM * np.where(seen, high - low, 0.0) if len(values) else high
    return np.where(seen, low - room, -np.inf), np.where(seen, high + room, np.inf)


def _fading(raw: Values, leads: int) -> Values:
    """What is left of a difference after one step, from its correlation over the leads of an hour; shape (sensors,)."""
    now, later = raw[:, : max(0, raw.shape[1] - leads)], raw[:, leads:]
    both = np.isfinite(now) & np.isfinite(later)
    now, later = np.where(both, now, 0.0), np.where(both, later, 0.0)
    norm = (now**2).sum(axis=1)
    left = (now * later).sum(axis=1) / np.where(norm > 0, norm, 1.0)
    return np.asarray(np.clip(left, 0.0, 0.99) ** (1 / leads))
