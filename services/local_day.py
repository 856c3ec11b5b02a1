"""Code concerned with local days: the span of time that a calendar day of a place is, 23, 24 or 25 hours where clocks change.

Whoever sums by day takes the day's span from here, in UTC; nothing else adds 24 hours. Spans begin and end on quarter
hours, not on full ones (Australia/Lord_Howe, Asia/Kolkata): days are sums of readings or quarters, never of hours.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo


def day_span(day: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """The first moment of a calendar day and the first of the next [UTC].

    A day whose midnight does not exist begins when its clock first shows it, one whose midnight comes twice at the first.
    """
    return _first_moment(day, zone), _first_moment(day + timedelta(days=1), zone)


def day_of(moment: datetime, zone: ZoneInfo) -> date:
    """The calendar day of a place in which a moment lies."""
    return moment.astimezone(zone).date()


def days_between(start: datetime, end: datetime, zone: ZoneInfo) -> Iterator[date]:
    """The calendar days that [start, end) touches, in order."""
    if start >= end:
        return
    day, last = day_of(start, zone), day_of(end - timedelta(microseconds=1), zone)
    while day <= last:
        yield day
        day += timedelta(days=1)


def _first_moment(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), tzinfo=zone).astimezone(UTC)
