"""Code concerned with the blend as a model of its own: what selection makes of some models, without its intervals."""

from __future__ import annotations

from dataclasses import dataclass

from models.contract import Fitted, Forecaster
from models.panel import Panel
from models.selection import select


@dataclass(frozen=True, kw_only=True, slots=True)
class Blend:
    """The weighted mean of `members`, weighed as for a city, on the last days of the history (`models.selection.select`).

    Assumes that what erred together in the last days will again. A broken sensor can move what others get (`models.weighing`).
    """

    members: tuple[Forecaster, ...]
    name: str = "blend"
    shifts: bool = True

    def fit(self, panel: Panel, steps: int) -> Fitted:
        """Weigh the members on the last days, then fit those that have a weight to all days."""
        return select(panel, steps, self.members)
