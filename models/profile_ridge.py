"""Code concerned with profile + ridge: what is usual, plus what the last hours and days say about today's difference.

The default of the platform for hourly and quarter-hourly counts, speeds and loads. Closed form, all sensors at once.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.contract import bounded
from models.leads import bands
from models.panel import Panel, Values
from models.profile import Usual

_LAG_STEPS: Final = (0, 1, 2, 3)
_LAG_HOURS: Final = (1, 2, 3, 5, 11)
_MEAN_HOURS: Final = (3, 6, 24, 72, 168)
_DAYS_BACK: Final = (1, 2, 3, 4, 5, 6, 7)
_DAYS_EXACT: Final = (1, 7)
_REACH_DAYS: Final = 8  # no feature looks further back
_GROUP_HOURS: Final = 4
_WEEKEND: Final = 5
_HOLD_STEPS: Final = 3
_HOLD: Final = 0.9
_REWEIGHTS: Final = 1
_BAND_S: Final = 4 * 3600
_GROUP_SHARE: Final = 0.3
_PRIOR_HOURS: Final = 300.0  # hours of history it takes, half a day ahead, to believe in a difference from the profile
_GROUP_PRIOR_HOURS: Final = 200.0  # the same for a part of the day against the whole day
_ROWS_PER_DAY: Final = 48
_GROUPS: Final = 2 * 24 // _GROUP_HOURS  # parts of a day, for working days and for weekends
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

    All constants were chosen on the Berlin recording before its test part: `weeks`, `penalty` and the reweighting on
    the validation part (May to July 2024), the priors in hours on four stretches of 14 to 84 days of the training part.

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
        usual = Usual.learn(panel, self.weeks)
        bands_of_leads = bands(steps, max(1, _BAND_S // panel.step_seconds))
        raw = panel.values - usual.before(panel, 0)
        scale = _scale(raw)
        differences = _Differences.of(raw, scale, panel)
        rows = _training_rows(panel)
        widest = len(_columns(panel, bands_of_leads[0])) + 1
        width = max(1, _BLOCK // max(1, len(rows) * widest))
        coefficients = []
        for band in bands_of_leads:
            groups = _groups(panel, rows, band)
            order = np.argsort(groups, kind="stable")
            solved = [
                _solve(differences.some(slice(k, k + width)), panel, rows[order], groups[order], band, self.penalty)
                for k in range(0, panel.sensors, width)
            ]
            coefficients.append(np.concatenate(solved, axis=1))
        return FittedProfileRidge(
            usual=usual.newest(_REACH_DAYS * panel.steps_per_day, panel),
            scale=scale,
            coefficients=tuple(coefficients),
            leads=tuple(bands_of_leads),
            limits=_limits(panel.values),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class FittedProfileRidge:
    """Coefficients per band of lead times: groups x sensors x features x leads of the band."""

    usual: Usual
    scale: Values
    coefficients: tuple[Features, ...]
    leads: tuple[range, ...]
    limits: tuple[Values, Values]

    def forecast(self, panel: Panel, steps: int) -> Values:
        """What is usual plus the predicted difference, kept near the range the sensor has ever shown."""
        recent = panel.since(max(0, panel.length - _REACH_DAYS * panel.steps_per_day))
        differences = _Differences.of(
            recent.values - self.usual.before(panel, panel.length - recent.length), self.scale, recent
        )
        result = self.usual.ahead(panel, steps).copy()
        newest = np.array([recent.length - 1])
        for band, coefficients in zip(self.leads, self.coefficients, strict=True):
            if band.start >= steps or recent.length == 0:
                break
            features = differences.features(recent, newest, band)
            group = int(_groups(recent, newest, band)[0])
            step = np.einsum("sp,spl->sl", features[:, :, 0], coefficients[group]) * self.scale[:, None]
            result[:, band.start : band.stop] += step[:, : steps - band.start]
        low, high = self.limits
        kept = np.clip(result, low[:, None], high[:, None])
        return bounded(np.where(np.isnan(low)[:, None], result, kept), panel)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Differences:
    """Scaled differences from the profile, padded at the front, and the running sums of those that are known.

    A missing difference fades from the one before for some steps, so that a reading that is a moment late does not
    wipe out what is known about now; after that it is zero.
    """

    values: Values
    known: NDArray[np.bool_]
    sums: Values
    counts: Values
    pad: int

    @classmethod
    def of(cls, raw: Values, scale: Values, panel: Panel) -> _Differences:
        pad = _REACH_DAYS * panel.steps_per_day
        known = np.isfinite(raw)
        values = np.zeros((raw.shape[0], raw.shape[1] + pad))
        values[:, pad:] = np.where(known, raw, 0.0) / scale[:, None]
        sums = np.zeros((raw.shape[0], raw.shape[1] + pad + 1))
        np.cumsum(values, axis=1, out=sums[:, 1:])
        held = known.copy()
        for _ in range(_HOLD_STEPS):
            hole = ~held[:, 1:] & held[:, :-1]
            values[:, pad + 1 :][hole] = _HOLD * values[:, pad:-1][hole]
            held[:, 1:] |= hole
        counts = np.zeros_like(sums)
        np.cumsum(known, axis=1, out=counts[:, pad + 1 :])
        return cls(values=values, known=known, sums=sums, counts=counts, pad=pad)

    def some(self, sensors: slice) -> _Differences:
        """Those of some sensors."""
        return _Differences(
            values=self.values[sensors],
            known=self.known[sensors],
            sums=self.sums[sensors],
            counts=self.counts[sensors],
            pad=self.pad,
        )

    def features(self, panel: Panel, newest: NDArray[np.int64], band: range) -> Features:
        """What could be known when column `newest` was the latest: sensors x (features and a one) x rows."""
        columns = _columns(panel, band)
        made = np.empty((self.values.shape[0], len(columns) + 1, len(newest)), dtype=np.float32)
        for k, (near, far) in enumerate(columns):
            first, end = newest + self.pad - far, newest + self.pad - near + 1
            if far == near:
                made[:, k] = self.values[:, first]
            else:
                count = np.maximum(self.counts[:, end] - self.counts[:, first], 1.0)
                made[:, k] = (self.sums[:, end] - self.sums[:, first]) / count
        made[:, -1] = 1.0
        return made


def _columns(panel: Panel, band: range) -> list[tuple[int, int]]:
    """The features of a band as windows (nearest, farthest) of steps back from the newest; equal ends are one step."""
    hour = 3600 / panel.step_seconds
    single = sorted({*_LAG_STEPS, *(ceil(hours * hour) for hours in _LAG_HOURS)})
    windows = [(lag, lag) for lag in single]
    windows += [(0, max(1, round(hours * hour)) - 1) for hours in _MEAN_HOURS]
    centre = (band.start + band.stop - 1) // 2
    around = max(1, round(hour))
    for days in _DAYS_BACK:
        back = days * panel.steps_per_day - 1 - centre
        if back >= 0:
            windows.append((max(0, back - around), back + around))
        if days in _DAYS_EXACT:
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


def _solve(
    differences: _Differences,
    panel: Panel,
    rows: NDArray[np.int64],
    groups: NDArray[np.int64],
    band: range,
    penalty: float,
) -> Features:
    """Coefficients of one band for some sensors: groups x sensors x features x leads; rows are in order of groups."""
    hourly = min(panel.steps_per_day, _ROWS_PER_DAY) / 24
    features = differences.features(panel, rows, band)
    targets, known = _targets(differences, rows, band)
    share = known.mean(axis=1, dtype=np.float32)
    size = np.sqrt(np.matmul(features**2, share[:, :, None])[:, :, 0] / np.maximum(share.sum(axis=1), 1)[:, None])
    size = np.where(size > 0, size, 1.0)
    features /= size[:, :, None]
    robust = np.ones_like(share)
    prior = _PRIOR_HOURS * min(1.0, band.stop / (panel.steps_per_day / 2)) * hourly
    common = np.zeros((len(share), features.shape[1], len(band)))
    for _ in range(_REWEIGHTS + 1):
        missed = np.abs(_left(features, targets, known, common)).sum(axis=1) / np.maximum(known.sum(axis=1), 1)
        robust = _robust_weights(missed, share) if common.any() else robust
        penalties = np.repeat(penalty * (share * robust).sum(axis=1)[:, None] + prior, features.shape[1], axis=1)
        penalties[:, -1] = 0.0
        common = _ridge(features, targets, known, robust, penalties)
    left = _left(features, targets, known, common)
    result = np.repeat(common[None], _GROUPS, axis=0)
    edges = np.searchsorted(groups, np.arange(_GROUPS + 1))
    for group in range(_GROUPS):
        mine = slice(edges[group], edges[group + 1])
        ridge = _GROUP_SHARE * (share[:, mine] * robust[:, mine]).sum(axis=1) + _GROUP_PRIOR_HOURS * hourly
        penalties = np.repeat(ridge[:, None], features.shape[1], axis=1)
        penalties[:, -1] = _GROUP_PRIOR_HOURS * hourly
        result[group] += _ridge(features[:, :, mine], left[:, :, mine], known[:, :, mine], robust[:, mine], penalties)
    return (result / size[None, :, :, None]).astype(np.float32)


def _left(features: Features, targets: Features, known: NDArray[np.bool_], coefficients: Values) -> Features:
    """What the coefficients do not explain (sensors x leads x rows), zero where the target is unknown."""
    explained: Features = np.matmul(coefficients.transpose(0, 2, 1).astype(np.float32), features)
    return np.where(known, targets - explained, np.float32(0.0))


def _targets(differences: _Differences, rows: NDArray[np.int64], band: range) -> tuple[Features, NDArray[np.bool_]]:
    """The differences at each lead of a band after each row (sensors x leads x rows) and which of them are known."""
    columns = rows + 1 + np.arange(band.start, band.stop)[:, None]
    inside = columns < differences.known.shape[1]
    columns = np.where(inside, columns, 0)
    known = differences.known[:, columns] & inside
    return np.where(known, differences.values[:, columns + differences.pad], 0.0).astype(np.float32), known


def _ridge(
    features: Features, targets: Features, known: NDArray[np.bool_], robust: Features, penalties: Values
) -> Values:
    """Ridge regressions that share a Gram matrix over the leads of a band (sensors x features x leads).

    The Gram matrix counts each row by the share of its leads that are known; each lead's right side is scaled to it.
    """
    weight = robust * known.mean(axis=1, dtype=np.float32)
    gram = np.matmul(features * weight[:, None], features.transpose(0, 2, 1)).astype(np.float64)
    right = np.matmul(features, (targets * robust[:, None]).transpose(0, 2, 1)).astype(np.float64)
    heard = np.matmul(known.astype(np.float32), robust[:, :, None])[:, :, 0]
    right *= np.where(heard > 0, weight.sum(axis=1)[:, None] / np.where(heard > 0, heard, 1.0), 0.0)[:, None, :]
    index = np.arange(features.shape[1])
    gram[:, index, index] += penalties + 1e-6
    return np.linalg.solve(gram, right)


def _robust_weights(missed: Features, weight: Features) -> Features:
    """Weights that turn squares into absolute values: one over the size of the miss, bounded, of mean one."""
    counted = np.where(weight > 0, missed, np.nan)
    ordered = np.sort(counted, axis=1)
    middle = np.maximum((weight > 0).sum(axis=1) - 1, 0) // 2
    typical = np.nan_to_num(ordered[np.arange(len(ordered)), middle])
    made = 1.0 / np.maximum(missed, np.maximum(0.3 * typical, 1e-6)[:, None])
    mean = (made * weight).sum(axis=1) / np.maximum(weight.sum(axis=1), 1e-9)
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
