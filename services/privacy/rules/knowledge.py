"""Code concerned with what an attacker may know of withheld cells beside the sums: why each of them is withheld.

Claim. Three attackers are audited. The first knows nothing of a withheld number but that it is not negative. The second knows
the reason of each cell, as if he had the officer's report: a cell with too few contributors has at most k-1 of them, any other
cell, withheld for others' sake or shown, at least k. The third also knows which cells are empty, as where a register leaves
those out: the other small ones lie in 1 to k-1.

What cannot be. Who knows that fewer than k was the reason knows an interval of 0 to k-1 (or 1 to k-1) before he reads a number.
Its width is k-1 at most, so no pattern, not even one that publishes nothing, leaves him an interval of k.

What is promised instead. The table tells him nothing: his interval of a cell with few contributors is the one he would have if
everything were withheld and he knew the reasons alone. That is 0 to k-1, unless reasons themselves say more (of two small
cells whose sum is not small, each is at least 1). Since everything may be withheld, this can always be kept.

Assumptions. Reasons bound counts, not sums: who also knows between which limits every contribution lies knows more about the
values than is audited. Nor is an attacker covered who works backwards from the order in which cells were chosen.

Citation. Giessing, de Wolf: Handbook on Statistical Disclosure Control, 2024, chapter 4, on a priori bounds of suppressed cells.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.privacy.rules.criteria import Rule
from services.privacy.rules.table import Cell, Table

NOTHING: Final = "nothing"
REASONS: Final = "reasons"
REASONS_AND_EMPTY: Final = "reasons and empty cells"


@dataclass(frozen=True, kw_only=True, slots=True)
class Knowledge:
    """What somebody knows of each cell once it is withheld: its number lies in `low` to `high`, shape (cells,)."""

    name: str
    low: NDArray[np.float64]
    high: NDArray[np.float64]


def nothing(table: Table) -> Knowledge:
    """Of somebody who knows only that no number is negative."""
    size = len(table.cells)
    return Knowledge(name=NOTHING, low=np.zeros(size), high=np.full(size, math.inf))


def reasons_known(table: Table, rules: Sequence[Rule]) -> Knowledge:
    """Of somebody who knows of each count which rule named the cell, or that none did."""
    bounds = np.array([_bounds(cell, rules) for cell in table.cells], dtype=np.float64).reshape(-1, 2)
    return Knowledge(name=REASONS, low=bounds[:, 0], high=bounds[:, 1])


def reasons_and_empty(table: Table, rules: Sequence[Rule]) -> Knowledge:
    """Of somebody who besides knows which cells are empty."""
    known = reasons_known(table, rules)
    empty = table.amounts("count") == 0
    low = np.where(empty, 0.0, np.maximum(known.low, 1.0))
    return Knowledge(name=REASONS_AND_EMPTY, low=low, high=np.where(empty, 0.0, known.high))


def _bounds(cell: Cell, rules: Sequence[Rule]) -> tuple[float, float]:
    """Between which counts the reason of a cell leaves it; rules that did not object say that there were enough."""
    low = 0
    for rule in rules:
        few = cell.count < rule.least
        if rule.reason(cell) is not None:
            return (low, rule.least - 1) if few else (max(low, rule.least), math.inf)
        low = max(low, rule.least)
    return low, math.inf
