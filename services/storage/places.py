"""Code concerned with writing what the map stands on: districts and layers."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import orjson

from services.storage.database import Connection
from services.storage.queries import query


def put_districts(connection: Connection, districts: Iterable[tuple[str, str, dict[str, Any], int | None]]) -> None:
    """Write districts, replacing those of the same code. Needs the owner.

    Args:
        connection: as the owner; committed by the caller.
        districts: code, name, outline as a GeoJSON Polygon or MultiPolygon, and homes by the public register if known.

    """
    rows = [(code, name, orjson.dumps(outline).decode(), homes) for code, name, outline, homes in districts]
    with connection.cursor() as cursor:
        cursor.executemany(query("places", "put_district"), rows)


def put_layer(connection: Connection, name: str, features: dict[str, Any]) -> None:
    """Write the layer `roads` or `water`, a GeoJSON FeatureCollection, replacing what was there. Needs the owner."""
    connection.execute(query("places", "put_layer"), [name, orjson.dumps(features).decode()])
