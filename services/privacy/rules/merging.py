"""Code concerned with merging zones until each has enough contributors: nothing is withheld, but places get coarser.

The way of the Dutch grid operators: postcodes in order, each range going on until it has ten connections.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from services.privacy.rules.table import Cell


def merged(cells: Sequence[Cell], least: int) -> list[Cell]:
    """Cells with consecutive rows joined until each has at least `least` contributors, in every column that has as many.

    Rows follow each other in the order of their names, as postcodes do. All columns are cut at the same rows, so that there
    is one partition only. What is left at the end joins the last range. Of a column with fewer contributors altogether
    nothing is asked: it is for the rules to judge.

    Args:
        cells: of one table.
        least: the fewest contributors of a range, from the register.

    """
    whole: dict[str, int] = defaultdict(int)
    for cell in cells:
        whole[cell.column] += cell.count
    wanted = [column for column, count in whole.items() if count >= least]
    ranges: list[list[str]] = [[]]
    so_far: dict[str, int] = defaultdict(int)
    by_row: dict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        by_row[cell.row].append(cell)
    for row in sorted(by_row):
        if wanted and ranges[-1] and all(so_far[column] >= least for column in wanted):
            ranges.append([])
            so_far.clear()
        ranges[-1].append(row)
        for cell in by_row[row]:
            so_far[cell.column] += cell.count
    if len(ranges) > 1 and any(so_far[column] < least for column in wanted):
        rest = ranges.pop()
        ranges[-1] += rest
    found = []
    for rows in ranges:
        name = rows[0] if len(rows) == 1 else f"{rows[0]}-{rows[-1]}" if rows else ""
        for column in whole:
            some = [cell for row in rows for cell in by_row[row] if cell.column == column]
            if some:
                found.append(_joined(name, column, some))
    return found


def _joined(row: str, column: str, cells: Sequence[Cell]) -> Cell:
    deep = max(len(cell.largest) for cell in cells)
    return Cell(
        row=row,
        column=column,
        count=sum(cell.count for cell in cells),
        value=sum(cell.value for cell in cells),
        largest=tuple(sorted((one for cell in cells for one in cell.largest), reverse=True)[:deep]),
    )
