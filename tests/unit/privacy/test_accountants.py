"""Two accountants who know different things come to the same sum per day, and a wrong noise or charge shows."""

from __future__ import annotations

from dataclasses import asdict, replace
from datetime import UTC, date, datetime, timedelta

import pytest

from services.privacy.accountants import cross_check, over_days
from services.storage.ledger import Budget, Charge, Noise

LAST = date(2026, 11, 21)
LAPLACE = Noise(
    measure="vehicles", mechanism="discrete_laplace", scale=8.0, cells=8, per_cell=1, micro_epsilon=1_000_000
)
GAUSSIAN = Noise(
    measure="wh", mechanism="discrete_gaussian", scale=422.5, cells=48, per_cell=60, norm=100, micro_epsilon=1_000_000, delta=1e-6
)  # fmt: skip


def book(noise: list[Noise] | None, *, days: int, micro_epsilon: int = 1_000_000) -> tuple[list[Budget], list[Charge]]:
    when = [LAST - timedelta(days=back) for back in range(days)]
    budgets = [
        Budget(domain="mobility", day=day, cap_micro_epsilon=1_000_000, spent_micro_epsilon=micro_epsilon)
        for day in when
    ]
    charges = [
        Charge(
            release_key=f"presence/1/{day}",
            domain="mobility",
            day=day,
            plan_hash="h",
            micro_epsilon=micro_epsilon,
            delta=sum(each.delta for each in noise or ()),
            noise=None if noise is None else [asdict(each) for each in noise],
            charged_at=datetime(2026, 11, 22, tzinfo=UTC),
        )
        for day in when
    ]
    return budgets, charges


PRESENCE = Noise(
    measure="vehicles", mechanism="discrete_gaussian", scale=29.6065479, cells=49, per_cell=1, norm=7, micro_epsilon=1_000_000, delta=1e-6
)  # fmt: skip


# Laplace with L0 = 8 and b = 8, and Gaussian with σ = 4.225 of the L2 bound, at δ = 10^-6: the figures that dp-accounting
# gives for these mechanisms in the public comparison of both.
@pytest.mark.parametrize(
    ("noise", "expected"),
    [
        (LAPLACE, [1.0, 4.26, 10.2, 20.3, 52.5]),
        (GAUSSIAN, [1.0, 2.89, 6.58, 12.7, 31.0]),
        (PRESENCE, [1.0, 2.89, 6.58, 12.7, 31.0]),
    ],
    ids=["laplace", "gaussian", "presence"],
)
def test_days_together_cost_what_is_known_of_these_mechanisms(noise: Noise, expected: list[float]) -> None:
    for days, epsilon in zip((1, 7, 30, 90, 365), expected, strict=True):
        assert over_days([noise], days) == pytest.approx(epsilon, rel=0.03)


def test_the_second_account_of_presence_is_the_exact_sum_over_its_49_numbers_rounded_up() -> None:
    # Convolving the noise 49 times and searching where P(loss > e) - exp(e) P'(loss > e) is 10^-6 gives 0.9987680.
    found = cross_check(*book([PRESENCE], days=1), last_day=LAST).days[0].distribution
    assert 0.998767 <= found < 0.99878


def test_sum_and_distribution_agree_and_the_distribution_is_less_over_many_days() -> None:
    checked = cross_check(*book([LAPLACE], days=40), last_day=LAST)

    assert checked.agree
    assert {(each.basic, round(each.distribution, 3)) for each in checked.days} == {(1.0, 1.0)}
    by_length = {window.days: (window.basic, window.distribution) for window in checked.windows}
    assert by_length[30][0] == 30.0
    assert by_length[30][1] < 11
    assert by_length[365][0] == 40.0


def test_too_little_noise_and_too_high_a_charge_both_show() -> None:
    narrow = replace(LAPLACE, scale=7.9)
    wide = replace(LAPLACE, scale=8.2)
    assert not cross_check(*book([narrow], days=1), last_day=LAST).agree
    assert not cross_check(*book([wide], days=1), last_day=LAST).agree
    assert not cross_check(*book([LAPLACE, LAPLACE], days=1), last_day=LAST).agree
    assert cross_check(*book([GAUSSIAN], days=1), last_day=LAST).agree
    assert not cross_check(*book([replace(GAUSSIAN, scale=400.0)], days=1), last_day=LAST).agree
    assert cross_check(*book([PRESENCE], days=1), last_day=LAST).agree
    assert not cross_check(*book([replace(PRESENCE, scale=29.56)], days=1), last_day=LAST).agree
    before = replace(PRESENCE, scale=31.72)  # priced by zero concentration, as version 2 of presence was
    assert cross_check(*book([before], days=1), last_day=LAST).agree


def test_a_charge_of_unknown_noise_counts_as_the_worst_of_its_price() -> None:
    checked = cross_check(*book(None, days=1), last_day=LAST)
    assert checked.agree
    assert checked.days[0].distribution == pytest.approx(1.0, abs=1e-3)
    assert not cross_check(*book([], days=1), last_day=LAST).agree  # paid for, but nothing drawn
