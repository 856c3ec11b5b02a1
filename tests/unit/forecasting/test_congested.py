from __future__ import annotations

import numpy as np
import pytest

from models.calendar import Calendar
from models.habits import Habits
from models.last_value import LastValue
from models.panel import Panel
from models.recalibration import Recalibration
from models.selection import select
from services.domain import QUANTILE_LEVELS, ForecastState
from services.forecasting.congested import congestion_of
from services.forecasting.learnt import Group
from services.forecasting.roads import SPEED, learnt_habits, learnt_roads
from services.storage.forecasts import NewSeries
from services.storage.panels import PanelSensor

MARCH_2026_US = 1_772_323_200_000_000
BERLIN = Calendar(zone="Europe/Berlin")
ASKED = np.array([0.0, 1.0, 0.0, 0.0, 0.5, 0.0])  # half of the logit of the habit


def test_a_road_that_is_jammed_at_five_is_likelier_to_be_at_five_on_the_local_clock() -> None:
    """What was learnt at night is laid at the hours of targets; the panel ends where the clock has gone forward."""
    panel = Panel(
        names=("4", "7"), values=np.full((2, 30 * 24), 45.0), start_us=MARCH_2026_US, step_seconds=3600, calendar=BERLIN
    )
    shares = np.full((3, 2, 24), 0.01, dtype=np.float32)
    shares[:, 1, 17] = 0.5
    group = Group(
        quantity=SPEED,
        panel=panel,
        selected=select(panel, 24, [LastValue()]),
        trained_to_us=panel.end_us,
        is_new=False,
        habits=Habits(below=shares),
        better=Recalibration(coefficients=np.tile(ASKED, (3, 1)), horizon=24),
    )
    same = np.repeat(np.linspace(10, 50, len(QUANTILE_LEVELS))[:, None], 24, axis=1)
    series = [
        NewSeries(
            sensor_id=number,
            quantity=SPEED,
            model="last_value",
            state=ForecastState.NORMAL,
            reason=None,
            first_target_us=panel.end_us,
            quantiles=same,
        )
        for number in (4, 7)
    ]
    sensors = [PanelSensor(id=number, code=str(number), step_seconds=3600, free_flow_kmh=50.0) for number in (4, 7)]
    usually, jammed = (one.chances[0] for one in congestion_of([group], series, sensors))
    hours = (np.arange(24) + 2) % 24  # midnight UTC is two o'clock in summer
    assert usually == pytest.approx(usually[0])
    assert np.flatnonzero(jammed > usually + 0.1).tolist() == np.flatnonzero(hours == 17).tolist()


def test_habits_are_learnt_from_speed_and_flow_of_the_same_detectors() -> None:
    rng = np.random.default_rng(1)
    hours = np.arange(28 * 24) % 24
    speed = np.where(np.isin(hours, (2, 8)), 15.0, 48.0) + rng.normal(0, 1, (2, 28 * 24))
    flow = np.tile(np.where(hours < 5, 4.0, 600.0), (2, 1))
    speeds, flows = (
        Panel(names=names, values=values, start_us=MARCH_2026_US, step_seconds=3600)
        for names, values in ((("4", "7"), speed), (("7", "4"), flow))
    )
    known = learnt_roads(speeds, [flows])
    told = learnt_habits(speeds, [flows], known).at(np.array([2, 8]))[0]
    assert (told[:, 0] < 0.02).all()  # few vehicles that are slow at night
    assert (told[:, 1] > 0.25).all()
    alone = learnt_habits(speeds, [], known).at(np.array([2, 8]))[0]
    assert (alone > 0.25).all()
