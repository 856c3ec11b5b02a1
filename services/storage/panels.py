"""Code concerned with the history that models are fitted to: 15-minute means of whole kinds, as numpy columns.

Without `received_by` the roll-ups are read, and the readings themselves for every hour whose roll-up is still pending.
With `received_by` only readings received by then count, so a forecast for the past knows no more than one issued then.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from psycopg.rows import class_row

from services.domain import Kind
from services.storage.binary import from_stamps, record
from services.storage.database import Connection
from services.storage.queries import query

BUCKET_SECONDS: Final = 900
_WIDE: Final[Mapping[Kind, tuple[str, ...]]] = {Kind.TRAFFIC: ("flow_vph", "speed_kmh"), Kind.ENERGY: ("power_kw",)}


@dataclass(frozen=True, kw_only=True, slots=True)
class PanelSensor:
    """A sensor as forecasting needs it."""

    id: int
    code: str
    step_seconds: int | None


@dataclass(frozen=True, kw_only=True, slots=True)
class History:
    """Means of one quantity in long form: one element per sensor and bucket, NaN where all rows of it were bad."""

    quantity: str
    sensor_id: NDArray[np.int32]
    bucket_us: NDArray[np.int64]
    value: NDArray[np.float64]


def sensors(connection: Connection, kind: Kind) -> list[PanelSensor]:
    """The sensors of a kind, in order of their numbers."""
    with connection.cursor(row_factory=class_row(PanelSensor)) as cursor:
        return cursor.execute(query("panels", "sensors"), {"kind": str(kind)}).fetchall()


def history(
    connection: Connection, kind: Kind, *, since: datetime, until: datetime, received_by: datetime | None = None
) -> list[History]:
    """The 15-minute means of all quantities of a kind that are forecast, for buckets of [since, until).

    Both ends are full quarter hours; `since` is a full hour.
    """
    asked: dict[str, Any] = {"since": since, "until": until, "received_by": received_by}
    suffix = "" if received_by is None else "_as_of"
    if kind in _WIDE:
        return _read(connection, f"{kind}{suffix}", asked, _WIDE[kind])
    names = [str(row[0]) for row in connection.execute(query("panels", f"quantities{suffix}"), asked)]
    return [
        one for name in names for one in _read(connection, f"environment{suffix}", {**asked, "quantity": name}, (name,))
    ]


def _read(connection: Connection, name: str, asked: Mapping[str, Any], quantities: tuple[str, ...]) -> list[History]:
    with connection.cursor() as cursor, cursor.copy(query("panels", name), asked) as copy:
        data = b"".join(copy)
    sensor_id, stamp, *values = record("i4", "i8", *["f8"] * len(quantities)).read(data)
    return [
        History(quantity=quantity, sensor_id=sensor_id, bucket_us=from_stamps(stamp), value=value)
        for quantity, value in zip(quantities, values, strict=True)
    ]
