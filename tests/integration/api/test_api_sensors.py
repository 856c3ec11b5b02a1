"""Sensors through the API."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from urllib.parse import quote

from starlette.testclient import TestClient

from services.storage.database import Connection

URL = "/api/v1/sensors"


def test_sensors_can_be_filtered_and_paged(client: TestClient, city: Connection) -> None:
    def codes(**params: str) -> list[str]:
        return [row["sensor"] for row in client.get(URL, params=params).json()["data"]]

    assert codes() == ["en-001", "ev-001", "tr-001a", "tr-001b"]
    assert codes(kind="traffic") == ["tr-001a", "tr-001b"]
    assert codes(district="mitte") == ["en-001", "tr-001a", "tr-001b"]
    assert codes(described="false") == ["ev-001"]
    assert codes(q="SENSOR TR-") == ["tr-001a", "tr-001b"]
    first = client.get(URL, params={"limit": "3"})
    assert [row["sensor"] for row in client.get(first.json()["next"]).json()["data"]] == ["tr-001b"]
    assert first.headers["link"] == f'<{first.json()["next"]}>; rel="next"'


def test_one_sensor_has_its_newest_reading_and_its_age(
    client: TestClient, city: Connection, traffic: Callable[..., None]
) -> None:
    silent = client.get(f"{URL}/tr-001a").json()
    assert silent["silent"] is True
    assert silent["latest"]["observed_at"] == "2026-11-20T23:55:00Z"
    traffic("tr-001b", datetime.now(UTC), flow=7)
    heard = client.get(f"{URL}/tr-001b").json()
    assert heard["silent"] is False
    assert heard["latest"]["flow_vph"] == 7
    assert 0 <= heard["age_seconds"] < 60


def test_an_unknown_sensor_is_a_problem_that_names_the_nearest(client: TestClient, city: Connection) -> None:
    answer = client.get(f"{URL}/tr-001c")
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert "did you mean" in answer.json()["detail"]


def test_a_code_may_have_slashes_and_spaces(client: TestClient, owner: Connection) -> None:
    code = "gate 7/north?ü"
    owner.execute("INSERT INTO sensing.sensor (code, kind) VALUES (%s, 'traffic')", [code])
    assert client.get(f"{URL}/{quote(code, safe='')}").json()["sensor"] == code
    page = client.get("/api/v1/observations", params={"sensor": code})
    assert (page.status_code, page.json()["data"]) == (200, [])
