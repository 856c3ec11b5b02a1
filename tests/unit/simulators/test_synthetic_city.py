"""The synthetic city: the same for the same seed, a true partition, a connected network, every device in its district."""

from __future__ import annotations

import json

import numpy as np
import pytest
from scipy.sparse.csgraph import connected_components

from services.settings import Settings, load_settings
from simulators.city import City, build_city, districts_geojson, roads_geojson, water_geojson
from simulators.districts import district_of
from simulators.geometry import inside, signed_area


@pytest.fixture(scope="module")
def city() -> City:
    return build_city(load_settings())


def test_same_seed_same_city_other_seed_other_city(city: City) -> None:
    again, other = build_city(load_settings()), build_city(load_settings(), seed=8)
    assert json.dumps(roads_geojson(city)) == json.dumps(roads_geojson(again))
    assert np.array_equal(city.households.yearly_kwh, again.households.yearly_kwh)
    assert json.dumps(districts_geojson(city)) != json.dumps(districts_geojson(other))


@pytest.mark.parametrize("seed", [1, 7, 8, 2026])
def test_districts_cover_the_city_and_do_not_overlap(seed: int) -> None:
    made = build_city(load_settings(), seed=seed)
    points = np.random.default_rng(0).uniform(-8, 8, (20_000, 2))
    count = sum(inside(points, district.ring).astype(int) for district in made.districts)
    within = inside(points, made.terrain.outline)
    assert np.mean(count[within] == 1) > 0.99  # the traced outline differs from the drawn one by half a grid cell
    assert np.mean(count > 1) < 2e-4
    assert np.mean(count[~within]) < 0.01
    total = sum(district.area_km2 for district in made.districts)
    assert total == pytest.approx(abs(signed_area(made.terrain.outline)), rel=0.01)
    assert min(district.area_km2 for district in made.districts) > 1.5


def test_the_river_is_a_border(city: City) -> None:
    for district in city.districts:
        well_inside = np.random.default_rng(1).uniform(-7, 7, (5_000, 2))
        well_inside = well_inside[inside(well_inside, district.ring)]
        north = city.terrain.north_of_river(well_inside).mean()
        assert north < 0.03 or north > 0.97


def test_the_network_is_connected_and_large_enough(city: City) -> None:
    pieces, _ = connected_components(city.roads.matrix(), directed=False)
    assert pieces == 1
    assert len(city.roads.nodes) > 600
    assert set(city.roads.kind) == {0, 1, 2, 3}
    size = city.terrain.outline.max(axis=0) - city.terrain.outline.min(axis=0)
    assert 11 < size[0] < 17
    assert 10 < size[1] < 15


@pytest.mark.parametrize("seed", [1, 7, 2026])
def test_every_device_stands_in_its_district(seed: int) -> None:
    made = build_city(load_settings(), seed=seed)
    assert len(made.detectors.code) >= 120
    assert len(made.feeders.code) >= 40
    assert len(made.stations.code) >= 10
    assert len(made.households.code) == 1_200
    for devices in (made.feeders, made.stations):
        assert np.array_equal(district_of(devices.position, made.districts), devices.district)
    # Where a road leaves the city its detectors may stand a few metres outside, and count for the district they serve.
    stands_in = district_of(made.detectors.position, made.districts)
    assert np.array_equal(stands_in[stands_in >= 0], made.detectors.district[stands_in >= 0])
    assert np.mean(stands_in >= 0) > 0.95
    assert made.detectors.district.min() >= 0


def test_codes_are_unique_and_fit_topics(city: City) -> None:
    codes = [*city.detectors.code, *city.feeders.code, *city.stations.code, *city.households.code]
    assert len(set(codes)) == len(codes)
    assert all(code.replace("-", "").isalnum() and code == code.lower() for code in codes)


def test_geojson_is_valid_and_lies_near_its_centre(city: City) -> None:
    for maps in (districts_geojson(city), roads_geojson(city), water_geojson(city)):
        assert maps["type"] == "FeatureCollection"
        assert maps["features"]
    for feature in districts_geojson(city)["features"]:
        (ring,) = feature["geometry"]["coordinates"]
        assert ring[0] == ring[-1]
        assert signed_area(np.array(ring[:-1])) > 0  # counter-clockwise, RFC 7946
        assert all(abs(lon - city.frame.lon) < 0.2 and abs(lat - city.frame.lat) < 0.1 for lon, lat in ring)
    classes = {feature["properties"]["class"] for feature in roads_geojson(city)["features"]}
    assert classes == {"ring", "arterial", "collector", "street"}


def test_the_calendar_comes_from_the_settings() -> None:
    settings: Settings = load_settings({"city_timezone": "Europe/Vienna", "city_country": "AT", "city_region": None})
    city = build_city(settings)
    assert (city.zone.key, city.country, city.region) == ("Europe/Vienna", "AT", None)
