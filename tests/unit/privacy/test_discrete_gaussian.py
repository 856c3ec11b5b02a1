"""Gaussian noise has the distribution and the price it says, and a release draws nothing that costs other than was charged."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from scipy import stats

from services.privacy import drawing
from services.privacy.mechanisms.discrete_gaussian import DiscreteGaussian
from services.privacy.mechanisms.discrete_laplace import DiscreteLaplace
from services.privacy.plan import load_plan
from services.privacy.products.catalogue import CATALOGUE

DRAWS = 100_000
UNIT = DiscreteGaussian(sensitivity=1, micro_epsilon=1_000_000, delta=1e-6)


def fit(noise: np.ndarray[Any, np.dtype[np.int64]], sigma: float) -> float:
    inner = np.arange(-12, 13)
    wide = np.arange(-200, 201)
    pmf = np.exp(-((wide / sigma) ** 2) / 2)
    pmf /= pmf.sum()
    probability = [pmf[wide < -12].sum(), *pmf[np.abs(wide) <= 12], pmf[wide > 12].sum()]
    observed = [(noise < -12).sum(), *((noise == z).sum() for z in inner), (noise > 12).sum()]
    return float(stats.chisquare(observed, len(noise) * np.array(probability)).pvalue)


def test_noise_fits_the_discrete_gaussian_distribution() -> None:
    # A right sampler fails once in a million runs; noise of a scale 5 % off does not pass.
    noise = UNIT.release(np.zeros(DRAWS, dtype=np.int64))
    assert fit(noise, UNIT.scale) > 1e-6
    assert fit(noise, UNIT.scale * 1.05) < 1e-6


def test_half_width_holds_ninety_five_percent_and_no_less_does() -> None:
    width = UNIT.half_width(0.95)
    inside = np.abs(UNIT.release(np.zeros(DRAWS, dtype=np.int64)))
    assert (inside <= width).mean() + 0.003 >= 0.95
    assert (inside <= width - 1).mean() < 0.95
    wide = DiscreteGaussian(sensitivity=10_000, micro_epsilon=1_000_000, delta=1e-6)
    assert wide.half_width(0.95) == pytest.approx(1.96 * wide.scale, rel=1e-3)


@pytest.mark.parametrize(
    ("sensitivity", "micro_epsilon"), [(1, 450_000), (4_000, 450_000), (4_000, 1_000), (7, 2_640_000)]
)
def test_the_least_noise_is_found_for_any_charge(sensitivity: int, micro_epsilon: int) -> None:
    mechanism = DiscreteGaussian(sensitivity=sensitivity, micro_epsilon=micro_epsilon, delta=1e-6)
    charge = Fraction(micro_epsilon, 1_000_000)
    price = mechanism.price(mechanism.scale)
    assert price <= charge
    assert float(price) == pytest.approx(float(charge), rel=1e-6)


@pytest.mark.parametrize(
    ("sensitivity", "micro_epsilon", "delta"), [(0, 1, 1e-6), (1, 0, 1e-6), (1, 1, 0.0), (1, 1, 1.0)]
)
def test_no_protection_is_refused(sensitivity: int, micro_epsilon: int, delta: float) -> None:
    with pytest.raises(ValueError, match="must be at least 1, and delta"):
        DiscreteGaussian(sensitivity=sensitivity, micro_epsilon=micro_epsilon, delta=delta)


def test_floating_point_is_refused() -> None:
    with pytest.raises(TypeError, match="64-bit integers only"):
        UNIT.release(np.array([1.0]))  # type: ignore[arg-type]  # what must be refused


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_a_release_whose_noise_costs_other_than_was_charged_draws_nothing(
    monkeypatch: pytest.MonkeyPatch, factor: float
) -> None:
    plan = load_plan("trip_lengths")
    exact = {"trips": np.full(9, 1_000, dtype=np.int64)}
    assert drawing.draw(plan, CATALOGUE["trip_lengths"], 100_000, exact).values["trips"].shape == (9,)

    def other(measure: Any, micro_epsilon: int) -> DiscreteLaplace:
        return DiscreteLaplace(sensitivity=measure.sensitivity, micro_epsilon=int(micro_epsilon * factor))

    monkeypatch.setattr(drawing, "mechanism_of", other)
    with pytest.raises(ArithmeticError, match=r"charged were 0\.1: nothing was drawn"):
        drawing.draw(plan, CATALOGUE["trip_lengths"], 100_000, exact)
