"""Code concerned with stamps that are local clock times without a zone, and with the two days on which clocks change.

In October one hour happens twice and in March one does not happen. Where a file tells the doubled hour's halves apart by
order, they are told apart; where it has the hour once, see `berlin_mq`.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np

from services.domain import from_us, to_us
from simulators.streams import Bools, Ints

WEEK_US = 7 * 86_400_000_000


def to_utc(stamps: Sequence[datetime], zone: ZoneInfo) -> tuple[Ints, Bools, Bools]:
    """Microseconds since 1970 UTC of naive local stamps in the order of a file.

    Returns:
        Times (n); which stamps never happened; which happened twice. Of those that happened twice, one that is not
        later than the stamp before it is the second.

    """
    times = np.empty(len(stamps), dtype=np.int64)
    never, twice = np.zeros(len(stamps), dtype=bool), np.zeros(len(stamps), dtype=bool)
    before_us = None
    for place, stamp in enumerate(stamps):
        early, late = stamp.replace(tzinfo=zone, fold=0), stamp.replace(tzinfo=zone, fold=1)
        times[place] = to_us(early.astimezone(UTC))
        if early.utcoffset() != late.utcoffset():
            if early.astimezone(UTC).astimezone(zone).replace(tzinfo=None) != stamp:
                never[place] = True
            else:
                twice[place] = True
                if before_us is not None and times[place] <= before_us:
                    times[place] = to_us(late.astimezone(UTC))
        before_us = int(times[place])
    return times, never, twice


def moved_by_weeks(times_us: Ints, weeks: int, zone: ZoneInfo) -> Ints:
    """The same clock times that many weeks later, so that Monday eight o'clock stays Monday eight o'clock.

    An hour that the target's clocks skip falls on the hour after it.
    """
    moved = times_us + weeks * WEEK_US
    hours, index = np.unique(np.stack([times_us, moved]) // 3_600_000_000, return_inverse=True)
    offsets = np.array([_offset_us(int(hour) * 3_600_000_000, zone) for hour in hours], dtype=np.int64)
    old, new = offsets[index.reshape(2, -1)]
    shifted: Ints = moved + old - new
    return shifted


def _offset_us(moment_us: int, zone: ZoneInfo) -> int:
    offset = from_us(moment_us).astimezone(zone).utcoffset()
    return 0 if offset is None else offset // timedelta(microseconds=1)
