"""Code concerned with the synthetic city as a whole: an invented place, the same for the same seed, and its maps.

Arvenau does not exist. It lies in the plain north of Berlin, keeps the calendar of the settings and is about 14 × 12 km.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from services.settings import Settings
from simulators.districts import District, make_districts
from simulators.geometry import Frame, collection, feature
from simulators.public_places import Places, place_chargers, place_docks
from simulators.roads import CLASSES, Roads, make_roads
from simulators.sensors import (
    Detectors,
    Feeders,
    Households,
    Stations,
    place_detectors,
    place_feeders,
    place_households,
    place_stations,
)
from simulators.streams import Floats
from simulators.terrain import Terrain, make_terrain

DEFAULT_SEED = 7
_FRAME = Frame(lon=12.55, lat=52.98)


@dataclass(frozen=True, kw_only=True, slots=True)
class City:
    """Everything about the city that does not change with time."""

    seed: int
    zone: ZoneInfo
    country: str
    region: str | None
    frame: Frame
    terrain: Terrain
    districts: tuple[District, ...]
    roads: Roads
    detectors: Detectors
    feeders: Feeders
    stations: Stations
    households: Households
    docks: Places
    chargers: Places

    def degrees(self, km: Floats) -> Floats:
        """Longitude and latitude (n, 2) of points (n, 2) in km about the centre."""
        return self.frame.to_degrees(km)


def build_city(settings: Settings, seed: int = DEFAULT_SEED) -> City:
    """The city of that seed, keeping the calendar of the settings. Takes about half a second."""
    terrain = make_terrain(seed)
    districts = make_districts(seed, terrain)
    roads = make_roads(seed, terrain, districts)
    return City(
        seed=seed,
        zone=settings.zone,
        country=settings.city_country,
        region=settings.city_region,
        frame=_FRAME,
        terrain=terrain,
        districts=districts,
        roads=roads,
        detectors=place_detectors(seed, roads, districts),
        feeders=place_feeders(seed, terrain, districts),
        stations=place_stations(seed, terrain, districts),
        households=place_households(seed, districts),
        docks=place_docks(seed, roads, districts),
        chargers=place_chargers(seed, roads, districts, settings.city_country),
    )


def outline_of(city: City, district: District) -> dict[str, Any]:
    """The GeoJSON Polygon of one district."""
    return {"type": "Polygon", "coordinates": [city.frame.ring(district.ring)]}


def districts_geojson(city: City) -> dict[str, Any]:
    """The districts as a FeatureCollection with properties `code`, `name` and `character`."""
    return collection(
        [
            {
                "type": "Feature",
                "id": district.code,
                "geometry": outline_of(city, district),
                "properties": {"code": district.code, "name": district.name, "character": district.character},
            }
            for district in city.districts
        ]
    )


def roads_geojson(city: City) -> dict[str, Any]:
    """All roads as LineStrings with properties `class` (ring, arterial, collector, street) and `name`, least first."""
    roads = city.roads
    course = city.degrees(roads.line.reshape(-1, 2)).round(6).reshape(roads.line.shape)
    features = []
    for kind in reversed(range(len(CLASSES))):
        straight = CLASSES[kind] == "street"
        for edge in np.flatnonzero(roads.kind == kind):
            line = course[edge, ::4] if straight else course[edge]
            features.append(feature("LineString", line.tolist(), **{"class": CLASSES[kind]}, name=roads.name[edge]))
    return collection(features)


def water_geojson(city: City) -> dict[str, Any]:
    """River, harbour and lakes as Polygons with property `class`."""
    terrain = city.terrain
    parts = [("river", terrain.river), ("harbour", terrain.harbour), *(("lake", lake) for lake in terrain.lakes)]
    return collection([feature("Polygon", [city.frame.ring(ring)], **{"class": name}) for name, ring in parts])
