"""Profile + ridge at steps below an hour, and where little is known."""

from __future__ import annotations

import numpy as np
import pytest

from models.contract import Fitted, rolling
from models.last_value import LastValue
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
    assert np.abs(forecast - 50).max() < 5


@pytest.mark.parametrize(("step", "most"), [(300, 1.5), (900, 0.85), (1800, 0.8)])
def test_at_short_steps_the_next_is_near_the_newest(step: int, most: float) -> None:
    day = 86_400 // step
    rng = np.random.default_rng(8)
    drift = np.cumsum(rng.normal(0, 1, (4, 28 * day)), axis=1) / day**0.5
    values = 100 + 20 * np.sin(2 * np.pi * np.arange(28 * day) / day) + 5 * (drift - drift.mean(axis=1, keepdims=True))
    panel = Panel(names=tuple("abcd"), values=values, start_us=1_757_894_400_000_000, step_seconds=step)
    begin = 21 * day
    origins = np.arange(begin, panel.length - 1, 7)

    def missed(fitted: Fitted) -> float:
        return float(np.abs(rolling(fitted, panel, origins, 1)[:, :, 0] - values[:, origins].T).mean())

    assert missed(ProfileRidge().fit(panel.cut(begin), 1)) < most * missed(LastValue())
