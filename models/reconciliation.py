"""Code concerned with coherent totals: forecasts of sensors, districts and the city that add up, with less error for it.

Forecasts of totals and of the sensors they are made of, each by its own model, contradict each other. With A the sums
(totals x sensors) and U' = [I, -A], what contradicts is U'y, and the forecasts that add up and lie nearest to y in the
metric of the errors' covariance W are y - W U (U' W U)^-1 U'y. That is MinT in its form with as many equations as there
are totals, so that it costs n, not n^3, for n sensors. Of the covariance only its products with U and its diagonal are
ever needed, and the intensity of its shrinkage has a closed form in the rows of the errors.

No library: hierarchicalforecast (Nixtla) has these methods, but needs numba, pandas and scikit-learn behind it, inverts n x n
matrices, and takes in-sample residuals where ours are out of sample by lead time.

References: Wickramasuriya, Athanasopoulos, Hyndman, JASA 114 (2019), doi:10.1080/01621459.2018.1448825, whose section 2.4
has the methods; Schäfer, Strimmer, Stat. Appl. Genet. Mol. Biol. 4 (2005), doi:10.2202/1544-6115.1175, for the shrinkage;
Di Fonzo, Girolimetto, Int. J. Forecasting 39 (2023), doi:10.1016/j.ijforecast.2021.08.004, for setting negative ones to zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

import numpy as np

from models.leads import bands
from models.panel import Values

_WIDEST: Final = 48  # steps of a band of lead times whose errors are pooled
_MOST_LEADS: Final = 4  # of a band that are looked at: neighbouring ones err alike
_FEWEST: Final = 12  # origins, of which a covariance can be told
_NEARLY_ALL: Final = 0.8  # of a row of errors that must be known; what is missing of it says nothing


class Method(StrEnum):
    """What stands for the covariance of errors.

    BOTTOM_UP: forecasts of totals are not used. OLS: all errors alike. STRUCTURAL: the variance of a total is as many
    times that of a sensor as it has sensors. VARIANCE: each its own, no covariance. MINT: shrunk towards VARIANCE.
    """

    BOTTOM_UP = "bottom_up"
    OLS = "ols"
    STRUCTURAL = "structural"
    VARIANCE = "variance"
    MINT = "mint"


@dataclass(frozen=True, kw_only=True, slots=True)
class Hierarchy:
    """Which sensors make up which total: `members` (totals x sensors) is 1 where one does, else 0."""

    members: Values

    def sums(self, sensors: Values) -> Values:
        """Totals (… x totals x steps) of values of sensors (… x sensors x steps)."""
        return np.asarray(self.members @ sensors)

    def contradiction(self, totals: Values, sensors: Values) -> Values:
        """How far forecasts of totals lie above the sums of those of their sensors."""
        return totals - self.sums(sensors)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reconciliation:
    """How much each forecast gives way to a contradiction: `gains` (totals + sensors) x totals for each of `parts`."""

    hierarchy: Hierarchy
    parts: tuple[range, ...]
    gains: tuple[Values, ...]

    def apply(self, totals: Values, sensors: Values, *, nonnegative: bool = False) -> tuple[Values, Values]:
        """Forecasts, or errors, that add up.

        Args:
            totals: by models of their own (… x totals x steps).
            sensors: by theirs (… x sensors x steps).
            nonnegative: none of the sensors can be below zero.

        Returns:
            Both, so that the totals are exactly `hierarchy.sums` of the sensors.

        """
        against = self.hierarchy.contradiction(totals, sensors)
        count = self.hierarchy.members.shape[0]
        moved = np.empty_like(sensors)
        for part, gain in zip(self.parts, self.gains, strict=True):
            here = slice(part.start, part.stop)
            moved[..., here] = sensors[..., here] - gain[count:] @ against[..., here]
        if nonnegative:
            moved = np.maximum(moved, 0.0)
        return self.hierarchy.sums(moved), moved


def reconciliation(
    hierarchy: Hierarchy, errors: Values, method: Method = Method.MINT, parts: Sequence[range] | None = None
) -> Reconciliation:
    """Learn how forecasts give way from their errors out of sample.

    With fewer than twelve origins that tell how all err, `MINT` and `VARIANCE` fall back to `STRUCTURAL`.

    Args:
        hierarchy: of the totals and sensors.
        errors: observed minus forecast (origins x totals + sensors x steps), totals first; NaN where not observed.
        method: what stands for the covariance.
        parts: lead times whose errors are pooled; by default neighbouring ones.

    """
    every = tuple(bands(errors.shape[2], _WIDEST) if parts is None else parts)
    gains = []
    for part in every:
        leads = np.unique(np.linspace(part.start, part.stop - 1, _MOST_LEADS).round().astype(np.int64))
        cells = errors[:, :, leads].transpose(0, 2, 1)
        usable = np.isfinite(cells).mean(axis=2) >= _NEARLY_ALL
        short = np.count_nonzero(usable.sum(axis=1)) < _FEWEST
        chosen = Method.STRUCTURAL if short and method in {Method.MINT, Method.VARIANCE} else method
        gains.append(_gain(hierarchy.members, cells[usable], chosen))
    return Reconciliation(hierarchy=hierarchy, parts=every, gains=tuple(gains))


def _gain(members: Values, rows: Values, method: Method) -> Values:
    """W U (U' W U)^-1 for the covariance W that `method` makes of rows of errors."""
    count, sensors = members.shape
    if method is Method.BOTTOM_UP:
        return np.concatenate([np.eye(count), np.zeros((sensors, count))])
    across = np.concatenate([np.eye(count), -members], axis=1).T
    if method is Method.OLS:
        spread = np.ones(count + sensors)
    elif method is Method.STRUCTURAL:
        spread = np.concatenate([members.sum(axis=1), np.ones(sensors)])
    else:
        known = np.isfinite(rows)
        rows = np.where(known, rows, 0.0)
        spread = (rows**2).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
        spread = np.maximum(spread, 1e-9 * max(float(spread.max()), 1e-9))
    share = shrinkage(rows) if method is Method.MINT else 1.0
    weighted = share * spread[:, None] * across
    if share < 1:
        weighted = weighted + (1 - share) / len(rows) * (rows.T @ (rows @ across))
    return np.asarray(np.linalg.solve((across.T @ weighted).T, weighted.T).T)


def shrinkage(rows: Values) -> float:
    """The share of its diagonal in the best mixture with a covariance, 0 to 1, after Schäfer and Strimmer.

    Their sum over all pairs of n columns of the estimated variances of correlations, over the sum of squared correlations,
    worked out by rows. Errors are not centred: a forecast that is always wrong by as much errs.
    """
    many = len(rows)
    size = np.sqrt((rows**2).mean(axis=0))
    scaled = rows[:, size > 0] / size[size > 0]
    columns = scaled.shape[1]
    if many < 2 or columns < 2:
        return 1.0
    squares = float(((scaled @ scaled.T) ** 2).sum())  # of many times the correlations, over all pairs
    products = float(((scaled**2).sum(axis=1) ** 2).sum())  # the same before they are added up over rows
    own_products = float((scaled**4).sum())
    own_squares = float(columns * many**2)
    variances = (products - own_products - (squares - own_squares) / many) / (many * (many - 1))
    correlations = (squares - own_squares) / many**2
    return float(np.clip(variances / correlations, 0.0, 1.0)) if correlations > 0 else 1.0
