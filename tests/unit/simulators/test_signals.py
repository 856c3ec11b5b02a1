"""What the city's devices see: physics, the calendar, weather, and the same values whenever and however they are asked."""

from __future__ import annotations

from datetime import UTC, date, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from services.domain import Kind, to_us
from services.settings import load_settings
from simulators.city import City, build_city
from simulators.clock import DAY_US, day_of, local_time
from simulators.energy import FeederMeters, feeder_power
from simulators.environment import environment_day
from simulators.fundamental_diagram import EFFECTIVE_LENGTH_KM, JAM_DENSITY, FundamentalDiagram
from simulators.households import district_energy, household_day
from simulators.incidents import incidents_of
from simulators.sensors import FEEDER_TYPES
from simulators.traffic import TrafficDay, day_shape, diagram_of, traffic_day
from simulators.weather import weather_at

WEDNESDAY, SATURDAY, SUNDAY = (day_of(to_us(datetime(2026, 11, day, tzinfo=UTC))) for day in (18, 21, 22))
UNITY_DAY = day_of(to_us(datetime(2025, 10, 3, tzinfo=UTC)))  # a Friday, and a public holiday in Germany


@pytest.fixture(scope="module")
def city() -> City:
    return build_city(load_settings())


@pytest.fixture(scope="module")
def wednesday(city: City) -> TrafficDay:
    return traffic_day(city, WEDNESDAY)


def test_a_diagram_holds_its_definition() -> None:
    diagram = FundamentalDiagram(free_flow_kmh=np.array([80.0]), lane_capacity_vph=np.array([1_900.0]))
    assert diagram.flow(diagram.critical_density)[0] == pytest.approx(1_900)
    assert diagram.flow(np.array([JAM_DENSITY]))[0] == pytest.approx(0)
    for congested in (False, True):
        density = diagram.density(np.array([1_200.0]), np.array([congested]))
        assert diagram.flow(density)[0] == pytest.approx(1_200)
        assert (density > diagram.critical_density)[0] == congested


def test_every_true_state_lies_on_the_diagram(city: City, wednesday: TrafficDay) -> None:
    lanes = city.detectors.lanes
    expected = diagram_of(city).flow(wednesday.true_density) * lanes
    assert np.allclose(expected, wednesday.true_flow_vph, rtol=1e-9, atol=1e-6)
    assert (wednesday.true_density > diagram_of(city).critical_density * (1 - 1e-9))[wednesday.congested].all()


def test_measured_flow_stays_below_capacity_and_agrees_with_occupancy(city: City, wednesday: TrafficDay) -> None:
    assert (wednesday.flow_vph <= city.detectors.capacity_vph).all()
    moving = wednesday.flow_vph > 0
    density = wednesday.flow_vph[moving] / wednesday.speed_kmh[moving]
    lanes = np.broadcast_to(city.detectors.lanes, moving.shape)[moving]
    implied = np.minimum(density / lanes * EFFECTIVE_LENGTH_KM, 1)
    assert np.allclose(implied, wednesday.occupancy[moving], atol=1e-3)
    assert np.isnan(wednesday.speed_kmh[~moving]).all()
    assert (wednesday.occupancy[~moving] == 0).all()


def test_speed_falls_as_occupancy_rises(city: City) -> None:
    days = [traffic_day(city, WEDNESDAY + offset) for offset in (-1, 0, 1)]
    ratio = np.concatenate([day.speed_kmh / city.detectors.free_flow_kmh for day in days]).ravel()
    occupancy = np.concatenate([day.occupancy for day in days]).ravel()
    classes = [(0, 0.03), (0.03, 0.08), (0.15, 0.3), (0.3, 0.6), (0.6, 1.01)]
    means = [np.nanmean(ratio[(occupancy > low) & (occupancy <= high)]) for low, high in classes]
    assert all(a > b for a, b in pairwise(means)), means
    assert means[0] > 0.9
    assert means[-1] < 0.2


def test_working_days_have_two_peaks_and_press_towards_the_centre_in_the_morning(
    city: City, wednesday: TrafficDay
) -> None:
    local = local_time(wednesday.times_us, city.zone, city.country, city.region)

    def mean(hour: float, towards: float) -> float:
        chosen = np.abs(local.hour - hour) < 0.5
        return float(wednesday.demand_vph[chosen][:, city.detectors.pressure == towards].mean())

    for towards in (1.0, 0.0, -1.0):
        assert mean(17, towards) > 1.2 * mean(13, towards) or mean(7.7, towards) > 1.2 * mean(13, towards)
        assert mean(3, towards) < 0.2 * mean(13, towards)
    assert mean(7.7, 1.0) > 1.2 * mean(7.7, -1.0)
    assert mean(17, -1.0) > 1.2 * mean(17, 1.0)
    assert wednesday.congested.mean() > 0.005


def test_weekends_and_holidays_are_quieter(city: City, wednesday: TrafficDay) -> None:
    working = wednesday.demand_vph.mean()
    assert 0.6 < traffic_day(city, SATURDAY).demand_vph.mean() / working < 0.9
    assert 0.4 < traffic_day(city, SUNDAY).demand_vph.mean() / working < 0.75
    friday = traffic_day(city, UNITY_DAY + 7).demand_vph.mean()
    assert traffic_day(city, UNITY_DAY).demand_vph.mean() < 0.75 * friday


def test_an_incident_is_seen_and_known(city: City) -> None:
    found = 0
    for day in range(WEDNESDAY - 6, WEDNESDAY + 1):
        seen = traffic_day(city, day)
        for incident in incidents_of(city, day):
            assert 20 * 60e6 <= incident.ends_us - incident.starts_us <= 90 * 60e6
            assert day * DAY_US <= incident.starts_us < incident.ends_us <= (day + 1) * DAY_US
            during = (seen.times_us >= incident.starts_us + 900_000_000) & (seen.times_us < incident.ends_us)
            if not seen.congested[during, incident.detector].any():
                continue
            found += 1
            slow = np.nanmin(seen.speed_kmh[during, incident.detector])
            assert slow < 0.5 * city.detectors.free_flow_kmh[incident.detector]
    assert found > 5


def test_values_do_not_depend_on_what_was_asked_before(city: City) -> None:
    again = build_city(load_settings())
    assert np.array_equal(traffic_day(city, SUNDAY).flow_vph, traffic_day(again, SUNDAY).flow_vph)
    meters, fresh = FeederMeters(city), FeederMeters(again)
    meters.day(WEDNESDAY - 3)
    meters.day(WEDNESDAY - 9)
    assert np.array_equal(meters.day(WEDNESDAY).energy_kwh, fresh.day(WEDNESDAY).energy_kwh)
    times = np.arange(5, dtype=np.int64) * 3_600_000_000 + WEDNESDAY * DAY_US
    assert np.array_equal(weather_at(city, times).temperature_c[2:3], weather_at(city, times[2:3]).temperature_c)


def test_signals_pass_midnight_without_a_jump(city: City) -> None:
    before, after = feeder_power(city, WEDNESDAY), feeder_power(city, WEDNESDAY + 1)
    usual = np.abs(np.diff(before, axis=0)).mean(axis=0)
    assert np.median(np.abs(after[0] - before[-1]) / usual) < 4


def test_feeders_answer_to_sun_cold_working_days_and_the_evening(city: City) -> None:
    kind = city.feeders.kind
    summer = feeder_power(city, day_of(to_us(datetime(2026, 6, 17, tzinfo=UTC))), 7).reshape(7, 96, -1)
    winter = feeder_power(city, day_of(to_us(datetime(2026, 1, 14, tzinfo=UTC))), 7).reshape(7, 96, -1)
    solar, homes = kind == FEEDER_TYPES.index("solar"), kind == FEEDER_TYPES.index("residential")
    shops, cars = kind == FEEDER_TYPES.index("commercial"), kind == FEEDER_TYPES.index("charging")
    assert summer[:, 44, solar].mean() < summer[:, 80, solar].mean() - 100  # noon against evening: roofs
    assert winter[..., homes].mean() > 1.15 * summer[..., homes].mean()
    working, sunday = feeder_power(city, WEDNESDAY), feeder_power(city, SUNDAY)
    assert working[:, shops].mean() > 1.4 * sunday[:, shops].mean()
    assert working[72:80, cars].mean() > 2 * working[44:52, cars].mean()
    assert (np.concatenate([summer, winter]).max(axis=(0, 1)) < city.feeders.limit_kw).all()


def test_registers_count_what_was_drawn_and_never_run_back(city: City) -> None:
    meters = FeederMeters(city)
    first, second = meters.day(WEDNESDAY), meters.day(WEDNESDAY + 1)
    register = np.concatenate([first.energy_kwh, second.energy_kwh])
    assert (np.diff(register, axis=0) >= -1e-9).all()
    drawn = np.maximum(second.power_kw, 0).sum(axis=0) / 4
    assert np.allclose(register[-1] - register[95], drawn, atol=0.02)
    assert np.isnan(meters.day(day_of(to_us(datetime(2025, 12, 31, tzinfo=UTC)))).energy_kwh).all()


def test_weather_and_air_are_plausible_all_year(city: City) -> None:
    hours = (
        np.arange(365 * 24, dtype=np.int64) * 3_600_000_000 + day_of(to_us(datetime(2026, 1, 1, tzinfo=UTC))) * DAY_US
    )
    weather = weather_at(city, hours)
    assert -22 < weather.temperature_c.min() < 0
    assert 26 < weather.temperature_c.max() < 41
    assert 8 < weather.temperature_c.mean() < 12
    assert 0.03 < np.mean(weather.rain_mm_h > 0.1) < 0.3
    assert 600 < weather.radiation_wm2.max() < 950
    air = environment_day(city, WEDNESDAY)
    assert (air.humidity_percent <= 100).all()
    assert (air.pm2_5_ug_m3 > 0).all()
    centre, edge = int(np.argmax(city.stations.urban)), int(np.argmin(city.stations.urban))
    assert air.noise_db[:, centre].mean() > air.noise_db[:, edge].mean() + 3


def test_households_use_what_households_use(city: City) -> None:
    day = household_day(city, WEDNESDAY)
    daily = day.energy_kwh.sum(axis=0)
    assert (day.energy_kwh >= 0).all()
    assert 5 < np.median(daily) < 12
    local = date(2026, 11, 18)
    assert district_energy(city, local).sum() == pytest.approx(daily.sum(), rel=0.05)
    assert (np.bincount(city.households.district) >= 63).all()  # what a daily total with 5 % noise needs


def test_kinds_have_the_steps_they_are_said_to_have(city: City) -> None:
    from simulators.series import STEP_S, Devices

    devices = Devices(city)
    assert STEP_S[Kind.TRAFFIC] == 300
    assert STEP_S[Kind.ENERGY] == 900
    for kind, step in STEP_S.items():
        assert (np.diff(devices.day(kind, WEDNESDAY).times_us) == step * 1_000_000).all()


def test_demand_does_not_jump_at_midnight() -> None:
    """From a Sunday into a Monday, and from a Friday into a Saturday, a step changes demand by little."""
    zone = ZoneInfo("Europe/Berlin")
    for midnight in (datetime(2026, 11, 23, tzinfo=zone), datetime(2026, 11, 21, tzinfo=zone)):
        times_us = to_us(midnight) + np.arange(-12, 12) * 300_000_000
        shape = day_shape(local_time(times_us, zone, "DE", "BE"), 0.0)
        assert np.abs(np.diff(shape)).max() < 0.02
