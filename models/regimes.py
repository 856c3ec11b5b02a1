"""Code concerned with regimes of a city's week: hours in which sensors are differently hard to forecast."""

from __future__ import annotations

from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.calendar import DAY_S
from models.day_features import BRIDGE, CHRISTMAS, HOLIDAY, day_features
from models.panel import Panel

_FREE: Final = slice(5, 7)  # the day types Saturday and Sunday
_NIGHT: Final = (23, 5)  # from 23:00 to 05:00
_PEAKS: Final = ((6, 10), (15, 19))


class Regime(IntEnum):
    """By the local time of the target. `HOLIDAY` is all day: public holidays on weekdays, bridge days, and Christmas weeks."""

    NIGHT = 0
    DAY = 1
    PEAK = 2
    WEEKEND = 3
    HOLIDAY = 4


def regimes(panel: Panel, first: int, count: int) -> NDArray[np.int64]:
    """The regime of each of `count` columns from `first` on, also beyond the panel's end; shape (count,)."""
    days, slots = panel.local(first, count)
    hours = slots * panel.step_seconds // 3600
    if not count:
        return days
    kinds = day_features(panel.calendar, int(days[0]), int(days[-1] - days[0]) + 1)[days - days[0]]
    special = (kinds[:, HOLIDAY] + kinds[:, BRIDGE] + kinds[:, CHRISTMAS].sum(axis=1)) > 0
    result = np.full(count, int(Regime.DAY), dtype=np.int64)
    for begin, end in _PEAKS:
        result[(hours >= begin) & (hours < end)] = Regime.PEAK
    result[kinds[:, _FREE].any(axis=1)] = Regime.WEEKEND
    if panel.step_seconds < DAY_S // 2:
        result[(hours >= _NIGHT[0]) | (hours < _NIGHT[1])] = Regime.NIGHT
    else:
        result[result == Regime.PEAK] = Regime.DAY
    result[special] = Regime.HOLIDAY
    return result
