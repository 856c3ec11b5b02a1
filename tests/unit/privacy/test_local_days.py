"""A local day has 23, 24 or 25 hours, and a time in which it may be released."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import pytest

from services.privacy.composition import compose
from services.privacy.days import local_day, open_for_release
from services.settings import Settings
from services.storage.ledger import Budget

BERLIN = Settings(city_timezone="Europe/Berlin")


@pytest.mark.parametrize(
    ("zone", "day", "slots"),
    [
        ("Europe/Berlin", date(2026, 11, 20), 24),
        ("Europe/Berlin", date(2026, 3, 29), 23),
        ("Europe/Berlin", date(2026, 10, 25), 25),
        ("Asia/Kolkata", date(2026, 3, 29), 24),  # UTC+5:30, no clock change
        ("America/Santiago", date(2026, 9, 6), 23),  # midnight itself does not exist there that day
        (
            "Australia/Lord_Howe",
            date(2026, 4, 5),
            25,
        ),  # clocks change by half an hour: 24.5 hours, the last slot is half
    ],
)
def test_slots_tile_the_local_day(zone: str, day: date, slots: int) -> None:
    when = local_day(day, Settings(city_timezone=zone))
    starts = when.slots(60)
    assert len(starts) == slots
    assert starts[0] == when.start
    assert starts[-1] < when.end <= starts[-1] + timedelta(hours=1)
    assert local_day(day + timedelta(days=1), Settings(city_timezone=zone)).start == when.end
    assert len(when.slots(1500)) == 1


@pytest.mark.parametrize(
    ("now", "days"),
    [
        (datetime(2026, 11, 21, 0, 0, tzinfo=UTC), [date(2026, 11, 20)]),  # 01:00 local: an hour after the day's end
        (datetime(2026, 11, 20, 23, 59, tzinfo=UTC), []),  # 00:59 local: yesterday too young, the day before too old
        (datetime(2026, 11, 21, 21, 59, tzinfo=UTC), [date(2026, 11, 20)]),
        (datetime(2026, 11, 21, 22, 0, tzinfo=UTC), []),
        (datetime(2026, 3, 29, 21, 59, tzinfo=UTC), [date(2026, 3, 28)]),  # the 28th began 46:59 ago
        (datetime(2026, 3, 29, 23, 0, tzinfo=UTC), [date(2026, 3, 29)]),  # the 29th ended at 22:00, after 23 h
    ],
)
def test_a_day_may_be_released_from_an_hour_after_its_end_until_its_rows_are_gone(
    now: datetime, days: list[date]
) -> None:
    assert [day.day for day in open_for_release(BERLIN, now)] == days


def test_days_compose_by_adding_up() -> None:
    last = date(2026, 11, 20)
    spent = [
        Budget(domain=domain, day=last - timedelta(days=back), cap_micro_epsilon=1_000_000, spent_micro_epsilon=micro)
        for domain, back, micro in [
            ("mobility", 0, 1_000_000),
            ("mobility", 6, 400_000),
            ("mobility", 7, 300_000),
            ("mobility", 400, 900_000),
            ("household", 0, 700_000),
        ]
    ]
    windows = compose(spent, "mobility", last_day=last, cap=1_000_000)
    assert [(w.days, w.epsilon, w.at_most) for w in windows] == [
        (1, 1.0, 1.0),
        (7, 1.4, 7.0),
        (30, 1.7, 30.0),
        (90, 1.7, 90.0),
        (365, 1.7, 365.0),
    ]
