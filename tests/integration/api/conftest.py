"""The API on a migrated database with a small city, as the tests of its routes share it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, MutableMapping
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from services.api.app import create_app
from services.domain import ForecastState, to_us
from services.settings import Settings
from services.storage import forecasts, ledger, released_forecasts, releases, totals
from services.storage.database import Connection, pooled
from services.storage.forecasts import NewRun, NewSeries
from services.storage.releases import ReleaseHead
from services.storage.totals import NewPeak, NewTotal

CELLS = (("881f1d4881fffff", 45), ("881f1d4883fffff", None))
START = datetime(2026, 11, 20, tzinfo=UTC)
SQUARE = '{"type": "Polygon", "coordinates": [[[13.3, 52.5], [13.5, 52.5], [13.5, 52.6], [13.3, 52.6], [13.3, 52.5]]]}'


@pytest.fixture
def logs() -> Iterator[list[MutableMapping[str, Any]]]:
    """The log lines of the test."""
    with capture_logs() as lines:
        yield lines


@pytest.fixture
def client(settings: Settings, logs: list[MutableMapping[str, Any]]) -> Iterator[TestClient]:
    """A client of the API as role arterial_api; errors inside become answers as they would for a stranger."""
    with pooled(settings.role_dsn("api"), application="api", statement_timeout_s=2) as pool:
        yield TestClient(create_app(settings, pool), raise_server_exceptions=False)


@pytest.fixture
def city(owner: Connection) -> Connection:
    """Two detectors, a feeder and a weather station in one district; the detectors and the feeder have a day of readings."""
    owner.execute("INSERT INTO sensing.district (code, name, outline) VALUES ('mitte', 'Mitte', %s)", [SQUARE])
    owner.execute("SELECT sensing.ensure_month('2026-11-01')")
    for code, kind, step in (("tr-001a", "traffic", 300), ("tr-001b", "traffic", 300), ("en-001", "energy", 900)):
        owner.execute(
            "INSERT INTO sensing.sensor (code, kind, name, lon, lat, district_id, step_seconds, described) "
            "SELECT %s, %s, %s, 13.4, 52.52, id, %s, true FROM sensing.district",
            [code, kind, f"Sensor {code}", step],
        )
    owner.execute("INSERT INTO sensing.sensor (code, kind) VALUES ('ev-001', 'environment')")
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
def forecasted(city: Connection) -> Connection:
    """Two forecasts of one detector: 100 + step issued at 06:00, and 200 + step issued at 07:00, whose state is degraded."""
    row = city.execute("SELECT id FROM sensing.sensor WHERE code = 'tr-001a'").fetchone()
    assert row is not None
    for hour, base, state, reason in (
        (6, 100.0, ForecastState.NORMAL, None),
        (7, 200.0, ForecastState.DEGRADED, "a quarter of the last day is missing"),
    ):
        issued_at = START + timedelta(hours=hour)
        steps = base + np.arange(8.0)
        run = NewRun(
            issued_at=issued_at,
            kind="traffic",
            step_seconds=900,
            steps=8,
            trained_from=START - timedelta(days=30),
            trained_to=issued_at,
            data_hash="d",
            config_hash="c",
            seconds=0.1,
        )
        series = NewSeries(
            sensor_id=row[0],
            quantity="flow_vph",
            model="profile_ridge",
            state=state,
            reason=reason,
            first_target_us=to_us(issued_at),
            quantiles=np.stack([steps + 10 * level for level in range(-3, 4)]),
        )
        with city.transaction():
            forecasts.store(city, run, [series])
    city.execute(
        "INSERT INTO forecast.score VALUES (%s, 'flow_vph', 60, %s, 10, 50, 80, 10, 1000, 8, 9)", [row[0], START]
    )
    return city


@pytest.fixture
def outlook(city: Connection) -> Connection:
    """Totals of city and district issued at 06:00 (100 + step) and 07:00 (200 + step), and peaks of three scopes."""
    feeder, district = city.execute("SELECT id, district_id FROM sensing.sensor WHERE code = 'en-001'").fetchone() or (
        0,
        0,
    )
    for hour, base in ((6, 100.0), (7, 200.0)):
        issued_at = START + timedelta(hours=hour)
        steps = base + np.arange(4.0)
        run = NewRun(
            issued_at=issued_at,
            shard=totals.CITY_SHARD,
            kind="energy",
            step_seconds=900,
            steps=4,
            trained_from=None,
            trained_to=None,
            data_hash="d",
            config_hash="c",
            seconds=0.1,
        )
        made = [
            NewTotal(
                district_id=place,
                quantity="power_kw",
                state=ForecastState.NORMAL,
                reason=None,
                sensors=1,
                first_target_us=to_us(issued_at),
                step_seconds=900,
                summed=steps,
                quantiles=np.stack([steps + 10 * level for level in range(-3, 4)]),
            )
            for place in (None, district)
        ]
        peaks = [
            NewPeak(
                sensor_id=sensor,
                district_id=place,
                quantity="power_kw",
                day=issued_at.date() + timedelta(days=ahead),
                state=ForecastState.NORMAL,
                limit_kw=90.0 if sensor else None,
                limit_is="allowed" if sensor else None,
                chance_above=0.25 if sensor else None,
                likely_at=START + timedelta(days=ahead, hours=17, minutes=15) if sensor else None,
                so_far=60.0 if sensor and not ahead else None,
                quantiles=base + np.arange(7.0),
            )
            for sensor, place in ((None, None), (None, district), (feeder, None))
            for ahead in (0, 1)
        ]
        with city.transaction():
            number = forecasts.store(city, run, [])
            assert number is not None
            totals.store_totals(city, number, issued_at, made)
            totals.store_peaks(city, number, issued_at, peaks)
    return city


@pytest.fixture
def released(city: Connection) -> Connection:
    """A day of presence in two cells, one of them withheld, and of household energy, with their charges in the ledger."""
    day = START.date()
    for domain, plan in (("mobility", "presence"), ("household", "district_energy")):
        key = f"{plan}/{day}"
        with city.transaction():
            ledger.charge(
                city, release_key=key, domain=domain, day=day, plan_hash="hash", micro_epsilon=500_000, cap=1_000_000
            )
            head = ReleaseHead(
                release_key=key,
                plan=plan,
                plan_version="1",
                plan_hash="hash",
                day=day,
                epsilon=0.5,
                delta=1e-6,
                mechanism="discrete Laplace",
                noise_scale=2.0,
                threshold=12,
                rounding=5,
                ci95=8.0,
                cells=2,
                suppressed=1,
            )
            releases.publish_release(city, head)
            if plan == "presence":
                cells = [(int(cell, 16), START + timedelta(hours=hour), n) for cell, n in CELLS for hour in range(24)]
                releases.publish_presence(city, key, cells)
            else:
                releases.publish_district_energy(city, key, day, [(1, 1234.5, 210, 40.0)])
    return city


@pytest.fixture
def ahead(released: Connection) -> Connection:
    """The forecast made from the presence of `released`: the first cell at 06:00 and 07:00, the other too seldom shown."""
    run = released_forecasts.NewRun(
        release_key="presence/2026-11-20",
        plan="presence",
        measure="vehicles",
        last_day=START.date(),
        days=28,
        issued_at=START + timedelta(hours=1),
        first_target_at=START + timedelta(hours=5),
        step_seconds=3_600,
        steps=3,
        data_hash="d",
        config_hash="c",
        seconds=0.1,
    )
    quantiles = 40.0 + 10 * np.arange(7)[:, None] + np.array([np.nan, 0.0, 100.0])
    places = [
        released_forecasts.NewPlace(
            place=CELLS[0][0],
            model="profile",
            state=ForecastState.NORMAL,
            reason=None,
            ci95=8.0,
            quantiles=quantiles,
        ),
        released_forecasts.NewPlace(
            place=CELLS[1][0], model=None, state=None, reason="shown on only 3 days", ci95=8.0, quantiles=None
        ),
    ]
    with released.transaction():
        assert released_forecasts.store(released, run, places) is not None
    released.execute(
        "INSERT INTO forecast.released_score VALUES ('presence', %s, 1, 10, 50, 1000, 10, 50, 80, 20, 5, 8, 9)",
        [START.date()],
    )
    return released


@pytest.fixture
def figures(city: Connection) -> Connection:
    """A day of speeds in the two cells, one of them withheld, for two hours."""
    key, day = "speeds/1/2026-11-20", START.date()
    with city.transaction():
        ledger.charge(
            city, release_key=key, domain="mobility", day=day, plan_hash="hash", micro_epsilon=300_000, cap=1_000_000
        )
        head = ReleaseHead(
            release_key=key,
            plan="speeds",
            plan_version="1",
            plan_hash="hash",
            day=day,
            epsilon=0.3,
            delta=0.0,
            mechanism="discrete_laplace",
            noise_scale=80.0,
            threshold=498,
            rounding=1,
            ci95=240.0,
            cells=4,
            suppressed=2,
        )
        releases.publish_release(city, head)
        rows = [
            (cell, "", START + timedelta(hours=hour), measure, *((value, 3.5) if n else (None, None)))
            for cell, n in CELLS
            for hour in range(2)
            for measure, value in (("vehicles", 600.0), ("speed_kmh", 31.0))
        ]
        releases.publish_figures(city, key, rows)
    return city


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
