"""Code concerned with judging attacks by numbers: area under the curve, intervals, and the ε that results give away."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta, rankdata

Floats = NDArray[np.float64]

_Z95: Final = 1.959964
_CANDIDATES: Final = 60


def auc(inside: Floats, outside: Floats) -> float:
    """How likely a score with the target exceeds one without; ties count half."""
    ranks = rankdata(np.concatenate([inside, outside]))
    return float((ranks[: len(inside)].sum() / len(inside) - (len(inside) + 1) / 2) / len(outside))


def auc_error(area: float, inside: int, outside: int) -> float:
    """Standard error of an area (Hanley, McNeil 1982, https://doi.org/10.1148/radiology.143.1.7063747)."""
    q1, q2 = area / (2 - area), 2 * area**2 / (1 + area)
    variance = area * (1 - area) + (inside - 1) * (q1 - area**2) + (outside - 1) * (q2 - area**2)
    return float(np.sqrt(variance / (inside * outside)))


def mean_interval(values: Floats) -> tuple[float, float, float]:
    """Mean and the ends of its normal 95 % interval."""
    mean = float(values.mean())
    half = _Z95 * float(values.std(ddof=1)) / len(values) ** 0.5 if len(values) > 1 else 0.0
    return mean, mean - half, mean + half


def share_interval(hits: int, trials: int, confidence: float = 0.95) -> tuple[float, float]:
    """The Clopper-Pearson interval of a share (1934, https://doi.org/10.1093/biomet/26.4.404)."""
    tail = (1 - confidence) / 2
    low = float(beta.ppf(tail, hits, trials - hits + 1)) if hits else 0.0
    high = float(beta.ppf(1 - tail, hits + 1, trials - hits)) if hits < trials else 1.0
    return low, high


def tpr_at(inside: Floats, outside: Floats, fpr: float) -> float:
    """Share of inside scores above the threshold that a share `fpr` of outside scores exceeds; ties split."""
    order = np.sort(outside)[::-1]
    threshold = order[int(fpr * len(order))]
    above_out, equal_out = float((outside > threshold).mean()), float((outside == threshold).mean())
    split = (fpr - above_out) / equal_out if equal_out else 0.0
    return float((inside > threshold).mean() + split * (inside == threshold).mean())


def epsilon_lower(inside: Floats, outside: Floats, *, delta: float, confidence: float) -> tuple[float, float]:
    """A lower bound on ε from scores with and without the target, and the advantage of the same test.

    (ε, δ)-DP holds P(S | with) <= e^ε P(S | without) + δ for every event S, and the other way round. The best event, "score
    above t" or "not above t", is chosen on the first half of the runs and tested on the second, so that choosing costs
    nothing. The bound is ln((lower(P) - δ) / upper(P')) with Clopper-Pearson ends at `confidence`.

    Returns:
        The bound, at least 0, and the largest P - P' of such an event, found and tested likewise.

    """
    half_in, half_out = len(inside) // 2, len(outside) // 2
    thresholds = np.unique(np.quantile(np.concatenate([inside, outside]), np.linspace(0, 1, _CANDIDATES)))
    events = [(t, above, swapped) for t in thresholds for above in (True, False) for swapped in (True, False)]

    def counted(event: tuple[float, bool, bool], *, second: bool) -> tuple[int, int, int, int]:
        threshold, above, swapped = event
        a = inside[half_in:] if second else inside[:half_in]
        b = outside[half_out:] if second else outside[:half_out]
        a, b = (b, a) if swapped else (a, b)
        return _hits(a, threshold, above=above), len(a), _hits(b, threshold, above=above), len(b)

    first = [counted(event, second=False) for event in events]
    likeliest = max(range(len(events)), key=lambda n: _bound(*first[n], delta, confidence))
    farthest = max(range(len(events)), key=lambda n: first[n][0] / first[n][1] - first[n][2] / first[n][3])
    hits, runs, others, other_runs = counted(events[farthest], second=True)
    bound = _bound(*counted(events[likeliest], second=True), delta, confidence)
    return max(0.0, bound), hits / runs - others / other_runs


def _hits(scores: Floats, threshold: float, *, above: bool) -> int:
    return int((scores > threshold).sum() if above else (scores <= threshold).sum())


def _bound(hits: int, runs: int, others: int, other_runs: int, delta: float, confidence: float) -> float:
    low = share_interval(hits, runs, confidence)[0] - delta
    high = share_interval(others, other_runs, confidence)[1]
    return float(np.log(low / high)) if low > 0 else 0.0
