"""The load of the city in numbers."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from dashboards.figures.load import LoadOutlook
from dashboards.load_tables import durations, hours
from services.domain import to_us

NOW = datetime(2026, 11, 20, 16, 0, tzinfo=UTC)


class FakeCity:
    zone = ZoneInfo("Europe/Berlin")


def rows_of(table: Any) -> list[list[Any]]:
    return [[cell.children for cell in row.children] for row in table.children[1].children]


def test_full_hours_are_told_as_measured_and_then_as_forecast() -> None:
    quarter = 900_000_000
    at_us = to_us(NOW) - quarter * np.arange(8, 0, -1)
    ahead = LoadOutlook(
        target_us=to_us(NOW) + quarter * np.arange(5),
        low_kw=np.full(5, 9_000.0),
        median_kw=np.arange(10_000.0, 15_000.0, 1_000.0),
        high_kw=np.full(5, 16_000.0),
    )
    city: Any = FakeCity()
    drawn = rows_of(hours(at_us, np.arange(8_000.0, 16_000.0, 1_000.0), ahead, city, NOW + timedelta(minutes=1)))
    assert drawn == [
        ["15:00", "8.00", "–", "–", "–"],
        ["16:00", "12.00", "–", "–", "–"],
        ["17:00", "–", "9.00", "10.00", "16.00"],
        ["18:00", "–", "9.00", "14.00", "16.00"],
    ]


def test_durations_go_from_the_highest_load_to_the_lowest_and_gaps_do_not_count() -> None:
    drawn = rows_of(durations(np.array([1_000.0, np.nan, 3_000.0, 2_000.0])))
    assert drawn[0][1] == "3.00"
    assert drawn[5][1] == "2.00"
    assert drawn[-1] == ["100\u202f%", "1.00"]
    assert {row[1] for row in rows_of(durations(np.full(3, np.nan)))} == {"–"}
