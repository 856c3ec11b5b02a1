"""Code concerned with the register of stations, where bicycles are rented and cars are charged: public, never personal."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Literal

from services.storage.database import Connection
from services.storage.queries import query

Purpose = Literal["bike", "charging"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Station:
    """One station; the degrees are WGS 84."""

    code: str
    name: str
    lon: float
    lat: float
    district_id: int | None


def codes(connection: Connection, purpose: Purpose) -> dict[int, str]:
    """Code of each station of a purpose by its number."""
    return dict(connection.execute(query("stations", "codes"), {"purpose": purpose}).fetchall())


def names(connection: Connection, purpose: Purpose) -> dict[str, str]:
    """Name of each station of a purpose by its code."""
    return dict(connection.execute(query("stations", "names"), {"purpose": purpose}).fetchall())


def put_stations(connection: Connection, purpose: Purpose, found: Iterable[Station]) -> None:
    """Write stations, replacing those of the same code; none is removed. Needs the owner; committed by the caller."""
    with connection.cursor() as cursor:
        cursor.executemany(query("stations", "put"), [asdict(one) | {"purpose": purpose} for one in found])
