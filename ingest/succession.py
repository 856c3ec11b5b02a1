"""Code concerned with what a reading says beside the one before it: jumps, values that stick, lost readings, clocks.

A series is a sensor's readings, or those of one of its quantities. Readings are looked at in the order of their receipt, each
beside the newest before it; one that is not newer, or bad by its own values, is judged by its values alone and is not
remembered. So the flags depend on the order of the readings, not on how they were cut into batches. What is remembered
belongs to one process. Of several that share a subscription each sees a part of a sensor's readings: it counts none as
lost and takes no value for stuck, as the readings between are another's; whether a sensor is stuck or loses readings is then
told by its health alone, which looks at what is stored. A jump is judged beside the newest reading it has seen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ingest import quality
from ingest.rows import Rows, TableName
from services.domain import Flag

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Truths = npt.NDArray[np.bool_]

_MINUTE_US: Final = 60_000_000
_DAY_US: Final = 86_400_000_000
NEIGHBOURS_US: Final = 60 * _MINUTE_US
"""Readings further apart say nothing about a jump, and end a run of equal values."""

MOST_FLOW_JUMP_VPH: Final = 5_000.0
"""More than two lanes filling or emptying from one reading to the next (2,400 veh/h a lane, Highway Capacity Manual)."""
MOST_SPEED_JUMP_KMH: Final = 100.0
"""A queue stops a road within one interval, but not from motorway speed: our choice, no source."""
MOST_RISE_PER_MINUTE: Final = {"temperature_c": 3.0, "humidity_percent": 10.0, "pressure_hpa": 0.5}
"""Largest change in a minute, from WMO's Guidelines on Quality Control Procedures for Data from Automatic Weather Stations."""

STUCK_US: Final[dict[TableName, int]] = {
    "traffic": 250 * _MINUTE_US,
    "energy": _DAY_US,
    "observation": _DAY_US,
}
"""Equal values for this long are suspect. Traffic: PeMS, more than 50 five-minute values. Others: OpenSTEF's flatline check."""

MOST_LOST: Final = 100_000
"""A sequence that goes on further ahead has begun anew."""
MOST_SERIES: Final = 200_000
"""How many series of a table are remembered, about 20 MB; beyond that memory begins anew."""
_FACTS: Final = ("observed_us", "values", "equal_since_us", "seq", "lost", "day", "skew_us")
_NEVER: Final = np.iinfo(np.int64).min // 4
_LATEST: Final = np.iinfo(np.int64).max // 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Learned:
    """What is to be remembered of the rows of one batch once they are stored: one entry for each of their series.

    Attributes:
        table: which table.
        keys: the series [m], ascending.
        observed_us: stamp of the newest reading [µs, m].
        values: its values [m × value columns].
        equal_since_us: since when they have been the same [µs, m].
        seq: the last sequence number, -1 where there is none [m].
        lost: sequence numbers skipped so far [m].
        day: the UTC day of receipt `skew_us` is about [m].
        skew_us: least time from a stamp to its receipt on that day [µs, m].

    """

    table: TableName
    keys: Integers
    observed_us: Integers
    values: Floats
    equal_since_us: Integers
    seq: Integers
    lost: Integers
    day: Integers
    skew_us: Integers


class Memory:
    """The newest reading of each series, bounded; changed by `learn` only, after the rows have been committed."""

    def __init__(self, *, partial: bool = False) -> None:
        """With `partial` other processes receive readings of the same sensors."""
        self.partial = partial
        self._tables: dict[TableName, Learned] = {}
        self._quantities: dict[str, int] = {}

    def forget(self) -> None:
        """Remember nothing: the sensors may have got other numbers."""
        self._tables.clear()
        self._quantities.clear()

    def keys(self, rows: Rows) -> Integers:
        """The series of each row [n]: sensor and quantity in one number."""
        if rows.table != "observation":
            return rows.sensor_id
        if len(self._quantities) + len(rows.quantities) > MOST_SERIES:
            self.forget()
        numbers = [self._quantities.setdefault(name, len(self._quantities)) for name in rows.quantities]
        return (rows.sensor_id << 20) | np.array(numbers, dtype=np.int64)[rows.quantity]

    def of(self, table: TableName, keys: Integers, columns: int) -> Learned:
        """What is remembered of these series; a stamp before all others where nothing is."""
        held = self._tables.get(table)
        found = _nothing(table, keys, columns)
        if held is None:
            return found
        places = np.minimum(np.searchsorted(held.keys, keys), len(held.keys) - 1)
        known = held.keys[places] == keys
        for name in _FACTS:
            getattr(found, name)[known] = getattr(held, name)[places[known]]
        return found

    def learn(self, news: Learned) -> None:
        """Remember what was found in a batch that is committed; of one of repeats that is nothing."""
        if not len(news.keys):
            return
        held = self._tables.get(news.table)
        if held is None:
            self._tables[news.table] = news
            return
        places = np.minimum(np.searchsorted(held.keys, news.keys), len(held.keys) - 1)
        known = held.keys[places] == news.keys
        for name in _FACTS:
            getattr(held, name)[places[known]] = getattr(news, name)[known]
        if not known.all():
            self._tables[news.table] = _joined(held, news, ~known)

    def lost(self, table: TableName) -> dict[int, int]:
        """How many sequence numbers each series has skipped, where any."""
        held = self._tables.get(table)
        return {} if held is None else {int(k): int(n) for k, n in zip(held.keys, held.lost, strict=True) if n}

    def skew_us(self, table: TableName) -> dict[int, int]:
        """Least time from stamp to receipt of each series on its last day [µs]: below zero its clock is ahead."""
        held = self._tables.get(table)
        return {} if held is None else {int(k): int(us) for k, us in zip(held.keys, held.skew_us, strict=True)}


def judge(rows: Rows, memory: Memory) -> tuple[quality.Flags, Learned]:
    """The flags of rows by their own values and by the readings before them; `memory` does not learn from it.

    Precedence as in `quality`: bad, suspect, good. A value that jumps or sticks is suspect; a lost reading is counted only.

    Args:
        rows: n rows in order of receipt.
        memory: of the process, up to the rows before.

    Returns:
        The flags [n], and what `memory` is to learn when the rows are stored.

    """
    flags = rows.flags()
    keys = memory.keys(rows)
    if not len(rows):
        return flags, _nothing(rows.table, keys, rows.values.shape[1])
    order = np.argsort(keys, kind="stable")
    first = _changes(keys[order])
    starts = np.flatnonzero(first)
    series = np.cumsum(first) - 1
    news = memory.of(rows.table, keys[order[starts]], rows.values.shape[1])
    observed = rows.observed_us[order]
    chain = _newer(observed, first, series, news.observed_us)
    _meet(news, rows.received_us[order], observed, starts, series)
    order, series = order[chain], series[chain]
    if len(order):
        doubted = _follow(news, rows, order, series, flags[order], partial=memory.partial)
        flags[doubted] = np.where(flags[doubted] < Flag.SUSPECT, Flag.SUSPECT, flags[doubted])
    return flags, news


def _newer(observed: Integers, first: Truths, series: Integers, known_us: Integers) -> Truths:
    """Whether each row, ordered by series, is newer than every row of its series before it, and than what is known."""
    before = np.concatenate(([0], observed[:-1]))
    before[first] = known_us
    newer = observed > before
    if newer.all():
        return newer
    # The greatest stamp so far within a series: ranks, raised from series to series so that one accumulation serves all.
    stamps, rank = np.unique(observed, return_inverse=True)
    raised = series * (len(observed) + 1)
    reach = np.concatenate(([0], np.maximum.accumulate(raised + rank + 1)[:-1])) - raised
    greatest = np.where(reach > 0, stamps[np.maximum(reach, 1) - 1], _NEVER)
    truths: Truths = observed > np.maximum(greatest, known_us[series])
    return truths


def _meet(news: Learned, received: Integers, observed: Integers, starts: Integers, series: Integers) -> None:
    """Bring the least time from stamp to receipt up to date, by the newest day of receipt of each series."""
    day = received // _DAY_US
    newest = np.maximum(np.maximum.reduceat(day, starts), news.day)
    delay = np.where(day == newest[series], received - observed, _LATEST)
    least = np.minimum.reduceat(delay, starts)
    news.skew_us[:] = np.where(news.day == newest, np.minimum(least, news.skew_us), least)
    news.day[:] = newest


def _follow(
    news: Learned, rows: Rows, order: Integers, series: Integers, flags: quality.Flags, *, partial: bool
) -> Integers:
    """Compare each row with the one before it, bring `news` up to date, and return the places of the doubtful rows."""
    observed, values, seq = rows.observed_us[order], rows.values[order], rows.seq[order]
    values[flags >= Flag.BAD] = np.nan  # nothing is compared with a bad value
    first = _changes(series)
    earlier = series[first]
    gap = observed - _shifted(observed, first, news.observed_us[earlier])
    previous = _shifted(values, first, news.values[earlier])
    near = gap <= NEIGHBOURS_US
    equal = near & _equal(rows.table, values, previous)
    begun = np.where(equal & first, news.equal_since_us[series], observed)
    anchors = np.where(~equal | first, np.arange(len(order)), 0)
    since = begun[np.maximum.accumulate(anchors)]
    stuck = equal & (observed - since >= STUCK_US[rows.table]) & (not partial)
    jump = near & _jumps(rows, order, values - previous, gap)
    skipped = seq - _shifted(seq, first, news.seq[earlier]) - 1
    skipped[(seq <= skipped) | (skipped < 0) | (skipped > MOST_LOST) | partial] = 0
    news.lost[:] += np.bincount(series, weights=skipped, minlength=len(news.keys)).astype(np.int64)
    last = np.concatenate((first[1:], [True]))
    for known, found in (
        (news.observed_us, observed),
        (news.values, values),
        (news.equal_since_us, since),
        (news.seq, seq),
    ):
        known[series[last]] = found[last]
    doubtful: Integers = order[jump | stuck]
    return doubtful


def _equal(table: TableName, values: Floats, previous: Floats) -> Truths:
    """Whether a row says the same as the one before, and something: zero is what an empty road or a meter at rest says."""
    if table == "energy":  # the register stands still as long as nothing is used
        values, previous = values[:, :1], previous[:, :1]
    same = ((values == previous) | (np.isnan(values) & np.isnan(previous))).all(axis=1)
    truths: Truths = same & (values > 0).any(axis=1)
    return truths


def _jumps(rows: Rows, order: Integers, change: Floats, gap: Integers) -> Truths:
    """Whether a value changed faster than what it measures can, or a register ran backwards; NaN is no jump."""
    with np.errstate(invalid="ignore"):
        if rows.table == "traffic":
            truths: Truths = (np.abs(change[:, 0]) > MOST_FLOW_JUMP_VPH) | (np.abs(change[:, 1]) > MOST_SPEED_JUMP_KMH)
            return truths
        if rows.table == "energy":
            return np.asarray(change[:, 1] < 0)
        limits = np.array([MOST_RISE_PER_MINUTE.get(name, np.inf) for name in rows.quantities])[rows.quantity[order]]
        return np.asarray(np.abs(change[:, 0]) > limits * np.maximum(gap / _MINUTE_US, 1))


def _changes(ordered: Integers) -> Truths:
    """Whether each number differs from the one before it; the first does."""
    return np.concatenate(([True], ordered[1:] != ordered[:-1]))


def _shifted(column: npt.NDArray[Any], first: Truths, known: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Of each row what the row before it says; of the first of a series what is known of it."""
    before = np.empty_like(column)
    before[1:] = column[:-1]
    before[first] = known
    return before


def _nothing(table: TableName, keys: Integers, columns: int) -> Learned:
    """What is remembered of series that are new."""
    size = len(keys)
    return Learned(
        table=table,
        keys=keys,
        observed_us=np.full(size, _NEVER),
        values=np.full((size, columns), np.nan),
        equal_since_us=np.full(size, _NEVER),
        seq=np.full(size, -1, dtype=np.int64),
        lost=np.zeros(size, dtype=np.int64),
        day=np.full(size, _NEVER),
        skew_us=np.full(size, _LATEST),
    )


def _joined(held: Learned, news: Learned, new: Truths) -> Learned:
    """Both, by key; only the news where both would be too many."""
    if len(held.keys) + int(new.sum()) > MOST_SERIES:
        return news
    keys = np.concatenate((held.keys, news.keys[new]))
    order = np.argsort(keys)
    facts = {name: np.concatenate((getattr(held, name), getattr(news, name)[new]))[order] for name in _FACTS}
    return Learned(table=held.table, keys=keys[order], **facts)
