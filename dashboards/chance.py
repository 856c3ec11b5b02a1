"""Code concerned with the chance that a forecast value lies above a limit, read from its quantiles."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from services.domain import QUANTILE_LEVELS

_LEVELS = np.array(QUANTILE_LEVELS)


def chance_above(quantiles: npt.NDArray[np.float64], limit: float) -> npt.NDArray[np.float64]:
    """The chance of each row's value to exceed `limit`, 0.05 to 0.95 between the outer quantiles.

    Between quantiles the distribution is taken as linear; beyond the outer ones only a bound is known, so the result
    is at most 0.05 (set to 0) or at least 0.95 (set to 0.95).

    Args:
        quantiles: shape (rows, 7), ascending within a row, in the order of `QUANTILE_LEVELS`.
        limit: in the unit of the quantiles.

    """
    chances = np.empty(len(quantiles))
    for i, row in enumerate(quantiles):
        chances[i] = 1 - np.interp(limit, row, _LEVELS, left=_LEVELS[0], right=1.0)
    return chances
