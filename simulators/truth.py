"""Code concerned with the truth that tests and quality figures are judged by; no running part of the platform reads it."""

from __future__ import annotations

from collections import Counter
from datetime import date

import h3
import numpy as np

from simulators.bicycles import bike_trips_of
from simulators.charging import sessions_of
from simulators.city import City
from simulators.clock import HOUR_US, day_of
from simulators.faults import silent_detector, stuck_detector
from simulators.households import district_energy
from simulators.incidents import Incident, incidents_of
from simulators.streams import Floats
from simulators.traffic import traffic_day
from simulators.vehicles import Fleet, positions_of

PRESENCE_RESOLUTION = 8
"""H3 resolution of the counts: cells of about 0.7 km²."""


def incidents_between(city: City, since_us: int, until_us: int) -> list[Incident]:
    """Every incident that began in a span of time [µs since 1970 UTC]."""
    days = range(day_of(since_us), day_of(until_us - 1) + 1)
    return [one for day in days for one in incidents_of(city, day) if since_us <= one.starts_us < until_us]


def noiseless_flow(city: City, day: int) -> Floats:
    """The flow past every detector before counting noise [veh/h], (288, detectors), on one UTC day."""
    return traffic_day(city, day).true_flow_vph


def household_energy(city: City, day: date) -> dict[str, float]:
    """The energy [kWh] that each district's households used on one local day, by district code."""
    energy = district_energy(city, day)
    return {district.code: float(total) for district, total in zip(city.districts, energy, strict=True)}


def vehicles_present(fleet: Fleet, day: date, *, every_s: int, until_us: int | None = None) -> Counter[tuple[str, int]]:
    """Distinct vehicles per H3 cell and hour on one local day, as far as positions were reported.

    Args:
        fleet: whose.
        day: the local day.
        every_s: how often positions were reported: REPORT_S live, HISTORY_REPORT_S in history.
        until_us: leave out later positions [µs since 1970 UTC].

    Returns:
        Counts by cell of PRESENCE_RESOLUTION and start of the hour [µs since 1970 UTC].

    """
    found = positions_of(fleet, day, every_s=every_s)
    count = len(found.times_us) if until_us is None else int(np.searchsorted(found.times_us, until_us, side="right"))
    hours = (found.times_us[:count] // HOUR_US * HOUR_US).tolist()
    cells = [h3.latlng_to_cell(lat, lon, PRESENCE_RESOLUTION) for lon, lat in found.degrees[:count].tolist()]
    seen = set(zip(cells, hours, found.vehicle[:count].tolist(), strict=True))
    return Counter((cell, hour) for cell, hour, _ in seen)


def bike_station_use(city: City, day: date) -> Counter[tuple[str, str]]:
    """Trips that began on one local day by code of the station and `departures` or `arrivals`."""
    found = bike_trips_of(city, day)
    sides = (("departures", found.origin), ("arrivals", found.destination))
    return Counter((city.docks.code[dock], side) for side, docks in sides for dock in docks.tolist())


def charging_energy(city: City, day: date) -> dict[str, tuple[int, float]]:
    """Sessions that began on one local day and what they drew in the end [kWh], by district code."""
    found = sessions_of(city, day)
    district = city.chargers.district[found.place]
    sessions = np.bincount(district, minlength=len(city.districts))
    energy = np.bincount(district, found.energy_kwh, len(city.districts))
    return {one.code: (int(sessions[i]), float(energy[i])) for i, one in enumerate(city.districts)}


def faulty(city: City) -> dict[str, str]:
    """Which detectors are not to be believed, and why, by code."""
    codes = city.detectors.code
    return {codes[stuck_detector(city)]: "stuck", codes[silent_detector(city)]: "silent"}
