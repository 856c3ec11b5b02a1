"""Code concerned with what the map stands on: districts and layers, and how far the city's history reaches."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

import orjson

from services.storage.database import Connection
from services.storage.queries import query


def put_districts(connection: Connection, districts: Iterable[tuple[str, str, dict[str, Any]]]) -> None:
    """Write districts, replacing those of the same code. Needs the owner.

    Args:
        connection: as the owner; committed by the caller.
        districts: code, name, and outline as a GeoJSON Polygon or MultiPolygon.

    """
    rows = [(code, name, orjson.dumps(outline).decode()) for code, name, outline in districts]
    with connection.cursor() as cursor:
        cursor.executemany(query("places", "put_district"), rows)


def put_layer(connection: Connection, name: str, features: dict[str, Any]) -> None:
    """Write the layer `roads` or `water`, a GeoJSON FeatureCollection, replacing what was there. Needs the owner."""
    connection.execute(query("places", "put_layer"), [name, orjson.dumps(features).decode()])


def has_districts(connection: Connection) -> bool:
    """Whether any district was written."""
    row = connection.execute(query("places", "has_districts")).fetchone()
    return row is not None and bool(row[0])


def newest_traffic(connection: Connection) -> datetime | None:
    """The stamp of the newest traffic observation of any sensor, None when there is none."""
    row = connection.execute(query("places", "newest_traffic")).fetchone()
    return row[0] if row else None
