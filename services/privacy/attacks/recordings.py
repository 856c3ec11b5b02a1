"""Code concerned with reading recorded meters and trips that somebody wants attacked instead of generated ones."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as parquet

from services.errors import InputError, reason
from services.privacy.attacks.people import HOURS, Floats, Integers

SLOTS: Final = 48
"""Half-hours of a day."""
DAYS: Final = 7
LOAD_COLUMNS: Final = ("customer_id", "reading_datetime", "general_supply_kwh")
TRIP_COLUMNS: Final = ("start", "start_station_id", "end_station_id")


def require_columns(path: Path, columns: Sequence[str]) -> None:
    """Look at the end of a file only, so that a wrong one is told before the first attack and not after an hour.

    Raises:
        InputError: it is not a parquet file with these columns.

    """
    try:
        absent = set(columns) - set(parquet.read_schema(path).names)
    except (OSError, pa.ArrowInvalid) as error:
        message = f"{path} is not a parquet file with the columns {', '.join(columns)}: {reason(error)}"
        raise InputError(message) from error
    if absent:
        message = f"{path} has no column {' and '.join(sorted(absent))}: {', '.join(columns)} are needed"
        raise InputError(message)


def recorded_loads(path: Path) -> Floats:
    """Whole weeks of recorded half-hours [kWh], each taken for a household of its own, (weeks, 7, 48).

    Args:
        path: a parquet file with `customer_id`, `reading_datetime` and `general_supply_kwh`.

    Raises:
        InputError: the file is no such table.

    """
    table = _read(path, LOAD_COLUMNS)
    customer = np.unique(np.asarray(table["customer_id"].to_pylist()), return_inverse=True)[1]
    half_hour = np.asarray(table["reading_datetime"].to_numpy(), dtype="datetime64[m]").astype(np.int64) // 30
    kwh = np.asarray(table["general_supply_kwh"].to_numpy(), dtype=np.float64)
    week = half_hour // (DAYS * SLOTS)
    key = customer * (week.max() + 1) + week
    _, which = np.unique(key, return_inverse=True)
    weeks = np.full((which.max() + 1, DAYS * SLOTS), np.nan)
    weeks[which, half_hour % (DAYS * SLOTS)] = kwh
    whole = weeks[~np.isnan(weeks).any(axis=1)]
    return whole.reshape(-1, DAYS, SLOTS)


def recorded_trips(path: Path) -> tuple[Integers, Integers]:
    """The busiest day: departures by station and hour, (stations, 24), and departures and arrivals by station, (stations, 2).

    Args:
        path: a parquet file with `start`, `start_station_id` and `end_station_id`.

    Raises:
        InputError: the file is no such table.

    """
    table = _read(path, TRIP_COLUMNS)
    hour = np.asarray(table["start"].to_numpy(), dtype="datetime64[h]").astype(np.int64)
    names = np.array([table["start_station_id"].to_pylist(), table["end_station_id"].to_pylist()], dtype=str)
    stations, number = np.unique(names, return_inverse=True)
    number = number.reshape(2, -1)
    days, trips = np.unique(hour // HOURS, return_counts=True)
    busy = hour // HOURS == days[trips.argmax()]
    hourly = np.bincount(number[0, busy] * HOURS + hour[busy] % HOURS, minlength=len(stations) * HOURS)
    both = [np.bincount(each[busy], minlength=len(stations)) for each in number]
    return hourly.reshape(-1, HOURS).astype(np.int64), np.stack(both, axis=1).astype(np.int64)


def _read(path: Path, columns: Sequence[str]) -> pa.Table:
    require_columns(path, columns)
    return parquet.read_table(path, columns=list(columns))
