"""Code concerned with personal readings on their way in: a cell instead of a place, a day's pseudonym instead of a name."""

from __future__ import annotations

from typing import Final

import h3.api.basic_int as h3
import numpy as np

from ingest.batch import Batch
from ingest.directory import Directory
from services.domain import from_us
from services.storage.database import Connection

RESOLUTION: Final = 9
"""H3 resolution of a stored position: cells of about 0.1 km²."""

PersonalRows = list[tuple[int, dict[str, object]]]
"""Rows to store, each with the place of its message in the batch."""


def position_rows(connection: Connection, directory: Directory, batch: Batch) -> PersonalRows:
    """Rows of `personal.position`; readings of a closed day are rejected."""
    found: PersonalRows = []
    for reading, place in zip(batch.positions.items, batch.positions.message, strict=True):
        day = directory.local_day(reading.observed_us)
        subject = directory.pseudonym(connection, "mobility", day, reading.subject)
        if subject is None:
            batch.reject(place, _closed(day.isoformat()))
            continue
        row = {
            "day": day,
            "subject": subject,
            "observed_at": from_us(reading.observed_us),
            "cell": h3.latlng_to_cell(reading.lat, reading.lon, RESOLUTION),
            "speed_kmh": None if reading.speed_kmh is None else float(np.float32(reading.speed_kmh)),
        }
        found.append((place, row))
    return found


def household_rows(connection: Connection, directory: Directory, batch: Batch) -> PersonalRows:
    """Rows of `personal.household`; readings of a closed day or an unknown district are rejected."""
    found: PersonalRows = []
    for reading, place in zip(batch.households.items, batch.households.message, strict=True):
        district = directory.district(connection, reading.district)
        if district is None:
            batch.reject(place, f"there is no district {reading.district!r}")
            continue
        day = directory.local_day(reading.observed_us)
        subject = directory.pseudonym(connection, "household", day, reading.subject)
        if subject is None:
            batch.reject(place, _closed(day.isoformat()))
            continue
        row = {
            "day": day,
            "subject": subject,
            "observed_at": from_us(reading.observed_us),
            "district_id": district,
            "energy_wh": round(reading.energy_kwh * 1_000),
        }
        found.append((place, row))
    return found


def _closed(day: str) -> str:
    return f"the day {day} is closed: its personal readings have been turned into aggregates and destroyed"
