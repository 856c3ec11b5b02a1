"""Code concerned with the seasonal naive: the same local time one day, or one week, before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from models.calendar import DAY_S
from models.contract import last_finite
from models.panel import Panel, Values

_CYCLES: Final = 4  # how many cycles are tried before a missing value is given up


@dataclass(frozen=True, kw_only=True, slots=True)
class SeasonalNaive:
    """The value at the same local clock time `days` before; the cycle before that where it is missing.

    A change to summer time between source and target moves the source by an hour, so that eight o'clock stays eight
    o'clock. Where four cycles hold nothing the last value stands in.
    """

    days: int = 1
    shifts: bool = True

    @property
    def name(self) -> str:
        """Such as `seasonal_naive_24h`."""
        return f"seasonal_naive_{self.days * 24}h"

    def fit(self, panel: Panel, steps: int) -> SeasonalNaive:
        """There is nothing to learn."""
        del panel, steps
        return self

    def forecast(self, panel: Panel, steps: int) -> Values:
        """The newest known value at the local time of each target."""
        targets = panel.times_us(panel.length, steps)
        local = panel.calendar.local_seconds(targets)
        cycle = self.days * DAY_S
        first = (np.arange(steps) * panel.step_seconds) // cycle + 1  # the newest whole cycle that can be known
        result = np.full((panel.sensors, steps), np.nan)
        for more in range(_CYCLES):
            sources = targets - (first + more) * cycle * 1_000_000
            moved = local - (first + more) * cycle - panel.calendar.local_seconds(sources)
            columns = (sources - panel.start_us) // panel.step_us + moved // panel.step_seconds
            usable = (columns >= 0) & (columns < panel.length)
            found = np.where(usable, panel.values[:, np.where(usable, columns, 0)], np.nan) if panel.length else result
            result = np.where(np.isnan(result), found, result)
        return np.where(np.isnan(result), last_finite(panel.values)[:, None], result)
