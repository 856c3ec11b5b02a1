"""What is shown of noisy counts, and how rarely an empty cell is shown."""

from __future__ import annotations

import numpy as np
import pytest

from services.privacy.mechanisms.contract import Mechanism
from services.privacy.mechanisms.discrete_gaussian import DiscreteGaussian
from services.privacy.mechanisms.discrete_laplace import DiscreteLaplace
from services.privacy.mechanisms.threshold import noisy_threshold, rounded, shown


@pytest.mark.parametrize(
    ("noise", "expected"),
    [
        (DiscreteLaplace(sensitivity=8, micro_epsilon=1_000_000), 51),  # about b ln 500 = 49.7; P(Z >= 51) = 0.0009
        (DiscreteLaplace(sensitivity=1, micro_epsilon=1_000_000), 10),
        (DiscreteLaplace(sensitivity=20, micro_epsilon=1_000_000), 125),
        (DiscreteGaussian(sensitivity=7, micro_epsilon=1_000_000, delta=1e-6), 92),  # 3.09 σ
    ],
)
def test_threshold_is_where_an_empty_cell_is_shown_once_in_a_thousand_and_at_least_the_minimum(
    noise: Mechanism, expected: int
) -> None:
    assert noisy_threshold(noise, minimum=10, false_presence=0.001) == expected


def test_empty_cells_are_shown_about_once_in_a_thousand() -> None:
    noisy = DiscreteLaplace(sensitivity=8, micro_epsilon=1_000_000).release(np.zeros(300_000, dtype=np.int64))
    # P(Z >= 50) = a^50 / (1 + a) = 0.00103: about 308 of 300 000, standard deviation 17.5.
    assert 220 < shown(noisy, 50).sum() < 400


def test_rounding_is_to_the_nearest_multiple_and_never_negative() -> None:
    noisy = np.array([-(2**40), -3, 0, 2, 3, 49, 52, 53, 2**40 + 1], dtype=np.int64)
    assert rounded(noisy, 5).tolist() == [0, 0, 0, 0, 5, 50, 50, 55, 2**40 - 1]  # 2^40 + 1 = …777: nearest is …775
    assert rounded(noisy[3:8], 1).tolist() == [2, 3, 49, 52, 53]
    assert shown(noisy, 50).tolist() == [False] * 6 + [True] * 3
