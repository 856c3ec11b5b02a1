"""Every file taken away and every refusal is in the audit log, without what a client typed; a refused day is told as such."""

from __future__ import annotations

import json
from typing import Any

from starlette.testclient import TestClient

from services.governance.verify import verify
from services.jobs import tasks
from services.settings import Settings
from services.storage import audit
from services.storage.database import Connection, connect


def told(owner: Connection, action: str) -> list[dict[str, Any]]:
    return [json.loads(entry.body) for entry in audit.newest(owner, most=50, action=action)]


def test_files_are_logged_and_pages_are_not(client: TestClient, city: Connection) -> None:
    assert client.get("/api/v1/observations", params={"kind": "traffic"}).status_code == 200
    assert told(city, "export") == []

    asked = {"sensor": ["tr-001a,tr-001b"], "from": "2026-11-20T00:00Z", "to": "2026-11-21T00:00Z", "format": "csv"}
    answer = client.get("/api/v1/observations", params=asked)
    assert answer.status_code == 200
    (entry,) = told(city, "export")
    assert entry == {
        "path": "/api/v1/observations",
        "media_type": "text/csv; charset=utf-8",
        "asked": {"from": "2026-11-20T00:00Z", "to": "2026-11-21T00:00Z", "format": "csv", "sensors": 2},
        "request_id": answer.headers["X-Request-Id"],
    }
    assert verify(audit.entries(city), [], []).passed


def test_no_file_leaves_without_its_entry(client: TestClient, city: Connection) -> None:
    city.execute("REVOKE EXECUTE ON FUNCTION governance.append_audit FROM arterial_api")
    answer = client.get("/api/v1/sensors", params={"format": "csv"})
    assert answer.status_code == 500
    assert "tr-001a" not in answer.text


def test_a_refusal_of_the_role_is_logged(client: TestClient, city: Connection) -> None:
    city.execute("REVOKE SELECT ON sensing.sensor FROM arterial_api")
    answer = client.get("/api/v1/sensors")
    assert (answer.status_code, answer.json()["type"]) == (500, "/problems/internal")
    assert "sensing" not in answer.text
    (entry,) = told(city, "access.denied")
    assert entry["path"] == "/api/v1/sensors"
    assert "permission denied" in entry["reason"]


def test_a_day_is_released_or_refused_or_not_there(
    client: TestClient, settings: Settings, released: Connection
) -> None:
    heads = client.get("/api/v1/releases", params={"first_day": "2026-11-01", "last_day": "2026-11-30"}).json()["data"]
    found = client.get(f"/api/v1/releases/{heads[0]['plan']}/{heads[0]['day']}").json()
    assert [one["release_key"] for one in found["data"]] == [heads[0]["release_key"]]

    facts = {"release_key": "presence/1/2026-11-25", "reason": "the budget does not hold another 1"}
    with connect(settings.role_dsn("jobs"), application="test", autocommit=True) as connection:
        audit.append(connection, audit.Action.RELEASE_DENIED, "release", facts)
    refused = client.get("/api/v1/releases/presence/2026-11-25")
    assert refused.status_code == 429
    assert refused.headers["content-type"] == "application/problem+json"
    assert "Retry-After" not in refused.headers
    assert refused.json()["type"] == "/problems/privacy-budget-exhausted"
    assert refused.json()["detail"] == facts["reason"]

    for missing in ("presence/2026-11-26", "nothing/2026-11-25", "presence/2099-01-01"):
        assert client.get(f"/api/v1/releases/{missing}").status_code == 404


def test_composition_is_that_of_the_last_check(client: TestClient, settings: Settings, released: Connection) -> None:
    assert client.get("/api/v1/privacy/composition").json()["data"] == []
    tasks.check_ledger(settings)
    rows = client.get("/api/v1/privacy/composition").json()["data"]
    domains = {row["domain"] for row in rows}
    assert {(row["domain"], row["days"]) for row in rows} == {
        (one, days) for one in domains for days in (1, 7, 30, 90, 365)
    }
    assert all(row["epsilon_distribution"] <= row["epsilon_sum"] for row in rows)
