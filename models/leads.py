"""Code concerned with lead times in bands: near leads differ from step to step, far ones hardly do."""

from __future__ import annotations


def bands(steps: int, widest: int) -> list[range]:
    """Split steps 0 … steps-1 into runs of 1, 1, 2, 4, 8 … and then `widest` steps.

    >>> bands(6, 2)
    [range(0, 1), range(1, 2), range(2, 4), range(4, 6)]
    """
    made: list[range] = []
    first, width = 0, 1
    while first < steps:
        made.append(range(first, min(first + width, steps)))
        first += width
        width = min(first, widest)
    return made
