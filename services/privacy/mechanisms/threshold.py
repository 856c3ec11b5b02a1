"""Code concerned with what is shown of noisy counts: those at or above a threshold, rounded; all others look alike.

Claim. Withholding and rounding cost nothing: they see only noisy numbers, so they are post-processing of the release
before them and its ε and δ stay as they are.

Assumptions. Threshold and rounding are fixed by the plan, without a look at the data. A threshold on exact counts would
break the guarantee of the noise; this module is never given any.

Derivation. An empty cell is shown when its noise Z is at least t. For discrete Laplace noise of scale b that has
P(Z >= t) = a^t / (1 + a) with a = e^(-1/b), which is below 1/2 * e^(-(t - 1/2)/b) and about 1/2 * e^(-t/b). So
t = b * ln(1 / (2p)) shows an empty cell with probability about p; p = 0.001 gives b * ln 500.

Utility. At b = 8 the threshold is 50 vehicles. What lies well above it is shown, what lies near it by chance; shown values
near the threshold are therefore high on average.

Citation. Post-processing: Dwork, Roth: The Algorithmic Foundations of Differential Privacy, 2014, proposition 2.1,
https://doi.org/10.1561/0400000042. Zeros and small counts alike: Mobility Data Specification 2, `k_value`.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray


def noisy_threshold(scale: float, *, minimum: int, false_presence: float) -> int:
    """The least noisy count that is shown.

    Args:
        scale: the noise's b.
        minimum: never lower than this.
        false_presence: about how likely an empty cell may be shown, above 0 and below 1/2.

    """
    return max(minimum, math.ceil(scale * math.log(1 / (2 * false_presence))))


def shown(noisy: NDArray[np.int64], threshold: int) -> NDArray[np.bool_]:
    """Which noisy counts are at or above the threshold; same shape."""
    return noisy >= threshold


def rounded(noisy: NDArray[np.int64], base: int, *, signed: bool = False) -> NDArray[np.int64]:
    """Each number as the nearest multiple of `base` (halves upwards), and never below zero unless signed; same shape."""
    nearest = (noisy + base // 2) // base * base
    return nearest if signed else np.maximum(nearest, 0)
