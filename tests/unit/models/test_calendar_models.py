"""The calendar ridge and the load ridge on days made by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import pytest

from models.calendar import Calendar, school_breaks_of
from models.calendar_ridge import CalendarRidge
from models.contract import Forecaster
from models.day_features import FEATURES, day_features
from models.load_ridge import LoadRidge
from models.panel import Panel
from models.remainders import Remainders
from services.domain import to_us

GERMANY = Calendar(country="DE")
START = datetime(2025, 1, 1, tzinfo=UTC)
DAYS = 540


def week(calendar: Calendar) -> Panel:
    """Working days are worth 100, free days 40, at every hour, and the holidays of Germany are free; then noise."""
    rng = np.random.default_rng(1)
    first = to_us(START) // 86_400_000_000
    free = GERMANY.day_types(np.arange(first, first + DAYS)) >= 5
    values = np.repeat(np.where(free, 40.0, 100.0), 24) + rng.normal(0, 1, 24 * DAYS)
    return Panel(names=("a",), values=values[None], start_us=to_us(START), step_seconds=3600, calendar=calendar)


def place(month: int, day: int) -> int:
    return (datetime(2026, month, day, tzinfo=UTC) - START).days * 24


def test_features_of_a_bridge_day() -> None:
    # Ascension Day 2026 is Thursday 14 May; the Friday after it is a bridge, Wednesday the day before a holiday
    first = to_us(datetime(2026, 5, 13, tzinfo=UTC)) // 86_400_000_000
    days = day_features(GERMANY, first, 4)
    assert days.shape == (4, FEATURES)
    assert days[:, :7].argmax(axis=1).tolist() == [2, 6, 4, 5]
    assert days[:, 7:11].tolist() == [[0, 0, 1, 0], [1, 0, 0, 0], [0, 1, 0, 1], [0, 0, 0, 0]]


@pytest.mark.parametrize("model", [CalendarRidge(), LoadRidge()], ids=lambda one: one.name)
def test_a_holiday_is_known_beforehand(model: CalendarRidge | LoadRidge) -> None:
    panel = week(GERMANY)
    end = place(5, 14)  # a Thursday on which nobody works
    forecast = model.fit(panel.cut(end), 24).forecast(panel.cut(end), 24)
    assert forecast[0] == pytest.approx(40, abs=8)
    unaware = week(Calendar())
    assert model.fit(unaware.cut(end), 24).forecast(unaware.cut(end), 24)[0].mean() > 80


BREAKS = [
    (date(2025, 2, 3), date(2025, 2, 16)),
    (date(2025, 7, 7), date(2025, 8, 24)),
    (date(2026, 2, 2), date(2026, 2, 15)),
]


def schools(calendar: Calendar) -> Panel:
    """As `week`, but working days in school holidays are worth 70."""
    panel = week(GERMANY)
    first = panel.start_us // 86_400_000_000
    closed = replace(GERMANY, school_breaks=school_breaks_of(BREAKS)).school_breaks_at(np.arange(first, first + DAYS))
    return replace(panel, values=panel.values - 30 * np.repeat(closed, 24), calendar=calendar)


@pytest.mark.parametrize("model", [CalendarRidge(), LoadRidge()], ids=lambda one: one.name)
def test_school_holidays_are_known_beforehand(model: Forecaster) -> None:
    aware, unaware = schools(replace(GERMANY, school_breaks=school_breaks_of(BREAKS))), schools(GERMANY)
    for end, truth in ((place(2, 2), 70), (place(2, 16), 100)):  # the first day of them, and the first day after them
        wrong = [
            np.abs(model.fit(one.cut(end), 24).forecast(one.cut(end), 24) - truth).mean() for one in (aware, unaware)
        ]
        assert wrong[0] < 8
        assert wrong[0] < 0.6 * wrong[1]


def test_what_lasts_is_carried_forward_and_one_broken_day_is_not() -> None:
    panel = week(GERMANY)
    values = panel.values.copy()
    values[0, : 24 * DAYS] += 30 * np.repeat(np.arange(DAYS) // 45 % 2, 24)  # a level that lasts for weeks
    end = place(6, 10)
    lasting = Panel(names=("a",), values=values, start_us=panel.start_us, step_seconds=3600, calendar=GERMANY).cut(end)
    expected = values[0, end : end + 24]
    forecast = CalendarRidge().fit(lasting, 24).forecast(lasting, 24)[0]
    assert np.abs(forecast - expected).mean() < 8
    broken = values.copy()
    broken[0, end - 96 : end - 72] = 5000.0
    seen = Panel(names=("a",), values=broken, start_us=panel.start_us, step_seconds=3600, calendar=GERMANY).cut(end)
    assert np.abs(CalendarRidge().fit(seen, 24).forecast(seen, 24)[0] - expected).mean() < 12


def test_a_missing_week_is_bridged() -> None:
    panel = week(GERMANY)
    end = place(6, 10)
    values = panel.values.copy()
    values[0, end - 9 * 24 : end - 2 * 24] = np.nan
    seen = Panel(names=("a",), values=values, start_us=panel.start_us, step_seconds=3600, calendar=GERMANY).cut(end)
    for model in (CalendarRidge(), LoadRidge()):
        assert model.fit(seen, 24).forecast(seen, 24)[0] == pytest.approx(100, abs=6)


def test_the_newest_remainders_tell_the_same_as_all() -> None:
    rng = np.random.default_rng(3)
    left = rng.normal(size=(3, 24 * 40))
    left[rng.random(left.shape) < 0.2] = np.nan
    leads = np.arange(24 * 10)
    every, newest = Remainders.of(left, 24), Remainders.newest(left, 24)
    expected = every.features(np.array([left.shape[1]]), leads, 1)
    assert newest.features(np.array([newest.values.shape[1]]), leads, 1) == pytest.approx(expected)
    assert np.nan_to_num(left)[:, -24:] == pytest.approx(expected[:, 0, :24, -3])  # yesterday at the same time
