"""Code concerned with habits of traffic: how often it was below each limit of congestion at an hour of the local day of late.

A forecast a day ahead knows the speed it expects and how far that was off before, but not that a road is jammed at five on
most days, or never was. Days count half of the ones two weeks later; neighbouring hours are looked at as well; what few
days have shown is drawn towards all hours of the sensor, and these towards the city.

Two weeks were chosen among one, one and a half, four and all of eight, on the 70 weeks before the Berlin test part; hours
of the day told more than hours of the week, which have a seventh of the days.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.congestion import LIMITS, Roads, classes
from models.panel import Panel, Values

LEAST_DAYS: Final = 14
"""Of fewer days nothing is called a habit."""

_HOURS: Final = 24
_HALF_LIFE_DAYS: Final = 14.0
_LONGEST_DAYS: Final = 84  # a day counts a sixty-fourth by then
_PRIOR_DAYS: Final = 2.0  # worth of trust of an hour in all hours of its sensor
_CITY_DAYS: Final = 1.0  # worth of trust of a sensor in the city


@dataclass(frozen=True, kw_only=True, slots=True)
class Habits:
    """The share of times below each of `models.congestion.LIMITS`, by hour of the local day (limits x sensors x hours)."""

    below: NDArray[np.float32]

    @classmethod
    def of(cls, speed: Panel, flow: Values, known: Roads) -> Habits:
        """What the panel shows until its end; an even chance where it shows nothing at all.

        Args:
            speed: km/h.
            flow: veh/h of the same sensors and times; NaN where unknown, and then speed decides alone.
            known: the roads at the sensors.

        """
        day = speed.steps_per_day
        first = max(0, speed.length - _LONGEST_DAYS * day)
        hours = local_hours(speed, first, speed.length - first)
        ages = (speed.length - 1 - np.arange(first, speed.length)) / day
        part = np.zeros((len(hours), _HOURS), dtype=np.float32)
        part[np.arange(len(hours)), hours] = 0.5 ** (ages / _HALF_LIFE_DAYS) * _HOURS / day
        flow, few = flow[:, first:], known.few_vph[:, None]
        # An hour is quiet where most of its flows are few vehicles.
        lean = np.isfinite(flow).astype(np.float32) @ part - 2 * ((flow < few).astype(np.float32) @ part)
        usual = np.where(lean >= 0, few, 0.0)[:, hours]
        found = classes(speed.values[:, first:] / known.free_flow_kmh[:, None], flow, usual, few)
        count = _with_neighbours((found >= 0).astype(np.float32) @ part)
        below = np.stack(
            [_with_neighbours(((found >= 0) & (found <= k)).astype(np.float32) @ part) for k in range(len(LIMITS))]
        )
        city = below.sum(axis=(1, 2)) / count.sum() if count.any() else np.full(len(LIMITS), 0.5)
        trust = _CITY_DAYS * _HOURS
        always = (below.sum(axis=2) + trust * city[:, None]) / (count.sum(axis=1) + trust)
        shares = (below + _PRIOR_DAYS * always[:, :, None]) / (count + _PRIOR_DAYS)
        return cls(below=shares.astype(np.float32))

    def at(self, hours: NDArray[np.int64]) -> Values:
        """The shares at hours of the local day (limits x sensors x hours asked for)."""
        return self.below[:, :, hours].astype(np.float64)


def local_hours(panel: Panel, first: int, count: int) -> NDArray[np.int64]:
    """The hour of the local day, 0 to 23, of each of `count` columns from `first` on, also beyond the panel's end."""
    _, slots = panel.local(first, count)
    return slots * panel.step_seconds // 3600


def _with_neighbours(hourly: NDArray[np.float32]) -> NDArray[np.float64]:
    """The mean of each hour and those beside it (sensors x hours)."""
    wide = hourly.astype(np.float64)
    return (wide + np.roll(wide, 1, axis=1) + np.roll(wide, -1, axis=1)) / 3
