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
    scale = naive_error(history, period)
    own = np.array([mae(truth[k], forecast[k]) for k in range(len(truth))])
    usable = np.isfinite(own) & (scale > 0)
    return float(np.mean(own[usable] / scale[usable])) if usable.any() else float("nan")


def naive_error(history: Values, period: int) -> Values:
    """The mean absolute error of the seasonal naive on a history (sensors x times), in sample; NaN where unknown."""
    return np.array([_mean(np.abs(row[period:] - row[:-period])) for row in history])


def mape(truth: Values, forecast: Values) -> float:
    """Mean absolute percentage error as a share; observations of zero count nowhere."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return _mean(np.where(truth == 0, np.nan, np.abs((truth - forecast) / truth)))


def by_sensor(errors: Values, *, windowed: bool) -> Values:
    """Means of errors (origins x sensors x leads): per origin and sensor, or over all origins (1 x sensors); NaN if none."""
    axes = (2,) if windowed else (0, 2)
    known = np.isfinite(errors)
    count = known.sum(axis=axes)
    total = np.where(known, errors, 0.0).sum(axis=axes)
    means = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    return means if windowed else means[None]


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
