"""Code concerned with the discrete Gaussian mechanism: integer noise for long vectors, drawn by OpenDP.

Claim. For two integer vectors whose L2 distance is at most `sensitivity`, P(S) <= e^ε P'(S) + δ for every set S of results,
with ε = micro_epsilon / 10^6 and the given δ.

Assumptions. The bounding before it keeps the promise of `sensitivity`; the operating system's random source is good;
nobody sees the exact vector, nor more than one result of it per charge.

Derivation. Noise Z on each coordinate has P(Z = z) in proportion to e^(-z² / 2σ²). OpenDP's own measurement, the one that
draws, says its ρ (zero-concentrated, ρ >= sensitivity² / 2σ², rounded up); sensitivity² / 2ρ is then no more than σ². From it
follow two prices, both proven, of which the lower is taken: the theorem of `gaussian_price`, and OpenDP's curve from ρ to (ε, δ)
(`make_zCDP_to_approxDP`, corollary 13 of the citation), which is lower only where σ is below about 5. σ is the least number, to a
billionth, whose price at δ is not above the charge; the comparison is exact (rational numbers), and it is made again on the very
measurement that draws.

Utility. Standard deviation σ, about 4.23 * sensitivity at ε = 1, δ = 10^-6. Laplace noise is smaller while one subject
changes up to about eight numbers; above that this is, because its sensitivity grows with the root of how many.

Citation. Canonne, Kamath, Steinke: The Discrete Gaussian for Differential Privacy, NeurIPS 2020,
https://arxiv.org/abs/2004.00010. Bun, Steinke: Concentrated Differential Privacy, TCC 2016, https://arxiv.org/abs/1605.02065.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from statistics import NormalDist
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from services.privacy.mechanisms.gaussian_price import is_proven, proven_price
from services.storage.ledger import MICRO

_PRECISION: Final = 1e-9
_SUMMED_TO: Final = 10_000
"""Up to this σ the tail is summed number by number; above, the normal distribution is the same to a hundredth."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DiscreteGaussian:
    """Discrete Gaussian noise for integer vectors that one subject changes by at most `sensitivity` (L2).

    `micro_epsilon` is what was charged for one result [millionths of ε]; both are at least 1, and 0 < `delta` < 1.
    """

    sensitivity: int
    micro_epsilon: int
    delta: float

    def __post_init__(self) -> None:
        """Refuse what would mean no protection.

        Raises:
            ValueError: a sensitivity or a charge below 1, or a δ outside (0, 1).

        """
        if self.sensitivity < 1 or self.micro_epsilon < 1 or not 0 < self.delta < 1:
            message = (
                f"sensitivity {self.sensitivity} and charge {self.micro_epsilon} must be at least 1, and delta "
                f"{self.delta} between 0 and 1"
            )
            raise ValueError(message)

    @property
    def scale(self) -> float:
        """The standard deviation σ of the noise: the least with price(σ) <= charge, to a billionth."""
        return _least_scale(self.sensitivity, self.micro_epsilon, self.delta)

    def price(self, scale: float) -> Fraction:
        """The ε at `delta` of one result at this σ, derived from the ρ that OpenDP's own measurement says."""
        return _price(_measurement(scale), self.sensitivity, self.delta)

    def release(self, exact: NDArray[np.int64]) -> NDArray[np.int64]:
        """The vector with independent noise on each number; same shape.

        Args:
            exact: bounded integers. Values beyond 64 bits cannot be given; results saturate there.

        Raises:
            TypeError: the numbers are not 64-bit integers: noise on floating point numbers would leak their low bits.
            ArithmeticError: the measurement costs more than was charged; no noise was drawn.

        """
        if exact.dtype != np.int64:
            message = f"noise is added to 64-bit integers only, not to {exact.dtype}"
            raise TypeError(message)
        measurement = _measurement(self.scale)
        cost = _price(measurement, self.sensitivity, self.delta)
        if cost > Fraction(self.micro_epsilon, MICRO):
            message = f"the measurement costs epsilon {float(cost)}, charged were {self.micro_epsilon} millionths"
            raise ArithmeticError(message)
        noisy = measurement(exact.ravel()) if exact.size else []
        return np.array(noisy, dtype=np.int64).reshape(exact.shape)

    def half_width(self, confidence: float) -> int:
        """The least w with P(|Z| <= w) >= confidence, for 0 < confidence < 1; of very wide noise at most one too many."""
        sigma = self.scale
        if sigma > _SUMMED_TO:
            return math.ceil(NormalDist().inv_cdf((1 + confidence) / 2) * sigma) + 1
        ends = np.arange(math.ceil(12 * sigma) + 2)
        weight = np.exp(-0.5 * (ends / sigma) ** 2)
        weight[1:] *= 2
        inside = np.cumsum(weight) / weight.sum()
        return int(np.searchsorted(inside, confidence))


@lru_cache(maxsize=256)
def _least_scale(sensitivity: int, micro_epsilon: int, delta: float) -> float:
    charge = Fraction(micro_epsilon, MICRO)

    def affordable(scale: float) -> bool:
        measurement = _measurement(scale)
        proven = is_proven(_variance(measurement, sensitivity), sensitivity, charge, delta)
        return proven or _by_concentration(measurement, sensitivity, delta) <= charge

    high = float(sensitivity)
    while not affordable(high):
        high *= 2
    low = high / 2
    while affordable(low):
        low, high = low / 2, low
    while high - low > _PRECISION * high:
        middle = (low + high) / 2
        low, high = (low, middle) if affordable(middle) else (middle, high)
    return high


def _price(measurement: Any, sensitivity: int, delta: float) -> Fraction:
    by_concentration = _by_concentration(measurement, sensitivity, delta)
    proven = proven_price(_variance(measurement, sensitivity), sensitivity, delta)
    return by_concentration if proven is None else min(proven, by_concentration)


def _variance(measurement: Any, sensitivity: int) -> Fraction:
    """σ², or a little less, from the ρ that the measurement says."""
    return sensitivity**2 / (2 * Fraction(measurement.map(float(sensitivity))))


def _by_concentration(measurement: Any, sensitivity: int, delta: float) -> Fraction:
    """The ε at `delta` along OpenDP's curve."""
    import opendp.prelude as dp  # slow to import, and only a release needs it

    as_approximate: Any = dp.c.make_zCDP_to_approxDP(measurement)
    return Fraction(as_approximate.map(float(sensitivity)).epsilon(delta))


def _measurement(scale: float) -> Any:
    import opendp.prelude as dp  # slow to import, and only a release needs it

    dp.enable_features("contrib")
    return dp.m.make_gaussian(dp.vector_domain(dp.atom_domain(T="i64")), dp.l2_distance(T="f64"), scale=scale)
