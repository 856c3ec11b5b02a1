"""Totals and peaks measured on generated loads: chances that mean what they say, and sums whose errors are known."""

from __future__ import annotations

import numpy as np
import pytest

from models.load_backtest import EXCEEDED, LoadBacktest, measure
from models.panel import Panel
from models.profile import Profile
from models.seasonal_naive import SeasonalNaive

DAY = 24


@pytest.fixture(scope="module")
def done() -> LoadBacktest:
    """Three feeders with a daily rhythm, each with errors of its own that last for hours, and their sum."""
    rng = np.random.default_rng(5)
    days = 160
    error = np.empty((3, days * DAY))
    error[:, 0] = 0
    for k in range(1, days * DAY):
        error[:, k] = 0.9 * error[:, k - 1] + rng.normal(0, 2, 3)
    shape = 100 + 30 * np.sin(2 * np.pi * (np.arange(days * DAY) - 8) / DAY)
    panel = Panel(names=("a", "b", "c"), values=shape + error, start_us=0, step_seconds=3600, nonnegative=True)
    return measure(panel, np.ones((1, 3)), (SeasonalNaive(days=7), Profile()), test_days=60, validation_days=60)


def test_chances_mean_what_they_say_and_need_courses(done: LoadBacktest) -> None:
    assert done.origins == 60
    for one in done.chances:
        assert one.days == 60 * 4
        assert one.brier < one.independent
        said = sum(mean * count for mean, _, count in one.reliability) / one.days
        assert said == pytest.approx(one.happened, abs=0.08)
    for one in done.heights:
        assert one.coverage_80 == pytest.approx(0.8, abs=0.08)
        assert one.independent_80 < 0.6
    assert {one.exceeded for one in done.chances} == set(EXCEEDED)


def test_every_method_is_measured_against_the_sums(done: LoadBacktest) -> None:
    found = {(one.method, one.hours): one for one in done.added}
    assert {hours for _, hours in found} == {"0-1", "1-6", "6-24", "24-48"}
    for (method, _), one in found.items():
        if method == "bottom_up":
            assert (one.totals, one.sensors, one.validated) == (1.0, 1.0, pytest.approx(1.0, abs=1e-3))
        assert 0.8 < one.totals < 1.2


def test_a_recording_that_is_too_short_is_refused() -> None:
    panel = Panel(names=("a",), values=np.ones((1, 40 * DAY)), start_us=0, step_seconds=3600)
    with pytest.raises(ValueError, match="whole days are too few"):
        measure(panel, np.empty((0, 1)), (SeasonalNaive(days=1),), test_days=20, validation_days=20)
