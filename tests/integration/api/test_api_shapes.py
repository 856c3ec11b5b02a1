"""Every resource with its own documented examples: the answer has the documented shape, in every format."""

from __future__ import annotations

import csv
import io
from typing import Any

import pyarrow.parquet as pq
import pytest
from starlette.testclient import TestClient

from services.api import schemas
from services.storage.database import Connection

RANGES = {
    "from": "2026-11-20T00:00:00Z",
    "to": "2026-11-20T03:00:00Z",
    "issued_at": "2026-11-20T12:00:00Z",
    "first_day": "2026-11-01",
    "last_day": "2026-11-30",
}


@pytest.fixture
def full(
    client: TestClient,
    city: Connection,
    forecasted: Connection,
    released: Connection,
    figures: Connection,
    outlook: Connection,
    ahead: Connection,
) -> TestClient:
    """A client of a city that has some of everything."""
    city.execute('INSERT INTO sensing.layer VALUES (\'roads\', \'{"type": "FeatureCollection", "features": []}\')')
    city.execute(
        "INSERT INTO sensing.dead_letter (received_at, topic, payload, payload_bytes, reason) "
        "VALUES (now(), 'city/v1/x', 'x', 1, 'no JSON')"
    )
    city.execute("INSERT INTO sensing.ingest_session (client_id, started_at, seen_at) VALUES ('a', now(), now())")
    city.execute("INSERT INTO sensing.sensor_health SELECT id, now(), 'ok', now(), 'well' FROM sensing.sensor")
    for roll_up in ("15min", "hour"):
        for table, values in (("traffic", "3, 3, 500, 40, 0.1"), ("energy", "1, 1, 50, 60, 1000")):
            city.execute(
                f"INSERT INTO sensing.{table}_{roll_up} SELECT id, '2026-11-20T01:00Z', {values} "  # noqa: S608 - fixed
                "FROM sensing.sensor WHERE kind = %s",
                [table],
            )
        city.execute(
            f"INSERT INTO sensing.observation_{roll_up} SELECT id, 'temperature_c', '2026-11-20T01:00Z', 1, 1, 7, 6, 8 "  # noqa: S608 - fixed
            "FROM sensing.sensor WHERE kind = 'environment'"
        )
    return client


def operations(client: TestClient) -> dict[str, dict[str, Any]]:
    document = client.get("/api/v1/openapi.json").json()
    return {path: methods["get"] for path, methods in document["paths"].items()}


def examples(operation: dict[str, Any], where: str) -> dict[str, str]:
    found = {}
    for parameter in operation.get("parameters", []):
        values = parameter["schema"].get("examples")
        if parameter["in"] == where and values:
            found[parameter["name"]] = values[0][0] if isinstance(values[0], list) else values[0]
    return found


def test_every_documented_example_works_and_has_the_documented_shape(full: TestClient) -> None:
    for path, operation in operations(full).items():
        url = path.format(**examples(operation, "path"))
        model = operation["responses"]["200"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        in_query = examples(operation, "query")
        asked = [{}, in_query, *({name: value} for name, value in in_query.items())]
        for params in asked:
            answer = full.get(url, params=params)
            assert answer.status_code == 200, (path, params, answer.text)
            getattr(schemas, model).model_validate_json(answer.content)


def test_every_list_agrees_in_every_format(full: TestClient) -> None:
    for kind in ("traffic", "energy", "environment"):
        for resolution in ("raw", "15min", "hour"):
            assert_formats_agree(full, "/api/v1/observations", {"kind": kind, "resolution": resolution})
    assert_formats_agree(full, "/api/v1/energy/districts", {"measure": "households"})
    for name in ("sensors", "health/sensors", "forecasts", "forecasts/scorecard", "mobility", "energy/districts"):
        assert_formats_agree(full, f"/api/v1/{name}", {})
    for name in ("energy/forecasts", "energy/peaks"):
        assert_formats_agree(full, f"/api/v1/{name}", {})
    for name in ("privacy/ledger", "releases", "releases/figures", "releases/forecasts", "dead-letters"):
        assert_formats_agree(full, f"/api/v1/{name}", {})


def assert_formats_agree(client: TestClient, url: str, params: dict[str, str]) -> None:
    operation = operations(client)[url]
    known = {parameter["name"] for parameter in operation["parameters"]}
    params = params | {name: value for name, value in RANGES.items() if name in known}
    media = operation["responses"]["200"]["content"]
    page = client.get(url, params=params).json()
    data = page["data"]
    assert data, (url, params)
    assert page["next"] is None
    files = {name: client.get(url, params=params | {"format": name}) for name in ("csv", "parquet", "geojson")}
    assert {name for name, answer in files.items() if answer.status_code == 200} == {
        "csv",
        "parquet",
        *(["geojson"] if "application/geo+json" in media else []),
    }
    rows = list(csv.DictReader(io.StringIO(files["csv"].text)))
    table = pq.read_table(io.BytesIO(files["parquet"].content))
    assert list(rows[0]) == table.column_names == list(data[0])
    assert len(rows) == table.num_rows == len(data)
    for row, values, cells in zip(data, table.to_pylist(), rows, strict=True):
        for name, value in row.items():
            if name == "age_seconds":  # grows between the requests
                continue
            assert (cells[name] == "") == (value is None), name
            assert (values[name] is None) == (value is None), name
            if isinstance(value, int | float):
                assert values[name] == value, name
    if files["geojson"].status_code == 200:
        features = files["geojson"].json()["features"]
        assert [set(feature["properties"]) for feature in features] == [set(row) for row in data]


def test_numbers_that_are_none_never_break_an_answer(full: TestClient, city: Connection) -> None:
    city.execute("ALTER TABLE sensing.traffic DROP CONSTRAINT traffic_flow_vph_check")
    city.execute("ALTER TABLE sensing.traffic DROP CONSTRAINT traffic_speed_kmh_check")
    city.execute("UPDATE sensing.traffic SET flow_vph = 'NaN', speed_kmh = '-Infinity'")
    for format_ in ("json", "geojson"):
        answer = full.get("/api/v1/observations", params=RANGES_OF_A_DAY | {"format": format_})
        assert answer.status_code == 200
        assert "NaN" not in answer.text
        assert "Infinity" not in answer.text
    first = full.get("/api/v1/observations", params=RANGES_OF_A_DAY).json()["data"][0]
    assert (first["flow_vph"], first["speed_kmh"]) == (None, None)
    rows = list(
        csv.DictReader(io.StringIO(full.get("/api/v1/observations", params=RANGES_OF_A_DAY | {"format": "csv"}).text))
    )
    assert (rows[0]["flow_vph"], rows[0]["speed_kmh"]) == ("", "")


RANGES_OF_A_DAY = {"from": RANGES["from"], "to": RANGES["to"]}
