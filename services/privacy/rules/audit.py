"""Code concerned with what can be worked out about withheld cells from everything that is shown: the attacker's view.

Claim. For each primary cell, the least and the greatest number that fit all published cells and margins, with nothing known
of a withheld cell but that it is not negative.

Derivation. The published numbers and the sums that bind them are linear equations in the withheld ones; the extremes of one
unknown under them are two linear programs, solved exactly enough by HiGHS. An interval of width zero is a disclosure.

Assumptions. The attacker does not know why a cell is withheld: too few and withheld-for-others look the same in what is
published. Who knew that a rule of k named a cell would know that it lies below k, and no pattern could leave him an interval
of k: such a reader is not covered. A contributor who knows a withheld cell's other contributors is not covered either.

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
from services.privacy.rules.table import Table

_UNBOUNDED = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Interval:
    """What an attacker can tell of one cell: it lies between `low` and `high`; `needed` is how wide that has to be at least."""

    row: str
    column: str
    amount: str
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
        return self.width >= self.needed * (1 - 1e-6) and self.width > 0


def intervals(
    table: Table, withheld: NDArray[np.bool_], primary: Iterable[int], *, amount: str, needed: NDArray[np.float64]
) -> list[Interval]:
    """The attacker's intervals of the primary cells.

    Args:
        table: with its margins.
        withheld: which cells are not published, primary or for others' sake; shape (cells,).
        primary: the numbers of the cells that have to be protected.
        amount: `count` or `value`.
        needed: how wide each interval has to be, shape (cells,).

    Raises:
        InputError: a linear program was not solved.

    """
    exact = table.amounts(amount)
    bounds = [(0.0, None) if hidden else (number, number) for hidden, number in zip(withheld, exact, strict=True)]
    found = []
    for number in primary:
        low, high = (_extreme(table, bounds, number, sign) for sign in (1.0, -1.0))
        cell = table.cells[number]
        found.append(
            Interval(
                row=cell.row,
                column=cell.column,
                amount=amount,
                low=low,
                high=high,
                needed=float(needed[number]),
            )
        )
    return found


def _extreme(table: Table, bounds: list[tuple[float, float | None]], number: int, sign: float) -> float:
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
