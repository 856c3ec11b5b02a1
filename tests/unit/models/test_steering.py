"""Intervals steered by what they held, and wider where input is old or patchy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import ndtr, ndtri

from models.catalogue import CANDIDATES
from models.panel import Panel, Values
from models.selection import Selected, select
from models.steering import input_factor, over_leads, steer, widened
from services.domain import QUANTILE_LEVELS

STEPS = 24


@pytest.mark.parametrize("noise", [1.0, 1.3, 0.75])
def test_intervals_find_their_width_when_errors_change(noise: float) -> None:
    """Errors are normal and `noise` times what was calibrated; each day is scored with the width issued then."""
    known, inside = np.zeros((0, 1)), np.zeros((2, 0, 1))
    for _ in range(60):
        log_width = steer(known, inside)
        held = np.array([2 * ndtr(ndtri((1 + nominal) / 2) * np.exp(log_width[k, 0]) / noise) - 1
                         for k, nominal in enumerate((0.8, 0.9))])  # fmt: skip
        known = np.vstack([known, [[20_000.0]]])
        inside = np.concatenate([inside, (20_000 * held)[:, None, None]], axis=1)
    assert held == pytest.approx([0.8, 0.9], abs=0.005)
    assert np.exp(log_width[:, 0]) == pytest.approx([noise, noise], rel=0.03)


def test_a_few_targets_steer_little_and_nothing_steers_without_end() -> None:
    one_day = steer(np.array([[4.0, 4_000.0, 0.0]]), np.zeros((2, 1, 3)))
    assert one_day[0, 0] < 0.05 * one_day[0, 1]
    assert one_day[:, 2].tolist() == [0.0, 0.0]
    long = steer(np.full((500, 1), 1e6), np.zeros((2, 500, 1)))
    assert np.exp(long) == pytest.approx(np.full((2, 1), 2.0), rel=0.01)


def test_widths_between_and_beyond_the_lead_times_that_are_scored() -> None:
    found = over_leads(np.array([[0.0, 0.4], [0.1, 0.3]]), np.array([1, 4]), 6)
    assert found[0].tolist() == pytest.approx([0.0, 0.2, 0.4 * np.log(3) / np.log(4), 0.4, 0.4, 0.4])
    assert found[1, 5] == 0.3


def test_a_stretched_forecast_keeps_its_median_and_its_order() -> None:
    quantiles = np.sort(np.random.default_rng(1).normal(size=(7, 3, 4)), axis=0)
    log_width = np.array([[0.5] * 4, [-0.7] * 4])  # the outer interval would cross the inner one
    found = widened(quantiles, log_width, np.full((3, 4), 1.2))
    assert (np.diff(found, axis=0) >= 0).all()
    assert np.array_equal(found[3], quantiles[3])
    assert widened(quantiles, None, np.ones((3, 4))) == pytest.approx(quantiles)
    wider = widened(quantiles, np.full((2, 4), np.log(2)), np.ones((3, 4)))
    assert wider[6] - wider[3] == pytest.approx(2 * (quantiles[6] - quantiles[3]))


def wandering() -> tuple[Panel, Selected]:
    """Sensors whose level wanders, so that every step ahead is less sure than the one before."""
    rng = np.random.default_rng(3)
    values = 100 + np.cumsum(rng.normal(size=(4, 24 * 28)), axis=1)
    panel = Panel(names=("a", "b", "c", "d"), values=values, start_us=0, step_seconds=3600)
    return panel, select(panel, STEPS, CANDIDATES[:1])


def factor(panel: Panel, selected: Selected, missing: slice, sensor: int = 1) -> Values:
    values = panel.values.copy()
    values[sensor, missing] = np.nan
    return input_factor(replace(panel, values=values), selected.conformal.offsets, STEPS)


def test_a_silent_sensor_is_as_unsure_as_so_much_further_ahead_and_no_other_is() -> None:
    panel, selected = wandering()
    assert input_factor(panel, selected.conformal.offsets, STEPS).tolist() == np.ones((4, STEPS)).tolist()
    silent = factor(panel, selected, slice(-6, None))
    assert silent[[0, 2, 3]].tolist() == np.ones((3, STEPS)).tolist()
    assert silent[1, 0] == pytest.approx(np.sqrt(7), rel=0.35)  # of a random walk: seven steps ahead, not one
    assert (np.diff(silent[1]) <= 0.2).all()
    assert silent[1, 0] > factor(panel, selected, slice(-2, None))[1, 0] > 1


def test_gaps_before_the_newest_value_cost_little() -> None:
    panel, selected = wandering()
    patchy = factor(panel, selected, slice(-13, -1))
    assert patchy[1].tolist() == pytest.approx([1.02] * STEPS)
    empty = replace(panel, values=np.full_like(panel.values, np.nan))
    assert np.isfinite(input_factor(empty, selected.conformal.offsets, STEPS)).all()
    assert len(QUANTILE_LEVELS) == len(selected.conformal.offsets)
