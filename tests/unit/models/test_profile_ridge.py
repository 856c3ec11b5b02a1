"""Profile + ridge at steps below an hour, and where little is known."""

from __future__ import annotations

import numpy as np

from models.panel import Panel
from models.profile_ridge import ProfileRidge

DAY = 288


def test_means_that_are_zero_but_for_rounding_say_nothing() -> None:
    values = np.full((1, 13 * DAY), np.nan)
    values[0, : 10 * DAY] = 50.0
    here = 12 * DAY + 7 + np.array([0, 1, 14, 15, 21, 22, 24])
    values[0, here] = 50 + np.array([-10, 6, 2, 4, -3, 1, 2])  # the first six, known before the last, add up to nothing
    panel = Panel(names=("a",), values=values, start_us=1_757_894_400_000_000, step_seconds=300)
    forecast = ProfileRidge().fit(panel, 12).forecast(panel.cut(here[-1] + 1), 12)
    assert np.abs(forecast - 50).max() < 2
