"""Code concerned with local days: when one begins and ends, when it may be released, and when it is destroyed.

These times depend on the calendar only, never on what was observed.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from services.local_day import day_of, day_span
from services.settings import Settings

LATENESS = timedelta(hours=1)
"""How long after a day's end its last readings are waited for."""

LONGEST_RETENTION = timedelta(hours=48)
"""No personal row lives longer, released or not."""

DESTROYED_EVERY = timedelta(hours=1)
"""How often destruction runs: what would come of age before its next run is destroyed now."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalDay:
    """One calendar day of the city, from `start` to before `end` [UTC]: 23, 24 or 25 hours where clocks change."""

    day: date
    start: datetime
    end: datetime

    @property
    def release_from(self) -> datetime:
        """From when on it may be released."""
        return self.end + LATENESS

    @property
    def release_until(self) -> datetime:
        """From when on it may no longer be released, because its personal rows are gone."""
        return self.start + LONGEST_RETENTION - DESTROYED_EVERY

    def slots(self, minutes: int) -> list[datetime]:
        """The starts of its tumbling slots; the last is shorter where a day is no multiple of the slot."""
        step = timedelta(minutes=minutes)
        return [self.start + i * step for i in range(-(-(self.end - self.start) // step))]


def local_day(day: date, settings: Settings) -> LocalDay:
    """That calendar day in the city's time zone."""
    start, end = day_span(day, settings.zone)
    return LocalDay(day=day, start=start, end=end)


def open_for_release(settings: Settings, now: datetime) -> list[LocalDay]:
    """The local days whose release window contains `now`, oldest first: mostly yesterday alone."""
    today = day_of(now, settings.zone)
    recent = [local_day(today - timedelta(days=back), settings) for back in (2, 1)]
    return [day for day in recent if day.release_from <= now < day.release_until]
