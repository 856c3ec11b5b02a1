"""Code concerned with what kind of day a day is, as numbers a regression can use: weekdays, holidays, bridges, seasons."""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from typing import Final

import numpy as np

from models.calendar import Calendar
from models.panel import Values

WEEKDAYS: Final = 7
"""The first columns: one per day type, Monday to Sunday, public holidays among the Sundays."""

FEATURES: Final = 17
"""How many there are when nothing is known of school holidays."""

HOLIDAY: Final = 7
BRIDGE: Final = 8
SCHOOL_BREAK: Final = 17
CHRISTMAS: Final = slice(11, 13)

_SATURDAY: Final = 5
_EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()
_CHRISTMAS: Final = ((12, 23), (1, 7))  # from 23 December to 7 January, when European cities work less
_SUMMER: Final = (7, 8)  # months, each a season of its own


def day_features(calendar: Calendar, first: int, count: int) -> Values:
    """Features of `count` local days from `first` on, counted from 1970-01-01: days x features of 0 and 1.

    Columns: seven day types; a holiday on a working day; a working day between two free ones; the working days before
    and after a holiday; working and free days of Christmas, July and August. Where the calendar has school holidays, one
    more at the end: their working days.
    """
    made = np.array([_features(calendar, first + k) for k in range(count)]).reshape(count, FEATURES)
    if not calendar.school_breaks:
        return made
    schools = calendar.school_breaks_at(np.arange(first, first + count))
    return np.hstack([made, schools[:, None].astype(np.float64)])


@lru_cache(maxsize=100_000)
def _features(calendar: Calendar, day: int) -> tuple[float, ...]:
    before, kind, after = (int(one) for one in calendar.day_types(np.arange(day - 1, day + 2)))
    when = date.fromordinal(_EPOCH_ORDINAL + day)
    free = kind >= _SATURDAY
    working = not free
    holiday = free and when.weekday() < _SATURDAY
    monthday = (when.month, when.day)
    seasons = [monthday >= _CHRISTMAS[0] or monthday <= _CHRISTMAS[1], *(when.month == month for month in _SUMMER)]
    special = [
        holiday,
        working and before >= _SATURDAY and after >= _SATURDAY,
        working and after >= _SATURDAY and when.weekday() != _SATURDAY - 1,
        working and before >= _SATURDAY and when.weekday() != 0,
        *(flag for season in seasons for flag in (season and working, season and free)),
    ]
    return (*(float(kind == k) for k in range(WEEKDAYS)), *(float(flag) for flag in special))
