"""Days of 23, 24 and 25 hours, and of half hours: together they hold every reading once."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.domain import from_us, to_us
from services.local_day import day_of, day_span, days_between

QUARTER_US = 900_000_000
START, END = datetime(2025, 1, 1, 11, tzinfo=UTC), datetime(2027, 1, 1, 9, tzinfo=UTC)
ZONES = ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe")


@pytest.mark.parametrize(
    ("zone", "hours"),
    [
        (
            "Europe/Berlin",
            {date(2025, 3, 30): 23, date(2025, 10, 26): 25, date(2026, 3, 29): 23, date(2026, 10, 25): 25},
        ),
        (
            "America/New_York",
            {date(2025, 3, 9): 23, date(2025, 11, 2): 25, date(2026, 3, 8): 23, date(2026, 11, 1): 25},
        ),
        (
            "Australia/Lord_Howe",
            {date(2025, 4, 6): 24.5, date(2025, 10, 5): 23.5, date(2026, 4, 5): 24.5, date(2026, 10, 4): 23.5},
        ),
    ],
)
def test_the_days_of_other_length_are_those_on_which_clocks_change(zone: str, hours: dict[date, float]) -> None:
    place = ZoneInfo(zone)
    spans = [(day, *day_span(day, place)) for day in days_between(START, END, place)]

    lengths = {day: (end - start) / timedelta(hours=1) for day, start, end in spans}
    assert {day: length for day, length in lengths.items() if length != 24} == hours
    assert [end for *_, end in spans[:-1]] == [start for _, start, _ in spans[1:]]
    assert spans[0][1] <= START
    assert spans[-1][2] >= END


def test_a_day_without_midnight_and_one_that_never_was() -> None:
    assert day_span(date(2026, 9, 6), ZoneInfo("America/Santiago"))[0] == datetime(2026, 9, 6, 4, tzinfo=UTC)
    start, end = day_span(date(2011, 12, 30), ZoneInfo("Pacific/Apia"))
    assert start == end


def test_no_time_touches_no_day() -> None:
    assert list(days_between(START, START, ZoneInfo("UTC"))) == []


@given(st.sampled_from(ZONES), st.integers(0, 2**32 - 1))
def test_day_sums_are_the_sum_of_all_readings(zone: str, seed: int) -> None:
    place = ZoneInfo(zone)
    draw = np.random.default_rng(seed)
    quarters = np.arange(to_us(START), to_us(END), QUARTER_US)
    observed = np.sort(draw.choice(quarters, size=20_000))  # with repeats: several sensors
    counts = draw.integers(0, 500, size=len(observed))

    spans = np.array(spans_us(zone))
    first, after = np.searchsorted(observed, spans[:, 0]), np.searchsorted(observed, spans[:, 1])
    by_day = [int(counts[a:b].sum()) for a, b in zip(first, after, strict=True)]

    assert sum(by_day) == int(counts.sum())
    for at in draw.choice(observed, size=10).tolist():
        start, end = day_span(day_of(from_us(at), place), place)
        assert start <= from_us(at) < end


@cache
def spans_us(zone: str) -> list[list[int]]:
    place = ZoneInfo(zone)
    return [[to_us(moment) for moment in day_span(day, place)] for day in days_between(START, END, place)]
