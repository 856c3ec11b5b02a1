"""Code concerned with what the energy feeders see: people's days, heating and cooling, the sun on roofs, cars charging."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulators.city import City
from simulators.clock import HOUR_US, SATURDAY, SUNDAY, LocalTime, local_time, steps_of
from simulators.noise import ar1
from simulators.sensors import FEEDER_STEP_S, FEEDER_TYPES
from simulators.streams import Floats, Ints
from simulators.weather import weather_at

_INSTALLED_DAY = 20_454
"""2026-01-01, when the meters were fitted and their registers stood at zero; days before have no register."""
_STEP_H = FEEDER_STEP_S / 3_600
_TICK_KWH = 0.0025  # a quarter hour of the 0.01 kW to which power is rounded
_HEATED_BELOW_C = 15.0
_COOLED_ABOVE_C = 21.0
_HEATING_PER_K = {"residential": 0.022, "commercial": 0.012, "industrial": 0.004, "solar": 0.030, "charging": 0.0}
_COOLING_PER_K = {"residential": 0.006, "commercial": 0.035, "industrial": 0.012, "solar": 0.006, "charging": 0.0}
_PERFORMANCE_RATIO = 0.85


@dataclass(frozen=True, kw_only=True, slots=True)
class EnergyDay:
    """One UTC day, arrays (steps, feeders): mean power, negative when roofs feed in, and the register at the step's end.

    The register counts what was drawn, never what was fed in; NaN before the meters were fitted.
    """

    times_us: Ints
    power_kw: Floats
    energy_kwh: Floats


class FeederMeters:
    """Reads the feeders' meters; remembers at what register each day began, so that a year is added up only once."""

    def __init__(self, city: City) -> None:
        self._city = city
        self._starts = {_INSTALLED_DAY: np.zeros(len(city.feeders.code), dtype=np.int64)}
        self._latest = _INSTALLED_DAY

    def day(self, day: int) -> EnergyDay:
        """What the feeders see on one UTC day [days since 1970]."""
        power = feeder_power(self._city, day)
        drawn = _drawn(power).cumsum(axis=0)
        fitted = day >= _INSTALLED_DAY
        ticks = self._start_of(day) + drawn if fitted else drawn
        register = np.where(fitted, ticks * _TICK_KWH, np.nan).round(2)
        return EnergyDay(times_us=steps_of(day, FEEDER_STEP_S), power_kw=power, energy_kwh=register)

    def _start_of(self, day: int) -> Ints:
        if day > self._latest:
            days = day - self._latest
            drawn = _drawn(feeder_power(self._city, self._latest, days)).reshape(days, -1, len(self._city.feeders.code))
            for register in self._starts[self._latest] + np.cumsum(drawn.sum(axis=1), axis=0):
                self._latest += 1
                self._starts[self._latest] = register
        return self._starts[day]


def feeder_power(city: City, first_day: int, days: int = 1) -> Floats:
    """Mean power of every feeder over each quarter hour of some UTC days [kW], (steps, feeders)."""
    span = range(first_day, first_day + days)
    times_us = np.concatenate([steps_of(day, FEEDER_STEP_S) for day in span])
    feeders = city.feeders
    local = local_time(times_us, city.zone, city.country, city.region)
    weather = weather_at(city, times_us)
    shape = np.stack([_shape(kind, local) for kind in FEEDER_TYPES], axis=1)
    felt = _felt_temperature(city, times_us)
    heating = np.outer(np.maximum(0, _HEATED_BELOW_C - felt), [_HEATING_PER_K[kind] for kind in FEEDER_TYPES])
    cooling = np.outer(np.maximum(0, felt - _COOLED_ABOVE_C), [_COOLING_PER_K[kind] for kind in FEEDER_TYPES])
    share = shape + heating * (0.75 + 0.25 * shape) + cooling * shape
    size = 86_400 // FEEDER_STEP_S, len(feeders.code)
    own = np.concatenate([ar1(city.seed, "feeder-mood", day, *size, phi=0.88) for day in span])
    flicker = np.concatenate([ar1(city.seed, "roofs", day, *size, phi=0.6) for day in span])
    used = feeders.scale_kw * share[:, feeders.kind] * np.exp(0.045 * own)
    sun = weather.radiation_wm2 / 1_000 * _PERFORMANCE_RATIO
    made = feeders.solar_kwp * sun[:, None] * np.clip(1 + 0.12 * weather.cloud[:, None] * flicker, 0, 1.3)
    power: Floats = used - made
    return power.round(2)


def _felt_temperature(city: City, times_us: Ints) -> Floats:
    """What heating answers to [°C]: walls remember, so the mean of the last twelve hours."""
    lags = [weather_at(city, times_us - lag * HOUR_US).temperature_c for lag in (0, 4, 8, 12)]
    felt: Floats = np.mean(lags, axis=0)
    return felt


def _drawn(power: Floats) -> Ints:
    """Energy drawn in each step, in whole ticks of the register: integers add up alike in any order."""
    return np.round(np.maximum(power, 0) * _STEP_H / _TICK_KWH).astype(np.int64)


def _shape(kind: str, local: LocalTime) -> Floats:
    """Use as a share of the feeder's usual evening load, by the local clock."""
    hour, free = local.hour, local.kind >= SATURDAY
    sunday = local.kind == SUNDAY
    match kind:
        case "commercial":
            open_hours = np.where(sunday, 0.08, np.where(free, 0.6, 1.0))
            return 0.24 + 0.72 * open_hours * _between(hour, np.where(free, 9.5, 7.8), 18.6, 0.6)
        case "industrial":
            shifts = np.where(sunday, 0.12, np.where(free, 0.45, 1.0))
            return 0.48 + 0.44 * shifts * _between(hour, 5.8, 21.8, 0.35) + 0.06 * ~free * _bump(hour, 10.5, 2.5)
        case "charging":
            at_home = 0.85 * _bump(hour, np.where(free, 18.0, 19.4), np.where(free, 3.2, 2.1))
            return (
                0.10
                + at_home
                + np.where(free, 0.18 * _bump(hour, 13, 3), 0.35 * _bump(hour, 9.2, 1.4))
                + 0.22 * _bump(hour, 1, 2)
            )
        case _:
            morning = np.where(free, 0.20 * _bump(hour, 9.8, 1.8), 0.26 * _bump(hour, 7.2, 1.1))
            return 0.30 + morning + np.where(free, 0.22, 0.10) * _bump(hour, 12.8, 2.2) + 0.52 * _bump(hour, 19.4, 2.3)


def _between(hour: Floats, start: Floats | float, end: float, soft: float) -> Floats:
    inside: Floats = 1 / (1 + np.exp(-(hour - start) / soft)) / (1 + np.exp((hour - end) / soft))
    return inside


def _bump(hour: Floats, middle: Floats | float, width: Floats | float) -> Floats:
    bump: Floats = np.exp(-0.5 * (((hour - middle + 12) % 24 - 12) / width) ** 2)
    return bump
