"""Code concerned with profile + ridge: what is usual, plus what the last hours and days say about today's difference.

The default of the platform for hourly and quarter-hourly counts, speeds and loads. Closed form, all sensors at once.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from math import ceil, prod
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.contract import bounded
from models.leads import bands
from models.panel import Panel, Values
from models.profile import Usual, usual_before
from models.symmetric import solved

_LAG_STEPS: Final = (0, 1, 2, 3)
_LAG_HOURS: Final = (1, 2, 3, 5, 11)
_MEAN_HOURS: Final = (3, 6, 24, 72, 168)
_DAYS_BACK: Final = (1, 2, 3, 4, 5, 6, 7)
_DAYS_EXACT: Final = (1, 7)
_REACH_DAYS: Final = 8  # no feature looks further back
_FIRST: Final = 7  # features by which it is first judged which rows to believe
_GROUP_HOURS: Final = 4
_WEEKEND: Final = 5
_HOLD_STEPS: Final = 3
_HOLD: Final = 0.9
_BAND_S: Final = 4 * 3600
_HOUR_S: Final = 3600
_FAR_HOURS: Final = 12.0
_GROUP_SHARE: Final = 0.3
_PRIOR_HOURS: Final = 300.0  # hours of history it takes, half a day ahead, to believe in a difference from the profile
_GROUP_PRIOR_HOURS: Final = 200.0  # the same for a part of the day against the whole day
_NEAR_HOURS: Final = 2.0  # ahead, up to which at steps below an hour the newest difference counts nearly as it is
_NEWEST: Final = 0.01  # its penalty per row there, where that of all others is 1
_NEWEST_PRIOR: Final = 0.03  # the same for the rows' worth besides
_ROWS_PER_DAY: Final = 48
_GROUPS: Final = 2 * 24 // _GROUP_HOURS  # parts of a day, for working days and for weekends
_LITTLE: Final = 1e-6
_FEW: Final = 8  # times as many columns as rows, from which means are taken for the rows alone
_BLOCK: Final = 4_000_000  # numbers of one block of features: 16 MB

Features = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, slots=True)
class ProfileRidge:
    """Direct ridge regression of a sensor's difference from its profile at each lead time.

    Assumes that a difference from the usual persists and fades, and that its pattern may repeat after days and a week.
    Features of one sensor, all differences: the newest steps, those 1 to 11 hours before, means of 3 to 168 hours, and
    the target's own time one to seven days back. One regression per lead time; bands of lead times share a Gram matrix.
    Fitted by reweighted least squares towards least absolute error, so a broken hour does not bend it, and then once
    more, shrunk, for each part of the day and weekend.

    Attributes:
        weeks: days of one type that a profile's median takes.
        penalty: ridge penalty per row on standardised features.

    Constants were chosen on the Berlin recording before its test part: `weeks`, `penalty` and the reweighting on
    the validation part (May to July 2024), the priors in hours on four stretches of 14 to 84 days of the training part.

    At steps below an hour the newest difference is nearly all that is to be known of the next, and a ridge that spreads its
    weight over what came before it loses to the last value. There it is penalised a hundredth as much, for leads of up to
    two hours, and leads below an hour are believed no sooner than that of an hour. On the last fifth of what precedes the
    test parts the next step errs 38 % less on GB load, 9 % on taxi trips, 11 % on travel times and 41 % on Los-loop, that of
    an hour 19, 5, 1 and 1 %; occupancy and speeds in Minnesota change by 1 % at most. At hourly steps it gained nothing
    (Berlin, M_DENSE), so nothing is changed there.

    Notes:
        A missing difference fades to zero among the features and does not count at all as a target. Sensors with few
        rows shrink to the profile.

    """

    weeks: int = 12
    penalty: float = 0.05
    name: str = "profile_ridge"
    shifts: bool = True

    def fit(self, panel: Panel, steps: int) -> FittedProfileRidge:
        """Solve all regressions, block by block of sensors."""
        return self.fit_at(panel, (panel.length,), steps)[0]

    def fit_at(self, panel: Panel, ends: Sequence[int], steps: int) -> list[FittedProfileRidge]:
        """Fits that share profile, features and Gram matrices.

        Later fits weight rows as the first does.
        """
        whole = panel.cut(ends[-1])
        past = usual_before(whole, 0, self.weeks)
        usuals = [Usual.continued(past, panel.cut(end), self.weeks) for end in ends]
        raw = whole.values - past
        scale = _scale(raw)  # a unit and nothing more: what is learnt does not depend on it
        differences = _Differences.of(raw, scale, whole)
        rows = _training_rows(whole)
        bands_of_leads = bands(steps, max(1, _BAND_S // panel.step_seconds))
        features = max((len(_columns(panel, band)) + 1 + len(band) for band in bands_of_leads), default=1)
        width = max(1, _BLOCK // max(1, len(rows) * features))
        room = np.empty(min(width, panel.sensors) * len(rows) * features, dtype=np.float32)
        blocks = [differences.some(slice(k, k + width)) for k in range(0, panel.sensors, width)]
        coefficients: list[list[Features]] = [[] for _ in ends]
        for band in bands_of_leads:
            runs = _Runs.of(whole, rows, band, ends)
            solved = [_solve(block, whole, runs, band, self.penalty, room) for block in blocks]
            for made, parts in zip(coefficients, zip(*solved, strict=True), strict=False):
                made.append(np.concatenate(parts, axis=1))
        return [
            FittedProfileRidge(
                usual=usual.newest(_REACH_DAYS * panel.steps_per_day, panel.cut(end)),
                scale=scale,
                coefficients=tuple(made),
                leads=tuple(bands_of_leads),
                limits=_limits(panel.values[:, :end]),
            )
            for end, usual, made in zip(ends, usuals, coefficients, strict=True)
        ]


@dataclass(frozen=True, kw_only=True, slots=True)
class FittedProfileRidge:
    """Coefficients per band of lead times: groups x sensors x features x leads of the band."""

    usual: Usual
    scale: Values
    coefficients: tuple[NDArray[np.floating[Any]], ...]
    leads: tuple[range, ...]
    limits: tuple[Values, Values]

    def light(self) -> FittedProfileRidge:
        """With coefficients in half precision, of which there are most, and what is usual in single precision.

        They lie in memory as when they have been kept and fetched again, so that sums are rounded the same way. Coefficients
        are far below the limit of 65,504. On M_DENSE and Berlin it moves forecasts by 0.00001 of the width of their 90 %
        intervals, 0.0002 at most.
        """
        usual: NDArray[Any] = self.usual.values.astype(np.float32)
        return replace(
            self,
            usual=replace(self.usual, values=usual),
            coefficients=tuple(one.astype(np.float16, order="C") for one in self.coefficients),
        )

    def forecast(self, panel: Panel, steps: int) -> Values:
        """What is usual plus the predicted difference, kept near the range the sensor has ever shown."""
        return np.asarray(self.rolling(panel, np.array([panel.length]), steps)[0])

    def rolling(self, panel: Panel, origins: NDArray[np.int64], steps: int) -> Values:
        """As `forecast` from each origin, with what came before it."""
        result = self.usual.rolling(panel, origins, steps)
        if panel.length and len(origins):
            begin = max(0, int(origins.min()) - _REACH_DAYS * panel.steps_per_day)
            recent = panel.cut(int(origins.max())).since(begin)
            usual = self.usual.before(panel.cut(int(origins.max())), begin)
            differences = _Differences.of(recent.values - usual, self.scale, recent)
            width = max(1, _BLOCK // max(1, panel.sensors * 64 * 16))
            for first in range(0, len(origins), width):
                some = slice(first, first + width)
                self._add(result[some], differences, recent, origins[some] - begin - 1)
        low, high = self.limits
        kept = np.clip(result, low[:, None], high[:, None])
        return bounded(np.where(np.isnan(low)[:, None], result, kept), panel)

    def _add(self, result: Values, differences: _Differences, recent: Panel, newest: NDArray[np.int64]) -> None:
        """Add the predicted difference after each of the columns `newest` to what is usual."""
        steps = result.shape[2]
        for band, coefficients in zip(self.leads, self.coefficients, strict=True):
            if band.start >= steps:
                break
            features = differences.features(recent, newest, band).transpose(2, 0, 1)
            own = coefficients[_groups(recent, newest, band)].astype(np.float32, copy=False)
            step = np.matmul(features[:, :, None], own)[:, :, 0] * self.scale[:, None]
            result[:, :, band.start : band.stop] += step[:, :, : steps - band.start]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Runs:
    """Rows of one band in runs: by which of the ends first knows all their targets, then by group.

    `edges` are where the runs begin and the last ends.
    """

    rows: NDArray[np.int64]
    edges: NDArray[np.int64]

    @classmethod
    def of(cls, panel: Panel, rows: NDArray[np.int64], band: range, ends: Sequence[int]) -> _Runs:
        usable = rows[rows + band.stop < ends[-1]]
        stage = np.searchsorted(np.array(ends) - band.stop, usable, side="right")
        key = stage * _GROUPS + _groups(panel, usable, band)
        order = np.argsort(key, kind="stable")
        edges = np.searchsorted(key[order], np.arange(len(ends) * _GROUPS + 1))
        return cls(rows=usable[order], edges=edges)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Differences:
    """Scaled differences from the profile, padded at the front, and the running sums of those that are known.

    A missing difference fades from the one before for some steps, so that a reading that is a moment late does not
    wipe out what is known about now; after that it is zero. In `heard`, which is not padded, it is zero at once; `known` is
    1 where there is one.
    """

    values: Features
    heard: Features
    known: Features
    sums: Values
    counts: Values
    pad: int
    means: dict[int, Features] = field(default_factory=dict)

    @classmethod
    def of(cls, raw: Values, scale: Values, panel: Panel) -> _Differences:
        pad = _REACH_DAYS * panel.steps_per_day
        known = np.isfinite(raw)
        values = np.zeros((raw.shape[0], raw.shape[1] + pad))
        values[:, pad:] = np.where(known, raw, 0.0) / scale[:, None]
        heard = values[:, pad:].astype(np.float32)
        sums = np.zeros((raw.shape[0], raw.shape[1] + pad + 1))
        np.cumsum(values, axis=1, out=sums[:, 1:])
        held = known.copy()
        for _ in range(_HOLD_STEPS):
            hole = ~held[:, 1:] & held[:, :-1]
            values[:, pad + 1 :][hole] = _HOLD * values[:, pad:-1][hole]
            held[:, 1:] |= hole
        counts = np.zeros_like(sums)
        np.cumsum(known, axis=1, out=counts[:, pad + 1 :])
        return cls(
            values=values.astype(np.float32),
            heard=heard,
            known=known.astype(np.float32),
            sums=sums,
            counts=counts,
            pad=pad,
        )

    def some(self, sensors: slice) -> _Differences:
        """Those of some sensors."""
        return _Differences(
            values=self.values[sensors],
            heard=self.heard[sensors],
            known=self.known[sensors],
            sums=self.sums[sensors],
            counts=self.counts[sensors],
            pad=self.pad,
        )

    def features(
        self, panel: Panel, newest: NDArray[np.int64], band: range, more: int = 0, room: Features | None = None
    ) -> Features:
        """What could be known when column `newest` was the latest: sensors x (features, a one and `more`) x rows.

        It lies in `room` where that is given.
        """
        columns = _columns(panel, band)
        shape = (len(columns) + 1 + more, len(self.values), len(newest))
        made = np.empty(shape, dtype=np.float32) if room is None else room[: prod(shape)].reshape(shape)
        last = newest + self.pad
        for k, (near, far) in enumerate(columns):
            width = far + 1 - near
            if width > 1 and _FEW * len(last) < self.values.shape[1]:
                first, end = last - far, last - near + 1
                count = np.maximum(self.counts[:, end] - self.counts[:, first], 1.0)
                made[k] = (self.sums[:, end] - self.sums[:, first]) / count
            else:
                np.take(self._means(width), last - near, axis=1, out=made[k], mode="clip")
        made[len(columns)] = 1.0
        return made.transpose(1, 0, 2)

    def _means(self, width: int) -> Features:
        """The mean of what is known of each column and those before it, `width` in all; right where there are as many."""
        if width == 1:
            return self.values
        if width not in self.means:
            total = self.sums[:, width:] - self.sums[:, :-width]
            total /= np.maximum(self.counts[:, width:] - self.counts[:, :-width], 1.0)
            self.means[width] = np.zeros(self.values.shape, dtype=np.float32)
            self.means[width][:, width - 1 :] = total
        return self.means[width]


def _columns(panel: Panel, band: range) -> list[tuple[int, int]]:
    """The features of a band as windows (nearest, farthest) of steps back from the newest; equal ends are one step.

    Those that say most come first: the newest step, the means of six hours to a week, the target's time the day before.
    """
    hour = 3600 / panel.step_seconds
    single = sorted({*_LAG_STEPS, *(ceil(hours * hour) for hours in _LAG_HOURS)})
    windows = [(0, 0), *((0, max(1, round(hours * hour)) - 1) for hours in reversed(_MEAN_HOURS))]
    centre = (band.start + band.stop - 1) // 2
    around = max(1, round(hour))
    for days in _DAYS_BACK:
        back = days * panel.steps_per_day - 1 - centre
        if back >= 0:
            windows.append((max(0, back - around), back + around))
    windows += [(lag, lag) for lag in single]
    for days in _DAYS_EXACT:
        exact = (days * panel.steps_per_day - 1 - lead for lead in range(band.start, band.stop, around))
        windows += [(lag, lag) for lag in exact if lag >= 0]
    return list(dict.fromkeys(windows))


def _groups(panel: Panel, newest: NDArray[np.int64], band: range) -> NDArray[np.int64]:
    """The part of the local day of the newest column, and whether the target of the band's centre is a weekend."""
    if not len(newest):
        return newest
    centre = (band.start + band.stop - 1) // 2
    first = int(newest[0])
    span = int(newest[-1]) - first + 2 + centre
    days, slots = panel.local(first, span)
    part: NDArray[np.int64] = slots[newest - first] * panel.step_seconds // (_GROUP_HOURS * 3600)
    ahead = days[newest - first + 1 + centre]
    distinct, where = np.unique(ahead, return_inverse=True)
    weekend = panel.calendar.day_types(distinct)[where] >= _WEEKEND
    groups: NDArray[np.int64] = part + weekend * (24 // _GROUP_HOURS)
    return groups


def _training_rows(panel: Panel) -> NDArray[np.int64]:
    """The newest columns to learn from: every half hour or coarser, other quarter hours on other days."""
    every = max(1, panel.steps_per_day // _ROWS_PER_DAY)
    columns = np.arange(panel.length - 1)
    wanted: NDArray[np.int64] = columns[(columns + columns // panel.steps_per_day) % every == 0]
    return wanted


def _hourly(panel: Panel) -> float:
    """How many rows to learn from an hour has."""
    return min(panel.steps_per_day, _ROWS_PER_DAY) / 24


def _solve(
    differences: _Differences, panel: Panel, runs: _Runs, band: range, penalty: float, room: Features
) -> list[Features]:
    """Coefficients of one band for some sensors at each end: groups x sensors x features x leads.

    `room` is memory for the rows, the same for all, as fresh memory costs more than what is written to it.
    """
    targets, known = _targets(differences, runs.rows, band)
    share = known.mean(axis=1, dtype=np.float32)
    rows = differences.features(panel, runs.rows, band, len(band), room)
    rows[:, -len(band) :] = targets / np.maximum(share, _LITTLE)[:, None]
    ridge = _Ridge.of(panel, band, penalty)
    first = int(runs.edges[_GROUPS])
    missed = _missed(rows, targets, known, share, first, ridge)
    stages = itertools.pairwise(runs.edges[::_GROUPS])
    robust = np.concatenate([_robust_weights(missed[:, a:b], share[:, a:b]) for a, b in stages], axis=1)
    sums = _Sums.over(rows, known, share, robust, runs.edges)
    size = _mean_squares(rows[:, : -len(band), :first], share[:, :first])
    special = _Ridge(penalty=_GROUP_SHARE, prior=_GROUP_PRIOR_HOURS * _hourly(panel))
    ends = range(_GROUPS, len(runs.edges), _GROUPS)
    return [_coefficients(sums.through(end), ridge, special, size) for end in ends]


def _coefficients(groups: _Sums, ridge: _Ridge, special: _Ridge, size: Values) -> Features:
    """What the rows of all groups say, and how each group differs from it: groups x sensors x features x leads."""
    common = groups.together().solved(ridge, size)
    return (common + groups.without(common).solved(special, size, constant=True)).astype(np.float32)


def _missed(
    rows: Features,
    targets: Features,
    known: Features,
    share: Features,
    first: int,
    ridge: _Ridge,
) -> Features:
    """How far the targets of each row are from what a few features say of them, learnt from the `first` rows."""
    few = np.concatenate([rows[:, :_FIRST], rows[:, -1 - targets.shape[1] :]], axis=1)
    sums = _Sums.over(few, known, share, np.ones_like(share), np.array([0, first])).together()
    features = few[:, : _FIRST + 1]
    common = sums.solved(ridge, _mean_squares(features[:, :, :first], share[:, :first]))
    left = targets - np.matmul(common.transpose(0, 2, 1).astype(np.float32), features)
    np.abs(left, out=left)
    left *= known
    return np.asarray(left.sum(axis=1) / np.maximum(known.sum(axis=1), 1))


def _mean_squares(features: Features, share: Features) -> Values:
    """Of each feature over the rows that count (sensors x features), the last of which is one; 1 where it is always zero.

    Of few rows a mean can be zero but for its rounding, which is nothing to divide by.
    """
    size = np.empty(features.shape[:2], dtype=np.float32)
    for own, weight, squared in zip(features, share, size, strict=True):  # one by one, as squares of all fit no cache
        np.matmul(own**2, weight, out=squared)
    size /= np.maximum(share.sum(axis=1), 1)[:, None]
    least = _LITTLE * size[:, :-1].max(axis=1, keepdims=True)
    return np.where(size > least, size, 1.0).astype(np.float64)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Ridge:
    """Penalty per row on standardised features, rows' worth of it besides, and how many times each the newest difference has."""

    penalty: float
    prior: float
    newest: float = 1.0
    newest_prior: float = 1.0

    @classmethod
    def of(cls, panel: Panel, band: range, penalty: float) -> _Ridge:
        """Of a band of lead times; the nearest take as much history to believe in as that of an hour."""
        ahead = band.stop * panel.step_seconds / _HOUR_S
        prior = _PRIOR_HOURS * min(1.0, max(ahead, 1.0) / _FAR_HOURS) * _hourly(panel)
        if panel.step_seconds < _HOUR_S and ahead <= _NEAR_HOURS:
            return cls(penalty=penalty, prior=prior, newest=_NEWEST, newest_prior=_NEWEST_PRIOR)
        return cls(penalty=penalty, prior=prior)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Sums:
    """Gram matrices (… x features x features), right sides (… x features x leads) and weights (…) of runs of rows.

    The Gram matrix counts each row by the share of its leads that are known; each lead's right side is scaled to it.
    """

    gram: Values | Features
    right: Values | Features
    weight: Values | Features

    @classmethod
    def over(
        cls,
        rows: Features,
        known: Features,
        share: Features,
        robust: Features,
        edges: NDArray[np.int64],
    ) -> _Sums:
        """Sums over the rows between neighbouring edges (runs x sensors x …).

        Args:
            rows: features, and below them the targets over their share that is known (sensors x features, leads x rows).
            known: which targets are known (sensors x leads x rows).
            share: of the leads of a row that are known (sensors x rows).
            robust: the weight of a row besides (sensors x rows).
            edges: where each run begins and the last ends.

        """
        runs, sensors, width = len(edges) - 1, len(rows), rows.shape[1] - known.shape[1]
        weight = share * robust
        both = np.empty((runs, sensors, width, rows.shape[1]), dtype=np.float32)
        total = np.empty((runs, sensors), dtype=np.float32)
        is_whole = bool(known.all())
        for run in range(runs):
            here = slice(edges[run], edges[run + 1])
            some = rows[:, :, here]
            np.matmul(some[:, :width] * weight[:, None, here], some.transpose(0, 2, 1), out=both[run])
            total[run] = weight[:, here].sum(axis=1)
            if not is_whole:
                mine = np.ascontiguousarray(known[:, :, here])
                heard = np.matmul(mine, robust[:, here, None])[:, :, 0]
                scaled = np.where(heard > 0, total[run][:, None] / np.maximum(heard, _LITTLE), 0.0)
                both[run, :, :, width:] *= np.where(mine.all(axis=2), 1.0, scaled)[:, None]
        return cls(gram=both[..., :width], right=both[..., width:], weight=total)

    def through(self, end: int) -> _Sums:
        """Of each group, over the runs before this one (groups x sensors x …)."""
        parts = (one[:end] for one in (self.gram, self.right, self.weight))
        gram, right, weight = (one.reshape(-1, _GROUPS, *one.shape[1:]).sum(axis=0, dtype=np.float64) for one in parts)
        return _Sums(gram=gram, right=right, weight=weight)

    def together(self) -> _Sums:
        """Over all runs (sensors x …)."""
        gram, right, weight = (one.sum(axis=0, dtype=np.float64) for one in (self.gram, self.right, self.weight))
        return _Sums(gram=gram, right=right, weight=weight)

    def without(self, coefficients: Values) -> _Sums:
        """The same rows, of whose targets these coefficients have explained their part."""
        return _Sums(gram=self.gram, right=self.right - np.matmul(self.gram, coefficients), weight=self.weight)

    def solved(self, ridge: _Ridge, size: Values, *, constant: bool = False) -> Values:
        """Ridge regressions (… x features x leads) of sums in double precision, whose Gram matrices are used up.

        Args:
            ridge: how much features are held back.
            size: mean square of each feature (sensors x features).
            constant: whether the last feature, which is constant, is shrunk too, by the prior alone.

        """
        heavy = (ridge.penalty * self.weight + ridge.prior)[..., None] * size
        heavy[..., 0] = (ridge.newest * ridge.penalty * self.weight + ridge.newest_prior * ridge.prior) * size[..., 0]
        heavy[..., -1] = ridge.prior if constant else 0.0
        gram = np.asarray(self.gram, dtype=np.float64)  # the same memory, as they are large
        index = np.arange(gram.shape[-1])
        gram[..., index, index] += heavy + 1e-6 * size
        return solved(gram, self.right)


def _targets(differences: _Differences, rows: NDArray[np.int64], band: range) -> tuple[Features, Features]:
    """The differences at each lead of a band after each row (sensors x leads x rows) and which of them are known."""
    columns = rows + np.arange(band.start + 1, band.stop + 1)[:, None]
    return np.take(differences.heard, columns, axis=1), np.take(differences.known, columns, axis=1)


def _robust_weights(missed: Features, share: Features) -> Features:
    """Weights that turn squares into absolute values: one over the size of the miss, bounded, of mean one."""
    if not missed.shape[1]:
        return missed
    counts = share > 0
    ordered = np.sort(np.where(counts, missed, np.nan), axis=1)
    middle = np.maximum(counts.sum(axis=1) - 1, 0) // 2
    typical = np.nan_to_num(ordered[np.arange(len(ordered)), middle])
    made = 1.0 / np.maximum(missed, np.maximum(0.3 * typical, 1e-6)[:, None])
    mean = (made * share).sum(axis=1) / np.maximum(share.sum(axis=1), 1e-9)
    return np.asarray(made / np.where(mean > 0, mean, 1.0)[:, None], dtype=np.float32)


def _scale(differences: Values) -> Values:
    """Each sensor's mean absolute difference from its profile, 1 where there is none."""
    known = np.isfinite(differences)
    size = np.where(known, np.abs(differences), 0.0).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
    return np.where(size > 0, size, 1.0)


def _limits(values: Values) -> tuple[Values, Values]:
    """How low and how high a forecast may go: half its range beyond what a sensor has shown, NaN for one that has not."""
    known = np.isfinite(values)
    low = np.where(known, values, np.inf).min(axis=1, initial=np.inf)
    high = np.where(known, values, -np.inf).max(axis=1, initial=-np.inf)
    with np.errstate(invalid="ignore"):
        room = (high - low) / 2
    return np.where(np.isfinite(low), low - room, np.nan), np.where(np.isfinite(high), high + room, np.nan)
