"""Code concerned with the reads that only the dashboard needs: the city at a glance, one moment, one series."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, TypeVar

import numpy as np
import numpy.typing as npt
from psycopg.rows import class_row

from services.domain import QUANTILE_LEVELS, ForecastState
from services.storage.database import Connection
from services.storage.queries import query

Source = Literal["raw", "15min", "hour"]
Numbers = npt.NDArray[np.float64]
Moments = npt.NDArray[np.int64]
_Row = TypeVar("_Row")


@dataclass(frozen=True, kw_only=True, slots=True)
class DataVersion:
    """What changes whenever a page could look different."""

    newest_at: datetime | None
    processed: int
    run: int
    released_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class District:
    """A district and its outline, a GeoJSON geometry."""

    id: int
    code: str
    name: str
    outline: dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class SensorNow:
    """A sensor and its newest reading; every measured field may be unknown."""

    id: int
    code: str
    kind: str
    name: str | None
    lon: float | None
    lat: float | None
    district_id: int | None
    road: str | None
    free_flow_kmh: float | None
    limit_kw: float | None
    step_seconds: int
    online: bool | None
    observed_at: datetime | None
    flow_vph: float | None
    speed_kmh: float | None
    power_kw: float | None

    @property
    def label(self) -> str:
        """The name where it has one, else the code."""
        return self.name or self.code

    @property
    def speed_ratio(self) -> float | None:
        """Speed over free-flow speed."""
        if self.speed_kmh is None or self.free_flow_kmh is None:
            return None
        return self.speed_kmh / self.free_flow_kmh


@dataclass(frozen=True, kw_only=True, slots=True)
class CityTraffic:
    """Mean flow per detector [veh/h] and speed ratio of all vehicles together by time bucket; gaps are NaN."""

    bucket_us: Moments
    flow_vph: Numbers
    speed_ratio: Numbers
    sensors: Numbers


@dataclass(frozen=True, kw_only=True, slots=True)
class CityLoad:
    """Power of all feeders [kW] by time bucket, and how many feeders it is the sum of."""

    bucket_us: Moments
    power_kw: Numbers
    sensors: Numbers


@dataclass(frozen=True, kw_only=True, slots=True)
class Quantiles:
    """Forecasts of one quantity, one row per sensor and target time; columns of `values` are `QUANTILE_LEVELS`."""

    sensor_id: Moments
    target_us: Moments
    values: Numbers

    @property
    def median(self) -> Numbers:
        """The 0.5 quantile."""
        return self.values[:, QUANTILE_LEVELS.index(0.5)]


@dataclass(frozen=True, kw_only=True, slots=True)
class Chances:
    """Chances of the classes of congestion, worst first in the columns of `values`; a row per sensor and target time."""

    sensor_id: Moments
    target_us: Moments
    values: Numbers


@dataclass(frozen=True, kw_only=True, slots=True)
class HeavyAhead:
    """Heavy congestion in the city at one target time: `likely` and `possible` count detectors, `expected` sums chances."""

    target_at: datetime
    likely: int
    possible: int
    detectors: int
    expected: float


@dataclass(frozen=True, kw_only=True, slots=True)
class ForecastStates:
    """How many series of the forecasts in use are in which state, and when the oldest of these was issued."""

    issued_at: datetime
    series: dict[ForecastState, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Series:
    """One quantity of one sensor over time."""

    at_us: Moments
    value: Numbers


@dataclass(frozen=True, kw_only=True, slots=True)
class IngestTotals:
    """What ingest has done: received = stored + duplicate + dead_lettered + spooled + in_flight."""

    received: int
    stored: int
    duplicate: int
    dead_lettered: int
    spooled: int
    in_flight: int
    seen_at: datetime | None


@dataclass(frozen=True, kw_only=True, slots=True)
class DeadLetters:
    """Dead letters of the last hour and the hour before, and the commonest reason of the last hour."""

    last_hour: int
    hour_before: int
    reason: str | None


def data_version(connection: Connection) -> DataVersion:
    """Numbers that change whenever a page could look different."""
    return _one(connection, DataVersion, "data_version")


def districts(connection: Connection) -> list[District]:
    """Every district, by name."""
    return _rows(connection, District, "districts")


def layer_names(connection: Connection) -> list[str]:
    """The layers of `/api/v1/map` that this city has, of `districts`, `roads` and `water`."""
    return [name for (name,) in connection.execute(query("overview", "layer_names"))]


def sensors_now(connection: Connection, now: datetime) -> list[SensorNow]:
    """Every sensor with its newest reading that is not bad and not after `now`."""
    return _rows(connection, SensorNow, "sensors_now", now=now)


def city_traffic(connection: Connection, start: datetime, end: datetime, width: timedelta) -> CityTraffic:
    """The city's traffic in [start, end) by buckets of `width`."""
    table = _numbers(connection, "city_traffic", 4, start=start, end=end, width=width, source=source_for(start, end))
    return CityTraffic(
        bucket_us=table[:, 0].astype(np.int64), flow_vph=table[:, 1], speed_ratio=table[:, 2], sensors=table[:, 3]
    )


def city_load(connection: Connection, start: datetime, end: datetime, width: timedelta) -> CityLoad:
    """The power of all feeders in [start, end) by buckets of `width`."""
    table = _numbers(connection, "city_load", 3, start=start, end=end, width=width, source=source_for(start, end))
    return CityLoad(bucket_us=table[:, 0].astype(np.int64), power_kw=table[:, 1], sensors=table[:, 2])


def traffic_at(connection: Connection, start: datetime) -> dict[int, tuple[float | None, float | None]]:
    """Flow [veh/h] and speed [km/h] of every detector that reported in the quarter hour from `start`."""
    rows = connection.execute(query("overview", "traffic_at"), {"start": start}).fetchall()
    return {sensor: (flow, speed) for sensor, flow, speed in rows}


def energy_at(connection: Connection, start: datetime) -> dict[int, float | None]:
    """Power [kW] of every feeder that reported in the quarter hour from `start`."""
    return dict(connection.execute(query("overview", "energy_at"), {"start": start}).fetchall())


def city_forecast(
    connection: Connection, kind: str, quantity: str, *, now: datetime, start: datetime, end: datetime
) -> Quantiles:
    """The newest forecast issued by `now` of every sensor of a kind, for targets in [start, end)."""
    table = _numbers(connection, "city_forecast", 9, kind=kind, quantity=quantity, now=now, start=start, end=end)
    return _quantiles(table[:, 0].astype(np.int64), table[:, 1:])


def city_chances(connection: Connection, *, now: datetime, start: datetime, end: datetime) -> Chances:
    """The newest chances of congestion issued by `now` of every detector, for targets in [start, end)."""
    table = _numbers(connection, "city_chances", 6, now=now, start=start, end=end)
    return Chances(sensor_id=table[:, 0].astype(np.int64), target_us=table[:, 1].astype(np.int64), values=table[:, 2:])


def heavy_ahead(
    connection: Connection, *, now: datetime, start: datetime, end: datetime, likely: float, possible: float
) -> list[HeavyAhead]:
    """Heavy congestion at each target time in [start, end), by the newest chances issued by `now`.

    Args:
        connection: a connection that may read schema forecast.
        now: the moment of the question.
        start: first target time.
        end: first target time no longer told.
        likely: the least chance at which a detector counts as likely.
        possible: the least chance at which it counts as possible.

    """
    bounds = {"now": now, "start": start, "end": end, "likely": likely, "possible": possible}
    return _rows(connection, HeavyAhead, "heavy_ahead", **bounds)


def forecast_states(connection: Connection, now: datetime) -> ForecastStates | None:
    """The states of the forecasts in use at `now`; None where none has been issued for a day."""
    rows = connection.execute(query("overview", "forecast_states"), {"now": now}).fetchall()
    if not rows:
        return None
    return ForecastStates(
        issued_at=min(row[2] for row in rows), series={ForecastState(name): int(count) for name, count, _ in rows}
    )


def ingest_totals(connection: Connection) -> IngestTotals:
    """What all ingest sessions have done together."""
    return _one(connection, IngestTotals, "ingest_totals")


def dead_letters(connection: Connection, now: datetime) -> DeadLetters:
    """Dead letters of the last hour beside the hour before."""
    return _one(connection, DeadLetters, "dead_letters", now=now)


def sensor_series(connection: Connection, sensor: int, quantity: str, start: datetime, end: datetime) -> Series:
    """One quantity of one sensor in [start, end), rolled up where the window is long."""
    table = _numbers(
        connection,
        "sensor_series",
        2,
        sensor=sensor,
        quantity=quantity,
        start=start,
        end=end,
        source=source_for(start, end),
    )
    return Series(at_us=table[:, 0].astype(np.int64), value=table[:, 1])


def source_for(start: datetime, end: datetime) -> Source:
    """Where a window is read from: what was measured up to 36 hours, quarter hours up to 8 days, then hours."""
    length = end - start
    if length <= timedelta(hours=36):
        return "raw"
    return "15min" if length <= timedelta(days=8) else "hour"


def _quantiles(sensor_id: Moments, table: Numbers) -> Quantiles:
    return Quantiles(sensor_id=sensor_id, target_us=table[:, 0].astype(np.int64), values=table[:, 1:])


def _rows(connection: Connection, kind: type[_Row], name: str, **parameters: object) -> list[_Row]:
    with connection.cursor(row_factory=class_row(kind)) as cursor:
        return cursor.execute(query("overview", name), parameters).fetchall()


def _one(connection: Connection, kind: type[_Row], name: str, **parameters: object) -> _Row:
    (row,) = _rows(connection, kind, name, **parameters)
    return row


def _numbers(connection: Connection, name: str, columns: int, **parameters: object) -> Numbers:
    """The rows as floats; NULL is NaN. Microseconds since 1970 stay exact in a float64 until the year 2255."""
    rows = connection.execute(query("overview", name), parameters).fetchall()
    return np.array(rows, dtype=np.float64).reshape(-1, columns)
