"""Code concerned with the ladder Normal, Degraded, Stale: how far a forecast can be relied on, and why, in words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

import numpy as np

from models.panel import Panel
from services.domain import ForecastState, from_us

SILENT_AFTER: Final = timedelta(hours=1)
SILENT_STEPS: Final = 4
ENOUGH_DAYS: Final = 14
_DAY_MISSING: Final = 0.25
_DAY_S: Final = 86_400


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """The state of one sensor's input; `model` replaces the selected model where that cannot be trusted."""

    state: ForecastState
    reason: str | None = None
    model: str | None = None


def standings(panel: Panel) -> list[Standing]:
    """The state of each row of a panel that ends at the issue time. Every row has at least one value."""
    known = np.isfinite(panel.values)
    age = np.argmax(known[:, ::-1], axis=1)
    history = panel.length - np.argmax(known, axis=1)
    day = min(panel.steps_per_day, panel.length)
    missing = 1 - known[:, panel.length - day :].mean(axis=1)
    return [
        _standing(panel, age=int(age[k]), history=int(history[k]), count=int(known[k].sum()), missing=float(missing[k]))
        for k in range(panel.sensors)
    ]


def _standing(panel: Panel, *, age: int, history: int, count: int, missing: float) -> Standing:
    limit = max(SILENT_AFTER / timedelta(seconds=panel.step_seconds), SILENT_STEPS)
    days = history / panel.steps_per_day
    if age > limit:
        last = from_us(panel.end_us - age * panel.step_us)
        reason = f"no reading since {last:%Y-%m-%d %H:%M} UTC; this is what is usual"
        return Standing(state=ForecastState.STALE, reason=reason, model="profile")
    if count < panel.steps_per_day:
        hours = count * panel.step_seconds / 3600
        much = "less than an hour" if hours < 1 else f"{hours:.0f} h"
        reason = f"readings of {much} only: the last value stands in"
        return Standing(state=ForecastState.DEGRADED, reason=reason, model="last_value")
    if days < ENOUGH_DAYS:
        return Standing(
            state=ForecastState.DEGRADED, reason=f"only {days:.0f} days of history, {ENOUGH_DAYS} are needed"
        )
    if missing > _DAY_MISSING:
        return Standing(state=ForecastState.DEGRADED, reason=f"{missing:.0%} of the last day is missing")
    return Standing(state=ForecastState.NORMAL)
