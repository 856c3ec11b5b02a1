"""Protocols by hand: which origins, which steps count, which unit; regimes of the week; intervals that are steered."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from models.adaptive import LEVELS, History, issue
from models.backtest import backtest
from models.calendar import Calendar
from models.last_value import LastValue
from models.panel import Panel
from models.protocol import Span, Units, every_origin, rolling, windows
from models.regimes import Regime, regimes
from services.domain import to_us


def panel(values: np.ndarray) -> Panel:
    return Panel(names=tuple("ab"[: len(values)]), values=values, start_us=345_600_000_000, step_seconds=3600)


def test_windows_end_with_the_recording() -> None:
    made = windows(100, 10, 3, 4, name="w", description="d", validation_steps=30, validation_stride=10)
    assert made.test.tolist() == [70, 80, 90]
    assert made.validation.tolist() == [40, 50, 60]
    assert (made.leads.tolist(), made.of_horizon(10)) == (list(range(10)), slice(0, 10))


def test_a_horizon_is_its_last_step_or_all_up_to_it() -> None:
    at = rolling(1000, (1, 24), 24, description="d")
    assert (at.train_end, int(at.test[0]), at.leads.tolist()) == (700, 800, [0, 23])
    assert at.of_horizon(24) == slice(1, 2)
    through = rolling(1000, (3, 6), 24, description="d", span=Span.THROUGH)
    assert (through.leads.tolist(), through.of_horizon(3)) == ([0, 1, 2, 3, 4, 5], slice(0, 3))


def test_every_window_inside_the_test_part_in_training_deviations() -> None:
    # alternating 0 and 2 in training: mean 1, deviation 1; the test part jumps by 10 at column 190
    values = np.where(np.arange(200) % 2, 2.0, 0.0)[None].copy()
    values[0, 150:] = 4.0
    values[0, 190:] = 14.0
    seen = panel(np.concatenate([values, values * 5]))
    made = every_origin(seen, (2, 4), 24, train_end=120, test=range(180, 200), name="ltsf", description="d")
    assert made.test.tolist() == list(range(180, 199))
    units = Units.of_training(seen, 120)
    assert (units.centre.tolist(), units.scale.tolist()) == ([1.0, 5.0], [1.0, 5.0])
    done = backtest(seen, [LastValue()], made)
    two = next(one for one in done.results if one.horizon == 2)
    # 19 windows of two steps: origin 189 misses both targets by one step, 189 = 4 then 14, 14; 190 on is right
    # origin 189: targets 189, 190 -> 0 and 10; origin 190: known is 189 -> both 10
    assert two.metrics["mae"] == pytest.approx((10 + 20) / (19 * 2))
    assert two.metrics["mse"] == pytest.approx((100 + 200) / (19 * 2))
    four = next(one for one in done.results if one.horizon == 4)
    # 17 whole windows from 180 to 196; those of 187 to 190 hold 1, 2, 3 and 4 targets after the jump
    assert four.metrics["mae"] == pytest.approx(10 * (1 + 2 + 3 + 4) / (17 * 4))


def test_regimes_of_a_week_with_a_holiday() -> None:
    # Thursday 30 April to Sunday 3 May 2026; Friday 1 May is a holiday
    seen = Panel(
        names=("a",),
        values=np.zeros((1, 96)),
        start_us=to_us(datetime(2026, 4, 30, tzinfo=UTC)),
        step_seconds=3600,
        calendar=Calendar(country="DE"),
    )
    found = regimes(seen, 0, 96)
    assert [found[hour] for hour in (3, 8, 12, 17, 23)] == [
        Regime.NIGHT, Regime.PEAK, Regime.DAY, Regime.PEAK, Regime.NIGHT,
    ]  # fmt: skip
    assert set(found[24:48]) == {Regime.HOLIDAY}
    assert set(found[48 + 5 : 48 + 23]) == {Regime.WEEKEND}


def test_intervals_widen_when_errors_grow_and_stay_ordered() -> None:
    rng = np.random.default_rng(1)
    size = np.where(np.arange(600) < 300, 1.0, 3.0)[:, None, None]
    errors = (rng.normal(0, 1, (600, 4, 2)) * size).astype(np.float32)
    history = History(
        origins=np.arange(600),
        leads=np.arange(2),
        errors=errors,
        truth=errors + 100,
        kinds=np.ones((600, 2), dtype=np.int64),
        first_test=300,
        nonnegative=False,
    )
    issued = issue(history, np.ones((4, 2)), [range(2)], 24, 24)
    share = issued.inside["0.8"].sum(axis=1) / issued.known.sum(axis=1)
    assert share[:24].mean() < 0.5  # nobody could know
    assert share[-100:].mean() == pytest.approx(0.8, abs=0.08)
    assert list(LEVELS) == sorted(LEVELS)


def test_an_interval_knows_nothing_that_comes_later() -> None:
    rng = np.random.default_rng(2)
    errors = rng.normal(0, 1, (200, 2, 3)).astype(np.float32)
    later = errors.copy()
    later[160:] *= 100
    held = []
    for one in (errors, later):
        history = History(
            origins=np.arange(200),
            leads=np.arange(3),
            errors=one,
            truth=one,
            kinds=np.zeros((200, 3), dtype=np.int64),
            first_test=100,
            nonnegative=False,
        )
        held.append(issue(history, np.ones((2, 3)), [range(3)], 24, 20).lost[:60])
    assert np.array_equal(*held)


def test_far_ahead_intervals_follow_as_quickly_as_their_late_answers_allow() -> None:
    """Errors grow by half at the test part; what is forecast ten days ahead shows it ten days later, or overshoots."""
    rng = np.random.default_rng(3)
    size = np.where(np.arange(160) < 80, 1.0, 1.5)[:, None, None]
    errors = (rng.normal(0, 1, (160, 800, 1)) * size).astype(np.float32)
    history = History(
        origins=24 * np.arange(160),
        leads=np.array([239]),
        errors=errors,
        truth=errors + 100,
        kinds=np.zeros((160, 1), dtype=np.int64),
        first_test=80,
        nonnegative=False,
    )
    issued = issue(history, np.ones((800, 1)), [range(1)], 24, 24)
    share = issued.inside["0.8"][:, 0] / issued.known[:, 0]
    assert share[:10].mean() < 0.65
    assert share[30:40].mean() == pytest.approx(0.8, abs=0.03)
    assert share[40:].reshape(4, 10).mean(axis=1) == pytest.approx([0.8] * 4, abs=0.06)


def test_errors_of_two_days_are_trusted_less_than_as_many_of_two_months() -> None:
    """The same errors a day ahead, an hour apart and a day apart; neighbours of the first would err together."""
    rng = np.random.default_rng(6)
    errors = rng.normal(0, 1, (400, 20, 1)).astype(np.float32)
    held = []
    for spacing, first_test in ((1, 83), (24, 60)):  # sixty are known in both
        history = History(
            origins=spacing * np.arange(400),
            leads=np.array([23]),
            errors=errors,
            truth=errors + 100,
            kinds=np.zeros((400, 1), dtype=np.int64),
            first_test=first_test,
            nonnegative=False,
        )
        issued = issue(history, np.ones((20, 1)), [range(1)], 24, 24 * 1000)
        held.append({key: inside.sum() / issued.known.sum() for key, inside in issued.inside.items()})
    soon, late = held
    assert late["0.8"] == pytest.approx(0.8, abs=0.02)
    assert soon["0.8"] > late["0.8"] + 0.015
    assert soon["0.95"] > late["0.95"] + 0.02
