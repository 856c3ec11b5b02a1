"""Code concerned with several messages about the same sensor and moment: repeated, completing, or contradicting. Pure.

The first value of a column is kept. A row that adds a column completes; one that says the same again is a duplicate;
one that says something else contradicts and changes nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from ingest.rows import VALUE_COLUMNS, Rows
from services.domain import from_us


@dataclass(frozen=True, kw_only=True, slots=True)
class Stored:
    """What the table holds under some keys of a batch.

    Attributes:
        places: place of the first row of the batch with that key [m].
        values: [m × value columns], NaN where absent.

    """

    places: npt.NDArray[np.intp]
    values: npt.NDArray[np.float64]


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


def merge(rows: Rows, stored: Stored | None = None) -> Merged:
    """Fold the rows of a batch into what is stored, in order of receipt.

    Args:
        rows: the rows, repeated keys included.
        stored: what the table holds; None when nothing is known of it.

    """
    repeats = rows.repeats()
    adds = np.ones(len(rows), dtype=bool)
    completed = np.zeros(len(rows), dtype=bool)
    if stored is None and not repeats.any():
        return Merged(new=rows, completed=rows.take(completed), adds=adds, contradictions=[])
    known = np.zeros(len(rows), dtype=bool)
    now = rows.values.copy()
    firsts = _first_places(rows, repeats)
    if stored is not None:
        known[stored.places] = True
        now[stored.places] = stored.values
    with np.errstate(invalid="ignore"):
        same = ((rows.values == now[firsts]) | np.isnan(rows.values)).all(axis=1)
    adds[(repeats | known) & same] = False
    contradictions: list[tuple[int, str]] = []
    for place in np.flatnonzero((repeats | known) & ~same).tolist():
        first = int(firsts[place])
        kept, given = now[first].tolist(), rows.values[place].tolist()
        differing = _differing(kept, given)
        added = [value if math.isnan(old) else old for old, value in zip(kept, given, strict=True)]
        adds[place] = differing is None and not np.array_equal(kept, added, equal_nan=True)
        if differing is not None:
            contradictions.append((int(rows.message[place]), _contradiction(rows, place, differing, kept, given)))
        elif adds[place]:
            now[first] = added
            completed[first] = known[first]
    written = replace(rows, values=now)
    return Merged(
        new=written.take(~repeats & ~known),
        completed=written.take(completed),
        adds=adds,
        contradictions=contradictions,
    )


def _first_places(rows: Rows, repeats: npt.NDArray[np.bool_]) -> npt.NDArray[np.intp]:
    """For each row the place of the first row with its key [n]."""
    order = rows.order()
    starts = np.maximum.accumulate(np.where(repeats[order], 0, np.arange(len(rows))))
    firsts = np.empty(len(rows), dtype=np.intp)
    firsts[order] = order[starts]
    return firsts


def _differing(old: list[float], given: list[float]) -> int | None:
    """The first column in which both have a value and the values differ."""
    for place, (a, b) in enumerate(zip(old, given, strict=True)):
        if a != b and not math.isnan(a) and not math.isnan(b):
            return place
    return None


def _contradiction(rows: Rows, place: int, column: int, old: list[float], given: list[float]) -> str:
    name = rows.quantities[rows.quantity[place]] or list(VALUE_COLUMNS[rows.table])[column]
    moment = from_us(int(rows.observed_us[place])).isoformat().replace("+00:00", "Z")
    return f"{name} at {moment} is already stored as {old[column]:g}, this message says {given[column]:g}; the first is kept"
