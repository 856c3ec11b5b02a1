"""Code concerned with far horizons by one linear map: the last weeks in, all of the coming hours or days out.

Reference: Zeng et al., Are Transformers Effective for Time Series Forecasting?, AAAI 2023, arXiv:2205.13504; here in
closed form with a ridge penalty (Toner, Darlow, An Analysis of Linear Time Series Forecasting Models, ICML 2024,
arXiv:2403.14587).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from models.contract import bounded
from models.panel import Panel, Values

_DAYS_BACK: Final = 7  # days among which a missing value's place is looked up
_MOST_MISSING: Final = 0.2
_EDGES_DAYS: Final = (1, 2, 4, 8, 16)
_MOST_ROWS: Final = 12_000

Windows = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, slots=True)
class LongLinear:
    """Ridge regression of each lead on the last `looks` steps, both less the window's mean; the mean over all looks.

    There is no intercept, so a forecast of a level window is that level and what drifts does so from where it is. Leads
    of about as many days share a Gram matrix.

    Attributes:
        looks: lengths of the windows in steps; a short history shortens them to a third of it.
        penalty: in shares of the mean eigenvalue of the Gram matrix, for leads up to two days; then it grows with them.
        shared: one map for all rows, which learns more from less: right for the channels of one device. Then, unlike in
            any other model, a broken row changes the others' forecasts.

    Looks and penalty were chosen on the validation months of ETTh1, among looks of 336, 504, 720 and their means and
    penalties of 0.003 to 1, near leads preferring small ones and far leads large ones.

    Notes:
        A missing value is read off the same time of the newest day that has it, and from the sensor's mean where a
        week has none. Windows with more than a fifth missing are not learnt from.

    """

    looks: tuple[int, ...] = (336, 504)
    penalty: float = 0.03
    shared: bool = False
    shifts: bool = True

    @property
    def name(self) -> str:
        """Such as `long_linear_shared`."""
        return "long_linear_shared" if self.shared else "long_linear"

    def fit(self, panel: Panel, steps: int) -> FittedLongLinear:
        """Solve the regressions of all leads."""
        known = np.isfinite(panel.values)
        count = np.maximum(known.sum(axis=1), 1)
        mean = np.where(known, panel.values, 0.0).sum(axis=1) / np.where(known.any(axis=1), count, np.nan)
        apart = np.where(known, np.abs(panel.values - mean[:, None]), 0.0).sum(axis=1) / count
        scale = np.where(apart > 0, apart, 1.0)
        filled = np.nan_to_num((_filled(panel, panel.values, mean) - mean[:, None]) / scale[:, None]).astype(np.float32)
        looks = tuple(dict.fromkeys(max(1, min(look, panel.length // 3)) for look in self.looks))
        return FittedLongLinear(
            mean=mean,
            maps=tuple(self._map(filled, known, look, steps, panel.steps_per_day) for look in looks),
        )

    def _map(self, filled: Windows, known: NDArray[np.bool_], look: int, steps: int, day: int) -> Values:
        """Coefficients for one look: sensors x look x steps, or 1 x look x steps where rows share them."""
        rows = range(1) if self.shared else range(len(filled))
        made = np.zeros((len(rows), look, steps))
        edges = sorted({0, steps, *(days * day for days in _EDGES_DAYS if days * day < steps)})
        for first, last in itertools.pairwise(edges):
            gram, right = np.zeros((len(rows), look, look)), np.zeros((len(rows), look, last - first))
            for k in range(len(filled)):
                row = 0 if self.shared else k
                products = _products(filled[k], known[k], look, range(first, last))
                gram[row] += products[0]
                right[row] += products[1]
            index = np.arange(look)
            penalty = self.penalty * max(1.0, first / day / 2)
            gram[:, index, index] += penalty * np.trace(gram, axis1=1, axis2=2)[:, None] / look + 1e-9
            made[:, :, first:last] = np.linalg.solve(gram, right)
        return made


@dataclass(frozen=True, kw_only=True, slots=True)
class FittedLongLinear:
    """One map per look (sensors x look x steps, or 1 x look x steps); `mean` (sensors,) stands in for what is missing."""

    mean: Values
    maps: tuple[Values, ...]

    def forecast(self, panel: Panel, steps: int) -> Values:
        """The mean of what each look says."""
        longest = max(one.shape[1] for one in self.maps)
        recent = panel.since(max(0, panel.length - longest - _DAYS_BACK * panel.steps_per_day))
        known = np.isfinite(recent.values)
        seen = np.where(known, recent.values, 0.0).sum(axis=1) / np.where(known.any(axis=1), known.sum(axis=1), np.nan)
        mean = np.where(np.isnan(self.mean), seen, self.mean)
        filled = _filled(recent, recent.values, mean)
        filled = np.hstack([np.repeat(mean[:, None], max(0, longest - recent.length), axis=1), filled])
        result = np.zeros((panel.sensors, steps))
        for one in self.maps:
            window = filled[:, filled.shape[1] - one.shape[1] :]
            level = window.mean(axis=1)
            result += level[:, None] + np.einsum(
                "nl,nlh->nh",
                window - level[:, None],
                np.broadcast_to(one[:, :, :steps], (panel.sensors, one.shape[1], steps)),
            )
        return bounded(result / len(self.maps), panel)


def _products(filled: Windows, known: NDArray[np.bool_], look: int, leads: range) -> tuple[Values, Values]:
    """Gram matrix (look x look) and right side (look x leads) of one row; unknown targets count as on the level."""
    first, last = look, len(filled) - leads.stop
    every = max(1, -(-(last - first + 1) // _MOST_ROWS))
    if last < first:
        return np.zeros((look, look)), np.zeros((look, len(leads)))
    missing = np.concatenate([[0], np.cumsum(~known)])
    origins = np.arange(first, last + 1, every)
    origins = origins[missing[origins] - missing[origins - look] <= _MOST_MISSING * look]
    windows = sliding_window_view(filled, look)[origins - look]
    level = windows.mean(axis=1, keepdims=True)
    targets = sliding_window_view(filled, len(leads))[origins + leads.start] - level
    told = sliding_window_view(known, len(leads))[origins + leads.start]
    windows = windows - level
    right = windows.T @ np.where(told, targets, np.float32(0))
    share = len(origins) / np.maximum(told.sum(axis=0), 1)
    return (windows.T @ windows).astype(np.float64), right.astype(np.float64) * share


def _filled(panel: Panel, values: Values, mean: Values) -> Values:
    """The values, and where they are missing those of the newest of seven days before that has one, else the mean."""
    result = values.copy()
    for days in range(1, _DAYS_BACK + 1):
        if not np.isnan(result).any():
            break
        back = days * panel.steps_per_day
        earlier = np.full_like(values, np.nan)
        earlier[:, back:] = values[:, : max(0, values.shape[1] - back)]
        result = np.where(np.isnan(result), earlier, result)
    return np.where(np.isnan(result), mean[:, None], result)
