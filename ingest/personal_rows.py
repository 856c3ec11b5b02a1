"""Code concerned with personal readings on their way in: a cell instead of a place, a day's pseudonym instead of a name.

Readings of subjects that objected are dropped here, before anything is made of them; like repeats they bring no new row.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, partial
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

_Named = dict[str, object] | None
_LASTING: Final = ("mobility", "household")
"""Purposes whose subjects have a name for longer than one trip or session, under which they can object."""


def position_rows(connection: Connection, directory: Directory, batch: Batch) -> PersonalRows:
    """Rows of `personal.position`; readings of a closed day are rejected."""
    found: PersonalRows = []
    name = _names(connection, directory, batch)
    for reading, place in zip(batch.positions.items, batch.positions.message, strict=True):
        named = name(place, "mobility", reading.observed_us, reading.subject)
        if named is not None:
            row = {
                "observed_at": from_us(reading.observed_us),
                "cell": h3.latlng_to_cell(reading.lat, reading.lon, RESOLUTION),
                "speed_kmh": None if reading.speed_kmh is None else float(np.float32(reading.speed_kmh)),
            }
            found.append((place, named | row))
    return found


def household_rows(connection: Connection, directory: Directory, batch: Batch) -> PersonalRows:
    """Rows of `personal.household`; readings of a closed day or an unknown district are rejected."""
    found: PersonalRows = []
    name = _names(connection, directory, batch)
    for reading, place in zip(batch.households.items, batch.households.message, strict=True):
        named = name(place, "household", reading.observed_us, reading.subject)
        if named is None:
            continue
        district = directory.district(connection, reading.district)
        if district is None:
            batch.reject(place, f"there is no district {reading.district!r}")
            continue
        row = {
            "observed_at": from_us(reading.observed_us),
            "district_id": district,
            "energy_wh": round(reading.energy_kwh * 1_000),
        }
        found.append((place, named | row))
    return found


def bike_trip_rows(connection: Connection, directory: Directory, batch: Batch) -> PersonalRows:
    """Rows of `personal.bike_trip`; trips of a closed day or of an unknown station are rejected."""
    found: PersonalRows = []
    name = _names(connection, directory, batch)
    for reading, place in zip(batch.bike_trips.items, batch.bike_trips.message, strict=True):
        named = name(place, "bike", reading.observed_us, reading.subject)
        if named is None:
            continue
        origin, destination = (
            directory.station(connection, "bike", code) for code in (reading.origin, reading.destination)
        )
        if origin is None or destination is None:
            unknown = reading.origin if origin is None else reading.destination
            batch.reject(
                place, f"there is no bike station {unknown!r} in the register: add it with `arterial stations load`"
            )
            continue
        found.append((place, named | {"origin": origin[0], "destination": destination[0]}))
    return found


def charging_rows(connection: Connection, directory: Directory, batch: Batch) -> PersonalRows:
    """Rows of `personal.charging`, under the day the session began; a closed day or an unknown station are rejected."""
    found: PersonalRows = []
    name = _names(connection, directory, batch)
    for reading, place in zip(batch.charging.items, batch.charging.message, strict=True):
        named = name(place, "charging", reading.began_us, reading.subject)
        if named is None:
            continue
        station = directory.station(connection, "charging", reading.station)
        if station is None or station[1] is None:
            where = (
                "there is no charging station"
                if station is None
                else "no district of the city has the charging station"
            )
            batch.reject(place, f"{where} {reading.station!r} in the register: see `arterial stations load`")
            continue
        row = {
            "observed_at": from_us(reading.observed_us),
            "district_id": station[1],
            "energy_wh": round(reading.energy_kwh * 1_000),
        }
        found.append((place, named | row))
    return found


def claim_rows(connection: Connection, directory: Directory, batch: Batch) -> PersonalRows:
    """Rows of `personal.claim`; claims for a closed day are rejected."""
    found: PersonalRows = []
    name = _names(connection, directory, batch)
    for reading, place in zip(batch.claims.items, batch.claims.message, strict=True):
        purpose: Purpose = "mobility" if reading.kind is Kind.PROBE else "household"
        named = name(place, purpose, reading.observed_us, reading.subject)
        if named is not None:
            found.append((place, named | {"purpose": purpose, "token_hash": reading.token_hash}))
    return found


def _names(connection: Connection, directory: Directory, batch: Batch) -> Callable[[int, Purpose, int, str], _Named]:
    """Gives the local day of a time and a subject's name on it; each is worked out once and forgotten with the batch.

    What is given nothing brings no row: the subject objected, or the day is closed, and then the message is rejected.
    """
    pseudonym = cache(partial(directory.pseudonym, connection))

    def name(place: int, purpose: Purpose, time_us: int, subject: str) -> _Named:
        if purpose in _LASTING and directory.has_objected(purpose, subject):
            return None
        day = directory.local_day(time_us)
        found = pseudonym(purpose, day, subject)
        if found is None:
            batch.reject(
                place, f"the day {day} is closed: its personal readings have been turned into aggregates and destroyed"
            )
            return None
        return {"day": day, "subject": found}

    return name
