"""Code concerned with what each household uses, half hour by half hour. Personal data, and so published only in aggregate."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np

from simulators.city import City
from simulators.clock import DAY_US, SATURDAY, day_of, local_midnight_us, local_time, steps_of
from simulators.sensors import HOUSEHOLD_STEP_S
from simulators.streams import Floats, Ints, stream
from simulators.weather import weather_at

_STEP_H = HOUSEHOLD_STEP_S / 3_600
_HEATING_KW_PER_K = 0.075
_CHARGER_KW = 7.4


@dataclass(frozen=True, kw_only=True, slots=True)
class HouseholdDay:
    """One UTC day: energy drawn from the grid in each half hour [kWh], (steps, households)."""

    times_us: Ints
    energy_kwh: Floats


def household_day(city: City, day: int) -> HouseholdDay:
    """What every household's meter counts on one UTC day [days since 1970]."""
    homes = city.households
    times_us = steps_of(day, HOUSEHOLD_STEP_S)
    rng = stream(city.seed, "household-day", day)
    shape = (len(times_us), len(homes.code))
    local = local_time(times_us, city.zone, city.country, city.region)
    weather = weather_at(city, times_us)
    free = local.kind >= SATURDAY
    habit = stream(city.seed, "household-habits")
    later = habit.normal(0, 1.1, len(homes.code))
    hour = local.hour[:, None] - later
    use = (
        0.42
        + np.where(free, 0.55, 0.75)[:, None] * _bump(hour, 7.4, 1.2)
        + np.where(free, 0.75, 0.35)[:, None] * _bump(hour, 12.7, 2.2)
        + 1.75 * _bump(hour, 19.2, 2.3)
    )
    appliances = rng.gamma(1.3, 1 / 1.3, shape)
    away = rng.random(len(homes.code)) < 0.05
    energy: Floats = homes.yearly_kwh / 8_766 * _STEP_H * use * appliances * np.where(away, 0.25, 1.0)
    cold = np.maximum(0, 15 - weather.temperature_c)[:, None]
    energy += homes.heat_pump * _HEATING_KW_PER_K * cold * _STEP_H * rng.uniform(0.6, 1.4, shape)
    begins = np.round((17.8 + 5.5 * rng.beta(1.6, 3, len(homes.code))) * 2) / 2
    plugged = homes.electric_car & (rng.random(len(homes.code)) < 0.45)
    charging = (
        plugged
        & (local.hour[:, None] >= begins)
        & (local.hour[:, None] < begins + rng.integers(1, 5, len(homes.code)) / 2)
    )
    energy += charging * _CHARGER_KW * _STEP_H
    energy -= homes.solar_kwp * weather.radiation_wm2[:, None] / 1_000 * 0.85 * _STEP_H
    return HouseholdDay(times_us=times_us, energy_kwh=np.maximum(energy, 0).round(3))


def district_energy(city: City, day: date) -> Floats:
    """The true energy of each district's households on one local day [kWh]."""
    start = local_midnight_us(day, city.zone)
    end = local_midnight_us(day + timedelta(days=1), city.zone)
    total = np.zeros(len(city.districts))
    for utc_day in range(day_of(start), (end - 1) // DAY_US + 1):
        part = household_day(city, utc_day)
        within = (part.times_us >= start) & (part.times_us < end)
        total += np.bincount(city.households.district, part.energy_kwh[within].sum(axis=0), len(total))
    return total


def _bump(hour: Floats, middle: float, width: float) -> Floats:
    bump: Floats = np.exp(-0.5 * (((hour - middle + 12) % 24 - 12) / width) ** 2)
    return bump
