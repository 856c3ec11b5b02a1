"""Code concerned with who drives where: trips between home, work and errands on shortest paths, and positions on the way.

Personal data. A vehicle reports a position when a trip begins and every minute until it ends; history keeps every fifth
of these. Days are local days, because a vehicle's day is what privacy protects.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from services.domain import Kind
from simulators.city import City
from simulators.clock import SATURDAY, kind_of_day, local_midnight_us
from simulators.districts import district_of
from simulators.encoders import native
from simulators.streams import Floats, Ints, hashed, stream

REPORT_S = 60
HISTORY_REPORT_S = 300
_VEHICLES = 26_000
_WORKERS = 0.62
_GPS_ERROR_KM = 0.008


@dataclass(frozen=True, kw_only=True, slots=True)
class Fleet:
    """The city's vehicles and the shortest ways between all nodes of its roads.

    `home`, `work` (n) are road nodes; `minutes`, `before` (nodes, nodes) the free-flow time from a node to another and
    the last node before it on that way.
    """

    city: City
    home: Ints
    work: Ints
    worker: Ints
    minutes: Floats
    before: Ints
    errand_weight: Floats


@dataclass(frozen=True, kw_only=True, slots=True)
class Trips:
    """Trips of one local day; `departs_s` [s after local midnight], `slowness` times the free-flow time."""

    vehicle: Ints
    origin: Ints
    destination: Ints
    departs_s: Floats
    slowness: Floats
    seconds: Floats


@dataclass(frozen=True, kw_only=True, slots=True)
class Positions:
    """Positions in order of time: vehicle number, time [µs since 1970 UTC], WGS 84 [degrees] and speed [km/h]."""

    vehicle: Ints
    times_us: Ints
    degrees: Floats
    speed_kmh: Floats


def vehicle_code(number: int) -> str:
    """The device's own name of a vehicle; ingest turns it into a pseudonym of the day."""
    return f"veh-{number + 1:05d}"


def build_fleet(city: City) -> Fleet:
    """Give every vehicle a home and a work place and find all shortest ways. Takes a few tenths of a second."""
    rng = stream(city.seed, "fleet")
    minutes, before = city.roads.shortest_paths()
    district = district_of(city.roads.nodes, city.districts)
    within = district >= 0
    per_node = 1 / np.maximum(np.bincount(district[within], minlength=len(city.districts)), 1)
    homes = np.where(within, (np.array([d.homes for d in city.districts]) * per_node)[district], 0)
    jobs = np.where(within, (np.array([d.jobs for d in city.districts]) * per_node)[district], 0)
    # Errands and work draw towards the middle of the city.
    errands = jobs * np.exp(-np.linalg.norm(city.roads.nodes, axis=1) / 2.4)
    return Fleet(
        city=city,
        home=_draw(rng, homes, _VEHICLES),
        work=_draw(rng, jobs, _VEHICLES),
        worker=(rng.random(_VEHICLES) < _WORKERS).astype(np.int64),
        minutes=minutes,
        before=before,
        errand_weight=errands,
    )


def trips_of(fleet: Fleet, day: date) -> Trips:
    """All trips of one local day, in order of vehicle and time."""
    city = fleet.city
    rng = stream(city.seed, "trips", day.toordinal())
    kind = kind_of_day(day, city.country, city.region)
    free = kind >= SATURDAY
    count = len(fleet.home)
    active = rng.random(count) < (0.78 if free else 0.93)
    working = (fleet.worker == 1) & (rng.random(count) < (0.08 if free else 0.9))
    errand = [_draw(rng, fleet.errand_weight, count) for _ in range(2)]
    # Each vehicle has up to four legs: out, back, out again, back again.
    out = np.where(working, rng.normal(7.65, 0.85, count), rng.normal(11.2 if free else 10.4, 2.0, count))
    stay = np.where(working, rng.normal(8.7, 1.0, count), rng.lognormal(0.2, 0.5, count))
    pause = np.where(working, rng.exponential(0.9, count), rng.exponential(3.0, count)) + 0.3
    second = rng.random(count) < np.where(working, 0.38, 0.55)
    first_stop = np.where(working, fleet.work, errand[0])
    legs = (
        (fleet.home, first_stop, out, active),
        (first_stop, fleet.home, stay, active),
        (fleet.home, errand[1], pause, active & second),
        (errand[1], fleet.home, rng.lognormal(0.0, 0.5, count), active & second),
    )
    ready_s = np.full(count, 300.0)
    parts = []
    for number, (origin, destination, wait, takes) in enumerate(legs):
        departs = np.maximum(wait * 3_600, 300.0) if number == 0 else ready_s + np.maximum(wait, 0.15) * 3_600
        hour = departs / 3_600
        slowness = 1.15 + (0.1 if free else 0.55) * np.exp(-0.5 * ((hour - 7.8) / 0.9) ** 2)
        slowness += (0.15 if free else 0.55) * np.exp(-0.5 * ((hour - 16.9) / 1.3) ** 2)
        seconds = fleet.minutes[origin, destination] * 60 * slowness
        ready_s = departs + seconds
        kept = np.flatnonzero(takes & (seconds > 90) & (ready_s < 86_000))
        parts.append((kept, origin[kept], destination[kept], departs[kept], slowness[kept], seconds[kept]))
    joined = [np.concatenate(column) for column in zip(*parts, strict=True)]
    order = np.lexsort((joined[3], joined[0]))
    vehicle, origin, destination, departs_s, slow, seconds = (column[order] for column in joined)
    return Trips(
        vehicle=vehicle, origin=origin, destination=destination, departs_s=departs_s, slowness=slow, seconds=seconds
    )


def positions_of(fleet: Fleet, day: date, *, every_s: int = REPORT_S) -> Positions:
    """Every position reported on one local day, in order of time.

    Args:
        fleet: whose.
        day: the local day.
        every_s: REPORT_S, or a multiple of it to keep only some of the same positions.

    """
    trips = trips_of(fleet, day)
    reports = (trips.seconds // every_s).astype(np.int64) + 1
    trip = np.repeat(np.arange(len(reports)), reports)
    number = np.arange(len(trip)) - np.repeat(np.cumsum(reports) - reports, reports)
    elapsed_s = number * float(every_s)
    seconds = np.round(trips.departs_s[trip] + elapsed_s).astype(np.int64)
    place, speed = _on_the_way(fleet, trips, trip, elapsed_s / 60 / trips.slowness[trip])
    vehicle = trips.vehicle[trip]
    midnight = local_midnight_us(day, fleet.city.zone)
    angle = 2 * np.pi * hashed(fleet.city.seed, "gps-angle", vehicle, seconds + midnight // 1_000_000)
    error = _GPS_ERROR_KM * np.sqrt(
        -2 * np.log1p(-hashed(fleet.city.seed, "gps", vehicle, seconds + midnight // 1_000_000))
    )
    degrees = fleet.city.degrees(place + error[:, None] * np.column_stack([np.cos(angle), np.sin(angle)]))
    times_us = midnight + seconds * 1_000_000
    order = np.lexsort((vehicle, times_us))
    order = order[times_us[order] < local_midnight_us(day + timedelta(days=1), fleet.city.zone)]
    return Positions(
        vehicle=vehicle[order],
        times_us=times_us[order],
        degrees=degrees[order].round(6),
        speed_kmh=np.round(speed[order], 1),
    )


def messages_of(found: Positions, since_us: int, until_us: int) -> Iterator[tuple[str, bytes]]:
    """Topic and payload of every vehicle that reported after one moment and not after the other, all its reports in one."""
    first, last = np.searchsorted(found.times_us, [since_us, until_us], side="right")
    if first == last:
        return
    order = first + np.argsort(found.vehicle[first:last], kind="stable")
    vehicles, starts = np.unique(found.vehicle[order], return_index=True)
    times, speed = found.times_us[order].tolist(), found.speed_kmh[order].tolist()
    lon, lat = found.degrees[order].T.tolist()
    ends = [*starts[1:].tolist(), len(order)]
    for vehicle, start, end in zip(vehicles.tolist(), starts.tolist(), ends, strict=True):
        values = {"lon": lon[start:end], "lat": lat[start:end], "speed_kmh": speed[start:end]}
        yield native.topic(Kind.PROBE, vehicle_code(vehicle)), native.readings(times[start:end], values)


def _on_the_way(fleet: Fleet, trips: Trips, trip: Ints, minutes: Floats) -> tuple[Floats, Floats]:
    """Where a vehicle is after that many free-flow minutes of its trip: walk the shortest way back from its end.

    Returns:
        Points (n, 2) [km] and speeds (n) [km/h].

    """
    nodes = fleet.city.roads.nodes
    origin, node = trips.origin[trip], trips.destination[trip].copy()
    place, speed = nodes[node].copy(), np.zeros(len(trip))
    open_ = np.flatnonzero(node != origin)
    while len(open_):
        here, start = node[open_], origin[open_]
        previous = fleet.before[start, here]
        left, reached = fleet.minutes[start, previous], fleet.minutes[start, here]
        found = left <= minutes[open_]
        at = open_[found]
        share = np.minimum((minutes[at] - left[found]) / (reached - left)[found], 1.0)[:, None]
        a, b = nodes[previous[found]], nodes[here[found]]
        place[at] = a + share * (b - a)
        km_per_minute = np.linalg.norm(b - a, axis=1) / (reached - left)[found]
        speed[at] = km_per_minute * 60 / trips.slowness[trip[at]]
        node[open_] = previous
        open_ = open_[~found]
    return place, speed


def _draw(rng: np.random.Generator, weight: Floats, count: int) -> Ints:
    return rng.choice(len(weight), count, p=weight / weight.sum())
