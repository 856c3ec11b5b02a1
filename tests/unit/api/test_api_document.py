"""The OpenAPI document, the page made from it, and the demo city that its examples speak of."""

from __future__ import annotations

import re
from typing import Any

import pytest
from starlette.testclient import TestClient

from services.api.app import create_app
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
