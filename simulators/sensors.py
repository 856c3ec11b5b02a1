"""Code concerned with where the city's devices stand and what each is: detectors, feeders, stations, household meters."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulators.districts import District, district_of
from simulators.geometry import inside
from simulators.roads import CLASSES, Roads
from simulators.streams import Bools, Floats, Ints, stream
from simulators.terrain import Terrain

DETECTOR_STEP_S = 300
FEEDER_STEP_S = 900
STATION_STEP_S = 900
HOUSEHOLD_STEP_S = 1_800

FEEDER_TYPES = ("residential", "commercial", "industrial", "solar", "charging")
_SITES = 66


@dataclass(frozen=True, kw_only=True, slots=True)
class Detectors:
    """Traffic detectors, two per site, one for each way; arrays over detectors.

    `pressure` is +1 where the morning presses (towards the centre), -1 where the evening does, 0 on rings.
    `load` is the share of the road's capacity that comes at an ordinary peak, `bottleneck` the share that the next
    crossing downstream lets through. `downstream` is the next detector on the same road and way, -1 when there is none.
    """

    code: tuple[str, ...]
    name: tuple[str, ...]
    road: tuple[str, ...]
    position: Floats
    district: Ints
    edge: Ints
    pressure: Floats
    lanes: Ints
    free_flow_kmh: Floats
    capacity_vph: Floats
    load: Floats
    bottleneck: Floats
    downstream: Ints
    downstream_km: Floats


@dataclass(frozen=True, kw_only=True, slots=True)
class Feeders:
    """Energy feeders; `kind` indexes FEEDER_TYPES, `scale_kw` is the usual evening load, `limit_kw` the rating."""

    code: tuple[str, ...]
    name: tuple[str, ...]
    position: Floats
    district: Ints
    kind: Ints
    scale_kw: Floats
    solar_kwp: Floats
    limit_kw: Floats


@dataclass(frozen=True, kw_only=True, slots=True)
class Stations:
    """Environment stations, one per district; `urban` is 1 in the centre and near 0 at the edge."""

    code: tuple[str, ...]
    name: tuple[str, ...]
    position: Floats
    district: Ints
    urban: Floats


@dataclass(frozen=True, kw_only=True, slots=True)
class Households:
    """Household meters. Personal: a code is only ever seen by the simulator, the broker and ingest."""

    code: tuple[str, ...]
    district: Ints
    yearly_kwh: Floats
    heat_pump: Bools
    electric_car: Bools
    solar_kwp: Floats


def place_detectors(seed: int, roads: Roads, districts: tuple[District, ...]) -> Detectors:
    """Put pairs of detectors on main roads, spread so that two sites are never close on the same road."""
    rng = stream(seed, "detectors")
    middle = roads.line[:, 2]
    candidates = np.flatnonzero((roads.kind < CLASSES.index("street")) & (district_of(middle, districts) >= 0))
    sites = spread(rng, middle[candidates], np.array([1.0, 1.0, 1.5])[roads.kind[candidates]], _SITES)
    edge = np.sort(candidates[sites])
    along = middle[edge]
    heading = roads.line[edge, 4] - roads.line[edge, 0]
    outwards = np.sum(along * heading, axis=1) / (np.linalg.norm(along, axis=1) * np.linalg.norm(heading, axis=1))
    radial = np.abs(outwards) > 0.72
    # The two detectors of a site stand on their own carriageways, 25 m apart, each 60 m before the site on its way.
    forward = heading / np.linalg.norm(heading, axis=1, keepdims=True)
    right = np.column_stack([forward[:, 1], -forward[:, 0]])
    both = np.repeat(np.arange(_SITES), 2)
    way = np.tile([1.0, -1.0], _SITES)
    pressure = np.where(radial[both], -np.sign(outwards[both]) * way, 0.0)
    position = along[both] + (0.0125 * right - 0.06 * forward)[both] * way[:, None]
    stands_in = district_of(position, districts)
    kind = roads.kind[edge][both]
    capacity = roads.capacity_vph[edge][both]
    share = (
        np.array([0.90, 0.86, 0.68])[kind] * rng.uniform(0.82, 1.06, _SITES)[both] * rng.uniform(0.95, 1.05, 2 * _SITES)
    )
    tight = rng.random(2 * _SITES) < np.array([0.40, 0.38, 0.15])[kind]
    bottleneck = np.where(tight, share * rng.uniform(0.86, 0.97, 2 * _SITES), 1.0)
    names = [roads.name[e] for e in edge]
    downstream, downstream_km = _downstream(position, heading[both] * way[:, None], [names[site] for site in both])
    return Detectors(
        code=tuple(f"tr-{site + 1:03d}{'ab'[k]}" for site in range(_SITES) for k in (0, 1)),
        name=tuple(
            f"{names[site]} {site + 1}, {_direction(p, h)}"
            for site, p, h in zip(both, pressure, heading[both] * way[:, None], strict=True)
        ),
        road=tuple(names[site] for site in both),
        position=position,
        district=np.where(stands_in >= 0, stands_in, district_of(along, districts)[both]),
        edge=edge[both],
        pressure=pressure,
        lanes=roads.lanes[edge][both],
        free_flow_kmh=np.round(roads.free_flow_kmh[edge][both] * rng.uniform(0.94, 1.06, 2 * _SITES), 1),
        capacity_vph=capacity,
        load=share,
        bottleneck=bottleneck,
        downstream=downstream,
        downstream_km=downstream_km,
    )


def place_feeders(seed: int, terrain: Terrain, districts: tuple[District, ...]) -> Feeders:
    """Four feeders in each district, their types after its character."""
    rng = stream(seed, "feeders")
    mixes = {
        "centre": (1, 1, 4, 0),
        "commercial": (1, 1, 0, 4),
        "residential": (0, 0, 3, 4),
        "garden": (0, 3, 3, 0),
        "industrial": (2, 2, 1, 4),
        "mixed": (0, 1, 0, 3),
    }
    kind = np.array([k for district in districts for k in mixes[district.character]])
    district = np.repeat(np.arange(len(districts)), 4)
    scale = np.array([260.0, 420.0, 900.0, 230.0, 160.0])[kind] * rng.uniform(0.7, 1.4, len(kind))
    solar = np.array([0.15, 0.10, 0.12, 1.9, 0.0])[kind] * scale * rng.uniform(0.8, 1.2, len(kind))
    return Feeders(
        code=tuple(f"en-{number + 1:03d}" for number in range(len(kind))),
        name=tuple(
            f"{districts[d].name}, feeder {n % 4 + 1} ({FEEDER_TYPES[k]})"
            for n, (d, k) in enumerate(zip(district, kind, strict=True))
        ),
        position=np.vstack([_within(rng, one, terrain, 4) for one in districts]),
        district=district,
        kind=kind,
        scale_kw=scale,
        solar_kwp=solar,
        limit_kw=np.round(scale * np.array([2.4, 2.0, 1.7, 2.6, 2.6])[kind], -1),
    )


def place_stations(seed: int, terrain: Terrain, districts: tuple[District, ...]) -> Stations:
    """One environment station in each district."""
    rng = stream(seed, "stations")
    position = np.vstack([_within(rng, district, terrain, 1) for district in districts])
    return Stations(
        code=tuple(f"ev-{number + 1:03d}" for number in range(len(districts))),
        name=tuple(f"{district.name}, air and noise" for district in districts),
        position=position,
        district=np.arange(len(districts)),
        urban=np.exp(-((np.linalg.norm(position, axis=1) / 3.2) ** 2)),
    )


def place_households(seed: int, districts: tuple[District, ...]) -> Households:
    """The household meters of every district, in the number its plan names."""
    rng = stream(seed, "households")
    district = np.repeat(np.arange(len(districts)), [one.households for one in districts])
    count = len(district)
    garden = np.array([one.character == "garden" for one in districts])[district]
    return Households(
        code=tuple(f"hh-{number + 1:04d}" for number in range(count)),
        district=district,
        yearly_kwh=rng.lognormal(np.log(2_700), 0.38, count) * np.where(garden, 1.25, 1.0),
        heat_pump=rng.random(count) < np.where(garden, 0.30, 0.08),
        electric_car=rng.random(count) < np.where(garden, 0.35, 0.14),
        solar_kwp=np.where(rng.random(count) < np.where(garden, 0.35, 0.05), rng.uniform(2, 8, count), 0.0),
    )


def _downstream(position: Floats, heading: Floats, road: list[str]) -> tuple[Ints, Floats]:
    """The nearest detector ahead within 2.5 km that watches the same road and way, and how far it is [km]."""
    way = heading / np.linalg.norm(heading, axis=1, keepdims=True)
    ahead = position[None] - position[:, None]
    apart = np.linalg.norm(ahead, axis=2)
    same = np.equal.outer(road, road) & (way @ way.T > 0.5) & (np.einsum("ijc,ic->ij", ahead, way) > 0.7 * apart)
    apart = np.where(same & (apart > 0.1) & (apart < 2.5), apart, np.inf)
    nearest = np.argmin(apart, axis=1)
    distance = apart[np.arange(len(road)), nearest]
    return np.where(np.isfinite(distance), nearest, -1), np.where(np.isfinite(distance), distance, 0.0)


def _direction(pressure: float, heading: Floats) -> str:
    if pressure:
        return "towards the centre" if pressure > 0 else "out of the city"
    east, north = heading
    if abs(east) > abs(north):
        return "eastbound" if east > 0 else "westbound"
    return "northbound" if north > 0 else "southbound"


def spread(rng: np.random.Generator, points: Floats, spacing: Floats, count: int) -> Ints:
    """Farthest-point choice of `count` points; a point's distance counts less the larger its `spacing`."""
    chosen = [int(rng.integers(len(points)))]
    distance = np.linalg.norm(points - points[chosen[0]], axis=1) / spacing
    while len(chosen) < count:
        chosen.append(int(np.argmax(distance)))
        distance = np.minimum(distance, np.linalg.norm(points - points[chosen[-1]], axis=1) / spacing)
    return np.array(chosen)


def _within(rng: np.random.Generator, district: District, terrain: Terrain, count: int) -> Floats:
    """Dry points well inside a district."""
    low, high = district.ring.min(axis=0), district.ring.max(axis=0)
    middle = np.array(district.centre)
    points = rng.uniform(low, high, (400, 2))
    drawn_in = middle + (points - middle) * 0.8
    good: Floats = drawn_in[inside(points, district.ring) & inside(drawn_in, district.ring) & ~terrain.wet(drawn_in)]
    return good[:count]
