"""Code concerned with profile + ridge: what is usual, plus what the last hours and days say about today's difference.

The default of the platform for hourly and quarter-hourly counts, speeds and loads. Closed form, all sensors at once.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.contract import bounded
from models.differences import REACH_DAYS, Differences, Features, windows
from models.leads import bands
from models.panel import Panel, Values
from models.profile import Usual, usual_before
from models.ridge_sums import Ridge, Sums, mean_squares

_FIRST: Final = 7  # features by which it is first judged which rows to believe
_GROUP_HOURS: Final = 4
_WEEKEND: Final = 5
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
_BLOCK: Final = 4_000_000  # numbers of one block of features: 16 MB


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
        differences = Differences.of(raw, scale, whole)
        rows = _training_rows(whole)
        bands_of_leads = bands(steps, max(1, _BAND_S // panel.step_seconds))
        features = max((len(windows(panel, band)) + 1 + len(band) for band in bands_of_leads), default=1)
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
                usual=usual.newest(REACH_DAYS * panel.steps_per_day, panel.cut(end)),
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
            begin = max(0, int(origins.min()) - REACH_DAYS * panel.steps_per_day)
            recent = panel.cut(int(origins.max())).since(begin)
            usual = self.usual.before(panel.cut(int(origins.max())), begin)
            differences = Differences.of(recent.values - usual, self.scale, recent)
            width = max(1, _BLOCK // max(1, panel.sensors * 64 * 16))
            for first in range(0, len(origins), width):
                some = slice(first, first + width)
                self._add(result[some], differences, recent, origins[some] - begin - 1)
        low, high = self.limits
        kept = np.clip(result, low[:, None], high[:, None])
        return bounded(np.where(np.isnan(low)[:, None], result, kept), panel)

    def _add(self, result: Values, differences: Differences, recent: Panel, newest: NDArray[np.int64]) -> None:
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
    differences: Differences, panel: Panel, runs: _Runs, band: range, penalty: float, room: Features
) -> list[Features]:
    """Coefficients of one band for some sensors at each end: groups x sensors x features x leads.

    `room` is memory for the rows, the same for all, as fresh memory costs more than what is written to it.
    """
    targets, known = differences.targets(runs.rows, band)
    share = known.mean(axis=1, dtype=np.float32)
    rows = differences.features(panel, runs.rows, band, len(band), room)
    rows[:, -len(band) :] = targets / np.maximum(share, _LITTLE)[:, None]
    ridge = _held_back(panel, band, penalty)
    first = int(runs.edges[_GROUPS])
    missed = _missed(rows, targets, known, share, first, ridge)
    stages = itertools.pairwise(runs.edges[::_GROUPS])
    robust = np.concatenate([_robust_weights(missed[:, a:b], share[:, a:b]) for a, b in stages], axis=1)
    sums = Sums.over(rows, known, share, robust, runs.edges)
    size = mean_squares(rows[:, : -len(band), :first], share[:, :first])
    special = Ridge(penalty=_GROUP_SHARE, prior=_GROUP_PRIOR_HOURS * _hourly(panel))
    ends = range(_GROUPS, len(runs.edges), _GROUPS)
    return [_coefficients(sums.through(end, _GROUPS), ridge, special, size) for end in ends]


def _coefficients(groups: Sums, ridge: Ridge, special: Ridge, size: Values) -> Features:
    """What the rows of all groups say, and how each group differs from it: groups x sensors x features x leads."""
    common = groups.together().solved(ridge, size)
    return (common + groups.without(common).solved(special, size, constant=True)).astype(np.float32)


def _missed(
    rows: Features,
    targets: Features,
    known: Features,
    share: Features,
    first: int,
    ridge: Ridge,
) -> Features:
    """How far the targets of each row are from what a few features say of them, learnt from the `first` rows."""
    few = np.concatenate([rows[:, :_FIRST], rows[:, -1 - targets.shape[1] :]], axis=1)
    sums = Sums.over(few, known, share, np.ones_like(share), np.array([0, first])).together()
    features = few[:, : _FIRST + 1]
    common = sums.solved(ridge, mean_squares(features[:, :, :first], share[:, :first]))
    left = targets - np.matmul(common.transpose(0, 2, 1).astype(np.float32), features)
    np.abs(left, out=left)
    left *= known
    return np.asarray(left.sum(axis=1) / np.maximum(known.sum(axis=1), 1))


def _held_back(panel: Panel, band: range, penalty: float) -> Ridge:
    """How much features are held back at a band of lead times; the nearest take as much history to believe in as that of an hour."""
    ahead = band.stop * panel.step_seconds / _HOUR_S
    prior = _PRIOR_HOURS * min(1.0, max(ahead, 1.0) / _FAR_HOURS) * _hourly(panel)
    if panel.step_seconds < _HOUR_S and ahead <= _NEAR_HOURS:
        return Ridge(penalty=penalty, prior=prior, newest=_NEWEST, newest_prior=_NEWEST_PRIOR)
    return Ridge(penalty=penalty, prior=prior)


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
