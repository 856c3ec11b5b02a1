"""Code concerned with a generated city of people whose days are known, so that attacks can be scored. Nothing in it is real.

A disc of H3 cells in open country stands for the city. Parameters are round figures of European cities, fixed before any
release of it was looked at; only the seed changes who lives where:

- 680 cells of resolution 8 (about 480 km²) and 50,000 people who drive;
- homes thin out from the centre by Clark's law (1951, https://doi.org/10.2307/2981088) with a scale of 4 km, work places
  with 2.5 km; neighbourhoods differ by a lognormal factor (σ 0.8 and 1.0);
- a work place is drawn in proportion to work places and e^(-distance / 6 km), an errand likewise with 3 km;
- 93 % drive on a day; 62 % of them work, of those nine in ten leave about 7:40 (σ 50 min) for about 8 h 40 min; the others
  leave about 10:20 for an errand; about half of all have another errand later. (The demo city's fleet has the same habits.)
- as the crow flies people cover 22 km/h, and report a cell of resolution 9 each minute on the way, nothing while parked.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

import h3.api.basic_int as h3
import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from services.domain import to_us
from services.privacy.days import LocalDay
from services.storage.personal import Positions

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

HOURS: Final = 24
CENTRE: Final = (51.0, 10.0)
_KM_PER_DEGREE: Final = 111.195
_HOME_SCALE_KM, _WORK_SCALE_KM = 4.0, 2.5
_HOME_SIGMA, _WORK_SIGMA = 0.8, 1.0
_COMMUTE_KM, _ERRAND_KM = 6.0, 3.0
_KMH: Final = 22.0
_START: Final = datetime(2026, 11, 19, 23, tzinfo=UTC)
_COURIER_STOPS: Final = 14


@dataclass(frozen=True, kw_only=True, slots=True)
class Town:
    """Where people can be; places are numbers of cells of resolution 9.

    Attributes:
        domain: the public cells of resolution 8, sorted, (cells).
        cells: the cells of resolution 9 in them, (places).
        parent: for each place the number of its cell in `domain`, (places).
        km: the places' centres on a plane, (places, 2).
        home_weight: how likely a home is there; sums to 1, (places).
        work_weight: how likely a work place is there; sums to 1, (places).

    """

    domain: Integers
    cells: Integers
    parent: Integers
    km: Floats
    home_weight: Floats
    work_weight: Floats


@dataclass(frozen=True, kw_only=True, slots=True)
class People:
    """Who lives in a town: the places of their `home`, `work` and two `errands`; all (people) or (people, 2).

    The last `couriers` of them drive all day from place to place, in far more cells than the bounds allow.
    """

    town: Town
    home: Integers
    work: Integers
    errands: Integers
    worker: NDArray[np.bool_]
    couriers: int

    def __len__(self) -> int:
        """How many there are."""
        return len(self.home)


@dataclass(frozen=True, kw_only=True, slots=True)
class Trips:
    """Who drove whence and whither on one day; `departs_s` and `seconds` count from local midnight and from there."""

    person: Integers
    origin: Integers
    destination: Integers
    departs_s: Floats
    seconds: Floats


@dataclass(frozen=True, kw_only=True, slots=True)
class Reports:
    """What the vehicles sent on one day: person, place and second after local midnight, each (reports)."""

    person: Integers
    place: Integers
    second: Integers


def build_town(seed: int, cells: int) -> Town:
    """The nearest `cells` cells of resolution 8 around a point in open country."""
    centre = h3.latlng_to_cell(*CENTRE, 8)
    rings = 0
    while 3 * rings * (rings + 1) + 1 < cells:
        rings += 1
    found = np.array(h3.grid_disk(centre, rings), dtype=np.int64)
    distance = np.linalg.norm(_plane(found), axis=1)
    domain = np.sort(found[np.argsort(distance, kind="stable")[:cells]])
    fine = np.array([child for cell in domain.tolist() for child in h3.cell_to_children(cell, 9)], dtype=np.int64)
    parent = np.repeat(np.arange(cells), 7)
    km = _plane(fine)
    from_centre = np.linalg.norm(km, axis=1)
    rng = np.random.default_rng([seed, 1])
    home = np.exp(-from_centre / _HOME_SCALE_KM) * rng.lognormal(0, _HOME_SIGMA, cells)[parent]
    work = np.exp(-from_centre / _WORK_SCALE_KM) * rng.lognormal(0, _WORK_SIGMA, cells)[parent]
    return Town(
        domain=domain, cells=fine, parent=parent, km=km, home_weight=home / home.sum(), work_weight=work / work.sum()
    )


def settle(town: Town, rng: np.random.Generator, people: int, *, couriers: int = 0) -> People:
    """Give people homes, work places and errands."""
    home = rng.choice(len(town.cells), people, p=town.home_weight)
    return People(
        town=town,
        home=home,
        work=_draw_near(town, rng, home, _COMMUTE_KM),
        errands=np.column_stack([_draw_near(town, rng, home, _ERRAND_KM) for _ in range(2)]),
        worker=rng.random(people) < 0.62,
        couriers=couriers,
    )


def drive(people: People, rng: np.random.Generator) -> Trips:
    """All trips of one working day, in order of person and time."""
    count = len(people)
    active = rng.random(count) < 0.93
    courier = np.arange(count) >= count - people.couriers
    active &= ~courier
    working = people.worker & (rng.random(count) < 0.9)
    out_h = np.where(working, rng.normal(7.65, 0.85, count), rng.normal(10.4, 2.0, count))
    stay_h = np.where(working, rng.normal(8.7, 1.0, count), rng.lognormal(0.2, 0.5, count))
    pause_h = np.where(working, rng.exponential(0.9, count), rng.exponential(3.0, count)) + 0.3
    again = active & (rng.random(count) < np.where(working, 0.38, 0.55))
    stop = np.where(working, people.work, people.errands[:, 0])
    legs = [
        (people.home, stop, out_h, active),
        (stop, people.home, stay_h, active),
        (people.home, people.errands[:, 1], pause_h, again),
        (people.errands[:, 1], people.home, rng.lognormal(0.0, 0.5, count), again),
        *_courier_legs(people, rng, courier),
    ]
    ready_s = np.full(count, 300.0)
    parts = []
    for number, (origin, destination, wait_h, takes) in enumerate(legs):
        departs = ready_s + np.where(number == 0, np.maximum(wait_h, 0.1), np.maximum(wait_h, 0.02)) * 3_600
        km = np.linalg.norm(people.town.km[origin] - people.town.km[destination], axis=1)
        seconds = km / _KMH * 3_600
        arrives = departs + seconds
        kept = np.flatnonzero(takes & (arrives < 86_000))
        parts.append((kept, origin[kept], destination[kept], departs[kept], seconds[kept]))
        ready_s = np.where(takes, arrives, ready_s)
    person, origin, destination, departs_s, seconds = (np.concatenate(column) for column in zip(*parts, strict=True))
    order = np.lexsort((departs_s, person))
    return Trips(
        person=person[order],
        origin=origin[order],
        destination=destination[order],
        departs_s=departs_s[order],
        seconds=seconds[order],
    )


def reports(people: People, trips: Trips, *, every_s: int = 60) -> Reports:
    """What was sent on the way: at the start of a trip, every `every_s` seconds, and at its end."""
    number_of = (trips.seconds // every_s).astype(np.int64) + 2
    trip = np.repeat(np.arange(len(number_of)), number_of)
    number = np.arange(len(trip)) - np.repeat(np.cumsum(number_of) - number_of, number_of)
    elapsed = np.minimum(number * float(every_s), trips.seconds[trip])
    share = elapsed / np.maximum(trips.seconds[trip], 1.0)
    a, b = people.town.km[trips.origin[trip]], people.town.km[trips.destination[trip]]
    _, place = cKDTree(people.town.km).query(a + share[:, None] * (b - a))
    return Reports(
        person=trips.person[trip],
        place=np.asarray(place, dtype=np.int64),
        second=(trips.departs_s[trip] + elapsed).astype(np.int64),
    )


def whereabouts(people: People, trips: Trips) -> Integers:
    """The place of each person at the end of each hour, parked or not, (people, 24); what a phone would send all day."""
    where = np.repeat(people.home[:, None], HOURS, axis=1)
    for hour in range(HOURS):
        past = np.flatnonzero(trips.departs_s + trips.seconds < (hour + 1) * 3_600)
        where[trips.person[past], hour] = trips.destination[past]  # in order of time: the last one stays
    return where


def parked(where: Integers) -> Reports:
    """Reports of vehicles that send their place once an hour, from `whereabouts`."""
    people, hours = where.shape
    return Reports(
        person=np.repeat(np.arange(people), hours),
        place=where.ravel(),
        second=np.tile(np.arange(hours) * 3_600 + 1_800, people),
    )


def pseudonyms(rng: np.random.Generator, people: int) -> NDArray[np.uint64]:
    """A day's pseudonyms as ingest makes them: 16 random bytes, here as two numbers each, (people, 2)."""
    return rng.integers(0, 2**64, (people, 2), dtype=np.uint64)


def as_rows(town: Town, sent: Reports, names: NDArray[np.uint64]) -> Positions:
    """Reports as the release job reads them from schema `personal`."""
    return Positions(
        subject=names[sent.person],
        cell=town.cells[sent.place],
        observed_us=to_us(_START) + sent.second * 1_000_000,
    )


def the_day() -> LocalDay:
    """The local day that all this happens on: 24 hours, in no particular city."""
    return LocalDay(day=date(2026, 11, 20), start=_START, end=_START + timedelta(hours=HOURS))


def true_counts(town: Town, sent: Reports) -> Integers:
    """Distinct people per cell of the domain and hour, unbounded and without noise, (cells, 24)."""
    place = town.parent[sent.place] * HOURS + sent.second // 3_600
    width = len(town.domain) * HOURS
    visits = np.unique(sent.person * width + place)
    return np.bincount(visits % width, minlength=width).reshape(-1, HOURS)


def _courier_legs(
    people: People, rng: np.random.Generator, courier: NDArray[np.bool_]
) -> list[tuple[Integers, Integers, Floats, NDArray[np.bool_]]]:
    if not people.couriers:
        return []
    stops = rng.choice(len(people.town.cells), (len(people), _COURIER_STOPS))
    route = np.column_stack([people.home, stops, people.home])
    wait = np.full(len(people), 0.1)
    begins = np.full(len(people), 6.0)
    return [
        (route[:, leg], route[:, leg + 1], begins if leg == 0 else wait, courier) for leg in range(route.shape[1] - 1)
    ]


def _draw_near(town: Town, rng: np.random.Generator, home: Integers, scale_km: float) -> Integers:
    """A place for each home, in proportion to work places and e^(-distance / scale): first its cell, then a place in it."""
    cells = len(town.domain)
    centre = town.km.reshape(cells, 7, 2).mean(axis=1)
    weight = town.work_weight.reshape(cells, 7).sum(axis=1)
    chosen = np.empty(len(home), dtype=np.int64)
    origin = town.parent[home]
    order = np.argsort(origin, kind="stable")
    starts = np.searchsorted(origin[order], np.arange(cells + 1))
    for cell in range(cells):
        who = order[starts[cell] : starts[cell + 1]]
        if who.size:
            pull = np.cumsum(weight * np.exp(-np.linalg.norm(centre - centre[cell], axis=1) / scale_km))
            chosen[who] = np.searchsorted(pull, rng.random(who.size) * pull[-1])
    return np.minimum(chosen, cells - 1) * 7 + rng.integers(0, 7, len(home))


def _plane(cells: Integers) -> Floats:
    """Centres of cells as km east and north of the city's centre."""
    degrees = np.array([h3.cell_to_latlng(cell) for cell in cells.tolist()])
    north = (degrees[:, 0] - CENTRE[0]) * _KM_PER_DEGREE
    east = (degrees[:, 1] - CENTRE[1]) * _KM_PER_DEGREE * np.cos(np.radians(CENTRE[0]))
    return np.column_stack([east, north])
