"""Health through the API, with the database there, away, and back again."""

from __future__ import annotations

import time
from collections.abc import Iterator

import psycopg
import pytest
from prometheus_client.parser import text_string_to_metric_families
from psycopg import sql
from starlette.testclient import TestClient

from services.settings import Settings
from services.storage.database import Connection


def checks(client: TestClient) -> dict[str, bool]:
    return {check["name"]: check["ok"] for check in client.get("/readyz").json()["checks"]}


def test_ready_when_ingest_is_heard_and_a_missing_forecast_is_only_said(client: TestClient, owner: Connection) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}
    assert client.head("/healthz").status_code == 200
    assert client.get("/readyz").status_code == 503
    assert [name for name, ok in checks(client).items() if ok] == ["database", "migrations"]
    assert list(checks(client)) == ["database", "migrations", "ingest", "heartbeat", "forecast"]
    owner.execute(
        "INSERT INTO sensing.ingest_session (client_id, started_at, seen_at, received, stored, duplicate) "
        "VALUES ('arterial-ingest', now(), now(), 10, 7, 3)"
    )
    assert client.get("/readyz").status_code == 200
    assert checks(client)["ingest"]
    assert not checks(client)["heartbeat"]
    owner.execute("UPDATE sensing.ingest_session SET heartbeat_at = now() - interval '20 seconds'")
    assert checks(client)["heartbeat"]
    owner.execute("UPDATE sensing.ingest_session SET heartbeat_at = now() - interval '40 seconds'")
    assert not checks(client)["heartbeat"]
    assert client.get("/api/v1/health").status_code == 200


def test_the_equation_of_ingest_is_checked(client: TestClient, owner: Connection) -> None:
    owner.execute(
        "INSERT INTO sensing.ingest_session (client_id, started_at, seen_at, received, stored) "
        "VALUES ('arterial-ingest', now(), now(), 10, 9)"
    )
    answer = client.get("/api/v1/health/ingest").json()
    assert answer["accounted"] is False
    assert answer["sessions"][0]["received"] == 10


def samples(client: TestClient) -> dict[tuple[str, ...], float]:
    """What /metrics shows: name and label values, with the figure."""
    answer = client.get("/metrics")
    assert answer.status_code == 200
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def test_metrics_count_requests_by_route_and_show_ingest_sessions(client: TestClient, owner: Connection) -> None:
    owner.execute(
        "INSERT INTO sensing.ingest_session (client_id, started_at, seen_at, heartbeat_at, received, stored, in_flight) "
        "VALUES ('arterial-ingest', now(), now(), now() - interval '7 seconds', 10, 9, 1)"
    )
    for path in ("/api/v1/sensors/nobody", "/api/v1/sensors/no-one", "/api/v1/nothing-here", "/wp-login.php"):
        assert client.get(path).status_code == 404
    found = samples(client)
    seconds = "arterial_api_request_seconds_count"
    assert found[seconds, *sorted(["GET", "/sensors/{sensor:path}", "4xx"])] == 2
    assert found[seconds, *sorted(["GET", "none", "4xx"])] == 2
    assert found["arterial_api_database_up",] == 1
    assert found["arterial_ingest_session_messages", "arterial-ingest", "received"] == 10
    assert found["arterial_ingest_session_messages", "arterial-ingest", "in_flight"] == 1
    assert 7 <= found["arterial_ingest_session_heartbeat_age_seconds", "arterial-ingest"] < 12


def test_an_outdated_database_is_not_ready(client: TestClient, owner: Connection) -> None:
    owner.execute("DELETE FROM public.arterial_migration WHERE number > 1")
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert "arterial migrate" in answer.text


def test_dead_letters_without_their_bytes(client: TestClient, owner: Connection) -> None:
    owner.execute(
        "INSERT INTO sensing.dead_letter (received_at, topic, payload, payload_bytes, reason) "
        "SELECT now(), 'city/v1/x', 'secret', 6, '=1+1 is no reading ' || n FROM generate_series(1, 5) n"
    )
    page = client.get("/api/v1/dead-letters", params={"limit": "3"}).json()
    assert set(page["data"][0]) == {"id", "received_at", "topic", "payload_bytes", "reason"}
    rest = client.get(page["next"]).json()
    assert [row["reason"][-1] for row in page["data"] + rest["data"]] == ["5", "4", "3", "2", "1"]
    assert "'=1+1 is no reading" in client.get("/api/v1/dead-letters", params={"format": "csv"}).text


@pytest.fixture
def unreachable(settings: Settings) -> Iterator[Connection]:
    """Closes the database to everyone, and opens it again after the test at the latest."""
    server, _, name = settings.owner_dsn().rpartition("/")
    with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
        admin.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(sql.Identifier(name)))
        admin.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
        yield admin
        admin.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(sql.Identifier(name)))


def test_a_database_that_went_away_is_a_503_and_is_used_again_when_it_is_back(
    settings: Settings, client: TestClient, unreachable: Connection
) -> None:
    answer = client.get("/api/v1/sensors")
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["retry-after"] == "5"
    assert client.get("/readyz").status_code == 503
    assert client.get("/healthz").status_code == 200
    assert samples(client)["arterial_api_database_up",] == 0

    name = settings.owner_dsn().rpartition("/")[2]
    unreachable.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(sql.Identifier(name)))
    deadline = time.monotonic() + 10
    while client.get("/api/v1/sensors").status_code != 200:
        assert time.monotonic() < deadline, "the API did not find the database again"
