"""Code concerned with the city now: every device publishes over MQTT what history would have said about this moment.

A reading is sent within 20 s after its interval ended, each device at a moment of its own. After a pause (a restart, a
broker that was away) what was missed is sent first, as batches.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import chain

import numpy as np
import structlog

from services.domain import Kind
from services.settings import Settings
from simulators.bicycles import BikeTrips, bike_messages_of, bike_trips_of
from simulators.charging import Reports, charging_messages_of, reports_of
from simulators.city import City
from simulators.clock import DAY_US, HOUR_US, day_of, local_date, local_midnight_us
from simulators.encoders import native
from simulators.faults import silent_detector
from simulators.history import PERSONAL_DAYS, moved_and_charged
from simulators.mqtt import Publisher
from simulators.progress import last_sent, remember
from simulators.series import STEP_S, Devices, Series, metas
from simulators.streams import Floats, stream
from simulators.vehicles import Fleet, Positions, build_fleet, positions_of, vehicle_code

GATEWAY_TOPIC = "gateway/v1/simulator/status"
"""Where the broker tells, retained and as last will, whether the devices' gateway is connected."""
LATEST_S = 18.0
"""The last device sends this long after its interval ended [s]."""
_TICK_S = 0.25
_REMEMBER_EVERY_S = 10.0
_MISSED_S = 120.0
_LONGEST_CATCH_UP_US = 30 * DAY_US
_FIXED = (Kind.TRAFFIC, Kind.ENERGY, Kind.ENVIRONMENT)

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True, slots=True)
class Ran:
    """What a run published, in messages, and for how long [s]."""

    devices: int
    personal: int
    seconds: float


def run(settings: Settings, city: City, stop: threading.Event) -> Ran:
    """Publish until `stop` is set.

    Raises:
        UnavailableError: the broker does not answer at the start; later it is waited for.

    """
    began = time.monotonic()
    with ExitStack() as stack:
        devices = stack.enter_context(Publisher(settings, "devices", stop=stop, will_topic=GATEWAY_TOPIC))
        personal = stack.enter_context(Publisher(settings, "personal", stop=stop))
        _Live(settings, city, devices, personal, stop).run()
    return Ran(devices=devices.published, personal=personal.published, seconds=time.monotonic() - began)


class _Live:
    """The loop and what it has to remember between two ticks."""

    def __init__(
        self, settings: Settings, city: City, devices: Publisher, personal: Publisher, stop: threading.Event
    ) -> None:
        self._settings = settings
        self._city = city
        self._to_devices = devices
        self._to_personal = personal
        self._stop = stop
        self._devices = Devices(city)
        self._fleet: Fleet = build_fleet(city)
        self._series: dict[tuple[Kind, int], Series] = {}
        self._driving: tuple[date, Positions] | None = None
        self._rented: dict[date, tuple[BikeTrips, Reports]] = {}
        self._silent = native.topic(Kind.TRAFFIC, city.detectors.code[silent_detector(city)])
        self._jitter_us: dict[Kind, Floats] = {}

    def run(self) -> None:
        """Catch up, then follow the clock."""
        now = _now_us()
        since = last_sent(self._settings, self._city.seed)
        done = now - HOUR_US if since is None else min(now, max(since, now - _LONGEST_CATCH_UP_US))
        introduced = 0
        remembered = time.monotonic()
        while not self._stop.is_set():
            if introduced != self._to_devices.connected:
                introduced = self._to_devices.connected
                self._introduce()
            now = _now_us()
            if now - done > _MISSED_S * 1e6:
                self._catch_up(done, now)
            else:
                self._tick(done, now)
            done = now
            if time.monotonic() - remembered > _REMEMBER_EVERY_S:
                remembered = time.monotonic()
                self._remember(done)
            self._stop.wait(_TICK_S)
        self._say_offline()
        if self._to_devices.drain(2.0) and self._to_personal.drain(1.0):
            self._remember(done)

    def _introduce(self) -> None:
        """Retained meta and status of every device; a broker without a memory needs them after each restart."""
        for kind, code, payload in metas(self._city):
            self._to_devices.publish(native.topic(kind, code, "meta"), payload, retain=True)
            if native.topic(kind, code) != self._silent:
                online = native.status(online=True, at_us=_now_us())
                self._to_devices.publish(native.topic(kind, code, "status"), online, retain=True)

    def _say_offline(self) -> None:
        for kind, code, _ in metas(self._city):
            offline = native.status(online=False, at_us=_now_us())
            if self._to_devices.connected:
                self._to_devices.publish(native.topic(kind, code, "status"), offline, retain=True)

    def _remember(self, done: int) -> None:
        """Only what the broker has acknowledged counts as sent; devices may be late by their own delay."""
        if not self._to_devices.pending and not self._to_personal.pending:
            remember(self._settings, self._city.seed, done - round(LATEST_S * 1e6))

    def _catch_up(self, since_us: int, until_us: int) -> None:
        """Send as batches what ended, or was driven, in a longer span; what is personal only as far as it may live."""
        log.info("catching up", minutes=round((until_us - since_us) / 60e6, 1))
        since_us -= round(LATEST_S * 1e6)
        for day in range(day_of(since_us), day_of(until_us) + 1):
            for kind in _FIXED:
                for topic, payload in self._of_day(kind, day).messages(since_us, until_us):
                    if topic != self._silent and not self._to_devices.publish(topic, payload):
                        return
        earliest = local_date(until_us, self._city.zone) - timedelta(days=PERSONAL_DAYS)
        since_us = max(since_us, local_midnight_us(earliest, self._city.zone))
        for day in range(day_of(since_us), day_of(until_us) + 1):
            for topic, payload in self._of_day(Kind.HOUSEHOLD, day).messages(since_us, until_us):
                if not self._to_personal.publish(topic, payload):
                    return
        # A trip or a session that ended since may have begun the day before.
        first = max(earliest, local_date(since_us, self._city.zone) - timedelta(days=1))
        for topic, payload in moved_and_charged(self._city, self._fleet, first, since_us, until_us):
            if not self._to_personal.publish(topic, payload):
                return

    def _tick(self, since_us: int, until_us: int) -> None:
        """Send what falls due in a short span."""
        for kind in STEP_S:
            out = self._to_personal if kind is Kind.HOUSEHOLD else self._to_devices
            for topic, payload in self._due(kind, since_us, until_us):
                if topic != self._silent and not out.publish(topic, payload):
                    return
        for topic, payload in chain(self._positions(since_us, until_us), self._rentals(since_us, until_us)):
            if not self._to_personal.publish(topic, payload):
                return

    def _due(self, kind: Kind, since_us: int, until_us: int) -> Iterator[tuple[str, bytes]]:
        """The readings whose device's own moment lies in (since, until]."""
        step_us = STEP_S[kind] * 1_000_000
        first = (since_us - round(LATEST_S * 1e6)) // step_us
        for number in range(first, until_us // step_us + 1):
            ended = number * step_us
            due = ended + self._delays(kind)
            devices = np.flatnonzero((due > since_us) & (due <= until_us))
            if len(devices):
                series = self._of_day(kind, day_of(ended - step_us))
                step = (ended - step_us) % DAY_US // step_us
                for device in devices.tolist():
                    payload = series.payload(device, slice(step, step + 1))
                    if payload is not None:
                        yield native.topic(kind, series.codes[device]), payload

    def _delays(self, kind: Kind) -> Floats:
        if kind not in self._jitter_us:
            count = len(self._of_day(kind, day_of(_now_us())).codes)
            self._jitter_us[kind] = stream(self._city.seed, f"delay-{kind}").uniform(0.5e6, LATEST_S * 1e6, count)
        return self._jitter_us[kind]

    def _of_day(self, kind: Kind, day: int) -> Series:
        if (kind, day) not in self._series:
            self._series = {key: series for key, series in self._series.items() if key[1] >= day - 1}
            self._series[kind, day] = self._devices.day(kind, day)
        return self._series[kind, day]

    def _positions(self, since_us: int, until_us: int) -> Iterator[tuple[str, bytes]]:
        today = local_date(until_us, self._city.zone)
        if self._driving is None or self._driving[0] != today:
            self._driving = (today, positions_of(self._fleet, today))
        found = self._driving[1]
        first, last = np.searchsorted(found.times_us, [since_us, until_us], side="right")
        for place in range(int(first), int(last)):
            lon, lat = found.degrees[place].tolist()
            values = {"lon": [lon], "lat": [lat], "speed_kmh": [float(found.speed_kmh[place])]}
            payload = native.readings([int(found.times_us[place])], values)
            yield native.topic(Kind.PROBE, vehicle_code(int(found.vehicle[place]))), payload

    def _rentals(self, since_us: int, until_us: int) -> Iterator[tuple[str, bytes]]:
        """Bicycle trips that ended and what charging sessions told; some of both began yesterday."""
        today = local_date(until_us, self._city.zone)
        for day in (today - timedelta(days=1), today):
            if day not in self._rented:
                self._rented = {known: found for known, found in self._rented.items() if known >= day}
                self._rented[day] = bike_trips_of(self._city, day), reports_of(self._city, day)
            trips, reports = self._rented[day]
            yield from bike_messages_of(self._city, trips, since_us, until_us)
            yield from charging_messages_of(self._city, reports, since_us, until_us)


def _now_us() -> int:
    return time.time_ns() // 1_000
