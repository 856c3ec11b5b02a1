"""Code concerned with a second accountant: what the noise itself says about a subject's privacy, beside the ledger's sums.

The first accountant adds up what was charged. The second knows nothing of charges: from the scale of each noise and the
bounds of one subject it computes the privacy loss distribution (Koskela et al. 2020, https://arxiv.org/abs/1906.03049;
Google's dp-accounting, rounded up) and composes it. Per day both must say the same ε; over several days the distribution
says less than the sum at δ = 10^-6, since large losses seldom come together.

Laplace noise on `cells` numbers that change by `per_cell` each is that many mechanisms side by side, whose losses add up;
that is the worst a subject can do within the bounds. Gaussian noise on numbers that change by 1 is added up likewise, exactly
and knowing nothing of how the ledger's price was found: with k of them changed, k discrete mechanisms side by side, and as
leaving one out of them is post-processing, the most that may change are the worst. Where one number may change by more, the
bound is the vector's L2 norm, and continuous noise whose variance is lower by 2 stands for the discrete one, of which that is
made by rounding (`mechanisms.gaussian_price`, whose factors lie below 10^-8 and are left out here): another calculation of the same
lemma. A charge whose noise is not on record counts as the worst of its ε.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from services.privacy.composition import WINDOWS
from services.privacy.mechanisms.catalogue import GAUSSIAN, LAPLACE
from services.privacy.mechanisms.gaussian_price import ROUNDED
from services.storage.ledger import MICRO, Budget, Charge, Noise

if TYPE_CHECKING:
    from dp_accounting.pld.privacy_loss_distribution import PrivacyLossDistribution

DELTA: Final = 1e-6
"""At which δ several days are compared."""

_FINE: Final = 1e-5
_COARSE: Final = 1e-4
_MANY: Final = 500
"""Above so many steps of one number the continuous Laplace distribution stands for the discrete one, which is slow to add up."""

_ABOVE_TRUTH: Final = 0.1

Part = tuple[str, float, int, int, int | None]
"""Mechanism, scale, cells, per cell, norm; of noise that is not known: its ε as the scale."""

Parts = tuple[Part, ...]
_UNKNOWN: Final = "unknown"


@dataclass(frozen=True, kw_only=True, slots=True)
class DayChecked:
    """One domain's day in both accounts; `agree` when the noise loses what was charged, neither more nor less.

    Gaussian noise is bought by a bound above the truth, by a thousandth now and up to a tenth before version 3 of presence: there
    the distribution may say that much less. Of several mechanisms with a δ it may say less than their sum.
    """

    domain: str
    day: date
    basic: float
    distribution: float
    delta: float
    agree: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class WindowChecked:
    """The days up to `last_day` in both accounts: the sum, and the distribution at δ = 10^-6, which must not exceed it."""

    domain: str
    days: int
    last_day: date
    basic: float
    distribution: float
    agree: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class Checked:
    """Both accounts side by side."""

    days: tuple[DayChecked, ...]
    windows: tuple[WindowChecked, ...]

    @property
    def agree(self) -> bool:
        """Whether they agree everywhere."""
        return all(each.agree for each in self.days) and all(each.agree for each in self.windows)


def cross_check(budgets: Sequence[Budget], charges: Sequence[Charge], *, last_day: date) -> Checked:
    """Compare the ledger's sums with the distributions of the noise.

    Args:
        budgets: the days of the last year.
        charges: the ledger's rows of those days.
        last_day: the newest day of every window.

    """
    parts: dict[tuple[str, date], Parts] = {}
    for charge in sorted(charges, key=lambda charge: charge.release_key):
        place = (charge.domain, charge.day)
        parts[place] = (*parts.get(place, ()), *_parts_of(charge))
    deltas: Counter[tuple[str, date]] = Counter()
    for charge in charges:
        deltas[charge.domain, charge.day] += charge.delta  # type: ignore[assignment]  # typeshed wants whole counts
    days = tuple(
        _check_day(budget, parts.get((budget.domain, budget.day), ()), float(deltas[budget.domain, budget.day]))
        for budget in budgets
    )
    spent = {(budget.domain, budget.day): budget.spent for budget in budgets}
    windows = tuple(
        _check_window(domain, length, last_day, spent, parts)
        for domain in sorted({budget.domain for budget in budgets})
        for length in WINDOWS
    )
    return Checked(days=days, windows=windows)


def over_days(parts: Iterable[Noise], days: int) -> float:
    """The ε at δ = 10^-6 of a subject that is there on so many days, each with this noise."""
    return _epsilon({_known(parts): days})


def _parts_of(charge: Charge) -> Parts:
    if charge.noise is None:
        return ((_UNKNOWN, charge.epsilon, 1, 1, None),)
    return _known(Noise(**each) for each in charge.noise)


def _known(noise: Iterable[Noise]) -> Parts:
    return tuple((each.mechanism, each.scale, each.cells, each.per_cell, each.norm) for each in noise)


def _check_day(budget: Budget, parts: Parts, delta: float) -> DayChecked:
    found, pieces = _of_one_day(parts, delta)
    tolerance = pieces * _FINE + len(parts) / MICRO
    least = budget.spent * (1 - _untold(parts)) - tolerance
    return DayChecked(
        domain=budget.domain,
        day=budget.day,
        basic=budget.spent,
        distribution=round(found, 6),
        delta=delta,
        agree=least <= found <= budget.spent + tolerance,
    )


def _check_window(
    domain: str,
    length: int,
    last_day: date,
    spent: Mapping[tuple[str, date], float],
    parts: Mapping[tuple[str, date], Parts],
) -> WindowChecked:
    days = [(domain, last_day - timedelta(days=back)) for back in range(length)]
    basic = sum(spent.get(day, 0.0) for day in days)
    times = Counter(parts[day] for day in days if day in parts)
    found = _epsilon(times)
    pieces = sum(number * _pieces(each) for each, number in times.items())
    return WindowChecked(
        domain=domain,
        days=length,
        last_day=last_day,
        basic=round(basic, 6),
        distribution=round(min(found, basic), 6),
        agree=found <= basic + pieces * _COARSE,
    )


@lru_cache(maxsize=256)
def _of_one_day(parts: Parts, delta: float) -> tuple[float, int]:
    """The ε of one day's noise at δ, and how many mechanisms it is made of."""
    if not parts:
        return 0.0, 0
    composed = _composed(parts, _FINE, keep_tails=delta == 0)
    return float(composed.get_epsilon_for_delta(delta)), _pieces(parts)


def _epsilon(times: Mapping[Parts, int]) -> float:
    """The ε at δ = 10^-6 of days with these parts, each so many times."""
    whole: PrivacyLossDistribution | None = None
    for parts, number in sorted(times.items(), key=lambda item: repr(item[0])):
        if parts:
            days = _composed(parts, _COARSE, keep_tails=False).self_compose(number)
            whole = days if whole is None else whole.compose(days)
    return 0.0 if whole is None else float(whole.get_epsilon_for_delta(DELTA))


@lru_cache(maxsize=64)
def _composed(parts: Parts, interval: float, *, keep_tails: bool) -> PrivacyLossDistribution:
    """All noise of one day together; with its tails, which say what the loss can be at δ = 0."""
    more: dict[str, Any] = {"tail_mass_truncation": 0} if keep_tails else {}
    whole: PrivacyLossDistribution | None = None
    for part in parts:
        one = _distribution(part, interval)
        many = _side_by_side(part)
        one = one.self_compose(many, **more) if many > 1 else one
        whole = one if whole is None else whole.compose(one, **more)
    assert whole is not None  # noqa: S101 - callers pass at least one part
    return whole


def _distribution(part: Part, interval: float) -> PrivacyLossDistribution:
    from dp_accounting.pld import common  # slow to import, and few commands need it
    from dp_accounting.pld import privacy_loss_distribution as pld

    mechanism, scale, _, per_cell, norm = part
    if mechanism == LAPLACE and per_cell > _MANY:
        return pld.from_laplace_mechanism(
            scale / per_cell, value_discretization_interval=interval, use_connect_dots=False
        )
    if mechanism == LAPLACE:
        return pld.from_discrete_laplace_mechanism(
            1 / scale, sensitivity=per_cell, value_discretization_interval=interval
        )
    if mechanism == GAUSSIAN and per_cell == 1:
        return pld.from_discrete_gaussian_mechanism(
            scale, sensitivity=1, value_discretization_interval=interval, use_connect_dots=True
        )
    if mechanism == GAUSSIAN:
        return pld.from_gaussian_mechanism(
            math.sqrt(scale**2 - ROUNDED), sensitivity=float(norm or per_cell), value_discretization_interval=interval
        )
    worst = common.DifferentialPrivacyParameters(scale, 0.0)
    return pld.from_privacy_parameters(worst, value_discretization_interval=interval)


def _side_by_side(part: Part) -> int:
    """How many mechanisms of one number the worst subject sets in motion."""
    mechanism, _, cells, per_cell, norm = part
    if mechanism == LAPLACE:
        return cells
    return min(cells, norm**2) if mechanism == GAUSSIAN and per_cell == 1 and norm is not None else 1


def _pieces(parts: Parts) -> int:
    """How often a loss was rounded up to a step; what connects the dots between steps errs by far less than one."""
    return sum(part[2] if part[0] == LAPLACE else 1 for part in parts)


def _untold(parts: Parts) -> float:
    """The share of a charge by which the distribution of the noise may stay below it."""
    if all(mechanism != GAUSSIAN for mechanism, *_ in parts):
        return 0.0
    return _ABOVE_TRUTH if len(parts) == 1 else 1.0
