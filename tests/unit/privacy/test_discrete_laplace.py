"""The mechanism's claim: the noise has the distribution it says, and two neighbours differ by no more than e^ε."""

from __future__ import annotations

import ast
import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from services.privacy.mechanisms.discrete_laplace import DiscreteLaplace

DRAWS = 200_000


def draws(mechanism: DiscreteLaplace, at: int = 0) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return mechanism.release(np.full(DRAWS, at, dtype=np.int64))


def test_noise_fits_the_discrete_laplace_distribution() -> None:
    # b = 8: P(z) = (1 - a) / (1 + a) a^|z|, a = e^(-1/8). 81 classes of -40 to 40 and one for each tail. A right sampler
    # fails once in a million runs.
    noise = draws(DiscreteLaplace(sensitivity=8, micro_epsilon=1_000_000))
    a = math.exp(-1 / 8)
    inner = np.arange(-40, 41)
    probability = (1 - a) / (1 + a) * a ** np.abs(inner)
    tail = a**41 / (1 + a)
    observed = [(noise < -40).sum(), *((noise == z).sum() for z in inner), (noise > 40).sum()]
    fit = stats.chisquare(observed, DRAWS * np.array([tail, *probability, tail]))
    assert fit.pvalue > 1e-6
    assert noise.dtype == np.int64


def test_a_slightly_wrong_scale_would_be_noticed() -> None:
    # The control of the test above: noise of scale 8.4 does not pass for scale 8.
    noise = draws(DiscreteLaplace(sensitivity=42, micro_epsilon=5_000_000))
    a = math.exp(-1 / 8)
    inner = np.arange(-40, 41)
    tail = a**41 / (1 + a)
    observed = [(noise < -40).sum(), *((noise == z).sum() for z in inner), (noise > 40).sum()]
    expected = DRAWS * np.array([tail, *((1 - a) / (1 + a) * a ** np.abs(inner)), tail])
    assert stats.chisquare(observed, expected).pvalue < 1e-6


def test_results_on_neighbours_differ_by_at_most_the_claimed_factor() -> None:
    # One subject moves the count from 0 to 1 at sensitivity 1, ε = 1: every ratio lies within e^1, and most attain it.
    mechanism = DiscreteLaplace(sensitivity=1, micro_epsilon=1_000_000)
    without, with_subject = draws(mechanism, 0), draws(mechanism, 1)
    ratios = []
    for value in range(-4, 6):
        p, q = (without == value).sum(), (with_subject == value).sum()
        slack = 5 * math.sqrt(1 / p + 1 / q)  # five standard errors of the logarithm
        assert abs(math.log(p / q)) <= 1 + slack
        ratios.append(abs(math.log(p / q)))
    assert np.median(ratios) > 0.9  # a mechanism with far too much noise would have smaller ratios


@pytest.mark.parametrize("micro_epsilon", [1, 300_000, 700_000, 123_457, 999_999, 1_000_000, 2_640_000])
@pytest.mark.parametrize("sensitivity", [1, 8, 30_000])
def test_the_price_opendp_names_is_never_above_the_charge(sensitivity: int, micro_epsilon: int) -> None:
    mechanism = DiscreteLaplace(sensitivity=sensitivity, micro_epsilon=micro_epsilon)
    charge = Fraction(micro_epsilon, 1_000_000)
    price = mechanism.price(mechanism.scale)
    assert price <= charge
    assert float(price) == pytest.approx(float(charge), rel=1e-9)  # and nothing is given away


def test_half_width_holds_ninety_five_percent() -> None:
    mechanism = DiscreteLaplace(sensitivity=8, micro_epsilon=1_000_000)
    width = mechanism.half_width(0.95)
    assert width == 24  # b ln 20 = 23.97
    inside = (np.abs(draws(mechanism)) <= width).mean()
    assert inside + 0.002 >= 0.95
    assert (np.abs(draws(mechanism)) <= width - 1).mean() < 0.95


@pytest.mark.parametrize(("sensitivity", "micro_epsilon"), [(0, 1), (1, 0), (-8, 1_000_000), (8, -1)])
def test_no_protection_is_refused(sensitivity: int, micro_epsilon: int) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        DiscreteLaplace(sensitivity=sensitivity, micro_epsilon=micro_epsilon)


@pytest.mark.parametrize("value", [math.nan, math.inf, 1.0])
def test_floating_point_is_refused(value: float) -> None:
    with pytest.raises(TypeError, match="64-bit integers only"):
        DiscreteLaplace(sensitivity=1, micro_epsilon=1).release(np.array([value]))  # type: ignore[arg-type]  # what must be refused


def test_extremes_and_shapes_survive() -> None:
    mechanism = DiscreteLaplace(sensitivity=1, micro_epsilon=1_000_000)
    edge = np.iinfo(np.int64)
    noisy = mechanism.release(np.array([[edge.max, edge.min, 0]] * 50, dtype=np.int64))
    assert noisy.shape == (50, 3)
    assert (noisy[:, 0] > 0).all()  # saturates instead of wrapping to the other sign
    assert (noisy[:, 1] < 0).all()
    assert mechanism.release(np.zeros((0, 24), dtype=np.int64)).shape == (0, 24)


def test_no_other_source_of_chance_is_used() -> None:
    root = Path(__file__).resolve().parents[3] / "services"
    attacks = root / "privacy" / "attacks"  # attackers and the people they attack are generated, with seeds
    files = [*(root / "privacy").rglob("*.py"), *(root / "storage").glob("*.py")]
    files = [file for file in files if not file.is_relative_to(attacks)]
    assert files
    for file in files:
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import | ast.ImportFrom) else []
            module = node.module if isinstance(node, ast.ImportFrom) else None
            assert "random" not in {*names, *(name.rpartition(".")[2] for name in names), module}, file
            assert not (isinstance(node, ast.Attribute) and node.attr == "random"), file
