"""Code concerned with the quality flag of a row: what its own values say about it. Pure, vectorised.

Scale: IOC Manuals and Guides 54, vol. 3: 1 good, 2 not evaluated, 3 suspect, 4 bad, 9 missing. Precedence where tests
disagree: bad, then suspect, then good; a row is not evaluated when no test applies, and missing when it has no value.
Nothing is deleted for its flag.
"""

from __future__ import annotations

from typing import Final

import numpy as np
import numpy.typing as npt

from services.domain import Flag

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.int16]

MOST_FLOW_VPH: Final = 20_000.0
"""Above what a cross-section of eight lanes carries: 2,400 veh/h a lane (Highway Capacity Manual, base capacity)."""
MOST_SPEED_KMH: Final = 250.0
UNLIKELY_SPEED_KMH: Final = 180.0
MOST_POWER_KW: Final = 1_000_000.0
STANDING_OCCUPANCY: Final = 0.3
"""A detector covered this much of the time without counting anyone is blocked or failed (after the PeMS tests)."""
BUSY_FLOW_VPH: Final = 200.0
"""Vehicles at this rate cover a detector for a measurable share of the time."""
RANGES: Final = {
    "temperature_c": (-60.0, 60.0),
    "humidity_percent": (0.0, 100.0),
    "pressure_hpa": (850.0, 1_100.0),
    "pm2_5_ug_m3": (0.0, 1_000.0),
    "pm10_ug_m3": (0.0, 2_000.0),
    "no2_ug_m3": (0.0, 2_000.0),
    "o3_ug_m3": (0.0, 1_000.0),
    "noise_db": (0.0, 140.0),
}
"""Physical limits of a quantity in a city; outside them a value is bad. Other quantities are not evaluated."""


def traffic_flags(flow_vph: Floats, speed_kmh: Floats, occupancy: Floats) -> Flags:
    """Flags of traffic rows; NaN is an absent value.

    Bad: flow or speed beyond what a road can carry. Suspect: vehicles at speed zero, vehicles without occupancy, high
    occupancy without vehicles, unlikely speed.
    """
    with np.errstate(invalid="ignore"):
        bad = (flow_vph > MOST_FLOW_VPH) | (speed_kmh > MOST_SPEED_KMH)
        suspect = (
            ((speed_kmh == 0) & (flow_vph > 0))
            | ((occupancy == 0) & (flow_vph >= BUSY_FLOW_VPH))
            | ((occupancy >= STANDING_OCCUPANCY) & (flow_vph == 0))
            | (speed_kmh > UNLIKELY_SPEED_KMH)
        )
    missing = np.isnan(flow_vph) & np.isnan(speed_kmh) & np.isnan(occupancy)
    return _combined(bad, suspect, missing)


def energy_flags(power_kw: Floats, energy_kwh: Floats) -> Flags:
    """Flags of energy rows; NaN is an absent value. Bad: power beyond a city's. Suspect: a register below zero."""
    with np.errstate(invalid="ignore"):
        bad = np.abs(power_kw) > MOST_POWER_KW
        suspect = energy_kwh < 0
    return _combined(bad, suspect, np.isnan(power_kw) & np.isnan(energy_kwh))


def quantity_flags(quantity: str, value: Floats) -> Flags:
    """Flags of values of one quantity; not evaluated when its limits are unknown."""
    if quantity not in RANGES:
        return np.full(len(value), Flag.NOT_EVALUATED, dtype=np.int16)
    low, high = RANGES[quantity]
    bad = (value < low) | (value > high)
    return _combined(bad, np.zeros_like(bad), np.isnan(value))


def _combined(bad: npt.NDArray[np.bool_], suspect: npt.NDArray[np.bool_], missing: npt.NDArray[np.bool_]) -> Flags:
    flags = np.where(bad, Flag.BAD, np.where(suspect, Flag.SUSPECT, Flag.GOOD))
    return np.where(missing, Flag.MISSING, flags).astype(np.int16)
