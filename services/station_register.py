"""Code concerned with files of stations: a GBFS `station_information`, or a CSV with code, name, lon and lat."""

from __future__ import annotations

import csv
import io
import math
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson

from services.errors import InputError, reason
from services.storage.stations import Station

_NEEDED = ("code", "lon", "lat")


def read_stations(path: Path, outlines: list[tuple[int, dict[str, Any]]]) -> list[Station]:
    """The stations of a file, each with the district that it lies in.

    Args:
        path: GBFS (https://gbfs.org, all versions) where it ends in .json, else CSV with one header row.
        outlines: number and GeoJSON outline of each district.

    Raises:
        InputError: it is no such file; the message says where.

    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        message = f"{path} cannot be read: {reason(error)}"
        raise InputError(message) from error
    rows = _gbfs(text, path) if path.suffix == ".json" else _csv(text, path)
    found = [_station(row, outlines, f"{path}, station {place + 1}") for place, row in enumerate(rows)]
    if len({one.code for one in found}) < len(found):
        message = f"{path} has a station twice"
        raise InputError(message)
    return found


def _gbfs(text: str, path: Path) -> list[dict[str, Any]]:
    try:
        rows = orjson.loads(text)["data"]["stations"]
        return [{"code": row["station_id"], "name": _name(row), "lon": row["lon"], "lat": row["lat"]} for row in rows]
    except (ValueError, KeyError, TypeError) as error:
        message = f"{path} is no GBFS station_information: {reason(error)}"
        raise InputError(message) from error


def _name(row: dict[str, Any]) -> Any:
    """Since GBFS 3 a name is a list of texts in several languages."""
    name = row.get("name")
    return name[0]["text"] if isinstance(name, list) and name else name


def _csv(text: str, path: Path) -> list[dict[str, Any]]:
    reader = csv.DictReader(io.StringIO(text))
    missing = [name for name in _NEEDED if name not in (reader.fieldnames or [])]
    if missing:
        message = f"{path} has no column {' and '.join(missing)}: code, lon and lat are needed, name if known"
        raise InputError(message)
    return list(reader)


def _station(row: dict[str, Any], outlines: list[tuple[int, dict[str, Any]]], where: str) -> Station:
    try:
        lon, lat = float(row["lon"]), float(row["lat"])
    except (ValueError, TypeError):
        lon = lat = math.nan
    code = row["code"]
    if not (-180 <= lon <= 180 and -90 <= lat <= 90) or not isinstance(code, str) or not 1 <= len(code) <= 100:
        message = f"{where}: a code of up to 100 characters, a longitude and a latitude are expected"
        raise InputError(message)
    district = next((number for number, outline in outlines if _within(lon, lat, outline)), None)
    name = row.get("name")
    return Station(
        code=code, name=name if isinstance(name, str) and name else code, lon=lon, lat=lat, district_id=district
    )


def _within(lon: float, lat: float, outline: dict[str, Any]) -> bool:
    """Whether a point lies in a GeoJSON Polygon or MultiPolygon, by how many edges a line to the east crosses."""
    polygons = [outline["coordinates"]] if outline["type"] == "Polygon" else outline["coordinates"]
    crossings = 0
    for polygon in polygons:
        for ring in polygon:
            for (x, y), (u, v) in pairwise(ring):
                crossings += (y > lat) != (v > lat) and lon < x + (lat - y) / (v - y) * (u - x)
    return crossings % 2 == 1
