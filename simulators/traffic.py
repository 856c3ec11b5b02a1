"""Code concerned with what the traffic detectors see: demand, queues where it exceeds what the road lets through, noise.

Demand follows the local clock, the kind of day, the season, the weather and a slow wander. Where demand exceeds what the next
crossing (or an incident) lets through, a point queue grows; once it stands over the detector the state jumps to the
congested branch of the fundamental diagram, and a queue longer than the way to the next detector holds that one back too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulators.city import City
from simulators.clock import FRIDAY, SATURDAY, SUNDAY, WORKDAY, LocalTime, local_time, steps_of
from simulators.fundamental_diagram import EFFECTIVE_LENGTH_KM, FundamentalDiagram
from simulators.incidents import incidents_of
from simulators.noise import ar1
from simulators.sensors import DETECTOR_STEP_S
from simulators.streams import Bools, Floats, Ints, stream
from simulators.weather import weather_at

_STEP_H = DETECTOR_STEP_S / 3_600
_QUEUE_OVER_DETECTOR = 8.0  # vehicles per lane
_LONGEST_QUEUE = 130.0  # vehicles per lane
_QUEUE_DENSITY = 75.0  # vehicles per kilometre and lane in a moving queue
_NIGHT_FADES_H = 4.0
_YEAR_2026_US = 1_767_225_600_000_000
_YEAR_US = 365.25 * 86_400e6


@dataclass(frozen=True, kw_only=True, slots=True)
class TrafficDay:
    """One UTC day, arrays (steps, detectors); speed is NaN where no vehicle passed.

    `true_flow_vph`, `true_density` (per lane) and `congested` are the state before counting noise; `demand_vph` is what
    would pass an endless road.
    """

    times_us: Ints
    flow_vph: Floats
    speed_kmh: Floats
    occupancy: Floats
    true_flow_vph: Floats
    true_density: Floats
    demand_vph: Floats
    congested: Bools


def diagram_of(city: City) -> FundamentalDiagram:
    """The fundamental diagram of every detector."""
    detectors = city.detectors
    return FundamentalDiagram(
        free_flow_kmh=detectors.free_flow_kmh, lane_capacity_vph=detectors.capacity_vph / detectors.lanes
    )


def traffic_day(city: City, day: int) -> TrafficDay:
    """What the detectors see on one UTC day [days since 1970]."""
    times_us = steps_of(day, DETECTOR_STEP_S)
    detectors = city.detectors
    rain = np.tanh(weather_at(city, times_us).rain_mm_h)
    demand = _demand(city, day, times_us) * (1 - 0.03 * rain[:, None])
    outlet = detectors.capacity_vph * detectors.bottleneck * (1 - 0.08 * rain[:, None])
    outlet = outlet * np.exp(0.02 * ar1(city.seed, "outlet", day, len(times_us), len(detectors.code), 0.9))
    outlet = np.minimum(outlet, detectors.capacity_vph)
    for incident in incidents_of(city, day):
        during = (times_us >= incident.starts_us - DETECTOR_STEP_S * 1_000_000) & (times_us < incident.ends_us)
        outlet[during, incident.detector] *= incident.capacity_left
    flow, congested = _queues(city, np.minimum(demand, detectors.capacity_vph), outlet)
    density = diagram_of(city).density(flow / detectors.lanes, congested)
    return _measured(city, day, times_us, demand, flow, density, congested)


def _measured(
    city: City, day: int, times_us: Ints, demand: Floats, flow: Floats, density: Floats, congested: Bools
) -> TrafficDay:
    """Whole vehicles are counted, and the mean speed of few of them scatters; occupancy follows from both."""
    detectors = city.detectors
    rng = stream(city.seed, "counting", day)
    expected = flow * _STEP_H
    count = np.round(expected + np.sqrt(0.6 * expected) * rng.standard_normal(flow.shape, dtype=np.float32))
    count = np.clip(count, 0, np.floor(detectors.capacity_vph * _STEP_H))
    true_speed = flow / detectors.lanes / np.maximum(density, 1e-9)
    scatter = 0.10 / np.sqrt(np.maximum(count, 1)) * rng.standard_normal(flow.shape, dtype=np.float32)
    speed = np.where(count > 0, np.round(true_speed * (1 + scatter), 1), np.nan)
    measured = count / _STEP_H
    occupancy: Floats = np.where(count > 0, measured / detectors.lanes / speed * EFFECTIVE_LENGTH_KM, 0.0)
    return TrafficDay(
        times_us=times_us,
        flow_vph=np.round(measured),
        speed_kmh=speed,
        occupancy=np.minimum(occupancy.round(4), 1.0),
        true_flow_vph=flow,
        true_density=density,
        demand_vph=demand,
        congested=congested,
    )


def _demand(city: City, day: int, times_us: Ints) -> Floats:
    detectors = city.detectors
    count = len(detectors.code)
    local = local_time(times_us, city.zone, city.country, city.region)
    shape = np.stack([day_shape(local, pressure) for pressure in (-1.0, 0.0, 1.0)], axis=1)
    share = shape[:, (detectors.pressure + 1).astype(np.int64)]
    character = stream(city.seed, "detector-character")
    growth = character.normal(0, 0.015, count) * (times_us[0] - _YEAR_2026_US) / _YEAR_US
    season = (
        1
        + 0.03 * np.cos(2 * np.pi * (local.year_share - 0.42))
        - 0.08 * ((local.year_share > 0.54) & (local.year_share < 0.65))
    )
    mood = ar1(city.seed, "city-mood", day, len(times_us), 1, 0.995)
    own = ar1(city.seed, "detector-mood", day, len(times_us), count, 0.97)
    demand: Floats = (
        detectors.capacity_vph
        * detectors.load
        * share
        * season[:, None]
        * np.exp(np.clip(growth, -0.3, 0.3) + 0.03 * mood + 0.045 * own)
    )
    return demand


def day_shape(local: LocalTime, pressure: float) -> Floats:
    """Demand as a share of an ordinary working day's peak; `pressure` +1 presses in the morning, -1 in the evening.

    The evening of the day before fades out over the first hours, as a Saturday night is not over at midnight.
    """
    gone = np.minimum(local.hour / _NIGHT_FADES_H, 1)
    today = gone * gone * (3 - 2 * gone)
    carried = _shape_of(local.kind_before, local.hour + 24, pressure)
    shape: Floats = today * _shape_of(local.kind, local.hour, pressure) + (1 - today) * carried
    return shape


def _shape_of(kind: Ints, hour: Floats, pressure: float) -> Floats:
    morning, evening = {1.0: (1.0, 0.62), 0.0: (0.88, 0.95), -1.0: (0.55, 1.0)}[pressure]
    daylight = 1 / (1 + np.exp(-(hour - 5.9) / 0.45)) / (1 + np.exp((hour - 20.3) / 1.1))
    shapes = {
        WORKDAY: 0.045
        + 0.46 * daylight
        + 0.50 * morning * _bump(hour, 7.7, 0.95)
        + 0.50 * evening * _bump(hour, 16.9, 1.45),
        FRIDAY: 0.05
        + 0.46 * daylight
        + 0.46 * morning * _bump(hour, 7.7, 0.95)
        + 0.52 * evening * _bump(hour, 15.6, 1.7)
        + 0.08 * _bump(hour, 22, 1.6),
        SATURDAY: 0.06 + 0.58 * _bump(hour, 13.2, 3.9) + 0.14 * _bump(hour, 21.5, 2.0) + 0.07 * _bump(hour, 0.0, 1.6),
        SUNDAY: 0.05 + 0.45 * _bump(hour, 15.2, 3.7) + 0.12 * _bump(hour, 19.0, 2.2) + 0.07 * _bump(hour, 0.0, 1.8),
    }
    return np.select([kind == one for one in shapes], list(shapes.values()))


def _bump(hour: Floats, middle: float, width: float) -> Floats:
    apart = (hour - middle + 12) % 24 - 12
    return np.exp(-0.5 * (apart / width) ** 2)


def _queues(city: City, demand: Floats, outlet: Floats) -> tuple[Floats, Bools]:
    """Flow past each detector [veh/h] and whether the queue from downstream stands over it; both (steps, detectors)."""
    detectors = city.detectors
    downstream, distance = detectors.downstream, detectors.downstream_km
    held_back = downstream >= 0
    below = np.where(held_back, downstream, 0)
    room = distance * _QUEUE_DENSITY * detectors.lanes[below]
    relation = detectors.capacity_vph / detectors.capacity_vph[below]
    queue = np.zeros(demand.shape[1])
    flow, congested = np.empty_like(demand), np.zeros(demand.shape, dtype=bool)
    for step in range(len(demand)):
        spilled = held_back & (queue[below] > room)
        passes = np.where(spilled, np.minimum(outlet[step], outlet[step][below] * relation), outlet[step])
        queue = np.clip(queue + (demand[step] - passes) * _STEP_H, 0, _LONGEST_QUEUE * detectors.lanes)
        congested[step] = queue > _QUEUE_OVER_DETECTOR * detectors.lanes
        flow[step] = np.where(congested[step], passes, np.minimum(demand[step], passes))
    return flow, congested
