"""Forecasts through the API: the newest, as known at an earlier time, by page and as files."""

from __future__ import annotations

import csv
import io

import pyarrow.parquet as pq
from starlette.testclient import TestClient

from services.storage.database import Connection

URL = "/api/v1/forecasts"


def test_the_newest_forecast_with_its_state_and_reason(client: TestClient, forecasted: Connection) -> None:
    page = client.get(URL, params={"sensor": "tr-001a"}).json()
    assert len(page["data"]) == 8
    assert page["meta"]["units"]["flow_vph"] == "veh/h", "quantiles are in the unit of their quantity"
    assert page["data"][0] == {
        "sensor": "tr-001a",
        "kind": "traffic",
        "quantity": "flow_vph",
        "issued_at": "2026-11-20T07:00:00Z",
        "model": "profile_ridge",
        "state": "degraded",
        "reason": "a quarter of the last day is missing",
        "target_at": "2026-11-20T07:00:00Z",
        "q05": 170.0,
        "q10": 180.0,
        "q25": 190.0,
        "q50": 200.0,
        "q75": 210.0,
        "q90": 220.0,
        "q95": 230.0,
    }


def test_as_issued_at_an_earlier_time(client: TestClient, forecasted: Connection) -> None:
    def medians(issued_at: str) -> list[float]:
        data = client.get(URL, params={"issued_at": issued_at, "limit": "2"}).json()["data"]
        return [row["q50"] for row in data]

    assert medians("2026-11-20T06:59:59Z") == [100.0, 101.0]
    assert medians("2026-11-20T08:00:00+01:00") == [200.0, 201.0]
    assert medians("2026-11-20T05:00:00Z") == []


def test_pages_join_without_gap(client: TestClient, forecasted: Connection) -> None:
    page = client.get(URL, params={"kind": "traffic", "limit": "3"}).json()
    targets = [row["target_at"] for row in page["data"]]
    while page["next"]:
        page = client.get(page["next"]).json()
        targets += [row["target_at"] for row in page["data"]]
    assert len(targets) == 8
    assert targets == sorted(set(targets))


def test_files_hold_every_row(client: TestClient, forecasted: Connection) -> None:
    rows = list(csv.DictReader(io.StringIO(client.get(URL, params={"format": "csv"}).text)))
    table = pq.read_table(io.BytesIO(client.get(URL, params={"format": "parquet"}).content))
    features = client.get(URL, params={"format": "geojson"}).json()["features"]
    assert len(rows) == table.num_rows == len(features) == 8
    assert [float(row["q95"]) for row in rows] == table.column("q95").to_pylist()
    assert features[0]["geometry"] == {"type": "Point", "coordinates": [13.4, 52.52]}
    assert table.schema.metadata[b"issued_by"].endswith(b"Z")


def test_the_scorecard_stands_beside_the_naive(client: TestClient, forecasted: Connection) -> None:
    (row,) = client.get(f"{URL}/scorecard", params={"quantity": "flow_vph"}).json()["data"]
    assert (row["mae"], row["naive_mae"], row["coverage_80"]) == (5.0, 8.0, 0.8)
    assert client.get(f"{URL}/scorecard", params={"format": "geojson"}).status_code == 422
    assert client.get(f"{URL}/scorecard", headers={"Accept": "application/geo+json"}).status_code == 406
