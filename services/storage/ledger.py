"""Code concerned with the ledger: what each release cost, charged before its noise is drawn, and what is left of a day.

Amounts are integers, in millionths of ε (micro-ε), so that sums are exact and the cap is a whole number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from services.errors import BudgetExhaustedError, NotFoundError
from services.storage import audit
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
class Incarnation:
    """What tells a database from its copies: the cluster, its timeline (a new one after each recovery), the database."""

    cluster: str
    timeline: int
    database: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Noise:
    """The noise of one measure, as a second accountant has to know it.

    One subject changes at most `cells` numbers by at most `per_cell` each, or the whole vector by at most `norm` (L2) where
    that is given. `scale` is the b of Laplace noise and the σ of Gaussian noise, in the measure's unit.
    """

    measure: str
    mechanism: str
    scale: float
    cells: int
    per_cell: int
    norm: int | None = None
    micro_epsilon: int
    delta: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Charge:
    """One row of the ledger: never changed, never removed, never given back.

    `noise` has an element for each measure (`Noise` as a mapping); None where it was not written down.
    """

    release_key: str
    domain: str
    day: date
    plan_hash: str
    micro_epsilon: int
    delta: float
    noise: list[dict[str, Any]] | None
    charged_at: datetime

    @property
    def epsilon(self) -> float:
        """The charge as ε."""
        return self.micro_epsilon / MICRO


def charge(
    connection: Connection,
    *,
    release_key: str,
    domain: str,
    day: date,
    plan_hash: str,
    micro_epsilon: int,
    cap: int,
    delta: float = 0.0,
    noise: Sequence[Noise] | None = None,
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
        delta: the probability with which that price may fail.
        noise: what is drawn for it.

    Raises:
        BudgetExhaustedError: less is left of the day than the price, or the day was burnt; nothing was spent.

    """
    _require_not_burnt(connection, domain, day)
    facts = {"release_key": release_key, "domain": domain, "day": day, "plan_hash": plan_hash, "delta": delta}
    amounts = {
        "micro_epsilon": micro_epsilon,
        "cap": cap,
        "noise": None if noise is None else Jsonb([asdict(each) for each in noise]),
    }
    connection.execute(query("ledger", "open_budget"), {"domain": domain, "day": day, "cap": cap})
    if connection.execute(query("ledger", "add_charge"), facts | amounts).rowcount:
        spent = connection.execute(query("ledger", "spend"), {"domain": domain, "day": day} | amounts)
        if not spent.rowcount:
            message = (
                f"the privacy budget of domain {domain} for {day} does not hold another {micro_epsilon / MICRO:g} "
                f"for {release_key}: nothing more can be published about that day"
            )
            raise BudgetExhaustedError(message)
        logged = {**facts, "day": day.isoformat(), "micro_epsilon": micro_epsilon, "cap_micro_epsilon": cap}
        audit.append(connection, audit.Action.RELEASE_CHARGED, "ledger", logged)
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


def burn(connection: Connection, *, domain: str, through: date, recent: Sequence[date], cap: int) -> None:
    """Publish nothing more about the days up to `through`; what is left of those in `recent` is booked as spent.

    Args:
        connection: inside a transaction with the rights of the release role.
        domain: whose days.
        through: the newest of them.
        recent: the days that could still have been released.
        cap: a day's cap as configured now [micro-ε].

    """
    for day in recent:
        if through >= day > (burnt_through(connection, domain) or date.min):
            facts = {"domain": domain, "day": day, "cap": cap}
            connection.execute(query("ledger", "open_budget"), facts)
            row = connection.execute(query("ledger", "left_of"), facts).fetchone()
            if row is not None and row[0]:
                key = f"burnt/{domain}/{day.isoformat()}"
                charge(
                    connection,
                    release_key=key,
                    domain=domain,
                    day=day,
                    plan_hash="burnt",
                    micro_epsilon=int(row[0]),
                    cap=cap,
                )
    connection.execute(query("ledger", "burn"), {"domain": domain, "through": through})


def burnt_through(connection: Connection, domain: str) -> date | None:
    """The newest day about which nothing more is published because of a restore, None where there is none."""
    row = connection.execute(query("ledger", "burnt_through"), {"domain": domain}).fetchone()
    return None if row is None else row[0]


def burnt_days(connection: Connection) -> dict[str, date]:
    """The same of every domain that has one."""
    return dict(connection.execute(query("ledger", "burnt_days")).fetchall())


def incarnation(connection: Connection) -> Incarnation:
    """Which database this is."""
    with connection.cursor(row_factory=class_row(Incarnation)) as cursor:
        found = cursor.execute(query("ledger", "fingerprint")).fetchone()
    assert found is not None  # noqa: S101 - the server always answers this
    return found


def known_incarnation(connection: Connection) -> Incarnation | None:
    """The database the ledger was kept in so far, None before its first charge."""
    with connection.cursor(row_factory=class_row(Incarnation)) as cursor:
        return cursor.execute(query("ledger", "newest_incarnation")).fetchone()


def kept_here_since(connection: Connection) -> datetime | None:
    """Since when the ledger is kept in that database, None before its first charge."""
    row = connection.execute(query("ledger", "kept_here_since")).fetchone()
    return None if row is None else row[0]


def note_incarnation(connection: Connection, found: Incarnation) -> None:
    """From now on the ledger is kept in this database."""
    connection.execute(query("ledger", "add_incarnation"), asdict(found))


def _require_not_burnt(connection: Connection, domain: str, day: date) -> None:
    through = burnt_through(connection, domain)
    if through is not None and day <= through:
        message = (
            f"{day} was burnt for domain {domain} when a restored database was taken over: it may have been released "
            "before, so nothing more is published about it"
        )
        raise BudgetExhaustedError(message)
