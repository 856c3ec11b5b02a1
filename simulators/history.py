"""Code concerned with the city's past: weeks of readings through the same decoders and writer as live ones."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from ingest.pipeline import store
from services.domain import Kind, Message, from_us, to_us
from services.settings import Settings
from services.storage.database import connect
from services.storage.places import put_districts, put_layer
from simulators.city import City, outline_of, roads_geojson, water_geojson
from simulators.clock import DAY_US, day_of, local_date, local_midnight_us
from simulators.encoders import native
from simulators.faults import silent_detector, stuck_detector
from simulators.progress import remember
from simulators.series import Devices, metas
from simulators.vehicles import HISTORY_REPORT_S, build_fleet, messages_of, positions_of

_SILENT_FOR = timedelta(hours=26)
_PERSONAL_DAYS = 2
_FIXED = (Kind.TRAFFIC, Kind.ENERGY, Kind.ENVIRONMENT)
_DELAY_US: Final = 900_000_000  # past readings count as received a quarter of an hour after their stamp


@dataclass(frozen=True, kw_only=True, slots=True)
class Loaded:
    """What was loaded, and which detectors are not to be believed."""

    since: datetime
    until: datetime
    messages: int
    stored: int
    dead_lettered: int
    rows: int
    seconds: float
    stuck: str
    silent: str
    silent_since: datetime

    def __str__(self) -> str:
        """One line for a person."""
        return f"{self.rows:,} readings since {self.since:%Y-%m-%d} loaded"


def load(settings: Settings, city: City, *, days: int = 30, until: datetime) -> Loaded:
    """Write the city's map and store what its devices sent until now; repeating it adds nothing.

    Args:
        settings: the database.
        city: whose past.
        days: how many days before `until`, begun at UTC midnight.
        until: only intervals that ended by then, and positions up to then. Personal readings begin two local days
            before the day of `until`, since raw ones older than the retention are refused.

    Raises:
        UnavailableError: the database does not answer.

    """
    began = time.monotonic()
    until_us = to_us(until)
    first_day = day_of(until_us) - days
    write_map(settings, city)
    silent_us = until_us - _SILENT_FOR // timedelta(microseconds=1)
    messages = (
        Message(topic=topic, payload=payload, received_us=until_us, delay_us=_DELAY_US)
        for topic, payload in _messages(city, first_day, until_us, silent_us)
    )
    counts = store(settings, messages)
    remember(settings, city.seed, until_us)
    return Loaded(
        since=from_us(first_day * DAY_US),
        until=until,
        messages=counts.received,
        stored=counts.stored,
        dead_lettered=counts.dead_lettered,
        rows=counts.rows,
        seconds=time.monotonic() - began,
        stuck=city.detectors.code[stuck_detector(city)],
        silent=city.detectors.code[silent_detector(city)],
        silent_since=from_us(silent_us),
    )


def write_map(settings: Settings, city: City) -> None:
    """Write the city's districts, roads and water, replacing what was there."""
    with connect(settings.owner_dsn(), application="simulate") as connection:
        put_districts(
            connection, ((one.code, one.name, outline_of(city, one), one.households) for one in city.districts)
        )
        put_layer(connection, "roads", roads_geojson(city))
        put_layer(connection, "water", water_geojson(city))


def _messages(city: City, first_day: int, until_us: int, silent_us: int) -> Iterator[tuple[str, bytes]]:
    for kind, code, payload in metas(city):
        yield native.topic(kind, code, "meta"), payload
    devices = Devices(city)
    silent = native.topic(Kind.TRAFFIC, city.detectors.code[silent_detector(city)])
    start_us = first_day * DAY_US
    for day in range(first_day, day_of(until_us) + 1):
        for kind in _FIXED:
            for topic, payload in devices.day(kind, day).messages(start_us, until_us):
                if topic != silent or (day + 1) * DAY_US <= silent_us:
                    yield topic, payload
    last = devices.day(Kind.TRAFFIC, day_of(silent_us))
    silent_part = last.payload(silent_detector(city), last.chosen(start_us, silent_us))
    if silent_part is not None:
        yield silent, silent_part
    yield from _personal(city, devices, until_us)


def _personal(city: City, devices: Devices, until_us: int) -> Iterator[tuple[str, bytes]]:
    today = local_date(until_us, city.zone)
    first = today - timedelta(days=_PERSONAL_DAYS)
    start_us = local_midnight_us(first, city.zone)
    for day in range(day_of(start_us), day_of(until_us) + 1):
        # An interval that ended at the first midnight belongs to the day before, whose raw readings are gone.
        yield from devices.day(Kind.HOUSEHOLD, day).messages(start_us, until_us)
    fleet = build_fleet(city)
    for past in range(_PERSONAL_DAYS + 1):
        found = positions_of(fleet, first + timedelta(days=past), every_s=HISTORY_REPORT_S)
        yield from messages_of(found, start_us, until_us)
