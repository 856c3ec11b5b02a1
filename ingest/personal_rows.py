"""Code concerned with personal readings on their way in: a cell instead of a place, a day's pseudonym instead of a name.

Readings of subjects that objected are dropped here, before anything is made of them; like repeats they bring no new row.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from functools import cache
from typing import Final

import h3.api.basic_int as h3
import numpy as np

from ingest.batch import Batch
from ingest.directory import Directory
from services.domain import Kind, from_us
from services.storage.database import Connection
from services.storage.personal_intake import Purpose

RESOLUTION: Final = 9
"""H3 resolution of a stored position: cells of about 0.1 km²."""

PersonalRows = list[tuple[int, dict[str, object]]]
"""Rows to store, each with the place of its message in the batch."""


def position_rows(connection: Connection, directory: Directory, batch: Batch) -> PersonalRows:
    """Rows of `personal.position`; readings of a closed day are rejected."""
    found: PersonalRows = []
    purpose: Purpose = "mobility"
    names = _pseudonyms(connection, directory, purpose)
    for reading, place in zip(batch.positions.items, batch.positions.message, strict=True):
        if directory.has_objected(purpose, reading.subject):
            continue
        day = directory.local_day(reading.observed_us)
        subject = names(day, reading.subject)
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
    purpose: Purpose = "household"
    names = _pseudonyms(connection, directory, purpose)
    for reading, place in zip(batch.households.items, batch.households.message, strict=True):
        district = directory.district(connection, reading.district)
        if district is None:
            batch.reject(place, f"there is no district {reading.district!r}")
            continue
        if directory.has_objected(purpose, reading.subject):
            continue
        day = directory.local_day(reading.observed_us)
        subject = names(day, reading.subject)
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


def bike_trip_rows(connection: Connection, directory: Directory, batch: Batch) -> PersonalRows:
    """Rows of `personal.bike_trip`; trips of a closed day or of an unknown station are rejected."""
    found: PersonalRows = []
    for reading, place in zip(batch.bike_trips.items, batch.bike_trips.message, strict=True):
        stations = {code: directory.station(connection, "bike", code) for code in (reading.origin, reading.destination)}
        unknown = next((code for code, station in stations.items() if station is None), None)
        if unknown is not None:
            batch.reject(
                place, f"there is no bike station {unknown!r} in the register: add it with `arterial stations load`"
            )
            continue
        day = directory.local_day(reading.observed_us)
        subject = directory.pseudonym(connection, "bike", day, reading.subject)
        if subject is None:
            batch.reject(place, _closed(day.isoformat()))
            continue
        origin, destination = (stations[code] for code in (reading.origin, reading.destination))
        if origin is not None and destination is not None:
            found.append((place, {"day": day, "subject": subject, "origin": origin[0], "destination": destination[0]}))
    return found


def charging_rows(connection: Connection, directory: Directory, batch: Batch) -> PersonalRows:
    """Rows of `personal.charging`, under the day the session began; a closed day or an unknown station are rejected."""
    found: PersonalRows = []
    names = _pseudonyms(connection, directory, "charging")
    for reading, place in zip(batch.charging.items, batch.charging.message, strict=True):
        station = directory.station(connection, "charging", reading.station)
        if station is None or station[1] is None:
            where = (
                "there is no charging station"
                if station is None
                else "no district of the city has the charging station"
            )
            batch.reject(place, f"{where} {reading.station!r} in the register: see `arterial stations load`")
            continue
        day = directory.local_day(reading.began_us)
        subject = names(day, reading.subject)
        if subject is None:
            batch.reject(place, _closed(day.isoformat()))
            continue
        row = {
            "day": day,
            "subject": subject,
            "observed_at": from_us(reading.observed_us),
            "district_id": station[1],
            "energy_wh": round(reading.energy_kwh * 1_000),
        }
        found.append((place, row))
    return found


def claim_rows(connection: Connection, directory: Directory, batch: Batch) -> PersonalRows:
    """Rows of `personal.claim`; claims for a closed day are rejected."""
    found: PersonalRows = []
    for reading, place in zip(batch.claims.items, batch.claims.message, strict=True):
        purpose: Purpose = "mobility" if reading.kind is Kind.PROBE else "household"
        if directory.has_objected(purpose, reading.subject):
            continue
        day = directory.local_day(reading.observed_us)
        subject = directory.pseudonym(connection, purpose, day, reading.subject)
        if subject is None:
            batch.reject(place, _closed(day.isoformat()))
            continue
        found.append((place, {"day": day, "purpose": purpose, "subject": subject, "token_hash": reading.token_hash}))
    return found


def _pseudonyms(connection: Connection, directory: Directory, purpose: Purpose) -> Callable[[date, str], bytes | None]:
    """The names of the day, each worked out once; what is remembered lives no longer than the batch."""
    return cache(lambda day, subject: directory.pseudonym(connection, purpose, day, subject))


def _closed(day: str) -> str:
    return f"the day {day} is closed: its personal readings have been turned into aggregates and destroyed"
