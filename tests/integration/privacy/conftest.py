"""A small city for the release tests: two districts side by side, and crowds written straight into schema personal."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import UTC, date, datetime, timedelta

import pytest

from services.storage.database import Connection

DAY = date(2026, 11, 20)
NOW = datetime(2026, 11, 21, 6, 0, tzinfo=UTC)


def rectangle(west: float, south: float, east: float, north: float) -> dict[str, object]:
    corners = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    return {"type": "Polygon", "coordinates": [corners]}


@pytest.fixture
def districts(owner: Connection) -> list[int]:
    """The numbers of the two districts."""
    outlines = {"west": rectangle(13.30, 52.48, 13.38, 52.54), "east": rectangle(13.38, 52.48, 13.46, 52.54)}
    return [
        int(
            owner.execute(
                "INSERT INTO sensing.district (code, name, outline) VALUES (%s, %s, %s) RETURNING id",
                [code, code.title(), json.dumps(outline)],
            ).fetchone()[0]  # type: ignore[index]  # INSERT … RETURNING of one row
        )
        for code, outline in outlines.items()
    ]


Store = Callable[[Iterable[tuple[bytes, datetime, int]]], None]


@pytest.fixture
def store_positions(owner: Connection) -> Callable[..., None]:
    """Writes (subject, observed_at, H3 cell of resolution 9) rows of one day."""

    def store(rows: Iterable[tuple[bytes, datetime, int]], day: date = DAY) -> None:
        with (
            owner.cursor() as cursor,
            cursor.copy("COPY personal.position (day, subject, observed_at, cell) FROM STDIN") as copy,
        ):
            for subject, observed_at, cell in rows:
                copy.write_row((day, subject, observed_at, cell))

    return store


@pytest.fixture
def store_households(owner: Connection) -> Callable[..., None]:
    """Writes (subject, observed_at, district, energy [Wh]) rows of one day."""

    def store(rows: Iterable[tuple[bytes, datetime, int, int]], day: date = DAY) -> None:
        with (
            owner.cursor() as cursor,
            cursor.copy(
                "COPY personal.household (day, subject, observed_at, district_id, energy_wh) FROM STDIN"
            ) as copy,
        ):
            for subject, observed_at, district, energy in rows:
                copy.write_row((day, subject, observed_at, district, energy))

    return store


def noon(hours: float = 0) -> datetime:
    """Noon UTC of the test day, and hours later."""
    return datetime(2026, 11, 20, 12, tzinfo=UTC) + timedelta(hours=hours)
