"""Code concerned with the history that models are fitted to: 15-minute means of whole kinds, as numpy columns.

Without `received_by` the roll-ups are read, and the readings themselves for every hour whose roll-up is still pending.
With `received_by` only readings received by then count, so a forecast for the past knows no more than one issued then.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from psycopg.rows import class_row

from services.domain import Kind, to_us
from services.storage.binary import from_stamps, read_array
from services.storage.database import Connection
from services.storage.queries import query

BUCKET_SECONDS: Final = 900
SHARD_SENSORS: Final = 256
"""Sensors whose numbers lie in one block of this size are forecast by one job: neighbours in storage too."""

_WIDE: Final[Mapping[Kind, tuple[str, ...]]] = {Kind.TRAFFIC: ("flow_vph", "speed_kmh"), Kind.ENERGY: ("power_kw",)}


@dataclass(frozen=True, kw_only=True, slots=True)
class PanelSensor:
    """A sensor as forecasting needs it."""

    id: int
    code: str
    step_seconds: int | None
    free_flow_kmh: float | None = None
    capacity_vph: float | None = None
    district_id: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class History:
    """Means of one quantity in long form: one element per sensor and bucket, NaN where all rows of it were bad."""

    quantity: str
    sensor_id: NDArray[np.int32]
    bucket_us: NDArray[np.int64]
    value: NDArray[np.float64]


def shards(connection: Connection) -> list[int]:
    """The numbers of the blocks of `SHARD_SENSORS` sensor numbers that hold any sensor."""
    return [int(row[0]) for row in connection.execute(query("panels", "shards"), {"size": SHARD_SENSORS})]


def sensors(connection: Connection, kind: Kind, shard: int) -> list[PanelSensor]:
    """The sensors of a kind in a shard, in order of their numbers."""
    first = shard * SHARD_SENSORS
    with connection.cursor(row_factory=class_row(PanelSensor)) as cursor:
        return cursor.execute(
            query("panels", "sensors"), {"kind": str(kind), "first": first, "end": first + SHARD_SENSORS}
        ).fetchall()


def oldest(
    connection: Connection, kind: Kind, ids: Sequence[int], *, since: datetime, until: datetime
) -> dict[int, int]:
    """Where the history of each sensor in [since, until) begins [µs since 1970]; sensors without any are absent."""
    found = connection.execute(
        query("panels", f"oldest_{kind}"), {"ids": list(ids), "since": since, "until": until}
    ).fetchall()
    return {int(sensor): to_us(moment) for sensor, moment in found if moment is not None}


def history(
    connection: Connection,
    kind: Kind,
    ids: Sequence[int],
    *,
    since: datetime,
    until: datetime,
    received_by: datetime | None = None,
) -> list[History]:
    """The 15-minute means of all quantities of some sensors of a kind that are forecast, for buckets of [since, until).

    Both ends are full quarter hours; `since` is a full hour.
    """
    asked: dict[str, Any] = {"ids": list(ids), "since": since, "until": until, "received_by": received_by}
    suffix = "" if received_by is None else "_as_of"
    if kind in _WIDE:
        return _read(connection, f"{kind}{suffix}", asked, _WIDE[kind], "f4")
    names = [str(row[0]) for row in connection.execute(query("panels", f"quantities{suffix}"), asked)]
    return [
        one
        for name in names
        for one in _read(connection, f"environment{suffix}", {**asked, "quantity": name}, (name,), "f8")
    ]


def _read(
    connection: Connection, name: str, asked: Mapping[str, Any], quantities: tuple[str, ...], number: str
) -> list[History]:
    with connection.cursor(binary=True) as cursor:
        rows = cursor.execute(query("panels", name), asked).fetchall()
    times = [from_stamps(read_array(row[1], "i8")) for row in rows]
    ids = np.repeat(np.array([row[0] for row in rows], dtype=np.int32), [len(one) for one in times])
    buckets = np.concatenate([np.empty(0, dtype=np.int64), *times])
    return [
        History(
            quantity=quantity,
            sensor_id=ids,
            bucket_us=buckets,
            value=np.concatenate([np.empty(0), *(read_array(row[2 + k], number) for row in rows)]),
        )
        for k, quantity in enumerate(quantities)
    ]
