"""Code concerned with what a mechanism is: noise of a known price, whichever distribution it has."""

from __future__ import annotations

from fractions import Fraction
from typing import Protocol

import numpy as np
from numpy.typing import NDArray


class Mechanism(Protocol):
    """Integer noise for vectors that one subject changes by at most a known distance."""

    @property
    def scale(self) -> float:
        """How wide the noise is, in the mechanism's own measure (b of Laplace, σ of Gaussian)."""

    def price(self, scale: float) -> Fraction:
        """The ε of one result at this scale, as OpenDP's own measurement says it."""

    def release(self, exact: NDArray[np.int64]) -> NDArray[np.int64]:
        """The vector with independent noise on each number; same shape."""

    def half_width(self, confidence: float) -> int:
        """The least w with P(|Z| <= w) >= confidence, for 0 < confidence < 1."""
