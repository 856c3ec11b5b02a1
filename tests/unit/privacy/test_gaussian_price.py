"""The price of discrete Gaussian noise is above the truth, which is added up here number by number, and below what OpenDP says."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from services.privacy.mechanisms.catalogue import GAUSSIAN
from services.privacy.mechanisms.discrete_gaussian import DiscreteGaussian, _by_concentration, _measurement
from services.privacy.mechanisms.gaussian_price import ROUNDED, is_proven, proven_price
from services.privacy.plan import load_plans

DELTA = 1e-6
MEASURES = [(plan, measure) for plan in load_plans() for measure in plan.measure if measure.mechanism == GAUSSIAN]


def of_multiple(sigma: float, times: int) -> NDArray[np.float64]:
    """The probabilities of times * Z for one noise Z, from -reach to reach; what lies beyond 9.5 sigma is 1e-20."""
    reach = math.ceil(9.5 * sigma)
    weight = np.exp(-0.5 * (np.arange(-reach, reach + 1) / sigma) ** 2)
    spread = np.zeros(2 * reach * times + 1)
    spread[::times] = weight / weight.sum()
    return spread


def true_delta(sigma: float, change: tuple[int, ...], epsilon: float) -> float:
    """P(loss > epsilon) - e^epsilon P'(loss > epsilon) for neighbours that differ by these numbers.

    The loss of a result is (|change|^2 - 2 <Z, change>) / 2 sigma^2, so <Z, change> decides, whose probabilities are the
    convolution of those of its terms (Canonne, Kamath, Steinke 2020, theorem 7, for any number of coordinates).
    """
    total = np.ones(1)
    for each in change:
        total = np.convolve(total, of_multiple(sigma, abs(each)))
    values = np.arange(len(total)) - len(total) // 2
    square = sum(each * each for each in change)
    middle = epsilon * sigma**2
    likelier = float(total[values > middle - square / 2].sum())
    return likelier - math.exp(epsilon) * float(total[values > middle + square / 2].sum())


@pytest.mark.parametrize(
    "change",
    [(3,), (1,) * 9, (2, 2, 1), (2, 1, 1, 1, 1, 1), (1,) * 8, (-1, 1, -1), (2,), (1,)],
    ids=lambda change: "/".join(map(str, change)),
)
@pytest.mark.parametrize("micro_epsilon", [300_000, 1_000_000, 2_640_000])
def test_no_change_within_the_norm_costs_more_than_was_charged(change: tuple[int, ...], micro_epsilon: int) -> None:
    noise = DiscreteGaussian(sensitivity=3, micro_epsilon=micro_epsilon, delta=DELTA)
    assert true_delta(noise.scale, change, micro_epsilon / 1e6) <= DELTA


@settings(max_examples=15, derandomize=True)
@given(
    change=st.lists(st.integers(1, 4), min_size=1, max_size=4).map(tuple),
    epsilon=st.sampled_from([0.5, 1.0, 2.0]),
)
def test_the_theorem_holds_for_any_change(change: tuple[int, ...], epsilon: float) -> None:
    norm = math.isqrt(sum(each * each for each in change) - 1) + 1
    noise = DiscreteGaussian(sensitivity=norm, micro_epsilon=int(epsilon * 1e6), delta=DELTA)
    assert true_delta(noise.scale, change, epsilon) <= DELTA


def test_more_changed_numbers_are_always_worse_and_presence_pays_for_all_of_them() -> None:
    sigma, deltas, total = DiscreteGaussian(sensitivity=7, micro_epsilon=1_000_000, delta=DELTA).scale, [], np.ones(1)
    one = of_multiple(sigma, 1)
    for many in range(1, 50):
        total = np.convolve(total, one)
        total = total[len(total) // 2 - 3000 : len(total) // 2 + 3001] if len(total) > 6001 else total
        values = np.arange(len(total)) - len(total) // 2
        above = [total[values > sigma**2 + sign * many / 2].sum() for sign in (-1, 1)]
        deltas.append(above[0] - math.e * above[1])
    assert deltas == sorted(deltas)
    assert 0.97 * DELTA < deltas[-1] <= DELTA  # all 49 of them: what the theorem gives away is little


@pytest.mark.parametrize(("plan", "measure"), MEASURES, ids=lambda each: each.name)
@pytest.mark.parametrize("share", [Fraction(1, 2), Fraction(1), Fraction(2)])
def test_what_plans_pay_is_at_most_what_opendp_asks_and_nearly_what_continuous_noise_costs(
    plan: Any, measure: Any, share: Fraction
) -> None:
    paid = int(plan.parts(plan.price(1_000_000))[measure.name] * share)
    noise = DiscreteGaussian(sensitivity=measure.sensitivity, micro_epsilon=paid, delta=float(measure.delta))
    price = noise.price(noise.scale)
    assert price <= Fraction(paid, 1_000_000)
    assert float(price) == pytest.approx(paid / 1e6, rel=1e-6)
    asked = _by_concentration(_measurement(noise.scale), measure.sensitivity, float(measure.delta))
    assert 0.9 * asked < price < 0.96 * asked
    continuous = math.sqrt(noise.scale**2 - ROUNDED)
    epsilon, ratio = paid / 1e6, measure.sensitivity / continuous
    tail = [math.erfc((epsilon / ratio + sign * ratio / 2) / math.sqrt(2)) / 2 for sign in (-1, 1)]
    assert tail[0] - math.exp(epsilon) * tail[1] == pytest.approx(float(measure.delta), rel=1e-4)


def test_the_published_scale_of_the_analytic_gaussian_is_met() -> None:
    # Balle and Wang 2018: at epsilon 1 and delta 10^-6 continuous noise needs 4.2247 times the norm.
    variance = Fraction(4.22468) ** 2 * 10**6
    assert is_proven(variance + ROUNDED, 1000, Fraction(1), DELTA)
    assert not is_proven(variance * Fraction("0.9999"), 1000, Fraction(1), DELTA)


def test_where_the_theorem_says_nothing_zero_concentration_stands() -> None:
    assert proven_price(Fraction(2), 1, DELTA) is None
    assert proven_price(Fraction(10**20), 10**9, DELTA) is None  # too many numbers could change
    narrow = DiscreteGaussian(sensitivity=1, micro_epsilon=20_000_000, delta=DELTA)
    assert narrow.scale**2 < 2
    assert narrow.price(narrow.scale) == _by_concentration(_measurement(narrow.scale), 1, DELTA)
    assert true_delta(narrow.scale, (1,), 20.0) <= DELTA
