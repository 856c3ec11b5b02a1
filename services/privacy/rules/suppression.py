"""Code concerned with withholding: the cells a rule names, and others for their sake, until sums give none of them away.

Claim. After `protect`, no primary cell can be worked out from what is published to an interval narrower than it needs: for
somebody who knows nothing else, k contributors wide; for somebody who knows why each cell is withheld, as wide as if nothing were
published (`knowledge.py`). `protect` ends with the audit, and refuses to return what does not hold.

Derivation. For each primary cell that is not safe, a linear program looks for another table that fits the published sums,
in which that cell has a number that the attacker must not be able to rule out, and which differs from the real one where it
costs least: withheld cells may differ for nothing, others at the price of what they show, all of them only as far as what the
attacker knows lets them. Where it differs, cells are withheld; then both tables fit all that is published and known, so the
attacker's interval holds both numbers. Cells withheld later only widen it.

Periods. A cell that one period shows and another withholds gives the withheld number away to whoever knows that registers hardly
change. So what an earlier period withheld can be withheld again; as nobody can tell from what was published why it was, each
of those cells is protected and audited as if a rule named it. What an earlier period has shown is out, and stays out.

Citation. Kelly, Golden, Assad: Cell suppression: Disclosure protection for sensitive tabular data, Networks 22, 1992,
https://doi.org/10.1002/net.3230220407. Not the least loss (that is NP-hard), but a safe one.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import linprog

from services.errors import InputError
from services.privacy.rules.audit import Interval, intervals
from services.privacy.rules.criteria import Rule
from services.privacy.rules.knowledge import NOTHING, Knowledge, nothing, reasons_and_empty, reasons_known
from services.privacy.rules.table import Table

COMPLEMENTARY: Final = "withheld for others' sake"
EARLIER: Final = "withheld in an earlier period"
AMOUNTS: Final = ("count", "value")
_TOO_SMALL: Final = 1e-6


@dataclass(frozen=True, kw_only=True, slots=True)
class Protected:
    """What may be published of a table, and why the rest may not.

    Attributes:
        table: with its margins.
        reasons: a sentence for each withheld cell, for the officer and not for publication: they alone tell that a count is small.
        audit: what somebody can tell who knows nothing else.
        informed: what somebody can tell who knows the reasons.

    """

    table: Table
    reasons: dict[int, str]
    audit: tuple[Interval, ...]
    informed: tuple[Interval, ...]

    @property
    def withheld(self) -> NDArray[np.bool_]:
        """Which cells are not published."""
        hidden = np.zeros(len(self.table.cells), dtype=np.bool_)
        hidden[list(self.reasons)] = True
        return hidden


def protect(
    table: Table,
    rules: Sequence[Rule],
    *,
    amounts: Sequence[str] = AMOUNTS,
    earlier: Collection[tuple[str, str]] = (),
    reasons_secret: bool = False,
    tell: Callable[[int, int], None] = lambda *_: None,
) -> Protected:
    """Withhold what the rules name, and as much more as it takes.

    Args:
        table: with its margins.
        rules: each is applied to each cell and margin; the first that objects gives the reason.
        amounts: what is published of a shown cell: `count`, `value` or both.
        earlier: row and column of the cells and margins that an earlier period withheld.
        reasons_secret: protect only from who does not know why a cell is withheld, which withholds less; what the others could
            tell is still audited, and may not hold.
        tell: is told how many cells of how many were looked at.

    Raises:
        InputError: no pattern was found that passes the audit, or an earlier cell is not in the table; nothing may be
            published.

    """
    unknown = next((name for name in sorted(earlier) if name not in table.place), None)
    if unknown is not None:
        message = (
            f"{' / '.join(filter(None, unknown))} was withheld in the earlier period and is not in this table: the pattern can "
            "only be kept for the same rows and columns"
        )
        raise InputError(message)
    reasons: dict[int, str] = {}
    for number, cell in enumerate(table.cells):
        said = next((reason for rule in rules if (reason := rule.reason(cell)) is not None), None)
        if said is None and (cell.row, cell.column) in earlier:
            said = EARLIER
        if said is not None:
            reasons[number] = said
    views = _views(table, rules, amounts, list(reasons))
    protected_from = {NOTHING} if reasons_secret else {view.known.name for view in views}
    looks = [(view, number) for view in views for number in view.targets]
    whole, done = 2 * len(looks), 0
    protected = Protected(table=table, reasons=reasons, audit=(), informed=())
    for view, number in looks:
        tell(done := done + 1, whole)
        if view.known.name in protected_from and not view.seen(protected.withheld, number).holds:
            for target in view.targets[number]:
                reasons |= dict.fromkeys(_others(view, protected.withheld, number, target), COMPLEMENTARY)
    found: list[Interval] = []
    for view, number in looks:
        tell(done := done + 1, whole)
        found.append(view.seen(protected.withheld, number))
    _refuse_open([one for one in found if one.knows in protected_from and not one.holds])
    audit = tuple(one for one in found if one.knows == NOTHING)
    informed = tuple(one for one in found if one.knows != NOTHING)
    return Protected(table=table, reasons=reasons, audit=audit, informed=informed)


def _refuse_open(intervals_found: Sequence[Interval]) -> None:
    if intervals_found:
        message = (
            f"{len(intervals_found)} withheld cells could still be worked out from what would be shown, among them "
            f"{intervals_found[0].row} {intervals_found[0].column}: merge zones before"
        )
        raise InputError(message)


@dataclass(frozen=True, kw_only=True, slots=True)
class _View:
    """One amount of a table as one attacker sees it; `targets` are two numbers of each protected cell that he must not rule out."""

    table: Table
    amount: str
    known: Knowledge
    targets: Mapping[int, tuple[float, float]]

    def seen(self, withheld: NDArray[np.bool_], number: int) -> Interval:
        """What he can tell of a cell while so much is withheld."""
        low, high = self.targets[number]
        needed = np.full(len(self.table.cells), high - low)
        (found,) = intervals(self.table, withheld, [number], amount=self.amount, needed=needed, known=self.known)
        return found


def _views(table: Table, rules: Sequence[Rule], amounts: Sequence[str], primary: Sequence[int]) -> list[_View]:
    """Each amount for who knows nothing, and counts for who knows the reasons, which say nothing about values."""
    least = max((rule.least for rule in rules), default=1)
    views = []
    for amount in amounts:
        exact, needed = table.amounts(amount), _needed(table, amount, least)
        if amount == "value" and not exact.any():
            continue  # a register of counts only
        wide = {number: (float(exact[number]), float(exact[number] + needed[number])) for number in primary}
        views.append(_View(table=table, amount=amount, known=nothing(table), targets=wide))
        if amount == "count":
            for known in (reasons_known(table, rules), reasons_and_empty(table, rules)):
                targets = {number: _free(table, known, number, float(needed[number])) for number in primary}
                views.append(_View(table=table, amount=amount, known=known, targets=targets))
    return views


def _free(table: Table, known: Knowledge, number: int, needed: float) -> tuple[float, float]:
    """Between which counts a cell lies for who knows the reasons and sees no number; of wide ranges only what is needed."""
    everything = np.ones(len(table.cells), dtype=np.bool_)
    unneeded = np.zeros(len(table.cells))
    (alone,) = intervals(table, everything, [number], amount="count", needed=unneeded, known=known)
    if known.high[number] < math.inf:
        return alone.low, alone.high
    exact = float(table.cells[number].count)
    above = min(needed, alone.high - exact)
    return exact - min(needed - above, exact - alone.low), exact + above


def _needed(table: Table, amount: str, least: int) -> NDArray[np.float64]:
    """How wide the attacker's interval has to be: k contributors, or as much as the largest or k average ones contribute."""
    if amount == "count":
        return np.full(len(table.cells), float(least))
    whole = max(sum(cell.count for cell, margin in zip(table.cells, table.is_margin, strict=True) if not margin), 1)
    usual = sum(cell.value for cell, margin in zip(table.cells, table.is_margin, strict=True) if not margin) / whole
    return np.array([max(least * usual, *cell.largest[:1], 0.0) for cell in table.cells])


def _others(view: _View, withheld: NDArray[np.bool_], number: int, target: float) -> list[int]:
    """The shown cells in which the cheapest other table differs, that has `target` in cell `number`."""
    table, known = view.table, view.known
    exact, count = table.amounts(view.amount), table.amounts("count")
    cost = np.where(withheld, _TOO_SMALL, 1.0 + count)
    cost[table.is_margin & ~withheld] += 10 * count.max()  # margins say most
    size = len(exact)
    sums = table.sums
    one = sparse.csr_array(([1.0, -1.0], ([0, 0], [number, size + number])), shape=(1, 2 * size))
    equations = sparse.vstack([sparse.hstack([sums, -sums]), one], format="csr")
    aim = np.append(np.zeros(sums.shape[0]), target - exact[number])
    room = np.concatenate([known.high - exact, exact - known.low])  # more, and less
    bounds = np.column_stack([np.zeros(2 * size), np.maximum(room, 0.0)])
    solved: Any = linprog(np.concatenate([cost, cost]), A_eq=equations, b_eq=aim, bounds=bounds, method="highs")
    if solved.status != 0:
        message = f"no cells were found that would protect {table.cells[number].row}: {solved.message}"
        raise InputError(message)
    moved = np.abs(solved.x[:size] - solved.x[size:]) > _TOO_SMALL * max(abs(target - exact[number]), 1.0)
    return np.flatnonzero(moved & ~withheld).tolist()
