"""Code concerned with what several days cost together, by basic composition: the sum. Tighter bounds exist; none is lower than true."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from services.storage.ledger import MICRO, Budget

WINDOWS = (1, 7, 30, 90, 365)


@dataclass(frozen=True, kw_only=True, slots=True)
class Composition:
    """What all releases of a domain about `days` consecutive local days cost one subject that was there every day.

    `epsilon` is what was spent on the days up to and with `last_day`; `at_most` is what the daily cap would allow.
    """

    domain: str
    days: int
    last_day: date
    epsilon: float
    at_most: float


def compose(budgets: Sequence[Budget], domain: str, *, last_day: date, cap: int) -> list[Composition]:
    """Composition over the windows of 1, 7, 30, 90 and 365 days that end with `last_day`.

    Args:
        budgets: the ledger's days, at least those of the last 365.
        domain: whose.
        last_day: the newest day of every window.
        cap: the daily cap [micro-ε].

    """
    spent = {budget.day: budget.spent_micro_epsilon for budget in budgets if budget.domain == domain}
    return [
        Composition(
            domain=domain,
            days=days,
            last_day=last_day,
            epsilon=sum(spent.get(last_day - timedelta(days=back), 0) for back in range(days)) / MICRO,
            at_most=days * cap / MICRO,
        )
        for days in WINDOWS
    ]
