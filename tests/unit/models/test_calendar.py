"""Local days with 23, 24 and 25 hours, and days on which people do not work."""

from __future__ import annotations

from datetime import UTC, date, datetime

import numpy as np
import pytest

from models.calendar import SUNDAY, Calendar, school_breaks_of
from models.panel import Panel
from services.domain import to_us

BERLIN = Calendar(zone="Europe/Berlin", country="DE", region="BE")


def day(year: int, month: int, of_month: int) -> int:
    return date(year, month, of_month).toordinal() - date(1970, 1, 1).toordinal()


@pytest.mark.parametrize(
    ("first", "local_day", "hours"),
    [
        ((2026, 3, 27), day(2026, 3, 29), 23),
        ((2026, 6, 1), day(2026, 6, 2), 24),
        ((2026, 10, 24), day(2026, 10, 25), 25),
    ],
)
def test_a_local_day_has_its_hours(first: tuple[int, int, int], local_day: int, hours: int) -> None:
    panel = Panel(
        names=("a",),
        values=np.zeros((1, 96)),
        start_us=to_us(datetime(*first, tzinfo=UTC)),
        step_seconds=3600,
        calendar=BERLIN,
    )
    days, slots = panel.local(0, 96)
    assert (days == local_day).sum() == hours
    assert len(set(slots[days == local_day])) == min(hours, 24)


@pytest.mark.parametrize(
    ("when", "kind"),
    [
        (day(2026, 11, 20), 4),  # a Friday
        (day(2026, 11, 21), 5),
        (day(2026, 11, 22), SUNDAY),
        (day(2026, 5, 1), SUNDAY),  # Labour Day, a Friday
        (day(2025, 3, 8), SUNDAY),  # Women's Day is a holiday in Berlin only, here on a Saturday
    ],
)
def test_holidays_are_sundays(when: int, kind: int) -> None:
    assert BERLIN.day_types(np.array([when])).tolist() == [kind]


def test_regions_differ_and_no_country_knows_no_holiday() -> None:
    womens_day = np.array([day(2027, 3, 8)])  # a Monday
    assert BERLIN.day_types(womens_day)[0] == SUNDAY
    assert Calendar(country="DE", region="BY").day_types(womens_day)[0] == 0
    assert Calendar().day_types(womens_day)[0] == 0


def test_school_holidays_are_their_working_days() -> None:
    summer = (date(2026, 7, 9), date(2026, 8, 22))
    known = Calendar(country="DE", region="BE", school_breaks=school_breaks_of([summer]))
    days = np.array([day(2026, 7, 8), day(2026, 7, 9), day(2026, 7, 11), day(2026, 8, 21), day(2026, 8, 24)])
    assert known.school_breaks_at(days).tolist() == [False, True, False, True, False]  # the third is a Saturday
    assert not BERLIN.school_breaks_at(days).any()
    autumn = Calendar(country="DE", school_breaks=school_breaks_of([(date(2025, 10, 2), date(2025, 10, 10))]))
    assert autumn.school_breaks_at(np.arange(day(2025, 10, 2), day(2025, 10, 4))).tolist() == [True, False]  # Unity Day


def test_school_holidays_that_touch_or_overlap_are_one() -> None:
    parts = [
        (date(2026, 1, 5), date(2026, 1, 9)),
        (date(2026, 1, 1), date(2026, 1, 4)),
        (date(2026, 1, 8), date(2026, 1, 8)),
    ]
    assert school_breaks_of(parts) == ((day(2026, 1, 1), day(2026, 1, 9)),)
    assert school_breaks_of([]) == ()


@pytest.mark.parametrize(
    "wrong",
    [
        {"values": np.zeros((2, 3))},
        {"values": np.zeros((1, 3), dtype=np.float32)},
        {"values": np.full((1, 3), np.inf)},
        {"step_seconds": 7000},
        {"start_us": 1},
    ],
)
def test_a_panel_keeps_its_invariants(wrong: dict[str, object]) -> None:
    right = {"names": ("a",), "values": np.zeros((1, 3)), "start_us": 0, "step_seconds": 900}
    with pytest.raises(ValueError, match=r"panel|step"):
        Panel(**(right | wrong))  # type: ignore[arg-type] # each wrong in one field
    panel = Panel(**right)  # type: ignore[arg-type] # as above
    with pytest.raises(ValueError, match="read-only"):
        panel.values[0, 0] = 1.0
