from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from models.calendar import Calendar
from models.conformal import calibrate
from models.congestion import Roads
from models.habits import Habits, local_hours
from models.last_value import LastValue
from models.panel import Panel, Values
from models.recalibration import Recalibration, from_validation, recalibrated
from models.regimes import regimes
from models.selection import Selected, select

MARCH_2026_US = 1_772_323_200_000_000
NIGHT_US = 86_400_000_000


def panel(values: Values, *, zone: str = "UTC", start_us: int = MARCH_2026_US) -> Panel:
    return Panel(
        names=tuple(map(str, range(len(values)))),
        values=values,
        start_us=start_us,
        step_seconds=3600,
        calendar=Calendar(zone=zone),
        nonnegative=True,
    )


def known(count: int) -> Roads:
    every = np.ones(count)
    return Roads(free_flow_kmh=50 * every, is_estimated=every < 0, capacity_vph=1000 * every, alike=np.zeros(count))


def speeds(days: int, jammed: NDArray[np.bool_], hour: int = 17) -> Values:
    """One road at 45 km/h, at 15 in one hour and its neighbours on some of the days."""
    made = np.full((days, 24), 45.0)
    made[jammed, hour - 1 : hour + 2] = 15.0
    return made.reshape(1, -1)


def test_habits_are_how_often_an_hour_was_congested_of_late() -> None:
    often = Habits.of(panel(speeds(56, np.arange(56) % 4 > 0)), np.full((1, 56 * 24), 500.0), known(1))
    assert often.below.shape == (3, 1, 24)
    assert often.at(np.array([17, 3]))[0, 0] == pytest.approx([0.72, 0.01], abs=0.02)
    lately, before = (
        Habits.of(panel(speeds(56, days)), np.full((1, 56 * 24), 500.0), known(1)).at(np.array([17]))[0, 0, 0]
        for days in (np.arange(56) >= 42, np.arange(56) < 14)
    )
    assert (lately, before) == pytest.approx((0.53, 0.07), abs=0.05)


def test_habits_keep_to_the_local_clock() -> None:
    """The clock goes forward on 29 March: jams at 17 local are at 16 UTC before and at 15 after."""
    when = panel(np.full((1, 42 * 24), 45.0), zone="Europe/Berlin")
    hours = local_hours(when, 0, 42 * 24)
    found = Habits.of(
        replace(when, values=np.where(hours == 17, 15.0, 45.0)[None]), np.full((1, 42 * 24), 500.0), known(1)
    )
    assert found.at(np.array([15, 16, 17, 18, 19]))[0, 0] == pytest.approx([0, 0.3, 0.3, 0.3, 0], abs=0.02)
    assert local_hours(when, 42 * 24, 2).tolist() == [2, 3]


def test_few_slow_vehicles_in_quiet_hours_are_no_habit_and_the_unknown_is_as_the_city() -> None:
    slow = np.concatenate(
        [speeds(28, np.ones(28, dtype=bool)), speeds(28, np.ones(28, dtype=bool)), np.full((1, 28 * 24), np.nan)]
    )
    flow = np.full(slow.shape, 500.0)
    flow[0].reshape(28, 24)[:, 15:20] = 10.0
    found = Habits.of(panel(slow), flow, known(3)).at(np.array([17]))[0, :, 0]
    assert found[:2] == pytest.approx([0.02, 0.9], abs=0.06)
    assert found[2] == pytest.approx(3 / 48, abs=0.01)
    assert (Habits.of(panel(slow[2:]), flow[2:], known(1)).below == 0.5).all()


def test_what_is_usual_at_an_hour_is_weighed_with_what_is_said_of_it() -> None:
    """Chances that are the same everywhere, of roads that are jammed at that hour often or hardly ever."""
    rng = np.random.default_rng(3)
    share = rng.choice([0.05, 0.6], 8000)
    came = np.where(rng.random(8000) < share, 0, 3)
    said = np.full(8000, 0.3)
    leads = rng.integers(0, 24, 8000)
    found = np.stack([said, 0 * said, 0 * said, 1 - said])
    learnt = recalibrated(found, came, leads, 24, usual=np.tile(share, (3, 1)))
    better = learnt.applied(found[:, :2], leads[:2], np.tile([0.05, 0.6], (3, 1)))
    assert better[0] == pytest.approx([0.05, 0.6], abs=0.03)
    assert better.sum(axis=0) == pytest.approx(1)
    plain = recalibrated(found, came, leads, 24).applied(found[:, :2], leads[:2])
    assert plain[0] == pytest.approx(came[came == 0].size / 8000, abs=0.02)


def test_learning_does_not_run_astray_where_jams_come_out_of_nothing() -> None:
    """A whole step of Newton's method from chances of a thousandth leads to where every chance is one."""
    nowhere = np.full(8000, 0.001)
    came = np.full(8000, 3)
    came[::10] = 0
    found = np.stack([nowhere, 0 * nowhere, 0 * nowhere, 1 - nowhere])
    leads = np.random.default_rng(5).integers(0, 96, 8000)
    usual = np.tile(nowhere, (3, 1))
    better = recalibrated(found, came, leads, 96, usual=usual).applied(found, leads, usual)
    assert better[0] == pytest.approx(0.1, abs=0.02)


def night(selected: Selected, at: Panel, sizes: Values) -> Selected:
    """The same as if it had erred by so much at each origin, with intervals from all of that."""
    origins, sensors, steps = selected.errors.shape
    errors = np.random.default_rng(8).normal(0, 1, (origins, sensors, steps)) * sizes[:, None, None]
    columns: NDArray[np.int64] = (selected.origins_us - at.start_us) // at.step_us
    kinds = regimes(at, 0, at.length + steps)[columns[:, None] + np.arange(steps)]
    return replace(
        selected,
        errors=errors.astype(np.float32),
        conformal=calibrate(errors, np.ones((sensors, steps)), regimes=kinds),
    )


def test_a_night_judges_the_day_before_by_the_intervals_it_was_issued_with() -> None:
    """Errors that have grown since yesterday are no excuse for what was said yesterday: it was too sure."""
    values = np.clip(np.random.default_rng(6).normal(32.5, 4, (40, 28 * 24)), 1, None)
    at = panel(values, start_us=0)
    selected = select(at, 24, [LastValue()])
    count = len(selected.origins_us)
    grown = night(selected, at, np.where(np.arange(count) < count - 8, 1.0, 6.0))
    first = from_validation(known(40), at, night(selected, at, np.ones(count)), None, None)
    assert first is not None
    assert first.memory is not None
    nothing = replace(first.memory, bend=0 * first.memory.bend, pull=0 * first.memory.pull)

    def stretch(until_us: int) -> float:
        before = Recalibration(coefficients=first.coefficients, horizon=24, memory=replace(nothing, until_us=until_us))
        found = from_validation(known(40), at, grown, None, None, before)
        assert found is not None
        return float(found.coefficients[1, 1])

    yesterday = stretch(int(selected.origins_us[-9]))
    assert yesterday < 0.6 * stretch(int(selected.origins_us[0]) - NIGHT_US)
