"""Code concerned with the seasonal naive: the same local time one day, or one week, before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.calendar import DAY_S
from models.last_value import LastValue
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
        return np.asarray(self.rolling(panel, np.array([panel.length]), steps)[0])

    def rolling(self, panel: Panel, origins: NDArray[np.int64], steps: int) -> Values:
        """As `forecast` from each origin, with what came before it."""
        ahead = np.arange(steps)
        targets = (panel.start_us + (origins[:, None] + ahead) * panel.step_us).ravel()
        before = np.repeat(origins, steps)
        local = panel.calendar.local_seconds(targets)
        cycle = self.days * DAY_S
        first = np.tile((ahead * panel.step_seconds) // cycle + 1, len(origins))  # the newest whole cycle known
        result = np.full((panel.sensors, len(targets)), np.nan)
        for more in range(_CYCLES if panel.length else 0):
            sources = targets - (first + more) * cycle * 1_000_000
            moved = local - (first + more) * cycle - panel.calendar.local_seconds(sources)
            columns = (sources - panel.start_us) // panel.step_us + moved // panel.step_seconds
            usable = (columns >= 0) & (columns < before)
            found = np.where(usable, panel.values[:, np.where(usable, columns, 0)], np.nan)
            result = np.where(np.isnan(result), found, result)
            if not np.isnan(result).any():
                break
        shaped = result.reshape(panel.sensors, len(origins), steps).transpose(1, 0, 2)
        if np.isnan(shaped).any():
            shaped = np.where(np.isnan(shaped), LastValue().rolling(panel, origins, steps), shaped)
        return np.asarray(shaped)
