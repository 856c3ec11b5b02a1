"""Code concerned with intervals: how wrong the same model was, out of sample, at the same lead time.

Empirical (split) conformal quantiles of rolling out-of-sample errors. Each sensor's own quantiles are shrunk towards the
city's, whose errors are first divided by each sensor's mean absolute error; the less a sensor has shown, the more. Where
regimes are given (night, day, peak, weekend, holiday) each has its own quantiles, shrunk the same way towards all of them
widened or narrowed as the city's errors are in that regime.

References: Vovk, Gammerman, Shafer, Algorithmic Learning in a Random World (2005); Lei et al., JASA 113 (2018),
doi:10.1080/01621459.2017.1307116. Exchangeability does not hold exactly for a time series, so coverage is measured in
every backtest and not assumed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import pi
from statistics import NormalDist
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.leads import bands
from models.panel import Values
from models.regimes import Regime
from services.domain import QUANTILE_LEVELS

_WIDEST: Final = 16  # steps of a band of lead times
_MOST_LEADS: Final = 24  # of a band whose errors are looked at
_PRIOR: Final = 30.0  # as many origins as it takes for a sensor's own quantiles to weigh as much as the city's
_REGIME_PRIOR: Final = 60.0  # the same for a sensor's own quantiles in one regime
_NORMAL: Final = NormalDist()
_MEAN_ABSOLUTE: Final = (pi / 2) ** 0.5  # of a normal error; where a whole city has shown none yet


@dataclass(frozen=True, kw_only=True, slots=True)
class Conformal:
    """Offsets from the point forecast (levels x regimes x sensors x steps), ordered along the levels.

    There is one regime where errors were not told apart, else there are those of `models.regimes`.
    """

    offsets: Values

    def around(self, points: Values, *, nonnegative: bool, regimes: NDArray[np.int64] | None = None) -> Values:
        """Quantiles (levels x sensors x steps) around point forecasts (sensors x steps), ordered.

        `regimes` are those of the steps, shape (steps,); None is right where errors were not told apart.
        """
        steps = points.shape[1]
        kinds = np.zeros(steps, dtype=np.int64) if regimes is None else regimes
        offsets = self.offsets[:, kinds, :, np.arange(steps)].transpose(1, 2, 0)
        quantiles = points[None] + offsets
        return np.maximum(quantiles, 0.0) if nonnegative else quantiles


def calibrate(
    errors: Values,
    fallback: Values,
    parts: Sequence[range] | None = None,
    *,
    levels: tuple[float, ...] = QUANTILE_LEVELS,
    regimes: NDArray[np.int64] | None = None,
) -> Conformal:
    """Learn offsets from out-of-sample errors.

    Args:
        errors: observed minus forecast (origins x sensors x steps), NaN where nothing was observed.
        fallback: the typical error of a sensor that has shown none, per step (sensors x steps), finite.
        parts: the steps whose errors are pooled; by default neighbouring lead times.
        levels: of the quantiles, ascending.
        regimes: of each target (origins x steps); None tells none apart.

    """
    steps = errors.shape[2]
    scale = _mean_absolute(errors)
    centres, made = [], []
    for band in bands(steps, _WIDEST) if parts is None else parts:
        leads = np.unique(np.linspace(band.start, band.stop - 1, _MOST_LEADS).astype(np.int64))
        cells = errors[:, :, leads].transpose(1, 0, 2)
        typical = np.where(np.isnan(scale), fallback[:, band.start : band.stop].mean(axis=1), scale)
        kinds = None if regimes is None else regimes[:, leads]
        made.append(_of_band(cells, typical, kinds, levels))
        centres.append((band.start + band.stop - 1) / 2)
    stacked = np.stack(made, axis=-1)
    left, share = _between(np.array(centres), np.arange(steps))
    right = np.minimum(left + 1, len(centres) - 1)
    return Conformal(offsets=stacked[..., left] * (1 - share) + stacked[..., right] * share)


def _of_band(
    cells: Values, typical: Values, kinds: NDArray[np.int64] | None, levels: tuple[float, ...]
) -> NDArray[np.float64]:
    """Offsets of one band (levels x regimes x sensors) from its errors (sensors x origins x leads)."""
    sensors = len(cells)
    own = cells.reshape(sensors, -1)
    with np.errstate(divide="ignore", invalid="ignore"):
        relative = own / typical[:, None]
    relative = np.where(np.isfinite(relative), relative, np.nan)
    shown = np.isfinite(cells).any(axis=2).sum(axis=1)
    mine, weight = quantiles_of(own, levels), shown / (shown + _PRIOR)
    city = quantiles_of(relative.reshape(1, -1), levels)[:, 0]
    if np.isnan(city).any():
        city = np.array([_MEAN_ABSOLUTE * _NORMAL.inv_cdf(level) for level in levels])
    always = _towards(mine, weight, city[:, None] * typical)
    if kinds is None:
        return always[:, None]
    made = []
    everywhere = _mean(np.abs(relative))
    seen = np.isfinite(cells)
    for regime in Regime:
        here = (kinds == regime).reshape(-1)
        if not here.any():
            made.append(always)
            continue
        count = (seen & (kinds == regime)).any(axis=2).sum(axis=1)
        ratio = _mean(np.abs(relative[:, here])) / everywhere if everywhere > 0 else np.nan
        usual = always * (ratio if np.isfinite(ratio) else 1.0)
        made.append(_towards(quantiles_of(own[:, here], levels), count / (count + _REGIME_PRIOR), usual))
    return np.stack(made, axis=1)


def _towards(mine: Values, weight: Values, usual: Values) -> Values:
    """A sensor's own quantiles as far as it has shown errors, else the usual ones (levels x sensors)."""
    return weight * np.where(np.isnan(mine), 0.0, mine) + (1 - weight) * usual


def _mean(values: Values) -> float:
    known = np.isfinite(values)
    return float(values[known].mean()) if known.any() else float("nan")


def quantiles_of(values: Values, levels: tuple[float, ...]) -> Values:
    """Quantiles of each row without its NaN (levels x rows), with the finite-sample correction of conformal prediction.

    The upper quantiles of m values are read at rank (m + 1) q, the lower ones mirrored, and both end at the extremes.
    """
    rows, width = values.shape
    if width == 0:
        return np.full((len(levels), rows), np.nan)
    ordered = np.sort(values, axis=1)
    known = np.isfinite(values).sum(axis=1)
    most = np.maximum(known - 1, 0)
    rank = np.clip((known + 1) * np.array(levels)[:, None] - 1, 0, most)
    low = rank.astype(np.int64)
    at = np.arange(rows)
    lower, upper = ordered[at, low], ordered[at, np.minimum(low + 1, most)]
    return np.asarray(lower + (rank - low) * (upper - lower))


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
