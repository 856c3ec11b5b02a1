"""Chances of congestion: of one distribution by hand, of speed and flow against a simulation, and how they are scored."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import ndtri

from models.catalogue import CANDIDATES
from models.conformal import calibrate
from models.congestion import (
    Congestion,
    Roads,
    chance_below,
    chances,
    class_of,
    classes,
    index_quantiles,
    joint_ratio,
    roads,
    usual_flow,
)
from models.congestion_backtest import Trial, measure
from models.last_value import LastValue
from models.panel import Panel, Values
from models.recalibration import Recalibration, aligned, from_validation, recalibrated
from models.regimes import regimes
from models.selection import Selected, select
from services.domain import QUANTILE_LEVELS

LEVELS = np.array(QUANTILE_LEVELS)
WEEK = 168


def normal(mean: float, sd: float) -> Values:
    """Quantiles of one sensor and step."""
    return np.asarray(mean + sd * ndtri(LEVELS))[:, None, None]


def road(*, free: float = 50.0, capacity: float = 1000.0, alike: float = 0.0) -> Roads:
    return Roads(
        free_flow_kmh=np.array([free]),
        is_estimated=np.array([False]),
        capacity_vph=np.array([capacity]),
        alike=np.array([alike]),
    )


@pytest.mark.parametrize(
    ("ratio", "expected"), [(0.0, 0), (0.499, 0), (0.5, 1), (0.65, 2), (0.849, 2), (0.85, 3), (1.3, 3)]
)
def test_a_class_begins_at_its_limit(ratio: float, expected: int) -> None:
    assert class_of(ratio) == expected


def test_a_chance_passes_through_the_quantiles_and_halves_in_the_tails() -> None:
    quantiles = np.array([10.0, 20, 30, 40, 50, 60, 80])[:, None]
    at = {10.0: 0.05, 20: 0.1, 25: 0.175, 40: 0.5, 60: 0.9, 80: 0.95, 0: 0.025, -10: 0.0125, 100: 0.975, 120: 0.9875}
    for limit, expected in at.items():
        assert chance_below(quantiles, np.array([limit])) == pytest.approx(expected), limit


def test_a_forecast_without_spread_is_certain() -> None:
    same = np.full((7, 1), 5.0)
    assert [float(chance_below(same, np.array([limit]))[0]) for limit in (4.9, 5.1)] == [0.0, 1.0]


def test_chances_sum_to_one_and_grow_with_slowness() -> None:
    speeds = np.concatenate([normal(mean, 4) for mean in (10, 24, 29, 38, 55)], axis=1)
    many = Roads(**{name: np.repeat(getattr(road(), name), 5) for name in Roads.__slots__})
    found = chances(speeds, np.full_like(speeds, np.nan), np.full((5, 1), 500.0), many)[:, :, 0]
    assert found.sum(axis=0) == pytest.approx(1)
    assert (found >= 0).all()
    assert (np.diff(found[Congestion.CONGESTED]) < 0).all()
    assert found.argmax(axis=0).tolist() == [0, 0, 1, 2, 3]


def test_few_slow_vehicles_at_a_quiet_hour_are_no_congestion_but_at_a_busy_hour_they_stand() -> None:
    slow, empty = normal(15, 3), normal(8, 3)
    night, rush = np.array([[10.0]]), np.array([[600.0]])
    assert chances(slow, empty, night, road())[Congestion.FREE] > 0.98
    assert chances(slow, empty, rush, road())[Congestion.CONGESTED] > 0.98
    assert chances(slow, normal(400, 60), night, road())[Congestion.CONGESTED] > 0.98
    ratio, flow = np.array([[0.2, 0.2, 0.2, np.nan]]), np.array([[8.0, 8.0, 400.0, 8.0]])
    usual = np.array([[10.0, 600.0, 10.0, 10.0]])
    assert classes(ratio, flow, usual, np.array([[50.0]])).tolist() == [[3, 0, 0, -1]]


@pytest.mark.parametrize("alike", [-0.9, -0.4, 0.0, 0.5, 0.95])
def test_speed_and_flow_together_are_as_in_a_simulation_of_their_copula(alike: float) -> None:
    rng = np.random.default_rng(1)
    first = rng.normal(size=400_000)
    second = alike * first + np.sqrt(1 - alike**2) * rng.normal(size=400_000)
    speed, flow = 26 + 5 * first, 48 + 12 * second
    expected = np.mean((speed < 25) & (flow >= 50))
    found = chances(normal(26, 5), normal(48, 12), np.array([[20.0]]), road(alike=alike))
    assert found[Congestion.CONGESTED, 0, 0] == pytest.approx(expected, abs=0.015)


def test_what_is_not_known_has_no_chance_and_touches_no_other() -> None:
    speeds = np.concatenate([normal(20, 4), np.full((7, 1, 1), np.nan), normal(20, 4)], axis=1)
    many = Roads(**{name: np.repeat(getattr(road(), name), 3) for name in Roads.__slots__})
    many.free_flow_kmh[2] = np.nan
    found = chances(speeds, speeds * 10, np.full((3, 1), np.nan), many)
    assert np.isnan(found).all(axis=(0, 2)).tolist() == [False, True, True]


def test_index_quantiles_ascend_and_end_where_a_road_stands() -> None:
    ratios = np.array([0.0, 0.2, 0.4, 0.5, 0.8, 1.0, 1.25])[:, None]
    found = index_quantiles(ratios)[:, 0]
    assert found.tolist() == pytest.approx([0.8, 1.0, 1.25, 2.0, 2.5, 5.0, 100.0])


def test_several_roads_together_are_a_ratio_of_sums() -> None:
    speed, free = np.array([[20.0], [60.0], [np.nan]]), np.array([50.0, 60.0, 50.0])
    flow = np.array([[900.0], [100.0], [500.0]])
    expected = (900 / 50 + 100 / 60) / (900 / 20 + 100 / 60)
    assert joint_ratio(speed, free, flow) == pytest.approx(expected)
    assert np.isnan(joint_ratio(speed[2:], free[2:], flow[2:])).all()


def test_what_devices_do_not_tell_is_learnt_from_light_traffic() -> None:
    flow = np.tile(np.r_[np.full(84, 100.0), np.full(84, 900.0)], 5)[None]
    speed = np.where(flow < 500, 60.0, 30.0)
    learnt = roads(speed, flow, WEEK)
    assert (learnt.free_flow_kmh[0], learnt.capacity_vph[0], learnt.is_estimated[0]) == (60.0, 900.0, True)
    told = learnt.told(np.array([70.0]), np.array([1500.0]))
    assert (told.free_flow_kmh[0], told.few_vph[0], told.is_estimated[0]) == (70.0, 75.0, False)
    assert learnt.told(np.array([np.nan]), np.array([np.nan])).free_flow_kmh[0] == 60.0
    empty = roads(np.empty((1, 0)), np.empty((1, 0)), WEEK)
    assert np.isnan(empty.free_flow_kmh[0])


def test_usual_flow_is_the_median_of_the_last_four_weeks() -> None:
    flow = np.repeat(np.arange(6.0), WEEK)[None]
    assert usual_flow(flow, WEEK, 24)[0].tolist() == pytest.approx([4.0] * 24, abs=1)
    assert np.isnan(usual_flow(flow[:, :0], WEEK, 3)).all()


def test_recalibration_learns_what_was_said_too_surely_the_more_the_longer_ahead() -> None:
    rng = np.random.default_rng(2)
    logits, leads = rng.normal(0, 2, 40_000), rng.integers(0, 24, 40_000)
    true = 0.8 - 0.4 * (np.log1p(leads) / np.log(24) - 0.5)  # the stretch is 1 at one step, 0.6 at 24
    came = np.where(rng.random(40_000) < 1 / (1 + np.exp(-true * logits + 0.3)), 0, 3)
    said = 1 / (1 + np.exp(-logits))
    found = recalibrated(np.stack([said, 0 * said, 0 * said, 1 - said]), came, leads, 24)
    assert found.coefficients[0] == pytest.approx([-0.3, 0.8, -0.4, 0.0], abs=0.07)
    some = np.array([[0.9, 0.9, 0.0, 1.0], [0.05, 0.05, 0.5, 0.0], [0.03, 0.03, 0.0, 0.0], [0.02, 0.02, 0.5, 0.0]])
    better = found.applied(some, np.array([0, 23, 0, 23]))
    assert better.sum(axis=0) == pytest.approx(1)
    expected = [1 / (1 + np.exp(-stretch * np.log(9) + 0.3)) for stretch in (1.0, 0.6)]
    assert better[0].tolist() == pytest.approx([*expected, 0.0, 1.0], abs=0.03)
    assert better[1:3].sum(axis=0) == pytest.approx([0.08, 0.08, 0.5, 0.0], abs=0.1)


def surely(seed: int, cases: int) -> tuple[Values, NDArray[np.int64], NDArray[np.int64]]:
    """Chances whose logits are twice what they should be, what came, and lead times."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(-1, 2, cases)
    came = np.where(rng.random(cases) < 1 / (1 + np.exp(-0.5 * logits)), 0, 3)
    said = 1 / (1 + np.exp(-logits))
    return np.stack([said, 0 * said, 0 * said, 1 - said]), came, rng.integers(0, 24, cases)


def test_weeks_with_few_jams_are_remembered_together() -> None:
    weeks = [surely(seed, 300) for seed in range(12)]
    sure, lead = np.array([[0.8], [0.0], [0.0], [0.2]]), np.array([23])
    right = 1 / (1 + np.exp(-0.5 * np.log(4)))
    memory, alone = None, []
    for week in weeks:
        alone.append(recalibrated(*week, 24).applied(sure, lead)[0, 0])
        found = recalibrated(*week, 24, before=memory)
        memory = found.memory
    assert found.applied(sure, lead)[0, 0] == pytest.approx(right, abs=0.02)
    assert np.abs(np.array(alone) - right).max() > 0.1
    said, came, leads = (np.concatenate(parts, axis=-1) for parts in zip(*weeks, strict=True))
    together = recalibrated(said, came, leads, 24)
    assert found.coefficients[0] == pytest.approx(together.coefficients[0], abs=0.05)


def test_memory_fades_and_a_week_looked_at_twice_counts_once() -> None:
    speed, flow = jammed()
    models = [LastValue(), *CANDIDATES[1:4]]
    speeds, flows = select(speed, 24, models), select(flow, 24, models)
    known = roads(speed.values, flow.values, WEEK)
    once = from_validation(known, speed, speeds, flow, flows)
    assert once is not None
    assert once.memory is not None
    again = from_validation(known, speed, speeds, flow, flows, once)
    assert again is not None
    assert again.coefficients == pytest.approx(once.coefficients, abs=1e-5)
    late = once.memory.faded(once.memory.until_us + 56 * 86_400_000_000)
    assert late.bend == pytest.approx(once.memory.bend / 2)
    other = replace(once, horizon=96)
    assert from_validation(known, speed, speeds, flow, flows, other).coefficients == pytest.approx(once.coefficients)
    none = replace(speeds, origins_us=speeds.origins_us[:0])
    assert from_validation(known, speed, none, flow, flows, once) is once


def test_with_nothing_to_learn_from_chances_stay_as_they_are() -> None:
    some, none = np.array([[0.2], [0.3], [0.1], [0.4]]), np.empty(0, dtype=np.int64)
    assert recalibrated(np.empty((4, 0)), none, none, 24).applied(some, np.zeros(1, dtype=np.int64)) == pytest.approx(
        some
    )
    same = Recalibration(coefficients=np.tile([0.0, 1.0, 0.0, 0.0], (3, 1)), horizon=24)
    assert np.isnan(same.applied(np.full((4, 1), np.nan), np.zeros(1, dtype=np.int64))).all()


def jammed(days: int = 42) -> tuple[Panel, Panel]:
    """Hourly speed and flow of three sections whose morning jam grows and shrinks over a month."""
    rng = np.random.default_rng(4)
    hours = np.arange(days * 24)
    day = np.repeat(np.sin(np.arange(days) / 5 + np.arange(3)[:, None]), 24, axis=1)
    jam = np.exp(-(((hours % 24 - 8) / 2) ** 2)) * (1 + 0.8 * day)
    speed = 55 - 30 * jam + rng.normal(0, 2, (3, len(hours)))
    flow = 400 - 300 * np.cos(2 * np.pi * hours / 24) + rng.normal(0, 20, (3, len(hours)))
    made = [
        Panel(names=("a", "b", "c"), values=np.maximum(values, 1.0), start_us=0, step_seconds=3600, nonnegative=True)
        for values in (speed, flow)
    ]
    return made[0], made[1]


def test_forecast_classes_beat_climatology_and_nothing_ahead_is_seen() -> None:
    speed, flow = jammed()
    trial = Trial(begin=35 * 24, end=42 * 24, horizons=(1, 3), stride=5, refit=WEEK, history=35 * 24)
    found = {(one.model, one.horizon): one for one in measure(speed, flow, trial, CANDIDATES[:5])}
    assert found["selected", 1].rps < 0.9 * found["climatology", 1].rps
    assert found["selected", 1].rps < found["persistence", 1].rps
    assert sum(count for _, _, count in found["selected", 1].bins) == found["selected", 1].cases
    planted = speed.values.copy()
    planted[:, 38 * 24 :] = 1.0
    other = Panel(names=speed.names, values=planted, start_us=0, step_seconds=3600, nonnegative=True)
    early = Trial(begin=35 * 24, end=38 * 24, horizons=(1, 3), stride=5, refit=WEEK, history=35 * 24)
    assert measure(other, flow, early, CANDIDATES[:5]) == measure(speed, flow, early, CANDIDATES[:5])


def test_recalibration_takes_flows_of_other_sensors_and_starts() -> None:
    speed, flow = jammed()
    later = Panel(names=("c", "x", "a"), values=flow.values[:, 48:], start_us=48 * 3_600_000_000, step_seconds=3600)
    laid = aligned([later], speed)
    assert np.isnan(laid[:, :48]).all()
    assert np.array_equal(laid[[0, 2], 48:], flow.values[[2, 0]][:, 48:])
    assert np.isnan(laid[1]).all()
    models = [LastValue(), *CANDIDATES[1:4]]
    speeds, flows = select(speed, 24, models), select(later, 24, models)
    known = roads(speed.values, laid, WEEK)
    found = from_validation(known, speed, speeds, later, flows)
    assert found is not None
    assert np.isfinite(found.coefficients).all()
    assert from_validation(known, speed, speeds, None, None) is not None


def erring(panel: Panel, selected: Selected, size: float, *, by_day: bool) -> Selected:
    """The same as if it had erred at random, for itself at each origin or alike for two days."""
    origins, sensors, steps = selected.errors.shape
    rng = np.random.default_rng(8)
    groups = (selected.origins_us // 172_800_000_000).astype(np.int64) if by_day else np.arange(origins)
    drawn = {group: rng.normal(0, size, (sensors, 1)) for group in np.unique(groups)}
    errors = np.stack([np.repeat(drawn[group], steps, axis=1) for group in groups])
    at = (selected.origins_us - panel.start_us) // panel.step_us
    kinds = regimes(panel, 0, panel.length + steps)[at[:, None] + np.arange(steps)]
    return replace(
        selected,
        errors=errors.astype(np.float32),
        conformal=calibrate(errors, np.ones((sensors, steps)), regimes=kinds),
    )


def test_chances_are_judged_by_intervals_that_have_not_seen_what_they_are_judged_by() -> None:
    """Errors that last for days make the few days that calibrate look surer than those to come will be."""
    rng = np.random.default_rng(6)
    values = np.clip(rng.normal(32.5, 4, (40, 28 * 24)), 1, None)
    panel = Panel(names=tuple(map(str, range(40))), values=values, start_us=0, step_seconds=3600, nonnegative=True)
    known = Roads(**{name: np.repeat(getattr(road(), name), 40) for name in Roads.__slots__})
    selected = select(panel, 24, [LastValue()])
    stretch = {}
    for by_day in (False, True):
        found = from_validation(known, panel, erring(panel, selected, 4, by_day=by_day), None, None)
        assert found is not None
        stretch[by_day] = found.coefficients[1, 1]
    assert stretch[True] < 0.93 * stretch[False]
