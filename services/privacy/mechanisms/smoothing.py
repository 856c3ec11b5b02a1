"""Code concerned with taking noise out of noisy counts again, as far as a city's own pattern tells it from them.

Claim. Smoothing costs nothing: it sees noisy counts and the noise's known width only, so it is post-processing and ε and δ
of the release stay as they are. No value moves further from its noisy count than the noise itself reaches in 99 % of cases, so
that a cell unlike all others (a stadium's evening) keeps its count.

Assumptions. The noise is the same everywhere and independent from number to number. That counts follow few daily courses and
otherwise differ like independent arrivals makes the result better; nothing becomes wrong where they do not.

Derivation. A table of cells and slots is close to few courses, each cell a mixture of them: a matrix of low rank under white
noise of standard deviation σ. Its best estimate in squared error shrinks each singular value y (in units of σ times the root
of the longer side; β is the shorter side over the longer) to sqrt((y² - β - 1)² - 4β) / y, and to nothing up to 1 + sqrt(β).
What is left beside the pattern L is noise and, arrivals being independent, the count's own chance, of variance L: of the
remainder L / (L + σ²) is kept.

Utility. On the generated city of 50,000 people (`arterial privacy utility`) the weighted error of shown counts falls from 11 %
to 5 %. Small grids have little pattern to find, and change little.

Citation. Gavish, Donoho: Optimal Shrinkage of Singular Values, IEEE Trans. Inf. Theory 63(4), 2017,
https://doi.org/10.1109/TIT.2017.2653801. The kept share: linear Bayes estimation, as in Efron, Morris, JASA 68, 1973.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def smoothed(noisy: NDArray[np.int64], *, deviation: float, reach: int) -> NDArray[np.int64]:
    """Counts with less noise; same shape.

    Args:
        noisy: one row per cell, one column per slot.
        deviation: standard deviation of the noise.
        reach: how far a value may move.

    """
    if not noisy.size:
        return noisy
    values = noisy.astype(np.float64)
    pattern = _low_rank(values, deviation)
    level = np.maximum(pattern, 0)
    estimate = pattern + level / (level + deviation**2) * (values - pattern)
    nearest: NDArray[np.int64] = np.rint(np.clip(estimate, values - reach, values + reach)).astype(np.int64)
    return nearest


def _low_rank(values: NDArray[np.float64], deviation: float) -> NDArray[np.float64]:
    """The pattern: singular values optimally shrunk."""
    left, singular, right = np.linalg.svd(values, full_matrices=False)
    longer, shorter = max(values.shape), min(values.shape)
    beta, unit = shorter / longer, deviation * longer**0.5
    y = np.maximum(singular / unit, 1 + beta**0.5)
    kept = np.sqrt(np.maximum((y**2 - beta - 1) ** 2 - 4 * beta, 0)) / y * unit
    pattern: NDArray[np.float64] = (left * kept) @ right
    return pattern
