"""The OpenAPI document, the page made from it, and the demo city that its examples speak of."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError
from starlette.testclient import TestClient

import services
from services.api.app import create_app
from services.api.routes.released import PlanName
from services.settings import load_settings
from services.storage.database import Pool


@pytest.fixture(scope="module")
def client() -> TestClient:
    return TestClient(create_app(load_settings(), Pool("postgresql://nowhere.invalid/x", open=False)))


@pytest.fixture(scope="module")
def document(client: TestClient) -> dict[str, Any]:
    found: dict[str, Any] = client.get("/api/v1/openapi.json").json()
    return found


def test_every_reference_resolves_and_every_parameter_is_described(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for name in re.findall(r"#/components/schemas/([^\"']+)", str(document)):
        assert name in schemas
    names = [operation["get"]["operationId"] for operation in document["paths"].values()]
    assert len(names) == len(set(names))
    for path, methods in document["paths"].items():
        assert set(methods) == {"get"}, path
        assert methods["get"]["description"]
        for parameter in methods["get"].get("parameters", []):
            assert parameter["description"], (path, parameter["name"])


def test_every_resource_documents_its_problems(document: dict[str, Any]) -> None:
    for path, methods in document["paths"].items():
        if path.startswith("/api/v1") and not path.endswith("/health"):
            problem = methods["get"]["responses"]["422"]["content"]
            assert list(problem) == ["application/problem+json"]


def test_the_page_needs_nothing_from_elsewhere_and_no_script(client: TestClient, document: dict[str, Any]) -> None:
    answer = client.get("/docs")
    assert answer.status_code == 200
    assert "<script" not in answer.text
    assert re.findall(r'(?:src|href|action)="(?:https?:)?//', answer.text) == []
    assert "script-src" not in answer.headers["content-security-policy"]
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    for path in document["paths"]:
        assert f"<code>{path}</code>" in answer.text
    assert "pd.read_csv(&quot;http" in answer.text
    addresses = set(re.findall(r"http://[^&<]*/(api/v1/[a-z]+)\?[^<]*?format=(?:csv|geojson)", answer.text))
    assert {"api/v1/forecasts", "api/v1/observations", "api/v1/sensors"} <= addresses, "a first request in each tool"
    assert client.get("/docs/docs.css").headers["content-type"].startswith("text/css")


def test_the_root_leads_to_the_dashboard(client: TestClient) -> None:
    answer = client.get("/", follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (307, "/dash/")


def test_the_examples_speak_of_sensors_of_the_demo_city(document: dict[str, Any]) -> None:
    from simulators.city import build_city

    city = build_city(load_settings())
    codes = {*city.detectors.code, *city.feeders.code, *city.stations.code}
    named = {
        example
        for methods in document["paths"].values()
        for parameter in methods["get"].get("parameters", [])
        if parameter["name"] == "sensor"
        for examples in parameter["schema"]["examples"]
        for example in ([examples] if isinstance(examples, str) else examples)
    }
    assert named
    assert named <= codes


_PLANS_LISTED = """
import json
from fastapi import FastAPI
from services.api.routes import released

app = FastAPI()
app.include_router(released.router)
parameters = app.openapi()["paths"]["/releases/figures"]["get"]["parameters"]
print(json.dumps(next(one for one in parameters if one["name"] == "plan")["schema"]["anyOf"][0]["enum"]))
"""


def test_a_plan_dropped_among_the_others_is_listed(tmp_path: Path, document: dict[str, Any]) -> None:
    package = tmp_path / "services"
    (home,) = services.__path__
    shutil.copytree(home, package, ignore=shutil.ignore_patterns("__pycache__"))
    plans = package / "privacy" / "plans"
    text = (plans / "trip_lengths.toml").read_text()
    (plans / "footfall.toml").write_text(text.replace('name = "trip_lengths"', 'name = "footfall"', 1))
    asked = [sys.executable, "-c", _PLANS_LISTED]
    done = subprocess.run(asked, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    parameters = document["paths"]["/api/v1/releases/figures"]["get"]["parameters"]
    (listed,) = (one["schema"]["anyOf"][0]["enum"] for one in parameters if one["name"] == "plan")
    assert {"speeds", "charging", "trip_lengths"} < set(listed)
    assert "presence" not in listed, "it has a resource of its own"
    assert json.loads(done.stdout) == sorted([*listed, "footfall"])


@pytest.mark.parametrize(
    ("name", "told"), [("peeks", "one of bike_stations"), ("presence", "resource of its own, /mobility")]
)
def test_a_plan_that_is_not_here_is_told_which_are(name: str, told: str) -> None:
    with pytest.raises(ValidationError, match=told):
        TypeAdapter(PlanName).validate_python(name)
