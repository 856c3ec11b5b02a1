"""Code concerned with the city at any quarter hour: as measured up to now, as forecast afterwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from dashboards.alerts import is_silent
from dashboards.context import City
from dashboards.jams import Jam, read_next_hour
from models.congestion import Congestion, class_of, joint_ratio
from services.storage import overview
from services.storage.database import Connection
from services.storage.overview import District, SensorNow

QUARTER: Final = timedelta(minutes=15)
REACH: Final = 96
"""How many quarter hours the time slider reaches back and ahead."""


@dataclass(frozen=True, kw_only=True, slots=True)
class State:
    """What one sensor measured, or is forecast to, at the moment of a frame."""

    flow_vph: float | None = None
    speed_kmh: float | None = None
    power_kw: float | None = None
    chances: tuple[float, ...] | None = None
    """Of the classes of congestion, worst first; only of a forecast."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Frame:
    """All sensors at one moment. `offset` counts quarter hours from now; above 0 the states are median forecasts.

    `jams` are chances of heavy congestion within an hour from now, whatever the moment.
    """

    offset: int
    moment: datetime
    sensors: Sequence[SensorNow]
    states: Mapping[int, State]
    jams: Mapping[int, Jam]

    @property
    def forecast(self) -> bool:
        """Whether this lies ahead."""
        return self.offset > 0

    def state(self, sensor: SensorNow) -> State | None:
        """The state of a sensor, None where it has none."""
        return self.states.get(sensor.id)

    def ratio(self, sensor: SensorNow) -> float | None:
        """Speed over free-flow speed."""
        state = self.state(sensor)
        if state is None or state.speed_kmh is None or sensor.free_flow_kmh is None:
            return None
        return state.speed_kmh / sensor.free_flow_kmh

    def congestion(self, sensor: SensorNow) -> Congestion | None:
        """The class that was measured, or the likeliest of those forecast."""
        state, ratio = self.state(sensor), self.ratio(sensor)
        if state is not None and state.chances is not None:
            return Congestion(int(np.argmax(state.chances)))
        return None if ratio is None else class_of(ratio)


def read_frame(connection: Connection, city: City, offset: int) -> Frame:
    """Read the city `offset` quarter hours from now."""
    now = city.now()
    sensors = overview.sensors_now(connection, now)
    jams = read_next_hour(connection, now)
    if offset == 0:
        states = {
            s.id: State(flow_vph=s.flow_vph, speed_kmh=s.speed_kmh, power_kw=s.power_kw)
            for s in sensors
            if not is_silent(s, now)
        }
        return Frame(offset=0, moment=now, sensors=sensors, states=states, jams=jams)
    moment = now.replace(minute=now.minute // 15 * 15, second=0, microsecond=0) + offset * QUARTER
    states = _measured(connection, moment) if offset < 0 else _forecast(connection, moment, now)
    return Frame(offset=offset, moment=moment, sensors=sensors, states=states, jams=jams)


def by_district(
    frame: Frame, districts: Sequence[District], value: Callable[[SensorNow, State], tuple[float, float] | None]
) -> dict[str, float]:
    """A weighted mean per district code over its sensors; `value` gives value and weight of one sensor."""
    sums: dict[int, list[float]] = {}
    for sensor in frame.sensors:
        state = frame.state(sensor)
        found = value(sensor, state) if state is not None and sensor.district_id is not None else None
        if found is not None and sensor.district_id is not None:
            total = sums.setdefault(sensor.district_id, [0.0, 0.0])
            total[0] += found[0] * found[1]
            total[1] += found[1]
    return {d.code: sums[d.id][0] / sums[d.id][1] for d in districts if sums.get(d.id, [0, 0])[1] > 0}


def district_congestion(frame: Frame, districts: Sequence[District]) -> dict[str, float]:
    """Speed ratio of all vehicles of a district together: travel time at free flow over travel time as driven."""
    codes = {d.id: d.code for d in districts}
    found: dict[str, list[tuple[float, float, float]]] = {}
    for sensor in frame.sensors:
        state, ratio, code = frame.state(sensor), frame.ratio(sensor), codes.get(sensor.district_id or 0)
        if state is not None and ratio is not None and code is not None and state.speed_kmh is not None:
            free = sensor.free_flow_kmh or np.nan
            found.setdefault(code, []).append((state.speed_kmh, free, state.flow_vph or np.nan))
    made = {}
    for code, rows in found.items():
        speed, free, flow = np.array(rows).T
        made[code] = float(joint_ratio(speed[:, None], free, flow[:, None])[0])
    return made


def district_load(frame: Frame, districts: Sequence[District]) -> dict[str, float]:
    """Power of a district's feeders over what they may carry together."""

    def value(sensor: SensorNow, state: State) -> tuple[float, float] | None:
        if state.power_kw is None or sensor.limit_kw is None:
            return None
        return state.power_kw / sensor.limit_kw, sensor.limit_kw

    return by_district(frame, districts, value)


def _measured(connection: Connection, moment: datetime) -> dict[int, State]:
    traffic = overview.traffic_at(connection, moment)
    states = {sensor: State(flow_vph=flow, speed_kmh=speed) for sensor, (flow, speed) in traffic.items()}
    return states | {sensor: State(power_kw=power) for sensor, power in overview.energy_at(connection, moment).items()}


def _forecast(connection: Connection, moment: datetime, now: datetime) -> dict[int, State]:
    facts = {"now": now, "start": moment, "end": moment + QUARTER}
    flow = _medians(overview.city_forecast(connection, "traffic", "flow_vph", **facts))
    speed = _medians(overview.city_forecast(connection, "traffic", "speed_kmh", **facts))
    power = _medians(overview.city_forecast(connection, "energy", "power_kw", **facts))
    chances = overview.city_chances(connection, **facts)
    likely = {int(s): tuple(row) for s, row in zip(chances.sensor_id, chances.values.tolist(), strict=True)}
    states = {
        s: State(flow_vph=flow.get(s), speed_kmh=speed.get(s), chances=likely.get(s))
        for s in flow.keys() | speed.keys()
    }
    return states | {sensor: State(power_kw=value) for sensor, value in power.items()}


def _medians(quantiles: overview.Quantiles) -> dict[int, float]:
    first = np.unique(quantiles.sensor_id, return_index=True)[1]
    return {int(quantiles.sensor_id[i]): float(quantiles.median[i]) for i in first}
