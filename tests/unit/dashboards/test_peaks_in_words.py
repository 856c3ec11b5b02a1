"""Peaks as people read them: what is likely, what is sure, what is over already."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

from dashboards.glance import next_peak
from dashboards.peaks import chance, likeliest, sentence
from services.domain import ForecastState
from services.storage.totals import PeakForecast

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
CITY: Any = SimpleNamespace(zone=ZoneInfo("Europe/Berlin"))
PEAK = PeakForecast(
    scope="city",
    sensor=None,
    district=None,
    name=None,
    quantity="power_kw",
    issued_at=NOW,
    state=ForecastState.NORMAL,
    day=date(2026, 11, 23),
    limit_kw=32_600.0,
    limit_is="highest_of_28_days",
    chance_above=0.12,
    likely_at=NOW + timedelta(hours=32, minutes=15),
    so_far=None,
    quantiles=[29_000.0, 29_800.0, 30_500.0, 31_400.0, 32_200.0, 33_000.0, 33_900.0],
)


def test_a_peak_is_said_with_its_time_its_range_and_its_chance() -> None:
    said = sentence(PEAK, NOW.date(), CITY, NOW)
    assert said == (
        "Tomorrow: the highest quarter hour is about 31.4\u00a0MW, most likely around Mon 18:15; in 8 of 10 cases it lies between"
        " 29.8\u00a0MW and 33.0\u00a0MW. The chance that it exceeds 32.6\u00a0MW, the most of the last four weeks, is 12\u202f%."
    )


def test_a_peak_that_is_over_has_no_range_and_no_time() -> None:
    over = replace(
        PEAK,
        day=NOW.date(),
        likely_at=None,
        so_far=31_400.0,
        quantiles=[31_400.0] * 7,
        chance_above=None,
        limit_kw=None,
    )
    said = sentence(over, NOW.date(), CITY, NOW)
    assert said == "Today: the highest quarter hour is about 31.4\u00a0MW, most likely reached already."


def test_a_drawn_chance_is_never_quite_certain() -> None:
    assert [chance(value) for value in (None, 0.0, 0.004, 0.05, 0.995, 1.0)] == [
        "–",
        "< 1\u202f%",
        "< 1\u202f%",
        "5\u202f%",
        "> 99\u202f%",
        "> 99\u202f%",
    ]


def test_the_likelier_day_counts_and_sensors_without_limit_have_none() -> None:
    today = replace(PEAK, day=NOW.date(), chance_above=0.3)
    unlimited = replace(PEAK, chance_above=None, limit_kw=None)
    assert likeliest([PEAK, today, unlimited]) is today
    assert likeliest([unlimited]) is None


def test_the_next_peak_is_one_that_is_still_ahead() -> None:
    over = replace(PEAK, day=NOW.date(), likely_at=NOW - timedelta(hours=3))
    reached = replace(over, likely_at=None, so_far=30_000.0)
    for today in (over, reached):
        found = next_peak([PEAK, today], NOW)
        assert found is not None
        assert (found.at, found.power_kw) == (PEAK.likely_at, PEAK.quantiles[3])
    assert next_peak([over, reached], NOW) is None
