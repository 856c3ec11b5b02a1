"""Code concerned with the last value: tomorrow is like right now. The plainest thing that can be said."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.contract import last_finite
from models.panel import Panel, Values


@dataclass(frozen=True, kw_only=True, slots=True)
class LastValue:
    """The newest value, repeated. Also called naive or persistence."""

    name: str = "last_value"
    shifts: bool = True

    def fit(self, panel: Panel, steps: int) -> LastValue:
        """There is nothing to learn."""
        del panel, steps
        return self

    def forecast(self, panel: Panel, steps: int) -> Values:
        """The newest value of each sensor at every step."""
        return np.repeat(last_finite(panel.values)[:, None], steps, axis=1)

    def rolling(self, panel: Panel, origins: NDArray[np.int64], steps: int) -> Values:
        """The newest value before each origin at every step."""
        if not panel.length:
            return np.full((len(origins), panel.sensors, steps), np.nan)
        known = np.isfinite(panel.values)
        newest = np.maximum.accumulate(np.where(known, np.arange(panel.length), -1), axis=1)
        at = newest[:, origins - 1]
        values = np.take_along_axis(panel.values, np.maximum(at, 0), axis=1)
        found = np.where((at >= 0) & (origins > 0), values, np.nan).T
        return np.repeat(found[:, :, None], steps, axis=2)
