"""The API on a migrated database with a small city, as the tests of its routes share it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from starlette.testclient import TestClient

from services.api.app import create_app
from services.settings import Settings
from services.storage.database import Connection, pooled

START = datetime(2026, 11, 20, tzinfo=UTC)
SQUARE = '{"type": "Polygon", "coordinates": [[[13.3, 52.5], [13.5, 52.5], [13.5, 52.6], [13.3, 52.6], [13.3, 52.5]]]}'


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    """A client of the API as role arterial_api; errors inside become answers as they would for a stranger."""
    with pooled(settings.role_dsn("api"), application="api", statement_timeout_s=5) as pool:
        yield TestClient(create_app(settings, pool), raise_server_exceptions=False)


@pytest.fixture
def city(owner: Connection) -> Connection:
    """Two detectors, a feeder and a weather station in one district; the detectors and the feeder have a day of readings."""
    owner.execute("INSERT INTO sensing.district (code, name, outline) VALUES ('mitte', 'Mitte', %s)", [SQUARE])
    owner.execute("SELECT sensing.ensure_month('2026-11-01')")
    for code, kind, step in (("t-1", "traffic", 300), ("t-2", "traffic", 300), ("e-1", "energy", 900)):
        owner.execute(
            "INSERT INTO sensing.sensor (code, kind, name, lon, lat, district_id, step_seconds, described) "
            "SELECT %s, %s, %s, 13.4, 52.52, id, %s, true FROM sensing.district",
            [code, kind, f"Sensor {code}", step],
        )
    owner.execute("INSERT INTO sensing.sensor (code, kind) VALUES ('w-1', 'environment')")
    owner.execute(
        "INSERT INTO sensing.traffic "
        "SELECT s.id, at, at + interval '5 min 2 s', NULL, 100 + s.id, 50.5, 0.12, 1 "
        "FROM sensing.sensor s, generate_series(%s, %s, interval '5 min') at WHERE s.kind = 'traffic'",
        [START, START + timedelta(hours=23, minutes=55)],
    )
    owner.execute(
        "INSERT INTO sensing.energy "
        "SELECT s.id, at, at + interval '15 min', NULL, -3.25, 1000.5, 1 "
        "FROM sensing.sensor s, generate_series(%s, %s, interval '15 min') at WHERE s.kind = 'energy'",
        [START, START + timedelta(hours=23, minutes=45)],
    )
    owner.execute(
        "INSERT INTO sensing.observation "
        "SELECT s.id, q, %s, %s, NULL, 7.5, 1 FROM sensing.sensor s, unnest(ARRAY['humidity', 'temperature_c']) q "
        "WHERE s.kind = 'environment'",
        [START, START],
    )
    return owner


@pytest.fixture
def traffic(city: Connection) -> Callable[..., None]:
    """Stores one traffic reading of a sensor by hand."""

    def store(code: str, at: datetime, *, flow: float | None = 1.0, received: datetime | None = None) -> None:
        city.execute(
            "INSERT INTO sensing.traffic (sensor_id, observed_at, received_at, flow_vph, quality) "
            "SELECT id, %s, %s, %s, 1 FROM sensing.sensor WHERE code = %s",
            [at, received or at, flow, code],
        )

    return store
