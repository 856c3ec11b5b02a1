"""Code concerned with incidents: crashes and breakdowns that close lanes downstream of a detector, and their truth."""

from __future__ import annotations

from dataclasses import dataclass

from simulators.city import City
from simulators.clock import DAY_US, HOUR_US
from simulators.streams import stream

_MEAN_A_DAY = 4.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Incident:
    """Something in the way just downstream of detector number `detector`, from start to end [µs since 1970 UTC]."""

    detector: int
    code: str
    starts_us: int
    ends_us: int
    capacity_left: float


def incidents_of(city: City, day: int) -> tuple[Incident, ...]:
    """What happens on one UTC day: a few incidents between 05:00 and 20:00 UTC, 20 to 90 minutes each."""
    rng = stream(city.seed, "incidents", day)
    found = []
    for _ in range(rng.poisson(_MEAN_A_DAY)):
        detector = int(rng.integers(len(city.detectors.code)))
        starts_us = day * DAY_US + int(rng.uniform(5, 20) * HOUR_US)
        found.append(
            Incident(
                detector=detector,
                code=city.detectors.code[detector],
                starts_us=starts_us,
                ends_us=starts_us + int(rng.uniform(20, 90) / 60 * HOUR_US),
                capacity_left=float(rng.uniform(0.25, 0.6)),
            )
        )
    return tuple(sorted(found, key=lambda incident: incident.starts_us))
