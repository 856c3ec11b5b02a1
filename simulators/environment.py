"""Code concerned with what the environment stations see: warmer, dustier and louder where the city is dense."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulators.city import City
from simulators.clock import local_time, steps_of
from simulators.noise import ar1
from simulators.sensors import STATION_STEP_S
from simulators.streams import Floats, Ints
from simulators.traffic import day_shape
from simulators.weather import weather_at


@dataclass(frozen=True, kw_only=True, slots=True)
class EnvironmentDay:
    """One UTC day, arrays (steps, stations): air temperature [°C], relative humidity [%], fine dust [µg/m³], noise [dB(A)]."""

    times_us: Ints
    temperature_c: Floats
    humidity_percent: Floats
    pm2_5_ug_m3: Floats
    noise_db: Floats


def environment_day(city: City, day: int) -> EnvironmentDay:
    """What the stations see on one UTC day [days since 1970]."""
    times_us = steps_of(day, STATION_STEP_S)
    urban = city.stations.urban
    weather = weather_at(city, times_us)
    busy = day_shape(local_time(times_us, city.zone, city.country, city.region), 0.0)[:, None]
    shape = (len(times_us), len(urban))
    own = {name: ar1(city.seed, f"station-{name}", day, *shape, phi=0.92) for name in ("air", "damp", "dust", "noise")}
    calm = np.exp(-weather.wind_ms / 5)[:, None]
    heat_island = 1.9 * urban * calm * 1.6
    temperature = weather.temperature_c[:, None] + heat_island + 0.25 * own["air"]
    wet = 62 + 22 * weather.cloud + 14 * np.tanh(weather.rain_mm_h) - 1.1 * (weather.temperature_c - 9)
    cold = np.maximum(0, 12 - weather.temperature_c)[:, None]
    dust: Floats = (3.5 + 9 * calm + 0.5 * cold * calm + 7 * urban * busy) * np.exp(0.22 * own["dust"])
    dust *= 1 - 0.35 * np.tanh(weather.rain_mm_h)[:, None]
    noise = 43 + 9 * urban + 9 * np.log10(1 + 9 * busy) + 2.5 * np.tanh(weather.rain_mm_h)[:, None] + 1.1 * own["noise"]
    return EnvironmentDay(
        times_us=times_us,
        temperature_c=np.round(temperature, 1),
        humidity_percent=np.round(np.clip(wet[:, None] - 4 * urban + 2.5 * own["damp"], 15, 100), 1),
        pm2_5_ug_m3=np.maximum(dust, 0.3).round(1),
        noise_db=np.round(noise, 1),
    )
