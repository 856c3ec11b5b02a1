"""The running city judged by the simulator's truth: what is stored, forecast and published is what happened, or will.

The synthetic city is a function of its seed and of time, so its future is known as well as its past.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
import pytest

from services.domain import to_us
from services.settings import load_settings
from simulators.city import City, build_city
from simulators.clock import day_of, local_midnight_us
from simulators.traffic import traffic_day
from simulators.truth import (
    bike_station_use,
    charging_energy,
    faulty,
    household_energy,
    noiseless_flow,
    vehicles_present,
)
from simulators.vehicles import HISTORY_REPORT_S, build_fleet

DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def truth(city: Any) -> City:
    """The same city as the one that runs: everything follows from the seed."""
    return build_city(load_settings({"city_timezone": city.zone.key}, join_running=False))


def stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def test_stored_readings_are_what_the_detectors_counted(city: Any, truth: City) -> None:
    yesterday = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - DAY
    counted = traffic_day(truth, day_of(to_us(yesterday)))
    trusted = [k for k, code in enumerate(truth.detectors.code) if code not in faulty(truth)]
    stored = 0
    for k in trusted[:20]:
        span = f"from={stamp(yesterday)}&to={stamp(yesterday + DAY)}&order=asc&limit=1000"
        rows = city.get(f"/api/v1/observations?sensor={truth.detectors.code[k]}&{span}")["data"]
        steps = [round((datetime.fromisoformat(row["observed_at"]) - yesterday).total_seconds()) // 300 for row in rows]
        stored += len(rows)
        assert [row["flow_vph"] for row in rows] == counted.flow_vph[steps, k].tolist()
    assert stored > 0.9 * 20 * 288  # the rest are gaps, which belong to the city


def test_congestion_that_happened_is_congestion_that_is_seen(city: Any, truth: City) -> None:
    """Where the simulator let a queue stand over a detector, its speed ratio is low, and nowhere else."""
    yesterday = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0) - DAY
    happened = traffic_day(truth, day_of(to_us(yesterday)))
    codes = {code: k for k, code in enumerate(truth.detectors.code)}
    with city.psql("arterial_api") as connection:
        rows = connection.execute(
            "SELECT s.code, extract(epoch FROM t.observed_at - %(start)s)::int / 300, t.speed_kmh / s.free_flow_kmh "
            "FROM sensing.traffic t JOIN sensing.sensor s ON s.id = t.sensor_id "
            "WHERE t.observed_at >= %(start)s AND t.observed_at < %(end)s AND t.flow_vph > 300",
            {"start": yesterday, "end": yesterday + DAY},
        ).fetchall()
    sound = [row for row in rows if row[0] not in faulty(truth)]
    seen = np.array([ratio < 0.65 for _, _, ratio in sound])
    true = np.array([happened.congested[step, codes[code]] for code, step, _ in sound])
    assert len(sound) > 10_000
    assert np.mean(seen == true) > 0.97


def test_forecasts_foresee_the_flow_better_than_the_same_time_last_week(city: Any, truth: City) -> None:
    def foreseen() -> list[Any]:
        """Of sound detectors and of times to come; nothing before the first round has come to most shards."""
        rows = city.get("/api/v1/forecasts?kind=traffic&quantity=flow_vph&limit=10000")["data"]
        sound = [row for row in rows if row["sensor"] not in faulty(truth)]
        ahead = [row for row in sound if datetime.fromisoformat(row["target_at"]) >= datetime.now(UTC)]
        return ahead if len(ahead) > 5_000 else []

    rows = city.eventually(foreseen, patience_s=120)
    number = {code: k for k, code in enumerate(truth.detectors.code)}
    true_flow = cache(lambda day: noiseless_flow(truth, day))
    measured = cache(lambda day: traffic_day(truth, day).flow_vph)

    def mean(flow: Any, moment: datetime, k: int) -> float:
        """Over a quarter of an hour at one detector."""
        step = (moment.hour * 60 + moment.minute) // 5
        return float(flow(day_of(to_us(moment)))[step : step + 3, k].mean())

    error, naive, inside = [], [], []
    for row in rows:
        target = datetime.fromisoformat(row["target_at"])
        k = number[row["sensor"]]
        happens = mean(true_flow, target, k)
        error.append(abs(row["q50"] - happens))
        naive.append(abs(mean(measured, target - 7 * DAY, k) - happens))
        inside.append(row["q05"] <= happens <= row["q95"])
    assert len(error) > 5_000
    assert np.mean(error) < np.mean(naive)
    assert np.mean(inside) > 0.8


def released(city: Any, plan: str) -> dict[str, Any]:
    """The newest release of a plan, once the worker has made it."""

    def newest() -> Any:
        with city.psql("arterial_api") as connection:
            return connection.execute(
                "SELECT release_key, day, threshold, ci95 FROM published.release WHERE plan = %s ORDER BY day DESC LIMIT 1",
                [plan],
            ).fetchone()

    found = city.eventually(newest, patience_s=30)
    assert found is not None
    return dict(zip(("key", "day", "threshold", "ci95"), found, strict=True))


def test_published_presence_is_near_the_truth_and_shows_no_empty_cell(city: Any, truth: City) -> None:
    release = released(city, "presence")
    true = vehicles_present(build_fleet(truth), release["day"], every_s=HISTORY_REPORT_S)
    with city.psql("arterial_api") as connection:
        shown = connection.execute(
            "SELECT to_hex(cell), hour, vehicles FROM published.presence WHERE release_key = %s AND vehicles IS NOT NULL",
            [release["key"]],
        ).fetchall()
    apart = [abs(vehicles - true[cell, to_us(hour)]) for cell, hour, vehicles in shown]
    volume = sum(vehicles for _, _, vehicles in shown)
    assert len(shown) > 50
    assert sum(apart) / volume < 0.25  # noise, and vehicles with more cell-hours than are counted
    assert sum(true[cell, to_us(hour)] == 0 for cell, hour, _ in shown) <= 2


def test_published_household_energy_is_the_sum_of_the_households(city: Any, truth: City) -> None:
    release = released(city, "district_energy")
    true = household_energy(truth, release["day"])
    with city.psql("arterial_api") as connection:
        shown = connection.execute(
            "SELECT d.code, e.energy_kwh, e.ci95_kwh FROM published.district_energy e "
            "JOIN sensing.district d ON d.id = e.district_id WHERE release_key = %s AND energy_kwh IS NOT NULL",
            [release["key"]],
        ).fetchall()
    assert shown
    within = [abs(kwh - true[code]) <= ci95 for code, kwh, ci95 in shown]
    assert sum(within) >= 0.7 * len(within)


def published_figures(city: Any, key: str, measure: str) -> list[tuple[str, str, float, float]]:
    """Place, part, value and half-width of what a release shows of a measure."""
    with city.psql("arterial_api") as connection:
        rows: list[tuple[str, str, float, float]] = connection.execute(
            "SELECT place, part, value, ci95 FROM published.figure "
            "WHERE release_key = %s AND measure = %s AND value IS NOT NULL",
            [key, measure],
        ).fetchall()
    return rows


def test_published_use_of_bike_stations_is_what_the_bicycles_did(city: Any, truth: City) -> None:
    release = released(city, "bike_stations")
    true = bike_station_use(truth, release["day"])
    shown = published_figures(city, release["key"], "trips")
    assert len(shown) > 0.6 * len(true)
    within = [abs(value - true[place, part]) <= ci95 for place, part, value, ci95 in shown]
    assert sum(within) >= 0.8 * len(within)


def test_published_charging_is_what_the_sessions_drew(city: Any, truth: City) -> None:
    """Of the sessions that began on the day; a few may still charge when it is released, and the largest count with 60 kWh."""
    release = released(city, "charging")
    true = charging_energy(truth, release["day"])
    shown = published_figures(city, release["key"], "energy_kwh")
    assert len(shown) >= 6
    within = [abs(value - true[place][1]) <= ci95 + 0.05 * true[place][1] for place, _, value, ci95 in shown]
    assert sum(within) >= 0.6 * len(within)


@pytest.mark.parametrize("plan", ["origin_destination", "trip_lengths"])
def test_trips_are_published_too(city: Any, plan: str) -> None:
    release = released(city, plan)
    assert len(published_figures(city, release["key"], "trips")) >= 3


def test_personal_rows_are_gone_from_all_but_their_two_days(city: Any) -> None:
    """The oldest personal row is younger than the retention allows, and no identifier of a vehicle is stored anywhere."""
    with city.psql() as connection:
        oldest = connection.execute("SELECT min(observed_at) FROM personal.position").fetchone()
        named = connection.execute(
            "SELECT count(*) FROM sensing.sensor WHERE code LIKE 'veh-%' OR code LIKE 'hh-%'"
        ).fetchone()
    assert oldest is not None
    first_day = datetime.now(city.zone).date() - timedelta(days=2)
    assert to_us(oldest[0]) >= local_midnight_us(first_day, city.zone)
    assert named == (0,)
