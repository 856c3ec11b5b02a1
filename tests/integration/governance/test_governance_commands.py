"""`arterial governance` on a city in which one district is served worse than the other, from scores to the public page."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import h3
import pytest
from starlette.testclient import TestClient
from typer.testing import CliRunner

from services.api.app import create_app
from services.cli import app
from services.governance.documents.domains import DOMAINS
from services.settings import Settings
from services.storage.database import Connection, pooled

YESTERDAY = datetime.now(UTC).date() - timedelta(days=1)
DISTRICTS = {"hafen": 13.3, "mitte": 13.4}
ERROR = {"hafen": 30.0, "mitte": 10.0}


def outline(west: float) -> str:
    ring = [[west, 52.5], [west + 0.1, 52.5], [west + 0.1, 52.6], [west, 52.6], [west, 52.5]]
    return json.dumps({"type": "Polygon", "coordinates": [ring]})


@pytest.fixture
def unfair(owner: Connection) -> Connection:
    """Hafen's forecasts err three times as much, always upwards, and every one of its cells is withheld; none in Mitte."""
    for code, west in DISTRICTS.items():
        owner.execute(
            "INSERT INTO sensing.district (code, name, outline) VALUES (%s, %s, %s)",
            [code, code.title(), outline(west)],
        )
        for number in range(4):
            owner.execute(
                """WITH sensor AS (
                    INSERT INTO sensing.sensor (code, kind, district_id)
                    SELECT %s, 'traffic', id FROM sensing.district WHERE code = %s RETURNING id)
                INSERT INTO forecast.score (sensor_id, quantity, lead_minutes, day, n, absolute_error, signed_error, naive_n,
                    observed_sum, inside_80, inside_90)
                SELECT id, 'flow_vph', 60, %s, 100, %s, %s, 0, 50000, 80, 90 FROM sensor""",
                [f"{code}-{number}", code, YESTERDAY, 100 * ERROR[code], 100 * ERROR[code]],
            )
    owner.execute("INSERT INTO governance.budget VALUES ('mobility', %s, 1000000, 1000000)", [YESTERDAY])
    owner.execute(
        """INSERT INTO governance.charge (release_key, domain, day, plan_hash, micro_epsilon)
        VALUES ('presence/1', 'mobility', %s, 'ff', 1000000)""",
        [YESTERDAY],
    )
    owner.execute(
        """INSERT INTO published.release (release_key, plan, plan_version, plan_hash, day, epsilon, delta, mechanism,
            noise_scale, threshold, rounding, ci95, cells, suppressed)
        VALUES ('presence/1', 'presence', '1', 'ff', %s, 1, 0, 'discrete_laplace', 8, 50, 5, 24, 12, 6)""",
        [YESTERDAY],
    )
    for code, west in DISTRICTS.items():
        for cell in sorted(h3.geo_to_cells(json.loads(outline(west)), 8))[:6]:
            owner.execute(
                "INSERT INTO published.presence (release_key, cell, hour, vehicles) VALUES ('presence/1', %s, %s, %s)",
                [int(cell, 16), datetime.now(UTC), None if code == "hafen" else 60],
            )
    return owner


@pytest.fixture
def environment(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """The test's database as the process would find it, and an income group for each district."""
    monkeypatch.setenv("ARTERIAL_DATABASE_URL", settings.owner_dsn())
    monkeypatch.setenv("ARTERIAL_DATA_DIR", str(settings.data_dir))
    for role in ("JOBS", "API"):
        secret = settings.database_password_jobs
        assert secret is not None
        monkeypatch.setenv(f"ARTERIAL_DATABASE_PASSWORD_{role}", secret.get_secret_value())
    groups = tmp_path / "groups.csv"
    groups.write_text("district,income_group\nmitte,high\nhafen,low\n", encoding="utf-8")
    monkeypatch.setenv("ARTERIAL_GOVERNANCE_INCOME_GROUPS", str(groups))
    return tmp_path


def run(*arguments: str) -> tuple[int, str]:
    result = CliRunner().invoke(app, ["governance", *arguments], catch_exceptions=False)
    return result.exit_code, result.stdout


def test_an_unfair_city_is_told_so_and_everybody_can_see_it(
    environment: Path, settings: Settings, unfair: Connection
) -> None:
    schema = environment / "schema.json"
    schema.write_text('{"required": ["gates", "verdict"]}', encoding="utf-8")
    code, printed = run("fairness", "--samples", "20", "--days", "7", "--check", "--against", str(schema), "--json")
    result = json.loads(printed)
    assert [one["sentence"] for one in result["against"]["problems"]] == ["'verdict' is a required property"]

    assert (code, result["passed"]) == (1, False)
    gates = {(gate["gate"], gate["subject"], gate["by"]): gate for gate in result["gates"]}
    for by in ("district", "income_group"):
        assert gates["mae_ratio", "traffic flow_vph", by]["value"] == 3.0
        assert gates["coverage_80_gap", "traffic flow_vph", by]["held"]
        assert gates["suppression_gap", "presence", by]["value"] == 1.0
    signs = {row["group"]: (row["mae"]["value"], row["bias"]["value"], row["bias_sign"]) for row in result["forecasts"]}
    assert signs["low"] == signs["hafen"] == (30.0, 30.0, "too high")
    assert signs["mitte"] == (10.0, 10.0, "too high")
    assert result["districts_without_income_group"] == []

    code, record = run("record", "--json", "--check")
    assert code == 1, "nobody has said who the controller is"
    assert "not set: ARTERIAL_GOVERNANCE_CONTROLLER" in {one["sentence"] for one in json.loads(record)["problems"]}
    schema.write_text('{"properties": {"city": {"type": "string", "required": true}}}', encoding="utf-8")
    code, printed = run("record", "--against", str(schema), "--json")
    assert (code, json.loads(printed)["against"]["fits"]) == (0, True)
    schema.write_text('{"required": ["signature"]}', encoding="utf-8")
    code, printed = run("record", "--against", str(schema))
    assert code == 1
    assert printed.splitlines()[-1] == "  the document: 'signature' is a required property"
    code, _ = run("register", "--schema", "uk", "--out", str(environment / "uk.html"))
    assert (code, "Not complete" in (environment / "uk.html").read_text(encoding="utf-8")) == (0, True)

    with pooled(settings.role_dsn("api"), application="test", statement_timeout_s=5) as pool:
        client = TestClient(create_app(settings, pool))
        shown = client.get("/api/v1/privacy/transparency").json()
        printable = client.get("/api/v1/governance/register-nl", params={"format": "html"})
        moved = client.get("/privacy", follow_redirects=False)
    assert shown["fairness"]["passed"] is False
    assert shown["fairness"]["gates"] == result["gates"]
    assert [(row["values"], row["withheld"], row["threshold"]) for row in shown["withheld"]] == [(12, 6, 50)]
    mobility = [row["epsilon"] for row in shown["composition"] if row["domain"] == "mobility"]
    assert mobility == [1.0] * len(mobility)
    assert len(mobility) >= 4
    assert printable.headers["content-type"].startswith("text/html")
    assert "script" not in printable.headers["content-security-policy"]
    assert "not every gate held" not in printable.text
    assert "NOT every gate held" in printable.text
    assert moved.headers["location"] == "/dash/privacy"
    logged = unfair.execute("SELECT action, role FROM governance.audit ORDER BY seq DESC LIMIT 1").fetchone()
    assert logged == ("fairness.audited", "arterial_jobs")
    columns: dict[str, set[str]] = {}
    for table, column in unfair.execute(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'personal'"
    ).fetchall():
        columns.setdefault(table, set()).add(column)
    assert {domain.table: set(domain.stored) for domain in DOMAINS} == {
        domain.table: columns[domain.table] for domain in DOMAINS
    }
