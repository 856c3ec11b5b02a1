"""Code concerned with local days: what time a clock on the wall shows, and whether people work on that day.

Everything is exact across changes to and from summer time, when a local day has 23 or 25 hours.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

import holidays
import numpy as np
from numpy.typing import NDArray

DAY_S: Final = 86_400
SUNDAY: Final = 6
_SATURDAY: Final = 5
_QUARTER_S: Final = 900  # UTC offsets change on quarter hours and nowhere else since 1972
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_ORDINAL: Final = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, kw_only=True, slots=True)
class Calendar:
    """The local calendar of a place.

    `country` (ISO 3166) and `region` (ISO 3166-2 without the country) choose the public holidays; None knows none.
    Recordings stamped in local clock time without a zone use zone `UTC`: their clock is then read as it stands.
    `school_breaks` are the school holidays, first and last local day of each counted from 1970-01-01, ascending and
    apart; none given means that nothing is known of them.
    """

    zone: str = "UTC"
    country: str | None = None
    region: str | None = None
    school_breaks: tuple[tuple[int, int], ...] = ()

    def local_seconds(self, times_us: NDArray[np.int64]) -> NDArray[np.int64]:
        """What the clock on the wall shows at these times [µs since 1970 UTC], as seconds since 1970 local [s]."""
        seconds = times_us // 1_000_000
        if not len(seconds):
            return seconds
        days = seconds // DAY_S
        first = int(days.min())
        span = int(days.max()) - first + 1
        if span > len(days):  # few times far apart
            distinct, where = np.unique(days, return_inverse=True)
            offsets = np.stack([_offsets(self.zone, int(day)) for day in distinct])
        else:
            offsets, where = _offsets_from(self.zone, first, span), days - first
        return seconds + offsets[where, seconds % DAY_S // _QUARTER_S]

    def day_types(self, local_days: NDArray[np.int64]) -> NDArray[np.int64]:
        """0 Monday to 6 Sunday for local days counted from 1970-01-01; a public holiday is a Sunday."""
        return np.array([_day_type(self.country, self.region, int(day)) for day in local_days], dtype=np.int64)

    def works_on(self, day: date) -> bool:
        """Whether people work on that local day: Monday to Friday but for public holidays."""
        return _day_type(self.country, self.region, day.toordinal() - _EPOCH_ORDINAL) < _SATURDAY

    def school_breaks_at(self, local_days: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Which local days are working days inside school holidays: on free days schools are closed anyway."""
        if not self.school_breaks:
            return np.zeros(len(local_days), dtype=np.bool_)
        first, last = np.array(self.school_breaks, dtype=np.int64).T
        place = np.searchsorted(first, local_days, side="right") - 1
        inside = (place >= 0) & (local_days <= last[np.maximum(place, 0)])
        return np.asarray(inside & (self.day_types(local_days) < _SATURDAY))


def school_breaks_of(periods: Iterable[tuple[date, date]]) -> tuple[tuple[int, int], ...]:
    """School holidays as a calendar keeps them, from first and last days in any order; those that touch become one."""
    merged: list[tuple[int, int]] = []
    for begin, end in sorted(
        (one.toordinal() - _EPOCH_ORDINAL, two.toordinal() - _EPOCH_ORDINAL) for one, two in periods
    ):
        if merged and begin <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((begin, end))
    return tuple(merged)


@lru_cache(maxsize=20_000)
def _offsets(zone: str, day: int) -> NDArray[np.int64]:
    """Local time minus UTC in each quarter hour of one UTC day [s], shape (96,)."""
    start = _EPOCH + timedelta(days=day)
    place = ZoneInfo(zone)
    moments = [(start + timedelta(seconds=_QUARTER_S * k)).astimezone(place) for k in range(DAY_S // _QUARTER_S)]
    return np.array([(moment.utcoffset() or timedelta()) // timedelta(seconds=1) for moment in moments], dtype=np.int64)


@lru_cache(maxsize=32)
def _offsets_from(zone: str, first: int, days: int) -> NDArray[np.int64]:
    """As `_offsets` of each of some days (days x 96)."""
    return np.stack([_offsets(zone, first + k) for k in range(days)])


@lru_cache(maxsize=50_000)
def _day_type(country: str | None, region: str | None, day: int) -> int:
    when = date.fromordinal(_EPOCH_ORDINAL + day)
    if country is not None and when in _holidays(country, region, when.year):
        return SUNDAY
    return when.weekday()


@lru_cache(maxsize=2_000)
def _holidays(country: str, region: str | None, year: int) -> frozenset[date]:
    return frozenset(holidays.country_holidays(country, subdiv=region, years=[year]))
