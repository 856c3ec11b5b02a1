"""Code concerned with reading the register of fixed sensors, and the districts and layers the map draws."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from psycopg.rows import class_row

from services.domain import Kind
from services.storage.database import Connection
from services.storage.queries import query


@dataclass(frozen=True, kw_only=True, slots=True)
class Sensor:
    """One sensor as it described itself, and how old its newest observation is; unknown facts are None.

    A sensor is silent when its newest observation began longer ago than three of its steps, and at least 15 minutes.
    """

    sensor: str
    kind: str
    name: str | None
    lon: float | None
    lat: float | None
    unit: str | None
    district: str | None
    road: str | None
    free_flow_kmh: float | None
    capacity_vph: float | None
    limit_kw: float | None
    step_seconds: int | None
    described: bool
    online: bool | None
    status_at: datetime | None
    registered_at: datetime
    latest_observed_at: datetime | None
    age_seconds: float | None
    silence_limit_seconds: int
    silent: bool


def list_sensors(
    connection: Connection,
    *,
    kind: Kind | None = None,
    district: str | None = None,
    described: bool | None = None,
    words: str | None = None,
    after: str = "",
    limit: int,
) -> list[Sensor]:
    """Up to `limit` sensors in order of their code, beginning after the code `after`.

    Args:
        connection: a connection that may read schema sensing.
        kind: only sensors of this kind.
        district: only sensors of the district of this code.
        described: only sensors whose meta message has, or has not, arrived.
        words: only sensors with this text in code, name or road, in any case.
        after: the last code of the page before; empty for the first page.
        limit: most sensors to return.

    """
    return _sensors(
        connection, kind=kind, district=district, described=described, words=words, after=after, limit=limit
    )


def find_sensor(connection: Connection, code: str) -> Sensor | None:
    """The sensor of this code, or None."""
    found = _sensors(connection, code=code, limit=1)
    return found[0] if found else None


def _sensors(
    connection: Connection,
    *,
    limit: int,
    kind: Kind | None = None,
    district: str | None = None,
    described: bool | None = None,
    words: str | None = None,
    code: str | None = None,
    after: str = "",
) -> list[Sensor]:
    with connection.cursor(row_factory=class_row(Sensor)) as cursor:
        cursor.execute(
            query("sensors", "list"),
            {
                "kind": kind,
                "district": district,
                "described": described,
                "words": words,
                "code": code,
                "after": after,
                "limit": limit,
            },
        )
        return cursor.fetchall()


def resolve(connection: Connection, codes: list[str]) -> dict[str, tuple[int, Kind]]:
    """Number and kind by code of those of `codes` that exist."""
    rows = connection.execute(query("sensors", "resolve"), [codes]).fetchall()
    return {code: (number, Kind(kind)) for code, number, kind in rows}


def places(connection: Connection, kind: Kind | None = None) -> dict[str, tuple[float | None, float | None]]:
    """Longitude and latitude by code of every sensor, of one kind or of all."""
    rows = connection.execute(query("sensors", "places"), {"kind": kind}).fetchall()
    return {code: (lon, lat) for code, lon, lat in rows}


def district_features(connection: Connection) -> str:
    """The districts as the text of one GeoJSON FeatureCollection; empty when the city has none."""
    row = connection.execute(query("sensors", "district_features")).fetchone()
    return str(row[0]) if row else ""


def layer_features(connection: Connection, layer: str) -> str | None:
    """The text of the GeoJSON FeatureCollection of layer `roads` or `water`, or None when the city has no such layer."""
    row = connection.execute(query("sensors", "layer_features"), [layer]).fetchone()
    return None if row is None else str(row[0])
