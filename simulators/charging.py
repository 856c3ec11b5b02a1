"""Code concerned with who charges a car in public, when and how much: over night, at work, or quickly on the way.

Personal data. A session tells what it has drawn when it begins, every quarter of an hour while it charges, and when the car
leaves. It belongs to the local day it began, though it may end on the next. Cards are invented anew for each session.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np

from simulators.city import City
from simulators.clock import SATURDAY, kind_of_day, local_midnight_us
from simulators.encoders import ocpi
from simulators.public_places import PARTY
from simulators.streams import Bools, Floats, Ints, stream

_SESSIONS: Final = 960
_REPORT_S: Final = 900
_POINTS: Final = 8
_SECOND_US: Final = 1_000_000
_PER_KW_SECOND: Final = 1 / 3_600


@dataclass(frozen=True, kw_only=True, slots=True)
class Sessions:
    """Sessions of one local day in the order in which they began; times [µs since 1970 UTC]."""

    day: date
    place: Ints
    begins_us: Ints
    ends_us: Ints
    power_kw: Floats
    energy_kwh: Floats

    def drawn_kwh(self, session: Ints, at_us: Ints) -> Floats:
        """What sessions had drawn at some time after they began [kWh]."""
        elapsed_s = (at_us - self.begins_us[session]) / _SECOND_US
        return np.minimum(self.power_kw[session] * elapsed_s * _PER_KW_SECOND, self.energy_kwh[session]).round(3)


@dataclass(frozen=True, kw_only=True, slots=True)
class Reports:
    """Everything that the sessions of one local day tell, in order of time [µs since 1970 UTC]; `last` says a session is over."""

    sessions: Sessions
    session: Ints
    times_us: Ints
    energy_kwh: Floats
    last: Bools


def sessions_of(city: City, day: date) -> Sessions:
    """All sessions that began on one local day."""
    rng = stream(city.seed, "charging-sessions", day.toordinal())
    free = kind_of_day(day, city.country, city.region) >= SATURDAY
    count = round(_SESSIONS * (0.8 if free else 1.0))
    habit = rng.choice(3, count, p=(0.56, 0.08, 0.36) if free else (0.44, 0.33, 0.23))
    over_night = habit == 0
    hour = np.where(over_night, rng.normal(18.6, 1.9, count), rng.normal(8.2, 0.9, count))
    hour = np.where(habit == 2, rng.normal(14.2, 3.2, count), hour).clip(0.1, 23.9)
    stay_h = np.where(over_night, rng.normal(11.5, 2.0, count), rng.normal(8.3, 0.9, count)).clip(1.5, 15)
    stay_h = np.where(habit == 2, 0.25 + rng.exponential(0.45, count), stay_h)
    power_kw = np.where(habit == 2, rng.choice([22.0, 50.0, 150.0], count, p=(0.3, 0.5, 0.2)), 11.0)
    wish_kwh = np.where(habit == 2, 22.0, 14.5) * rng.lognormal(0, 0.45, count)
    stay_s = (stay_h * 3_600).astype(np.int64)
    energy_kwh = np.floor(np.minimum(wish_kwh.clip(1.5, 75), power_kw * stay_s * _PER_KW_SECOND) * 1_000) / 1_000
    begins_us = local_midnight_us(day, city.zone) + (hour * 3_600).astype(np.int64) * _SECOND_US
    order = np.argsort(begins_us, kind="stable")
    chargers = city.chargers
    weights = np.array([chargers.homes**1.6, chargers.jobs, chargers.homes + chargers.jobs])
    chance = np.cumsum(weights, axis=1)[habit]
    place = (chance < rng.random(count)[:, None] * chance[:, -1:]).sum(axis=1)
    return Sessions(
        day=day,
        place=place[order],
        begins_us=begins_us[order],
        ends_us=(begins_us + stay_s * _SECOND_US)[order],
        power_kw=power_kw[order],
        energy_kwh=energy_kwh[order],
    )


def reports_of(city: City, day: date) -> Reports:
    """Everything that the sessions of one local day tell, some of it on the next."""
    found = sessions_of(city, day)
    charging_s = (found.energy_kwh / found.power_kw / _PER_KW_SECOND).astype(np.int64)
    stay_s = (found.ends_us - found.begins_us) // _SECOND_US
    updates = np.minimum(charging_s, stay_s - 1) // _REPORT_S + 1
    session = np.repeat(np.arange(len(updates)), updates)
    number = np.arange(len(session)) - np.repeat(np.cumsum(updates) - updates, updates)
    times_us = found.begins_us[session] + number * _REPORT_S * _SECOND_US
    session = np.concatenate([session, np.arange(len(updates))])
    times_us = np.concatenate([times_us, found.ends_us])
    order = np.lexsort((session, times_us))
    session, times_us = session[order], times_us[order]
    return Reports(
        sessions=found,
        session=session,
        times_us=times_us,
        energy_kwh=found.drawn_kwh(session, times_us),
        last=times_us == found.ends_us[session],
    )


def charging_messages_of(
    city: City, found: Reports, since_us: int, until_us: int, *, newest_only: bool = False
) -> Iterator[tuple[str, bytes]]:
    """Topic and payload of what was told after one moment and not after the other, of each session only the newest if so asked."""
    first, last = np.searchsorted(found.times_us, [since_us, until_us], side="right")
    rows = np.arange(first, last)
    if newest_only:
        _, back = np.unique(found.session[rows][::-1], return_index=True)
        rows = np.sort(rows[len(rows) - 1 - back])
    sessions = found.sessions
    for row in rows.tolist():
        number = int(found.session[row])
        place = int(sessions.place[number])
        name = f"{sessions.day:%Y%m%d}-{number + 1:04d}"
        location = city.chargers.code[place].rpartition(":")[2]
        payload = ocpi.session(
            country=city.country,
            party=PARTY,
            session=name,
            location=location,
            evse=f"{location}-{number % _POINTS + 1}",
            token=f"{sessions.day:%j}{number + 1:05d}",
            begins_us=int(sessions.begins_us[number]),
            now_us=int(found.times_us[row]),
            energy_kwh=float(found.energy_kwh[row]),
            status="COMPLETED" if found.last[row] else "ACTIVE",
        )
        yield ocpi.topic(city.country, PARTY, name), payload
