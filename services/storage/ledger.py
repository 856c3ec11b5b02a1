"""Code concerned with the ledger: what each release cost, charged before its noise is drawn, and what is left of a day.

Amounts are integers, in millionths of ε (micro-ε), so that sums are exact and the cap is a whole number.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from psycopg.rows import class_row

from services.errors import BudgetExhaustedError, NotFoundError
from services.storage.database import Connection
from services.storage.queries import query

MICRO = 1_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Budget:
    """What one domain may spend, and has spent, on one subject's local day [micro-ε]."""

    domain: str
    day: date
    cap_micro_epsilon: int
    spent_micro_epsilon: int

    @property
    def cap(self) -> float:
        """The day's cap as ε."""
        return self.cap_micro_epsilon / MICRO

    @property
    def spent(self) -> float:
        """What is spent of it, as ε."""
        return self.spent_micro_epsilon / MICRO


@dataclass(frozen=True, kw_only=True, slots=True)
class Charge:
    """One row of the ledger: never changed, never removed, never given back."""

    release_key: str
    domain: str
    day: date
    plan_hash: str
    micro_epsilon: int
    charged_at: datetime

    @property
    def epsilon(self) -> float:
        """The charge as ε."""
        return self.micro_epsilon / MICRO


def charge(
    connection: Connection, *, release_key: str, domain: str, day: date, plan_hash: str, micro_epsilon: int, cap: int
) -> Charge:
    """Take `micro_epsilon` from the budget of `day` for `release_key`, or find that it was taken before.

    The caller's transaction must run as the release role and must be committed before any noise is drawn.

    Args:
        connection: inside a transaction.
        release_key: what is paid for; a second charge for the same key spends nothing.
        domain: whose budget.
        day: the local day whose subjects are protected.
        plan_hash: the plan under which it is spent.
        micro_epsilon: the price [micro-ε].
        cap: the day's cap as configured now [micro-ε]; the lower of it and the day's first cap holds.

    Raises:
        BudgetExhaustedError: less is left of the day than the price; nothing was spent.

    """
    facts = {"release_key": release_key, "domain": domain, "day": day, "plan_hash": plan_hash}
    amounts = {"micro_epsilon": micro_epsilon, "cap": cap}
    connection.execute(query("ledger", "open_budget"), {"domain": domain, "day": day, "cap": cap})
    if connection.execute(query("ledger", "add_charge"), facts | amounts).rowcount:
        spent = connection.execute(query("ledger", "spend"), {"domain": domain, "day": day} | amounts)
        if not spent.rowcount:
            message = (
                f"the privacy budget of domain {domain} for {day} does not hold another {micro_epsilon / MICRO:g} "
                f"for {release_key}: nothing more can be published about that day"
            )
            raise BudgetExhaustedError(message)
    return find_charge(connection, release_key)


def find_charge(connection: Connection, release_key: str) -> Charge:
    """What was paid for a release key.

    Raises:
        NotFoundError: nothing was.

    """
    with connection.cursor(row_factory=class_row(Charge)) as cursor:
        found = cursor.execute(query("ledger", "find_charge"), {"release_key": release_key}).fetchone()
    if found is None:
        message = f"nothing was charged for {release_key}"
        raise NotFoundError(message)
    return found


def budgets(connection: Connection, *, first_day: date, last_day: date) -> list[Budget]:
    """Cap and spending of every charged day of an inclusive range, newest first."""
    with connection.cursor(row_factory=class_row(Budget)) as cursor:
        return cursor.execute(query("ledger", "budgets"), {"first_day": first_day, "last_day": last_day}).fetchall()


def charges(connection: Connection, *, first_day: date, last_day: date) -> list[Charge]:
    """The ledger's rows of an inclusive range of local days, newest first."""
    with connection.cursor(row_factory=class_row(Charge)) as cursor:
        return cursor.execute(query("ledger", "charges"), {"first_day": first_day, "last_day": last_day}).fetchall()
