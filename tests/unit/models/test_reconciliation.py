"""Totals that add up: against worked examples, the textbook's formula, and errors whose covariance is known."""

from __future__ import annotations

import numpy as np
import pytest

from models.panel import Values
from models.reconciliation import Hierarchy, Method, reconciliation, shrinkage

CITY = Hierarchy(members=np.array([[1.0, 1, 0, 0], [0, 0, 1, 1], [1, 1, 1, 1]]))
EVERY = [range(3)]


def errors_of(covariance: Values, origins: int, seed: int = 3) -> Values:
    """Errors of three steps drawn with a covariance (origins x series x steps)."""
    factor = np.linalg.cholesky(covariance)
    drawn = np.random.default_rng(seed).standard_normal((origins, 3, len(covariance))) @ factor.T
    return np.asarray(drawn.transpose(0, 2, 1))


def textbook(members: Values, covariance: Values) -> Values:
    """S (S' W^-1 S)^-1 S' W^-1, as published; totals first."""
    sums = np.concatenate([members, np.eye(members.shape[1])])
    inverse = np.linalg.inv(covariance)
    return sums @ np.linalg.inv(sums.T @ inverse @ sums) @ sums.T @ inverse


def test_least_squares_shares_a_contradiction_evenly() -> None:
    """Two sensors of 3 and 4, a total of 10: what is missing, 3, is shared by three forecasts, 1 each."""
    pair = Hierarchy(members=np.ones((1, 2)))
    learnt = reconciliation(pair, np.zeros((1, 3, 1)), Method.OLS, [range(1)])
    totals, sensors = learnt.apply(np.array([[10.0]]), np.array([[3.0], [4.0]]))
    np.testing.assert_allclose(sensors[:, 0], [4.0, 5.0])
    np.testing.assert_allclose(totals[:, 0], [9.0])


def test_a_total_of_two_has_twice_the_variance_of_a_sensor_by_structure() -> None:
    """Shares 2 : 1 : 1 of 4, so the total gives way by 2 and each sensor by 1."""
    pair = Hierarchy(members=np.ones((1, 2)))
    learnt = reconciliation(pair, np.zeros((1, 3, 1)), Method.STRUCTURAL, [range(1)])
    totals, sensors = learnt.apply(np.array([[11.0]]), np.array([[3.0], [4.0]]))
    np.testing.assert_allclose(sensors[:, 0], [4.0, 5.0])
    np.testing.assert_allclose(totals[:, 0], [9.0])


@pytest.mark.parametrize("method", [Method.OLS, Method.STRUCTURAL, Method.VARIANCE])
def test_the_short_form_is_the_formula_of_the_textbook(method: Method) -> None:
    errors = errors_of(np.diag([9.0, 4, 16, 1, 2, 3, 1]), 40)
    rows = errors.transpose(0, 2, 1).reshape(-1, 7)
    spread = {
        Method.OLS: np.ones(7),
        Method.STRUCTURAL: np.array([2.0, 2, 4, 1, 1, 1, 1]),
        Method.VARIANCE: (rows**2).mean(axis=0),
    }[method]
    base = np.random.default_rng(0).normal(10, 3, (7, 3))
    totals, sensors = reconciliation(CITY, errors, method, EVERY).apply(base[:3], base[3:])
    np.testing.assert_allclose(
        np.concatenate([totals, sensors]), textbook(CITY.members, np.diag(spread)) @ base, rtol=1e-10
    )


def test_mint_is_the_formula_of_the_textbook_with_the_shrunk_covariance() -> None:
    mixing = np.random.default_rng(1).normal(size=(7, 7))
    errors = errors_of(mixing @ mixing.T + np.eye(7), 30)
    rows = errors.transpose(0, 2, 1).reshape(-1, 7)
    covariance = rows.T @ rows / len(rows)
    share = shrinkage(rows)
    shrunk = share * np.diag(np.diag(covariance)) + (1 - share) * covariance
    base = np.random.default_rng(2).normal(10, 3, (7, 3))
    totals, sensors = reconciliation(CITY, errors, Method.MINT, EVERY).apply(base[:3], base[3:])
    assert 0 < share < 1
    np.testing.assert_allclose(np.concatenate([totals, sensors]), textbook(CITY.members, shrunk) @ base, rtol=1e-9)


def test_shrinkage_is_the_sum_over_pairs_that_its_authors_give() -> None:
    rows = np.random.default_rng(5).normal(size=(25, 6)) @ np.random.default_rng(6).normal(size=(6, 6))
    scaled = rows / np.sqrt((rows**2).mean(axis=0))
    many = len(rows)
    above = below = 0.0
    for i in range(6):
        for j in range(6):
            if i != j:
                products = scaled[:, i] * scaled[:, j]
                above += many / (many - 1) * ((products - products.mean()) ** 2).sum() / many**2
                below += products.mean() ** 2
    assert shrinkage(rows) == pytest.approx(above / below, rel=1e-9)


@pytest.mark.parametrize("method", list(Method))
def test_everything_adds_up_to_rounding_and_what_adds_up_stays(method: Method) -> None:
    errors = errors_of(np.diag([9.0, 4, 16, 1, 2, 3, 1]), 40)
    learnt = reconciliation(CITY, errors, method, EVERY)
    base = np.random.default_rng(4).uniform(0, 1e6, (7, 3))
    totals, sensors = learnt.apply(base[:3], base[3:])
    np.testing.assert_allclose(totals, CITY.sums(sensors), rtol=0, atol=1e-9)
    np.testing.assert_allclose(totals[0] + totals[1], totals[2], rtol=1e-14)
    again, kept = learnt.apply(CITY.sums(base[3:]), base[3:])
    np.testing.assert_allclose(kept, base[3:], rtol=1e-12)
    np.testing.assert_allclose(again, CITY.sums(base[3:]), rtol=1e-12)


def test_what_cannot_be_negative_stays_so_and_still_adds_up() -> None:
    errors = errors_of(np.diag([1.0, 1, 1, 5, 5, 5, 5]), 40)
    sensors = np.full((4, 3), 0.1)
    totals = np.full((3, 3), -2.0)
    summed, kept = reconciliation(CITY, errors, Method.MINT, EVERY).apply(totals, sensors, nonnegative=True)
    assert (kept >= 0).all()
    np.testing.assert_allclose(summed, CITY.sums(kept), rtol=1e-12)


def test_too_few_origins_fall_back_to_the_structure_and_gaps_do_not_spread() -> None:
    errors = errors_of(np.diag([9.0, 4, 16, 1, 2, 3, 1]), 40)
    few = reconciliation(CITY, errors[:5], Method.MINT, EVERY).gains[0]
    np.testing.assert_allclose(few, reconciliation(CITY, errors, Method.STRUCTURAL, EVERY).gains[0])
    gaps = errors.copy()
    gaps[::3, 5] = np.nan
    holed = reconciliation(CITY, gaps, Method.MINT, EVERY).gains[0]
    np.testing.assert_allclose(holed, reconciliation(CITY, errors, Method.MINT, EVERY).gains[0], atol=0.15)
    dead = errors.copy()
    dead[:, 3:] *= np.array([1, 1, 1, 0.0])[:, None]
    assert np.isfinite(reconciliation(CITY, dead, Method.MINT, EVERY).gains[0]).all()


def test_mint_errs_less_than_any_other_where_sensors_err_together() -> None:
    """Two sensors err against each other, the total is forecast well: its forecast says much about the others."""
    rng = np.random.default_rng(8)
    against = rng.normal(size=(400, 1, 1)) * np.array([3.0, -3, 1, 1])[None, :, None]
    wrong = against + rng.normal(size=(400, 4, 3))
    truth = np.zeros((400, 7, 3))
    totals = CITY.sums(wrong) * np.array([1.0, 0.3, 0.2])[:, None] + rng.normal(scale=0.5, size=(400, 3, 3))
    errors = truth - np.concatenate([totals, wrong], axis=1)
    found = {}
    for method in Method:
        summed, kept = reconciliation(CITY, errors[:200], method, EVERY).apply(errors[200:, :3], errors[200:, 3:])
        found[method] = float(np.abs(np.concatenate([summed, kept], axis=1)).mean())
    assert found[Method.MINT] == min(found.values())
    assert found[Method.MINT] < 0.9 * found[Method.BOTTOM_UP]
