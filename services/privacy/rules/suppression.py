"""Code concerned with withholding: the cells a rule names, and others for their sake, until sums give none of them away.

Claim. After `protect`, no primary cell can be worked out from what is published to an interval narrower than it needs.
`protect` ends with the audit, and refuses to return what does not hold.

Derivation. For each primary cell that is not safe, a linear program looks for another table that fits the published sums,
in which that cell is larger by the width it needs, and which differs from the real one where it costs least: withheld cells
may differ for nothing, others at the price of what they show. Where it differs, cells are withheld; then both tables fit all
all that is published, so the attacker's interval holds both numbers. Cells withheld later only widen it.

Periods. A cell that one period shows and another withholds gives the withheld number away to whoever knows that registers hardly
change. So what an earlier period withheld can be withheld again; as nobody can tell from what was published why it was, each
of those cells is protected and audited as if a rule named it. What an earlier period has shown is out, and stays out.

Citation. Kelly, Golden, Assad: Cell suppression: Disclosure protection for sensitive tabular data, Networks 22, 1992,
https://doi.org/10.1002/net.3230220407. Not the least loss (that is NP-hard), but a safe one.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.optimize import linprog

from services.errors import InputError
from services.privacy.rules.audit import Interval, intervals
from services.privacy.rules.criteria import Rule
from services.privacy.rules.table import Table

COMPLEMENTARY: Final = "withheld for others' sake"
EARLIER: Final = "withheld in an earlier period"
AMOUNTS: Final = ("count", "value")
_TOO_SMALL: Final = 1e-6


@dataclass(frozen=True, kw_only=True, slots=True)
class Protected:
    """What may be published of a table, and why the rest may not.

    `reasons` has a sentence for each withheld cell. They are for the officer and not for publication: who knows which cells
    are below the threshold knows more than the audit assumes.
    """

    table: Table
    reasons: dict[int, str]
    audit: tuple[Interval, ...]

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
    tell: Callable[[int, int], None] = lambda *_: None,
) -> Protected:
    """Withhold what the rules name, and as much more as it takes.

    Args:
        table: with its margins.
        rules: each is applied to each cell and margin; the first that objects gives the reason.
        amounts: what is published of a shown cell: `count`, `value` or both.
        earlier: row and column of the cells and margins that an earlier period withheld.
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
    primary = list(reasons)
    least = max((rule.least for rule in rules), default=1)
    needs = {amount: _needed(table, amount, least) for amount in amounts}
    protected = Protected(table=table, reasons=reasons, audit=())
    whole, done = 2 * len(primary) * len(needs), 0
    for amount, needed in needs.items():
        for number in primary:
            tell(done := done + 1, whole)
            (found,) = intervals(table, protected.withheld, [number], amount=amount, needed=needed)
            if not found.holds:
                for other in _others(table, protected.withheld, number, amount, float(needed[number])):
                    reasons[other] = COMPLEMENTARY
    found_all: list[Interval] = []
    for amount, needed in needs.items():
        for number in primary:
            tell(done := done + 1, whole)
            found_all += intervals(table, protected.withheld, [number], amount=amount, needed=needed)
    open_cells = [one for one in found_all if not one.holds]
    if open_cells:
        message = (
            f"{len(open_cells)} withheld cells could still be worked out from what would be shown, among them "
            f"{open_cells[0].row} {open_cells[0].column}: merge zones before"
        )
        raise InputError(message)
    return Protected(table=table, reasons=reasons, audit=tuple(found_all))


def _needed(table: Table, amount: str, least: int) -> NDArray[np.float64]:
    """How wide the attacker's interval has to be: k contributors, or as much as the largest or k average ones contribute."""
    if amount == "count":
        return np.full(len(table.cells), float(least))
    whole = max(sum(cell.count for cell, margin in zip(table.cells, table.is_margin, strict=True) if not margin), 1)
    usual = sum(cell.value for cell, margin in zip(table.cells, table.is_margin, strict=True) if not margin) / whole
    return np.array([max(least * usual, *cell.largest[:1], 0.0) for cell in table.cells])


def _others(table: Table, withheld: NDArray[np.bool_], number: int, amount: str, needed: float) -> list[int]:
    """The shown cells in which the cheapest other table differs, that has `needed` more in cell `number`."""
    exact, count = table.amounts(amount), table.amounts("count")
    cost = np.where(withheld, _TOO_SMALL, 1.0 + count)
    cost[table.is_margin & ~withheld] += 10 * count.max()  # margins say most
    size = len(exact)
    sums = table.sums
    one = sparse.csr_array(([1.0, -1.0], ([0, 0], [number, size + number])), shape=(1, 2 * size))
    equations = sparse.vstack([sparse.hstack([sums, -sums]), one], format="csr")
    aim = np.append(np.zeros(sums.shape[0]), needed)
    bounds = [(0.0, None)] * size + [(0.0, float(most)) for most in exact]  # more, and less
    solved: Any = linprog(np.concatenate([cost, cost]), A_eq=equations, b_eq=aim, bounds=bounds, method="highs")
    if solved.status != 0:
        message = f"no cells were found that would protect {table.cells[number].row}: {solved.message}"
        raise InputError(message)
    moved = np.abs(solved.x[:size] - solved.x[size:]) > _TOO_SMALL * max(needed, 1.0)
    return np.flatnonzero(moved & ~withheld).tolist()
