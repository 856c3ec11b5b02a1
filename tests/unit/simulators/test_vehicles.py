"""Vehicles drive on roads, at speeds roads allow, in numbers that can be published where the city is dense."""

from __future__ import annotations

from collections import defaultdict
from datetime import date

import h3
import numpy as np
import pytest
from scipy.spatial import cKDTree

from services.settings import load_settings
from simulators.city import City, build_city
from simulators.clock import local_midnight_us
from simulators.truth import PRESENCE_RESOLUTION, vehicles_present
from simulators.vehicles import HISTORY_REPORT_S, REPORT_S, Fleet, build_fleet, messages_of, positions_of, trips_of

FRIDAY = date(2026, 11, 20)


@pytest.fixture(scope="module")
def city() -> City:
    return build_city(load_settings())


@pytest.fixture(scope="module")
def fleet(city: City) -> Fleet:
    return build_fleet(city)


def test_trips_chain_and_do_not_overlap(fleet: Fleet) -> None:
    trips = trips_of(fleet, FRIDAY)
    same = trips.vehicle[1:] == trips.vehicle[:-1]
    arrives = trips.departs_s + trips.seconds
    assert (trips.departs_s[1:][same] >= arrives[:-1][same]).all()
    assert 22_000 < len(np.unique(trips.vehicle)) < 26_000
    assert arrives.max() < 86_400


def test_positions_lie_on_roads_within_the_local_day(city: City, fleet: Fleet) -> None:
    found = positions_of(fleet, FRIDAY, every_s=HISTORY_REPORT_S)
    start = local_midnight_us(FRIDAY, city.zone)
    assert found.times_us[0] >= start
    assert found.times_us[-1] < start + 86_400_000_000
    assert (np.diff(found.times_us) >= 0).all()
    assert found.speed_kmh.min() >= 0
    assert found.speed_kmh.max() < 90
    samples = city.roads.nodes[city.roads.ends]
    along = samples[:, :1] + np.linspace(0, 1, 25)[:, None] * (samples[:, 1:] - samples[:, :1])
    roads = cKDTree(city.degrees(along.reshape(-1, 2)) * [0.602, 1.0])
    apart, _ = roads.query(found.degrees[:5_000] * [0.602, 1.0])
    assert np.percentile(apart * 111.2, 99) < 0.05


def test_history_keeps_every_fifth_of_the_live_positions(fleet: Fleet) -> None:
    live, kept = positions_of(fleet, FRIDAY), positions_of(fleet, FRIDAY, every_s=HISTORY_REPORT_S)
    keys = [one.vehicle * 10**6 + (one.times_us - live.times_us[0]) // 1_000_000 for one in (live, kept)]
    order = np.argsort(keys[0], kind="stable")
    same = order[np.searchsorted(keys[0][order], keys[1])]
    assert np.array_equal(keys[0][same], keys[1])
    assert np.array_equal(live.degrees[same], kept.degrees)
    assert 3 < len(live.vehicle) / len(kept.vehicle) < 5.5
    assert REPORT_S * 5 == HISTORY_REPORT_S


def test_true_counts_equal_those_of_the_messages_sent(city: City, fleet: Fleet) -> None:
    import orjson

    until_us = local_midnight_us(FRIDAY, city.zone) + 9 * 3_600_000_000
    found = positions_of(fleet, FRIDAY, every_s=HISTORY_REPORT_S)
    seen: dict[tuple[str, int], set[str]] = defaultdict(set)
    for topic, payload in messages_of(found, 0, until_us):
        items = orjson.loads(payload)
        for item in items if isinstance(items, list) else [items]:
            cell = h3.latlng_to_cell(item["lat"], item["lon"], PRESENCE_RESOLUTION)
            seen[cell, item["ts"] // 3_600_000 * 3_600_000_000].add(topic.split("/")[3])
    truth = vehicles_present(fleet, FRIDAY, every_s=HISTORY_REPORT_S, until_us=until_us)
    assert truth == {key: len(vehicles) for key, vehicles in seen.items()}


def test_the_centre_is_dense_enough_to_publish(city: City, fleet: Fleet) -> None:
    """Presence at seven tenths of epsilon 1 publishes from about 130 vehicles per cell and hour."""
    truth = vehicles_present(fleet, FRIDAY, every_s=HISTORY_REPORT_S)
    start = local_midnight_us(FRIDAY, city.zone)
    lon, lat = city.degrees(np.zeros((1, 2)))[0]
    middle = h3.grid_disk(h3.latlng_to_cell(lat, lon, PRESENCE_RESOLUTION), 2)
    for hour in (7, 8, 12, 17):
        counts = [truth[cell, start + hour * 3_600_000_000] for cell in middle]
        assert np.mean(np.array(counts) >= 130) > 0.5, (hour, sorted(counts))
