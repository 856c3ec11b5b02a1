"""Code concerned with reading observations: one window of one kind, by page or as a stream, raw or rolled up.

A window is half-open, [start, end), in `observed_at`. Rows are ordered by time, then sensor, then quantity, so that a
position in that order is a place to go on from whatever arrives meanwhile.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Literal

from psycopg import sql
from psycopg.rows import class_row

from services.domain import Kind
from services.storage.database import Connection
from services.storage.queries import query

Row = tuple[Any, ...]

KEY_COLUMNS: Final = ("sensor_id", "lon", "lat")
"""Leading columns of every row that place it in the order and on the map."""

_STREAM_ROWS: Final = 5_000
_TABLES: Final = {Kind.TRAFFIC: "traffic", Kind.ENERGY: "energy", Kind.ENVIRONMENT: "observation"}
_SHARED: Final = ("sensor_id", "lon", "lat", "sensor", "kind", "observed_at")
_RAW: Final = {
    Kind.TRAFFIC: (*_SHARED, "received_at", "flow_vph", "speed_kmh", "occupancy", "quality"),
    Kind.ENERGY: (*_SHARED, "received_at", "power_kw", "energy_kwh", "quality"),
    Kind.ENVIRONMENT: (*_SHARED, "received_at", "quantity", "value", "quality"),
}
_ROLLED: Final = {
    Kind.TRAFFIC: (*_SHARED, "flow_vph", "speed_kmh", "occupancy", "rows", "good"),
    Kind.ENERGY: (*_SHARED, "power_kw", "peak_kw", "energy_kwh", "rows", "good"),
    Kind.ENVIRONMENT: (*_SHARED, "quantity", "value", "lowest", "highest", "rows", "good"),
}


class Resolution(StrEnum):
    """Single readings, or their means over 15 minutes or an hour."""

    RAW = "raw"
    QUARTER = "15min"
    HOUR = "hour"


@dataclass(frozen=True, kw_only=True, slots=True)
class Position:
    """The place of one row in reading order."""

    at: datetime
    sensor_id: int
    quantity: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Window:
    """Which observations: one kind, all sensors or some, [start, end), newest first unless `ascending`."""

    kind: Kind
    start: datetime
    end: datetime
    sensor_ids: tuple[int, ...] | None = None
    resolution: Resolution = Resolution.RAW
    ascending: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of a row's values, `KEY_COLUMNS` first."""
        return (_RAW if self.resolution is Resolution.RAW else _ROLLED)[self.kind]

    def position_of(self, row: Row) -> Position:
        """Where a row of this window stands."""
        names = self.columns
        quantity = row[names.index("quantity")] if "quantity" in names else ""
        return Position(at=row[names.index("observed_at")], sensor_id=row[0], quantity=quantity)


def page(connection: Connection, window: Window, *, after: Position | None = None, limit: int) -> list[Row]:
    """Up to `limit` rows of a window, beginning after a position."""
    return connection.execute(_statement(window), _parameters(window, after, limit)).fetchall()


def stream(connection: Connection, window: Window, *, limit: int) -> Iterator[list[Row]]:
    """Up to `limit` rows of a window in lists of up to 5,000, read from the server as they are consumed."""
    with connection.transaction(), connection.cursor("observations") as cursor:
        cursor.execute(_statement(window), _parameters(window, None, limit))
        while rows := cursor.fetchmany(_STREAM_ROWS):
            yield rows


def count(connection: Connection, window: Window, *, at_most: int) -> int:
    """How many rows a window has, counted no further than `at_most`."""
    time = "observed_at" if window.resolution is Resolution.RAW else "bucket"
    statement = sql.SQL(query("observations", "count")).format(source=_source(window), time=sql.Identifier(time))
    row = connection.execute(statement, _parameters(window, None, 0) | {"at_most": at_most}).fetchone()
    return int(row[0]) if row else 0


def _statement(window: Window) -> sql.Composed:
    shape = "raw" if window.resolution is Resolution.RAW else "rolled"
    return sql.SQL(query("observations", f"{window.kind}_{shape}")).format(
        source=_source(window),
        beyond=sql.SQL(">" if window.ascending else "<"),
        order=sql.SQL("ASC" if window.ascending else "DESC"),
    )


def _source(window: Window) -> sql.Identifier:
    table = _TABLES[window.kind]
    return sql.Identifier(
        "sensing", table if window.resolution is Resolution.RAW else f"{table}_{window.resolution.value}"
    )


def _parameters(window: Window, after: Position | None, limit: int) -> dict[str, Any]:
    """Without a position, the one just before the window's first row: no sensor has number 0, no quantity is empty."""
    first = after or Position(at=window.start if window.ascending else window.end, sensor_id=0)
    return {
        "start": window.start,
        "end": window.end,
        "sensors": None if window.sensor_ids is None else list(window.sensor_ids),
        "at": first.at,
        "id": first.sensor_id,
        "quantity": first.quantity,
        "limit": limit,
    }


@dataclass(frozen=True, kw_only=True, slots=True)
class DistrictLoad:
    """Mean power of all feeders of a district over one roll-up [kW], and of how many feeders it is the sum."""

    district: str
    name: str
    observed_at: datetime
    power_kw: float | None
    feeders: int


def district_load(
    connection: Connection,
    *,
    start: datetime,
    end: datetime,
    resolution: Literal[Resolution.QUARTER, Resolution.HOUR],
    after: tuple[datetime, str] | None = None,
    limit: int,
) -> list[DistrictLoad]:
    """Up to `limit` rows of [start, end), oldest first, by district within a time, beginning after (time, district)."""
    statement = sql.SQL(query("observations", "district_load")).format(
        source=sql.Identifier("sensing", f"energy_{resolution.value}")
    )
    at, code = after or (start, "")
    with connection.cursor(row_factory=class_row(DistrictLoad)) as cursor:
        cursor.execute(statement, {"start": start, "end": end, "at": at, "code": code, "limit": limit})
        return cursor.fetchall()
