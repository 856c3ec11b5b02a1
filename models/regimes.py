"""Code concerned with regimes of a city's week: hours in which sensors are differently hard to forecast."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.calendar import DAY_S, SUNDAY
from models.panel import Panel

_SATURDAY: Final = 5
_NIGHT: Final = (23, 5)  # from 23:00 to 05:00
_PEAKS: Final = ((6, 10), (15, 19))


class Regime(IntEnum):
    """By the local time of the target: a holiday on a weekday is `HOLIDAY` all day; nights are those of any other day."""

    NIGHT = 0
    DAY = 1
    PEAK = 2
    WEEKEND = 3
    HOLIDAY = 4


def regimes(panel: Panel, first: int, count: int) -> NDArray[np.int64]:
    """The regime of each of `count` columns from `first` on, also beyond the panel's end; shape (count,)."""
    days, slots = panel.local(first, count)
    hours = slots * panel.step_seconds // 3600
    distinct, where = np.unique(days, return_inverse=True)
    types = panel.calendar.day_types(distinct)[where]
    weekday = (distinct + 3)[where] % 7  # 1970-01-01 was a Thursday
    result = np.full(count, int(Regime.DAY), dtype=np.int64)
    for begin, end in _PEAKS:
        result[(hours >= begin) & (hours < end)] = Regime.PEAK
    result[types >= _SATURDAY] = Regime.WEEKEND
    if panel.step_seconds < DAY_S // 2:
        result[(hours >= _NIGHT[0]) | (hours < _NIGHT[1])] = Regime.NIGHT
    else:
        result[result == Regime.PEAK] = Regime.DAY
    result[(types == SUNDAY) & (weekday < _SATURDAY)] = Regime.HOLIDAY
    return result
