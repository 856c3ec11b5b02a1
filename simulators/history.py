"""Code concerned with the city's past: weeks of readings through the same decoders and writer as live ones."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from ingest.pipeline import store
from services.domain import Kind, Message, from_us, to_us
from services.settings import Settings
from services.storage import releases
from services.storage.database import Connection, connect
from services.storage.places import put_districts, put_layer
from services.storage.stations import Purpose, Station, put_stations
from simulators.bicycles import bike_messages_of, bike_trips_of
from simulators.charging import charging_messages_of, reports_of
from simulators.city import City, outline_of, roads_geojson, water_geojson
from simulators.clock import DAY_US, day_of, local_date, local_midnight_us
from simulators.encoders import native
from simulators.faults import silent_detector, stuck_detector
from simulators.progress import remember
from simulators.public_places import Places
from simulators.series import Devices, metas
from simulators.vehicles import HISTORY_REPORT_S, Fleet, build_fleet, messages_of, positions_of

_SILENT_FOR = timedelta(hours=26)
PERSONAL_DAYS: Final = 1  # of an older day nothing could be released before its rows are destroyed
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
        until: only intervals that ended by then, and positions up to then. Personal readings begin on the local
            day before that of `until`: an older one could not be released any more.

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
    """Write the city's districts, roads, water and register of stations, replacing what was there."""
    with connect(settings.owner_dsn(), application="simulate") as connection:
        put_districts(
            connection, ((one.code, one.name, outline_of(city, one), one.households) for one in city.districts)
        )
        put_layer(connection, "roads", roads_geojson(city))
        put_layer(connection, "water", water_geojson(city))
    write_register(settings, city)


def write_register(settings: Settings, city: City) -> None:
    """Write the city's bike stations and charging points, as far as their districts are there."""
    with connect(settings.owner_dsn(), application="simulate") as connection:
        _put_places(connection, city, "bike", city.docks)
        _put_places(connection, city, "charging", city.chargers)


def _put_places(connection: Connection, city: City, purpose: Purpose, places: Places) -> None:
    numbers = {code: number for number, code in releases.district_codes(connection).items()}
    rows = zip(places.code, places.name, city.degrees(places.position).tolist(), places.district.tolist(), strict=True)
    put_stations(
        connection,
        purpose,
        [
            Station(code=code, name=name, lon=lon, lat=lat, district_id=numbers.get(city.districts[district].code))
            for code, name, (lon, lat), district in rows
        ],
    )


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
    first = today - timedelta(days=PERSONAL_DAYS)
    start_us = local_midnight_us(first, city.zone)
    for day in range(day_of(start_us), day_of(until_us) + 1):
        # An interval that ended at the first midnight belongs to the day before, whose raw readings are gone.
        yield from devices.day(Kind.HOUSEHOLD, day).messages(start_us, until_us)
    yield from moved_and_charged(city, build_fleet(city), first, start_us, until_us)


def moved_and_charged(
    city: City, fleet: Fleet, first: date, since_us: int, until_us: int
) -> Iterator[tuple[str, bytes]]:
    """What vehicles, rented bicycles and charging points told after one moment and not after the other, as few messages.

    Args:
        city: whose.
        fleet: its vehicles.
        first: the first local day whose trips and sessions are told of.
        since_us: [µs since 1970 UTC].
        until_us: the same.

    """
    for past in range((local_date(until_us, city.zone) - first).days + 1):
        day = first + timedelta(days=past)
        if local_midnight_us(day + timedelta(days=1), city.zone) > since_us:
            yield from messages_of(positions_of(fleet, day, every_s=HISTORY_REPORT_S), since_us, until_us)
        yield from bike_messages_of(city, bike_trips_of(city, day), since_us, until_us)
        yield from charging_messages_of(city, reports_of(city, day), since_us, until_us, newest_only=True)
