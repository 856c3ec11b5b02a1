"""Code concerned with what time it is in the city: local hours, kinds of day, and UTC days as blocks of work.

Signals are made one UTC day at a time, because every UTC day has 24 hours; what people do follows the local clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import holidays
import numpy as np

from services.domain import from_us
from services.errors import ConfigurationError
from simulators.streams import Floats, Ints

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US

WORKDAY, FRIDAY, SATURDAY, SUNDAY = range(4)
"""Kinds of day; a public holiday is a Sunday."""


@dataclass(frozen=True, kw_only=True, slots=True)
class LocalTime:
    """Local clock of each time: `hour` of the day [0, 24), `kind` of day and of the day before, `year_share` [0, 1)."""

    hour: Floats
    kind: Ints
    kind_before: Ints
    year_share: Floats


def local_time(times_us: Ints, zone: ZoneInfo, country: str, region: str | None) -> LocalTime:
    """The local clock at each time [µs since 1970 UTC].

    Raises:
        ConfigurationError: the country or region has no calendar of public holidays.

    """
    hours, index = np.unique(times_us // (HOUR_US // 4), return_inverse=True)  # all zones change at quarter hours
    offset = np.array([_offset_us(int(quarter) * (HOUR_US // 4), zone) for quarter in hours], dtype=np.int64)
    local_us = times_us + offset[index]
    days, day_index = np.unique(local_us // DAY_US, return_inverse=True)
    dates = [date(1970, 1, 1) + timedelta(days=int(day)) for day in days]
    kinds = np.array([kind_of_day(day, country, region) for day in dates])
    before = np.array([kind_of_day(day - timedelta(days=1), country, region) for day in dates])
    shares = np.array([_year_share(day) for day in dates])
    return LocalTime(
        hour=(local_us % DAY_US) / HOUR_US,
        kind=kinds[day_index],
        kind_before=before[day_index],
        year_share=shares[day_index],
    )


def kind_of_day(day: date, country: str, region: str | None) -> int:
    """WORKDAY (Monday to Thursday), FRIDAY, SATURDAY or SUNDAY; a public holiday counts as a Sunday."""
    if day.weekday() == 6 or day in _holidays(country, region):
        return SUNDAY
    return {4: FRIDAY, 5: SATURDAY}.get(day.weekday(), WORKDAY)


def day_of(moment_us: int) -> int:
    """The UTC day [days since 1970] of a time."""
    return moment_us // DAY_US


def steps_of(day: int, step_s: int) -> Ints:
    """The starts of all intervals of one UTC day [µs since 1970 UTC]."""
    return day * DAY_US + np.arange(86_400 // step_s, dtype=np.int64) * step_s * 1_000_000


def local_midnight_us(day: date, zone: ZoneInfo) -> int:
    """When a local day begins [µs since 1970 UTC]."""
    return round(datetime(day.year, day.month, day.day, tzinfo=zone).timestamp()) * 1_000_000


def local_date(moment_us: int, zone: ZoneInfo) -> date:
    """The local date of a time."""
    return from_us(moment_us).astimezone(zone).date()


@lru_cache(maxsize=65_536)
def _offset_us(moment_us: int, zone: ZoneInfo) -> int:
    offset = from_us(moment_us).astimezone(zone).utcoffset()
    return 0 if offset is None else offset // timedelta(microseconds=1)


def _year_share(day: date) -> float:
    return (day.timetuple().tm_yday - 1) / 365.25


@lru_cache(maxsize=8)
def _holidays(country: str, region: str | None) -> holidays.HolidayBase:
    try:
        return holidays.country_holidays(country, subdiv=region)
    except NotImplementedError:
        place = country if region is None else f"{country} with region {region}"
        message = (
            f"there is no calendar of public holidays for {place}: set ARTERIAL_CITY_COUNTRY and ARTERIAL_CITY_REGION"
        )
        raise ConfigurationError(message) from None
