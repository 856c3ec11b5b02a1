"""Code concerned with the discrete Laplace mechanism: integer noise from a cryptographic source, priced by OpenDP.

Claim. For two integer vectors whose L1 distance is at most `sensitivity`, the probabilities of any result differ by a
factor of at most e^ε with ε = micro_epsilon / 10^6, and δ = 0.

Assumptions. The bounding before it keeps the promise of `sensitivity`; the operating system's random source is good;
nobody sees the exact vector, nor more than one result of it per charge.

Derivation. Noise Z on each coordinate has P(Z = z) = (1 - a) / (1 + a) * a^|z|, with a = e^(-1/b). Moving one coordinate
by d changes a probability by at most e^(d/b); over all coordinates by e^(sensitivity/b). With b >= sensitivity/ε that is
at most e^ε. OpenDP computes sensitivity/b with upward rounding (`Measurement.map`); b is raised by single steps of
floating point until that price is not above the charge, and the comparison is exact (rational numbers).

Utility. Standard deviation sqrt(2a) / (1 - a), about b * sqrt(2). |Z| stays within `half_width(0.95)`, about b * ln 20.

Citation. Ghosh, Roughgarden, Sundararajan: Universally Utility-Maximizing Privacy Mechanisms, SIAM J. Comput. 41(6),
2012, https://doi.org/10.1137/09076828X. Sampler: Canonne, Kamath, Steinke: The Discrete Gaussian for Differential
Privacy, NeurIPS 2020, https://arxiv.org/abs/2004.00010, as implemented in OpenDP.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.storage.ledger import MICRO


@dataclass(frozen=True, kw_only=True, slots=True)
class DiscreteLaplace:
    """Discrete Laplace noise for integer vectors that one subject changes by at most `sensitivity` (L1).

    `micro_epsilon` is what was charged for one result [millionths of ε]; both are at least 1.
    """

    sensitivity: int
    micro_epsilon: int

    def __post_init__(self) -> None:
        """Refuse what would mean no protection.

        Raises:
            ValueError: a sensitivity or a charge below 1.

        """
        if self.sensitivity < 1 or self.micro_epsilon < 1:
            message = f"sensitivity {self.sensitivity} and charge {self.micro_epsilon} must be at least 1"
            raise ValueError(message)

    @property
    def scale(self) -> float:
        """The scale b of the noise: the least number with price(b) <= charge, as far as floating point can say."""
        scale = self.sensitivity * MICRO / self.micro_epsilon
        while self.price(scale) > Fraction(self.micro_epsilon, MICRO):
            scale = math.nextafter(scale, math.inf)
        return scale

    def price(self, scale: float) -> Fraction:
        """The ε of one result at this scale, as OpenDP's own measurement says it."""
        return Fraction(self._measurement(scale).map(self.sensitivity))

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
        scale = self.scale
        measurement = self._measurement(scale)
        cost = Fraction(measurement.map(self.sensitivity))
        if cost > Fraction(self.micro_epsilon, MICRO):
            message = f"the measurement costs epsilon {float(cost)}, charged were {self.micro_epsilon} millionths"
            raise ArithmeticError(message)
        noisy = measurement(exact.ravel()) if exact.size else []
        return np.array(noisy, dtype=np.int64).reshape(exact.shape)

    def half_width(self, confidence: float) -> int:
        """The least w with P(|Z| <= w) >= confidence, for 0 < confidence < 1: P(|Z| > w) = 2 a^(w+1) / (1 + a)."""
        a = math.exp(-1 / self.scale)
        width = math.log((1 - confidence) * (1 + a) / 2) / math.log(a) - 1
        return max(0, math.ceil(width))

    def _measurement(self, scale: float) -> Any:
        import opendp.prelude as dp  # slow to import, and only a release needs it

        dp.enable_features("contrib")
        return dp.m.make_laplace(dp.vector_domain(dp.atom_domain(T="i64")), dp.l1_distance(T="i64"), scale=scale)
