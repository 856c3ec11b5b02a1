"""Code concerned with the last value: tomorrow is like right now. The plainest thing that can be said."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

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
