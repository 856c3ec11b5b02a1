"""Code concerned with taking noise out of noisy counts again, as far as a city's own pattern tells it from them.

Claim. Smoothing costs nothing: it sees noisy counts and the noise's known width only, those of the day and of days before, each
paid for by its own day. So it is post-processing, and ε and δ of every day stay as they are. No value moves further from its
noisy count than the noise itself reaches in 99 % of cases, so that a cell unlike all others or unlike itself (a stadium's
evening) keeps its count.

Assumptions. The noise is the same everywhere and independent from number to number. That counts follow few daily courses, are
like those of other days, and otherwise differ like independent arrivals makes the result better; nothing becomes wrong where
they do not.

Derivation. A table of cells and slots is close to few courses, each cell a mixture of them: a matrix of low rank under white
noise of standard deviation σ. Its best estimate in squared error shrinks each singular value y (in units of σ times the root
of the longer side; β is the shorter side over the longer) to sqrt((y² - β - 1)² - 4β) / y, and to nothing up to 1 + sqrt(β).
What is left beside the pattern L is noise and, arrivals being independent, the count's own chance, of variance L: of the
remainder L / (L + σ²) is kept.

The mean of n earlier days has noise σ / sqrt(n) and is treated in the same way; it is what the day is expected to be, slot by
slot scaled to what the day's own counts say (least squares over the cells). The pattern is then looked for in what differs from
that, under noise of variance σ² (1 + 1/n): on a usual day there is none, and on an unusual one, which a holiday may be that no
calendar knows, the pattern of the difference is found almost as it would have been without earlier days.

Utility. On the generated city of 50,000 people (`arterial privacy utility`) the weighted error of shown counts falls from 11 %
to 5 %, and with twenty earlier days to 4.4 %. Small grids have little pattern to find, and change little.

Citation. Gavish, Donoho: Optimal Shrinkage of Singular Values, IEEE Trans. Inf. Theory 63(4), 2017,
https://doi.org/10.1109/TIT.2017.2653801. The kept share: linear Bayes estimation, as in Efron, Morris, JASA 68, 1973.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_Table = NDArray[np.float64]


def smoothed(
    noisy: NDArray[np.int64], *, deviation: float, reach: int, earlier: NDArray[np.int64] | None = None
) -> NDArray[np.int64]:
    """Counts with less noise; same shape.

    Args:
        noisy: one row per cell, one column per slot.
        deviation: standard deviation of the noise.
        reach: how far a value may move.
        earlier: noisy counts of other days of that kind, with noise of the same deviation, (days, cells, slots).

    """
    if not noisy.size:
        return noisy
    values = noisy.astype(np.float64)
    expected, doubt = np.zeros_like(values), 0.0
    if earlier is not None and len(earlier):
        doubt = deviation / len(earlier) ** 0.5
        expected = _scaled_by_slot(_estimate(earlier.mean(axis=0), doubt, expected, 0.0), values)
    estimate = _estimate(values, deviation, expected, doubt)
    nearest: NDArray[np.int64] = np.rint(np.clip(estimate, values - reach, values + reach)).astype(np.int64)
    return nearest


def _estimate(values: _Table, deviation: float, expected: _Table, doubt: float) -> _Table:
    """The counts under the noise: what was expected, give or take `doubt`, the pattern of what differs, and a share of the rest."""
    pattern = expected + _low_rank(values - expected, float(np.hypot(deviation, doubt)))
    level = np.maximum(pattern, 0)
    estimate: _Table = pattern + level / (level + deviation**2) * (values - pattern)
    return estimate


def _scaled_by_slot(usual: _Table, values: _Table) -> _Table:
    """A usual day, each slot times what brings it nearest to the day's values, never below zero."""
    size = (usual**2).sum(axis=0)
    shares = np.divide((usual * values).sum(axis=0), size, out=np.zeros_like(size), where=size > 0)
    scaled: _Table = usual * np.maximum(shares, 0)
    return scaled


def _low_rank(values: _Table, deviation: float) -> _Table:
    """The pattern: singular values optimally shrunk."""
    left, singular, right = np.linalg.svd(values, full_matrices=False)
    longer, shorter = max(values.shape), min(values.shape)
    beta, unit = shorter / longer, deviation * longer**0.5
    y = np.maximum(singular / unit, 1 + beta**0.5)
    kept = np.sqrt(np.maximum((y**2 - beta - 1) ** 2 - 4 * beta, 0)) / y * unit
    pattern: _Table = (left * kept) @ right
    return pattern
