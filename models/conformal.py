"""Code concerned with intervals: how wrong the same model was, out of sample, at the same lead time.

Empirical (split) conformal quantiles of rolling out-of-sample errors. Each sensor's own quantiles are shrunk towards the
city's, whose errors are first divided by each sensor's mean absolute error; the less a sensor has shown, the more.

References: Vovk, Gammerman, Shafer, Algorithmic Learning in a Random World (2005); Lei et al., JASA 113 (2018),
doi:10.1080/01621459.2017.1307116. Exchangeability does not hold exactly for a time series, so coverage is measured in
every backtest and not assumed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.leads import bands
from models.panel import Values
from services.domain import QUANTILE_LEVELS

_WIDEST: Final = 16  # steps of a band of lead times
_PRIOR: Final = 30.0  # as many origins as it takes for a sensor's own quantiles to weigh as much as the city's


@dataclass(frozen=True, kw_only=True, slots=True)
class Conformal:
    """Offsets from the point forecast at `QUANTILE_LEVELS` (levels x sensors x steps), ordered along the levels."""

    offsets: Values

    def around(self, points: Values, *, nonnegative: bool) -> Values:
        """Quantiles (levels x sensors x steps) around point forecasts (sensors x steps), ordered."""
        quantiles = points[None] + self.offsets[:, :, : points.shape[1]]
        return np.maximum(quantiles, 0.0) if nonnegative else quantiles


def calibrate(errors: Values, fallback: Values, parts: Sequence[range] | None = None) -> Conformal:
    """Learn offsets from out-of-sample errors.

    Args:
        errors: observed minus forecast (origins x sensors x steps), NaN where nothing was observed.
        fallback: the typical error of a sensor that has shown none, per step (sensors x steps), finite.
        parts: the steps whose errors are pooled; by default neighbouring lead times.

    """
    _, sensors, steps = errors.shape
    scale = _mean_absolute(errors)
    centres, made = [], []
    for band in bands(steps, _WIDEST) if parts is None else parts:
        inside = errors[:, :, band.start : band.stop]
        own = inside.transpose(1, 0, 2).reshape(sensors, -1)
        with np.errstate(divide="ignore", invalid="ignore"):
            relative = own / scale[:, None]
        relative = np.where(np.isfinite(relative), relative, np.nan)
        city = quantiles_of(relative.reshape(1, -1), QUANTILE_LEVELS)[:, 0]
        if np.isnan(city).any():
            city = np.array(_NORMAL)
        shown = np.isfinite(inside).any(axis=2).sum(axis=0)
        weight = shown / (shown + _PRIOR)
        typical = np.where(shown > 0, np.where(np.isnan(scale), 0.0, scale), np.nan)
        pooled = city[:, None] * np.where(np.isnan(typical), fallback[:, band.start : band.stop].mean(axis=1), typical)
        mine = quantiles_of(own, QUANTILE_LEVELS)
        made.append(np.where(shown > 0, weight * np.where(np.isnan(mine), 0.0, mine) + (1 - weight) * pooled, pooled))
        centres.append((band.start + band.stop - 1) / 2)
    leads = np.arange(steps)
    stacked = np.stack(made, axis=-1)
    left, share = _between(np.array(centres), leads)
    right = np.minimum(left + 1, len(centres) - 1)
    return Conformal(offsets=stacked[:, :, left] * (1 - share) + stacked[:, :, right] * share)


_NORMAL: Final = (-2.06, -1.61, -0.85, 0.0, 0.85, 1.61, 2.06)
"""Quantiles of a normal error in units of its mean absolute value, where a whole city has shown no error yet."""


def quantiles_of(values: Values, levels: tuple[float, ...]) -> Values:
    """Quantiles of each row without its NaN (levels x rows), with the finite-sample correction of conformal prediction.

    The upper quantiles of m values are read at rank (m + 1) q, the lower ones mirrored, and both end at the extremes.
    """
    rows, width = values.shape
    if width == 0:
        return np.full((len(levels), rows), np.nan)
    ordered = np.sort(values, axis=1)
    known = np.isfinite(values).sum(axis=1)
    result = np.empty((len(levels), rows))
    for k, level in enumerate(levels):
        rank = np.clip((known + 1) * level - 1, 0, np.maximum(known - 1, 0))
        low = np.floor(rank).astype(np.int64)
        high = np.minimum(low + 1, np.maximum(known - 1, 0))
        at = np.arange(rows)
        result[k] = ordered[at, low] + (rank - low) * (ordered[at, high] - ordered[at, low])
    return result


def _mean_absolute(errors: Values) -> Values:
    """Each sensor's mean absolute error over origins and steps, NaN where it has shown none."""
    known = np.isfinite(errors)
    total = np.where(known, np.abs(errors), 0.0).sum(axis=(0, 2))
    count = known.sum(axis=(0, 2))
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _between(centres: NDArray[np.float64], leads: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """For each lead the band centre at its left and how far it is on the way to the next, 0 to 1."""
    left = np.clip(np.searchsorted(centres, leads, side="right") - 1, 0, max(len(centres) - 2, 0))
    if len(centres) == 1:
        return left, np.zeros(len(leads))
    share = (leads - centres[left]) / (centres[left + 1] - centres[left])
    return left, np.clip(share, 0.0, 1.0)
