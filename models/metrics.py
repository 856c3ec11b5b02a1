"""Code concerned with how good a forecast was. Missing observations (NaN) count nowhere; sums divide, ratios never average.

`truth` and `forecast` have one shape; a quantile forecast has a leading axis of levels.
References: Hyndman, Koehler, Int. J. Forecasting 22 (2006), doi:10.1016/j.ijforecast.2006.03.001 (MASE); Koenker,
Bassett, Econometrica 46 (1978), doi:10.2307/1913643 (pinball loss).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.panel import Values


def mae(truth: Values, forecast: Values) -> float:
    """Mean absolute error, in the unit of the quantity."""
    return _mean(np.abs(truth - forecast))


def rmse(truth: Values, forecast: Values) -> float:
    """Root of the mean squared error, in the unit of the quantity."""
    return float(np.sqrt(_mean((truth - forecast) ** 2)))


def wape(truth: Values, forecast: Values) -> float:
    """Sum of absolute errors over the sum of absolute observations, 0 to infinity; NaN where that sum is 0."""
    known = np.isfinite(truth) & np.isfinite(forecast)
    total = float(np.abs(truth[known]).sum())
    return float(np.abs(truth - forecast)[known].sum()) / total if total > 0 else float("nan")


def mase(truth: Values, forecast: Values, history: Values, period: int) -> float:
    """Mean absolute scaled error: each sensor's MAE over that of its own seasonal naive on `history`, then the mean.

    Args:
        truth: observations, sensors first.
        forecast: of the same shape.
        history: what was known before (sensors x times); the scale is taken here, in sample.
        period: steps of the season; say it beside every MASE.

    """
    scale = np.array([_mean(np.abs(row[period:] - row[:-period])) for row in history])
    own = np.array([mae(truth[k], forecast[k]) for k in range(len(truth))])
    usable = np.isfinite(own) & (scale > 0)
    return float(np.mean(own[usable] / scale[usable])) if usable.any() else float("nan")


def pinball(truth: Values, quantiles: Values, levels: NDArray[np.float64]) -> float:
    """Mean pinball loss over levels; twice that of the level 0.5 alone is the MAE."""
    missed = truth[None] - quantiles
    tau = levels.reshape(-1, *[1] * truth.ndim)
    return _mean(np.maximum(tau * missed, (tau - 1) * missed))


def coverage(truth: Values, low: Values, high: Values) -> float:
    """The share of observations inside the closed interval [low, high]."""
    known = np.isfinite(truth) & np.isfinite(low) & np.isfinite(high)
    return float(((truth >= low) & (truth <= high))[known].mean()) if known.any() else float("nan")


def _mean(values: Values) -> float:
    known = np.isfinite(values)
    return float(values[known].mean()) if known.any() else float("nan")
