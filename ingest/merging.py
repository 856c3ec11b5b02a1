"""Code concerned with several messages about the same sensor and moment: repeated, completing, or contradicting. Pure.

The first value of a column is kept. A row that adds a column completes; one that says the same again is a duplicate;
one that says something else contradicts and changes nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ingest.rows import VALUE_COLUMNS, Rows
from services.domain import from_us

Values = list[float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Merged:
    """What is to be written, and what became of each row.

    Attributes:
        new: rows whose keys are not in the table, completed by later rows of the batch.
        completed: rows whose keys are in the table and that have a column it lacks, with all values.
        adds: whether the row brought something that was not there [n].
        contradictions: message and reason of each contradicting row.

    """

    new: Rows
    completed: Rows
    adds: npt.NDArray[np.bool_]
    contradictions: list[tuple[int, str]]


def merge(rows: Rows, stored: Mapping[int, Values]) -> Merged:
    """Fold the rows of a batch into what is stored, in order of receipt.

    Args:
        rows: the rows, repeated keys included.
        stored: the values the table holds (NaN where absent), by the place of the first row with that key.

    """
    repeats = rows.repeats()
    adds = np.ones(len(rows), dtype=bool)
    if not stored and not repeats.any():
        return Merged(new=rows, completed=rows.take(~adds), adds=adds, contradictions=[])
    is_stored = np.zeros(len(rows), dtype=bool)
    is_stored[list(stored)] = True
    firsts = _first_places(rows, repeats)
    kept = {place: list(values) for place, values in stored.items()}
    completed = np.zeros(len(rows), dtype=bool)
    contradictions: list[tuple[int, str]] = []
    for place in np.flatnonzero(repeats | is_stored).tolist():
        first = int(firsts[place])
        values = kept.setdefault(first, rows.values[first].tolist())
        given = rows.values[place].tolist()
        differing = _differing(values, given)
        added = [value if math.isnan(old) else old for old, value in zip(values, given, strict=True)]
        adds[place] = differing is None and any(
            math.isnan(old) != math.isnan(now) for old, now in zip(values, added, strict=True)
        )
        if differing is not None:
            contradictions.append((int(rows.message[place]), _contradiction(rows, place, differing, values, given)))
        elif adds[place]:
            kept[first] = added
            completed[first] = is_stored[first]
    values_now = rows.values.copy()
    for first, values in kept.items():
        values_now[first] = values
    now = replace(rows, values=values_now)
    return Merged(
        new=now.take(~repeats & ~is_stored), completed=now.take(completed), adds=adds, contradictions=contradictions
    )


def _first_places(rows: Rows, repeats: npt.NDArray[np.bool_]) -> npt.NDArray[np.intp]:
    """For each row the place of the first row with its key [n]."""
    order = rows.order()
    starts = np.maximum.accumulate(np.where(repeats[order], 0, np.arange(len(rows))))
    firsts = np.empty(len(rows), dtype=np.intp)
    firsts[order] = order[starts]
    return firsts


def _differing(old: Values, given: Values) -> int | None:
    """The first column in which both have a value and the values differ."""
    for place, (a, b) in enumerate(zip(old, given, strict=True)):
        if a != b and not math.isnan(a) and not math.isnan(b):
            return place
    return None


def _contradiction(rows: Rows, place: int, column: int, old: Values, given: Values) -> str:
    name = rows.quantities[rows.quantity[place]] or list(VALUE_COLUMNS[rows.table])[column]
    moment = from_us(int(rows.observed_us[place])).isoformat().replace("+00:00", "Z")
    return f"{name} at {moment} is already stored as {old[column]:g}, this message says {given[column]:g}; the first is kept"
