"""Code concerned with what can be worked out about withheld cells from everything that is shown: the attacker's view.

Claim. For each primary cell, the least and the greatest number that fit all published cells and margins and what the attacker
knows of withheld cells beforehand (`knowledge.py`).

Derivation. The published numbers and the sums that bind them are linear equations in the withheld ones, and what is known of
those are bounds; the extremes of one unknown under them are two linear programs, solved exactly enough by HiGHS. In a table of rows
and columns counts of whole numbers have whole extremes, as the sums are the equations of a network. An interval of width zero
is a disclosure, unless the reasons alone leave no more.

Assumptions. A contributor who knows a withheld cell's other contributors is not covered.

Citation. Hundepool et al., Statistical Disclosure Control, 2012, chapter 4.3. Solver: Huangfu, Hall, 2018,
https://doi.org/10.1007/s12532-017-0130-5.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog

from services.errors import InputError
from services.privacy.rules.knowledge import NOTHING, Knowledge, nothing
from services.privacy.rules.table import Table

_UNBOUNDED = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Interval:
    """What an attacker can tell of one cell.

    Attributes:
        row: of the cell.
        column: of the cell.
        amount: `count` or `value`.
        knows: what the attacker knows of withheld cells beforehand.
        low: the least number that fits.
        high: the greatest.
        needed: how much lies between them at least.

    """

    row: str
    column: str
    amount: str
    knows: str
    low: float
    high: float
    needed: float

    @property
    def width(self) -> float:
        """How much is left open."""
        return self.high - self.low

    @property
    def holds(self) -> bool:
        """Whether that is enough; to a millionth, as the solver works with floating point."""
        return self.width >= self.needed * (1 - 1e-6) and (self.width > 0 or self.knows != NOTHING)


def intervals(
    table: Table,
    withheld: NDArray[np.bool_],
    primary: Iterable[int],
    *,
    amount: str,
    needed: NDArray[np.float64],
    known: Knowledge | None = None,
) -> list[Interval]:
    """The attacker's intervals of the primary cells.

    Args:
        table: with its margins.
        withheld: which cells are not published, primary or for others' sake; shape (cells,).
        primary: the numbers of the cells that have to be protected.
        amount: `count` or `value`.
        needed: how wide each interval has to be, shape (cells,).
        known: what the attacker knows of withheld cells; None: nothing.

    Raises:
        InputError: a linear program was not solved.

    """
    exact = table.amounts(amount)
    knowledge = nothing(table) if known is None else known
    low, high = np.where(withheld, knowledge.low, exact), np.where(withheld, knowledge.high, exact)
    bounds = np.column_stack([low, high])
    found = []
    for number in primary:
        least, most = (_extreme(table, bounds, number, sign) for sign in (1.0, -1.0))
        cell = table.cells[number]
        found.append(
            Interval(
                row=cell.row,
                column=cell.column,
                amount=amount,
                knows=knowledge.name,
                low=least,
                high=most,
                needed=float(needed[number]),
            )
        )
    return found


def _extreme(table: Table, bounds: NDArray[np.float64], number: int, sign: float) -> float:
    aim = np.zeros(len(table.cells))
    aim[number] = sign
    sums = table.sums
    solved: Any = linprog(aim, A_eq=sums, b_eq=np.zeros(sums.shape[0]), bounds=bounds, method="highs")
    if solved.status == _UNBOUNDED:
        return -sign * math.inf
    if solved.status != 0:
        message = f"the audit of the table could not be solved: {solved.message}"
        raise InputError(message)
    return float(sign * solved.fun)
