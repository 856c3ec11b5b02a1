"""Code concerned with tables that rules are applied to: cells, their margins, and the sums that bind them together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

TOTAL: Final = "total"
"""How the margins are called: the row of a column's sum, the column of a row's sum, and both of the whole."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Cell:
    """What a register says of one cell, or of a margin.

    Attributes:
        row: such as a zone.
        column: such as a kind of customer; empty in a table of one column.
        count: contributors, from a static register and never from readings.
        value: their sum, such as energy [kWh].
        largest: the largest contributions, in falling order; empty where not known.

    """

    row: str
    column: str = ""
    count: int
    value: float = 0.0
    largest: tuple[float, ...] = ()


@dataclass(frozen=True)
class Table:
    """Cells with all their margins: sums of rows, of columns, and of the whole."""

    cells: tuple[Cell, ...]

    @classmethod
    def of(cls, cells: Iterable[Cell]) -> Table:
        """The table of these cells, to which the margins are added.

        Raises:
            ValueError: a cell is there twice, or is called like a margin.

        """
        inner = tuple(cells)
        names = [(cell.row, cell.column) for cell in inner]
        twice = next((name for name in names if names.count(name) > 1), None) if len(set(names)) < len(names) else None
        if twice is not None:
            message = f"the cell {' / '.join(filter(None, twice))} is there twice"
            raise ValueError(message)
        if any(TOTAL in name for name in names):
            message = f"a row or column is called {TOTAL!r}: margins are worked out, leave them out"
            raise ValueError(message)
        by_row, by_column = defaultdict(list), defaultdict(list)
        for cell in inner:
            by_row[cell.row].append(cell)
            by_column[cell.column].append(cell)
        margins = [_sum(TOTAL, column, some) for column, some in by_column.items()]
        if len(by_column) > 1:
            margins += [_sum(row, TOTAL, some) for row, some in by_row.items()]
            margins.append(_sum(TOTAL, TOTAL, inner))
        return cls(inner + tuple(margins))

    @cached_property
    def place(self) -> dict[tuple[str, str], int]:
        """The number of each cell by its row and column."""
        return {(cell.row, cell.column): number for number, cell in enumerate(self.cells)}

    @cached_property
    def is_margin(self) -> NDArray[np.bool_]:
        """Which cells are sums of others."""
        return np.array([TOTAL in {cell.row, cell.column} for cell in self.cells])

    @cached_property
    def sums(self) -> sparse.csr_array:
        """The equations everybody knows: each row times the cells is zero, the parts less their margin."""
        parts: dict[int, list[int]] = defaultdict(list)
        for number, cell in enumerate(self.cells):
            for name in ((cell.row, TOTAL), (TOTAL, cell.column)):
                above = self.place.get(name)
                if above is not None and above != number:
                    parts[above].append(number)
        rows, columns, signs = [], [], []
        for equation, (margin, below) in enumerate(_both_ways(parts, self)):
            for number in below:
                rows.append(equation)
                columns.append(number)
                signs.append(1.0)
            rows.append(equation)
            columns.append(margin)
            signs.append(-1.0)
        return sparse.csr_array((signs, (rows, columns)), shape=(max(rows, default=-1) + 1, len(self.cells)))

    def amounts(self, name: str) -> NDArray[np.float64]:
        """The counts or the values of all cells."""
        return np.array([getattr(cell, name) for cell in self.cells], dtype=np.float64)


def _both_ways(parts: dict[int, list[int]], table: Table) -> Iterable[tuple[int, Sequence[int]]]:
    """Each margin with its parts; the whole is the sum of the rows' sums and that of the columns' sums."""
    whole = table.place.get((TOTAL, TOTAL))
    for margin, below in parts.items():
        if margin == whole:
            yield margin, [number for number in below if table.cells[number].row == TOTAL]
            yield margin, [number for number in below if table.cells[number].row != TOTAL]
        else:
            yield margin, below


def _sum(row: str, column: str, cells: Sequence[Cell]) -> Cell:
    deep = max((len(cell.largest) for cell in cells), default=0)
    largest = sorted((one for cell in cells for one in cell.largest), reverse=True)[:deep]
    return Cell(
        row=row,
        column=column,
        count=sum(cell.count for cell in cells),
        value=sum(cell.value for cell in cells),
        largest=tuple(largest),
    )
