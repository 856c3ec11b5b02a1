"""Code concerned with rented bicycles: trips between stations, each with a bicycle that stood where its trip begins.

Personal data, as a trip may tell on who made it. A trip is reported when it ends, and belongs to the local day it began.
Fewer people ride when it is cold or rains, and nobody where no bicycle is left; a van brings all of them back at night.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np

from services.domain import Kind
from simulators.city import City
from simulators.clock import SATURDAY, kind_of_day, local_midnight_us
from simulators.encoders import native
from simulators.public_places import Places
from simulators.streams import Bools, Floats, Ints, stream
from simulators.weather import weather_at

_BICYCLES: Final = 720
_WISHES: Final = 5_200  # trips of a warm, dry day
_KMH: Final = 13.0
_DETOUR: Final = 1.3
_SECOND_US: Final = 1_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class BikeTrips:
    """Trips of one local day in the order in which they ended: bicycle, stations by index, times [µs since 1970 UTC]."""

    bicycle: Ints
    origin: Ints
    destination: Ints
    begins_us: Ints
    ends_us: Ints


def bike_trips_of(city: City, day: date) -> BikeTrips:
    """All trips that began on one local day."""
    rng = stream(city.seed, "bike-trips", day.toordinal())
    free = kind_of_day(day, city.country, city.region) >= SATURDAY
    hour = _hours(rng, free=free)
    begins_us = local_midnight_us(day, city.zone) + (hour * 3_600).astype(np.int64) * _SECOND_US
    weather = weather_at(city, begins_us)
    mood = np.clip((weather.temperature_c + 8) / 28, 0.3, 1.0) * np.exp(-0.6 * weather.rain_mm_h)
    kept = rng.random(len(hour)) < mood
    hour, begins_us = hour[kept], begins_us[kept]
    out = rng.random(len(hour)) < np.where(hour < 11, 0.85, np.where(hour > 15, 0.2, 0.5))
    origin, destination = _ways(rng, city.docks, out)
    km = np.linalg.norm(city.docks.position[origin] - city.docks.position[destination], axis=1)
    minutes = np.where(origin == destination, 24.0, 2 + km * _DETOUR / _KMH * 60) * rng.lognormal(0.05, 0.2, len(km))
    ends_us = begins_us + (minutes * 60).astype(np.int64) * _SECOND_US
    bicycle = _bicycles(city.docks, origin, destination, begins_us, ends_us)
    order = np.lexsort((bicycle, ends_us))
    order = order[bicycle[order] >= 0]
    return BikeTrips(
        bicycle=bicycle[order],
        origin=origin[order],
        destination=destination[order],
        begins_us=begins_us[order],
        ends_us=ends_us[order],
    )


def bike_messages_of(city: City, found: BikeTrips, since_us: int, until_us: int) -> Iterator[tuple[str, bytes]]:
    """Topic and payload of every bicycle whose trips ended after one moment and not after the other, all of them in one."""
    first, last = np.searchsorted(found.ends_us, [since_us, until_us], side="right")
    if first == last:
        return
    order = first + np.argsort(found.bicycle[first:last], kind="stable")
    bicycles, starts = np.unique(found.bicycle[order], return_index=True)
    ends = [*starts[1:].tolist(), len(order)]
    begins = found.begins_us[order].tolist()
    origins, destinations = (
        [city.docks.code[i] for i in stations[order].tolist()] for stations in (found.origin, found.destination)
    )
    for bicycle, start, end in zip(bicycles.tolist(), starts.tolist(), ends, strict=True):
        values = {"from": origins[start:end], "to": destinations[start:end]}
        yield native.topic(Kind.BIKE, f"bike-{bicycle + 1:04d}"), native.readings(begins[start:end], values)


def _hours(rng: np.random.Generator, *, free: bool) -> Floats:
    """When people wish to leave, ascending [h after local midnight]."""
    part = rng.choice(4, _WISHES, p=(0.04, 0.3, 0.56, 0.1) if free else (0.31, 0.18, 0.39, 0.12))
    middle, width = np.array([7.8, 12.2, 16.2 if free else 17.1, 20.8])[part], np.array([0.9, 1.8, 2.4, 1.5])[part]
    hours: Floats = np.sort(np.clip(rng.normal(middle, width), 0.2, 23.6))
    return hours


def _ways(rng: np.random.Generator, docks: Places, out: Bools) -> tuple[Ints, Ints]:
    """From where to where each trip goes: from homes to jobs or back, seldom farther than a few kilometres."""
    origin, destination = np.zeros(len(out), dtype=np.int64), np.zeros(len(out), dtype=np.int64)
    km = np.linalg.norm(docks.position[:, None] - docks.position[None], axis=2)
    near = np.exp(-(((km - 1.7) / 1.5) ** 2))
    for leaves, starts, ends in ((True, docks.homes, docks.jobs), (False, docks.jobs, docks.homes)):
        mine = np.flatnonzero(out == leaves)
        origin[mine] = rng.choice(len(starts), len(mine), p=starts / starts.sum())
        chance = np.cumsum(near * ends, axis=1)
        drawn = rng.random(len(mine)) * chance[origin[mine], -1]
        destination[mine] = (chance[origin[mine]] < drawn[:, None]).sum(axis=1)
    return origin, destination


def _bicycles(docks: Places, origin: Ints, destination: Ints, begins_us: Ints, ends_us: Ints) -> Ints:
    """The bicycle of each trip in order of departure, -1 where none is left."""
    share = np.cumsum(docks.homes) / docks.homes.sum()
    parked: list[deque[int]] = [deque() for _ in docks.code]
    for bicycle, dock in enumerate(np.searchsorted(share, (np.arange(_BICYCLES) + 0.5) / _BICYCLES).tolist()):
        parked[dock].append(bicycle)
    under_way: list[tuple[int, int, int]] = []
    taken = np.full(len(origin), -1, dtype=np.int64)
    rows = zip(origin.tolist(), destination.tolist(), begins_us.tolist(), ends_us.tolist(), strict=True)
    for trip, (here, there, begins, ends) in enumerate(rows):
        while under_way and under_way[0][0] <= begins:
            _, dock, bicycle = heapq.heappop(under_way)
            parked[dock].append(bicycle)
        if parked[here]:
            taken[trip] = bicycle = parked[here].popleft()
            heapq.heappush(under_way, (ends, there, bicycle))
    return taken
