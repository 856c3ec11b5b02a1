"""Code concerned with what is shown of noisy counts: those at or above a threshold, rounded; all others look alike.

Claim. Withholding and rounding cost nothing: they see only noisy numbers, so they are post-processing of the release
before them and its ε and δ stay as they are.

Assumptions. Threshold and rounding are fixed by the plan, without a look at the data. A threshold on exact counts would
break the guarantee of the noise; this module is never given any.

Derivation. An empty cell is shown when its noise Z is at least t. Noise is symmetric, so with P(|Z| <= w) >= 1 - 2p the
threshold t = w + 1 shows an empty cell with probability at most p. For discrete Laplace noise of scale b and p = 0.001 that
is about b * ln 500, for Gaussian noise about 3.1 σ.

Utility. At b = 8 the threshold is 51, at σ = 29.6 it is 92. What lies well above it is shown, what lies near it by chance;
shown values near the threshold are therefore high on average.

Citation. Post-processing: Dwork, Roth: The Algorithmic Foundations of Differential Privacy, 2014, proposition 2.1,
https://doi.org/10.1561/0400000042. Zeros and small counts alike: Mobility Data Specification 2, `k_value`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.privacy.mechanisms.contract import Mechanism


def noisy_threshold(noise: Mechanism, *, minimum: int, false_presence: float) -> int:
    """The least noisy count that is shown.

    Args:
        noise: of the counts.
        minimum: never lower than this.
        false_presence: about how likely an empty cell may be shown, above 0 and below 1/2.

    """
    return max(minimum, noise.half_width(1 - 2 * false_presence) + 1)


def shown(noisy: NDArray[np.int64], threshold: int) -> NDArray[np.bool_]:
    """Which noisy counts are at or above the threshold; same shape."""
    return noisy >= threshold


def rounded(noisy: NDArray[np.int64], base: int, *, signed: bool = False) -> NDArray[np.int64]:
    """Each number as the nearest multiple of `base` (halves upwards), and never below zero unless signed; same shape."""
    nearest = (noisy + base // 2) // base * base
    return nearest if signed else np.maximum(nearest, 0)
