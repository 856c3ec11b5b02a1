"""Code concerned with the city at a glance: everything the page Now says, read at one moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from dashboards.ahead import read_worst
from dashboards.alerts import Alert, find_alerts, is_silent
from dashboards.context import City
from dashboards.jams import Jam, read_next_hour
from dashboards.upkeep import Upkeep, upkeep_alerts
from services.domain import QUANTILE_LEVELS
from services.local_day import day_of
from services.storage import overview, sensor_health, totals
from services.storage.overview import CityLoad, CityTraffic, DeadLetters, HeavyAhead, IngestTotals, Numbers
from services.storage.totals import PeakForecast

DAY = timedelta(days=1)
WEEK = timedelta(days=7)
QUARTER = timedelta(minutes=15)
_MOST_IMPLAUSIBLE = 1_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """One key figure: now, at the same time last week, and its day by quarter hours."""

    now: float | None
    before: float | None
    day: Numbers


@dataclass(frozen=True, kw_only=True, slots=True)
class Peak:
    """The next highest quarter hour of a day of the city: the median of its height, and when it is likeliest."""

    power_kw: float
    at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Glance:
    """The city at one moment."""

    now: datetime
    speed: Figure
    flow: Figure
    load: Figure
    peak: Peak | None
    sensors: int
    silent: int
    alerts: list[Alert]
    jams: Mapping[int, Jam]
    worst: HeavyAhead | None
    whole: list[PeakForecast]
    upkeep: Upkeep
    ingest: IngestTotals
    letters: DeadLetters


def read_glance(city: City) -> Glance:
    """Read the city at this moment.

    Raises:
        UnavailableError: the database does not answer.

    """
    now = city.now()
    with city.reading() as connection:
        sensors = overview.sensors_now(connection, now)
        traffic = overview.city_traffic(connection, now - DAY, now, QUARTER)
        traffic_before = overview.city_traffic(connection, now - WEEK - 4 * QUARTER, now - WEEK, QUARTER)
        load = overview.city_load(connection, now - DAY, now, QUARTER)
        load_before = overview.city_load(connection, now - WEEK - 4 * QUARTER, now - WEEK, QUARTER)
        jams = read_next_hour(connection, now)
        today = day_of(now, city.zone)
        peaks = totals.latest_peaks(connection, scope="sensor", since=today, issued_before=now)
        whole = totals.latest_peaks(connection, scope="city", since=today, issued_before=now)
        letters = overview.dead_letters(connection, now)
        ingest = overview.ingest_totals(connection)
        worst = read_worst(connection, now)
        upkeep = Upkeep(
            ingest_seen_at=ingest.seen_at,
            forecasts=overview.forecast_states(connection, now),
            forecast_every=timedelta(minutes=city.settings.forecast_every_minutes),
            unread=letters.reason if not ingest.stored and ingest.dead_lettered else None,
            implausible=sensor_health.implausible(connection, now=now, limit=_MOST_IMPLAUSIBLE),
        )
    return Glance(
        now=now,
        speed=_figure(traffic, traffic.speed_ratio, traffic_before, traffic_before.speed_ratio),
        flow=_figure(traffic, traffic.flow_vph, traffic_before, traffic_before.flow_vph),
        load=_figure(load, load.power_kw, load_before, load_before.power_kw),
        peak=next_peak(whole, now),
        sensors=len(sensors),
        silent=sum(is_silent(sensor, now) for sensor in sensors),
        alerts=find_alerts(
            sensors,
            jams,
            peaks,
            letters,
            now=now,
            zone=city.zone,
            stopped_at=upkeep.stopped_at(now),
            more=upkeep_alerts(upkeep, now=now, zone=city.zone),
        ),
        jams=jams,
        worst=worst,
        whole=whole,
        upkeep=upkeep,
        ingest=ingest,
        letters=letters,
    )


def next_peak(peaks: Sequence[PeakForecast], now: datetime) -> Peak | None:
    """The next of the city's peaks that is still ahead; None without one."""
    middle = QUANTILE_LEVELS.index(0.5)
    for one in sorted(peaks, key=lambda peak: peak.day):
        if one.likely_at is not None and one.likely_at >= now - QUARTER:
            return Peak(power_kw=one.quantiles[middle], at=one.likely_at)
    return None


def complete(sensors: Numbers) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    """Which buckets hold nearly all sensors: a sum over fewer would look like a drop."""
    return sensors >= 0.9 * np.nanmax(sensors) if len(sensors) else np.zeros(0, dtype=bool)


def _figure(day: CityTraffic | CityLoad, values: Numbers, week: CityTraffic | CityLoad, before: Numbers) -> Figure:
    kept = np.where(complete(day.sensors), values, np.nan)
    return Figure(now=_last(kept), before=_last(np.where(complete(week.sensors), before, np.nan)), day=kept)


def _last(values: Numbers) -> float | None:
    known = values[np.isfinite(values)]
    return float(known[-1]) if len(known) else None
