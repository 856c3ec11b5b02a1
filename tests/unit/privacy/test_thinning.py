"""Counts of subjects that were seen in many cells are corrected, within what the bounds allow."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

from services.privacy.mechanisms.thinning import scaled, thinning_factor


@pytest.mark.parametrize(
    ("total", "kept", "factor"),
    [
        (30_000, 10_000, Fraction(3)),
        (10_000, 30_000, Fraction(1)),  # noise alone made the total the smaller one
        (30_000, 1_000, Fraction(6)),  # no subject of at most 48 cells that keeps 8 loses more than a factor of 6
        (30_000, 0, Fraction(1)),
        (30_000, -500, Fraction(1)),
        (12_999, 10_000, Fraction(1)),  # the difference may be noise
        (8_999, 1_000, Fraction(1)),  # an empty city must not be multiplied into a full one
    ],
)
def test_the_factor_stays_within_the_bounds(total: int, kept: int, factor: Fraction) -> None:
    assert thinning_factor(total=total, kept=kept, half_width=3_000, most=Fraction(48, 8)) == factor


def test_scaling_is_exact_and_rounds_to_the_nearest() -> None:
    noisy = np.array([-7, 0, 1, 3, 2**30], dtype=np.int64)
    assert scaled(noisy, Fraction(1)).tolist() == noisy.tolist()
    assert scaled(noisy, Fraction(3, 2)).tolist() == [-10, 0, 2, 5, 3 * 2**29]  # -10.5, 1.5 and 4.5: halves upwards
    assert scaled(noisy, Fraction(1_000_001, 1_000_000)).tolist()[-1] == 2**30 + 1074  # 2^30 / 10^6 = 1073.7
