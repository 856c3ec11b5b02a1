"""Code concerned with one UTC day of one kind of device as it is sent: the same arrays for history, catching up and live."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from services.domain import Kind
from simulators.city import City
from simulators.encoders import native
from simulators.energy import FeederMeters
from simulators.environment import environment_day
from simulators.faults import reported, stuck_detector
from simulators.households import household_day
from simulators.sensors import DETECTOR_STEP_S, FEEDER_STEP_S, HOUSEHOLD_STEP_S, STATION_STEP_S
from simulators.streams import Bools, Floats, Ints
from simulators.traffic import traffic_day

STEP_S = {
    Kind.TRAFFIC: DETECTOR_STEP_S,
    Kind.ENERGY: FEEDER_STEP_S,
    Kind.ENVIRONMENT: STATION_STEP_S,
    Kind.HOUSEHOLD: HOUSEHOLD_STEP_S,
}
"""How long one interval of each kind lasts [s]."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Series:
    """What all devices of one kind send about one UTC day; arrays (steps, devices).

    `values` is NaN where a field is null; `sent` is false where nothing is sent at all.
    """

    kind: Kind
    codes: tuple[str, ...]
    times_us: Ints
    values: dict[str, Floats]
    sent: Bools
    district: tuple[str, ...] | None = None

    def chosen(self, after_us: int, until_us: int) -> slice:
        """The intervals that ended after one moment and not after the other."""
        ends = self.times_us + STEP_S[self.kind] * 1_000_000
        first, last = np.searchsorted(ends, [after_us, until_us], side="right")
        return slice(int(first), int(last))

    def payload(self, device: int, part: slice) -> bytes | None:
        """What one device sends about some intervals, None when it sends nothing."""
        steps = np.flatnonzero(self.sent[part, device]) + part.start
        if not len(steps):
            return None
        times = self.times_us[steps]
        columns: dict[str, list[Any]] = {name: column[steps, device].tolist() for name, column in self.values.items()}
        if self.district is not None:
            return native.readings(times.tolist(), columns, constant={"district": self.district[device]})
        return native.readings(times.tolist(), columns, seq=(times // (STEP_S[self.kind] * 1_000_000)).tolist())

    def messages(self, after_us: int, until_us: int) -> Iterator[tuple[str, bytes]]:
        """Topic and payload of every device for the intervals that ended after one moment and not after the other."""
        part = self.chosen(after_us, until_us)
        for device, code in enumerate(self.codes):
            payload = self.payload(device, part)
            if payload is not None:
                yield native.topic(self.kind, code), payload


class Devices:
    """All fixed devices and household meters of a city, asked for one UTC day at a time."""

    def __init__(self, city: City) -> None:
        self.city = city
        self._meters = FeederMeters(city)

    def day(self, kind: Kind, day: int) -> Series:
        """What the devices of one kind send about one UTC day [days since 1970]."""
        match kind:
            case Kind.TRAFFIC:
                return self._traffic(day)
            case Kind.ENERGY:
                return self._energy(day)
            case Kind.ENVIRONMENT:
                return self._environment(day)
            case _:
                return self._household(day)

    def _traffic(self, day: int) -> Series:
        seen = traffic_day(self.city, day)
        values = {"flow_vph": seen.flow_vph, "speed_kmh": seen.speed_kmh, "occupancy": seen.occupancy}
        stuck = stuck_detector(self.city)
        for column in values.values():
            column[:, stuck] = column[0, stuck]
        return self._made(Kind.TRAFFIC, self.city.detectors.code, day, seen.times_us, values)

    def _energy(self, day: int) -> Series:
        seen = self._meters.day(day)
        values = {"power_kw": seen.power_kw, "energy_kwh": seen.energy_kwh}
        return self._made(Kind.ENERGY, self.city.feeders.code, day, seen.times_us, values)

    def _environment(self, day: int) -> Series:
        seen = environment_day(self.city, day)
        values = {
            "temperature_c": seen.temperature_c,
            "humidity_percent": seen.humidity_percent,
            "pm2_5_ug_m3": seen.pm2_5_ug_m3,
            "noise_db": seen.noise_db,
        }
        return self._made(Kind.ENVIRONMENT, self.city.stations.code, day, seen.times_us, values)

    def _household(self, day: int) -> Series:
        seen = household_day(self.city, day)
        homes = self.city.households
        return Series(
            kind=Kind.HOUSEHOLD,
            codes=homes.code,
            times_us=seen.times_us,
            values={"energy_kwh": seen.energy_kwh},
            sent=np.ones(seen.energy_kwh.shape, dtype=bool),
            district=tuple(self.city.districts[index].code for index in homes.district),
        )

    def _made(self, kind: Kind, codes: tuple[str, ...], day: int, times_us: Ints, values: dict[str, Floats]) -> Series:
        sent = reported(self.city, kind.value, day, len(times_us), len(codes))
        return Series(kind=kind, codes=codes, times_us=times_us, values=values, sent=sent)


def metas(city: City) -> Iterator[tuple[Kind, str, bytes]]:
    """Kind, code and meta payload of every fixed, non-personal device."""
    detectors, feeders, stations = city.detectors, city.feeders, city.stations
    for position, (code, name) in enumerate(zip(detectors.code, detectors.name, strict=True)):
        fields = _where(city, detectors.position, detectors.district, position)
        fields |= {
            "name": name,
            "unit": "veh/h",
            "road": detectors.road[position],
            "free_flow_kmh": float(detectors.free_flow_kmh[position]),
            "capacity_vph": float(detectors.capacity_vph[position]),
            "step_seconds": DETECTOR_STEP_S,
        }
        yield Kind.TRAFFIC, code, native.meta(Kind.TRAFFIC, fields)
    for position, (code, name) in enumerate(zip(feeders.code, feeders.name, strict=True)):
        fields = _where(city, feeders.position, feeders.district, position)
        fields |= {
            "name": name,
            "unit": "kW",
            "limit_kw": float(feeders.limit_kw[position]),
            "step_seconds": FEEDER_STEP_S,
        }
        yield Kind.ENERGY, code, native.meta(Kind.ENERGY, fields)
    for position, (code, name) in enumerate(zip(stations.code, stations.name, strict=True)):
        fields = _where(city, stations.position, stations.district, position)
        fields |= {"name": name, "step_seconds": STATION_STEP_S}
        yield Kind.ENVIRONMENT, code, native.meta(Kind.ENVIRONMENT, fields)


def _where(city: City, positions: Floats, district: Ints, index: int) -> dict[str, Any]:
    lon, lat = city.degrees(positions[index : index + 1])[0].tolist()
    return {"lon": lon, "lat": lat, "district": city.districts[int(district[index])].code}
