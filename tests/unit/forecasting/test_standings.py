"""The ladder of states says in words why a forecast cannot be relied on."""

from __future__ import annotations

import numpy as np
import pytest

from models.calendar import Calendar
from models.panel import Panel
from services.domain import ForecastState
from services.forecasting.states import standings


@pytest.mark.parametrize(
    ("readings", "words"), [(1, "readings of less than an hour only"), (24, "readings of 6 h only")]
)
def test_a_new_sensor_is_told_as_such(readings: int, words: str) -> None:
    values = np.full((1, 96 * 20), np.nan)
    values[0, -readings:] = 820.0
    panel = Panel(
        names=("s",),
        values=values,
        start_us=0,
        step_seconds=900,
        calendar=Calendar(zone="UTC", country=None, region=None),
    )
    (standing,) = standings(panel)
    assert standing.state is ForecastState.DEGRADED
    assert standing.reason == f"{words}: the last value stands in"
