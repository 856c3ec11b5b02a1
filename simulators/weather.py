"""Code concerned with the city's weather: one place, one answer for every time, past or to come.

Radiation follows Kasten and Czeplak (1980, https://doi.org/10.1016/0038-092X(80)90391-6); declination is Cooper's formula.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr

from simulators.city import City
from simulators.noise import smooth_noise
from simulators.streams import Floats, Ints

_YEAR_US = 365.25 * 86_400e6


@dataclass(frozen=True, kw_only=True, slots=True)
class Weather:
    """Temperature [°C], cloud cover [0, 1], rain [mm/h], wind [m/s] and global radiation [W/m²] at each time."""

    temperature_c: Floats
    cloud: Floats
    rain_mm_h: Floats
    wind_ms: Floats
    radiation_wm2: Floats


def weather_at(city: City, times_us: Ints) -> Weather:
    """The weather at times (n) [µs since 1970 UTC]."""
    seed = city.seed
    year = 2 * np.pi * ((times_us / _YEAR_US) % 1.0)
    front = smooth_noise(seed, "front", times_us, 30)
    cloud = ndtr(0.9 * front + 0.7 * smooth_noise(seed, "cloud", times_us, 5) + 0.25 * np.cos(year))
    rain = 2.2 * np.maximum(0, 0.9 * front + 0.8 * smooth_noise(seed, "rain", times_us, 3) - 1.1) ** 1.3
    height = _sun_height(times_us, city.frame.lon, city.frame.lat)
    radiation = np.maximum(0, 910 * height - 30) * (1 - 0.75 * cloud**3.4)
    hour = (times_us / 3.6e9 + city.frame.lon / 15) % 24
    swing = (2.6 - 1.6 * np.cos(year)) * (1.15 - 0.7 * cloud)
    temperature = (
        9.6
        - 9.4 * np.cos(year - 0.36)
        + swing * np.cos(2 * np.pi * (hour - 15) / 24)
        + 3.4 * smooth_noise(seed, "air", times_us, 40)
    )
    wind = 3.4 * np.exp(0.45 * smooth_noise(seed, "wind", times_us, 8) + 0.15 * front)
    return Weather(temperature_c=temperature, cloud=cloud, rain_mm_h=rain, wind_ms=wind, radiation_wm2=radiation)


def _sun_height(times_us: Ints, lon: float, lat: float) -> Floats:
    """Sine of the sun's elevation."""
    day_of_year = (times_us / 86_400e6) % 365.25
    declination = np.radians(23.45) * np.sin(2 * np.pi * (284 + day_of_year) / 365)
    hour_angle = np.pi * ((times_us / 3.6e9) % 24 + lon / 15 - 12) / 12
    phi = np.radians(lat)
    height: Floats = np.sin(phi) * np.sin(declination) + np.cos(phi) * np.cos(declination) * np.cos(hour_angle)
    return height
