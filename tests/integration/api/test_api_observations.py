"""Observations through the API: every format, every page, and a reading just stored."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pyarrow.parquet as pq
import pytest
from starlette.testclient import TestClient

from services.storage.database import Connection

DAY = {"from": "2026-11-20T00:00:00Z", "to": "2026-11-21T00:00:00Z"}
URL = "/api/v1/observations"


def test_newest_first_flat_and_wide(client: TestClient, city: Connection) -> None:
    answer = client.get(URL, params=DAY | {"sensor": "tr-001a", "limit": "2"})
    assert answer.status_code == 200
    first = answer.json()["data"][0]
    assert first == {
        "sensor": "tr-001a",
        "kind": "traffic",
        "observed_at": "2026-11-20T23:55:00Z",
        "received_at": "2026-11-21T00:00:02Z",
        "flow_vph": 101.0,
        "speed_kmh": 50.5,
        "occupancy": 0.12,
        "quality": 1,
    }
    assert answer.json()["meta"]["units"]["flow_vph"] == "veh/h"
    assert answer.json()["meta"]["from"] == "2026-11-20T00:00:00Z"


def test_a_reading_just_stored_is_there_at_once_even_from_a_clock_slightly_ahead(
    client: TestClient, traffic: Callable[..., None]
) -> None:
    ahead = datetime.now(UTC) + timedelta(seconds=100)
    traffic("tr-001b", ahead, flow=42)
    data = client.get(URL, params={"sensor": "tr-001b"}).json()["data"]
    assert [row["flow_vph"] for row in data] == [42]


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_pages_are_complete_without_doubles_while_rows_arrive(
    client: TestClient, traffic: Callable[..., None], order: str
) -> None:
    url = client.get(URL, params=DAY | {"limit": "50", "order": order}).json()["next"]
    expected = {(code, minute) for code in ("tr-001a", "tr-001b") for minute in range(0, 1440, 5)}
    seen: list[tuple[str, str]] = []
    page = client.get(URL, params=DAY | {"limit": "50", "order": order}).json()
    arriving = 0
    while True:
        seen += [(row["sensor"], row["observed_at"]) for row in page["data"]]
        if page["next"] is None:
            break
        arriving += 1
        traffic("tr-001a", datetime(2026, 11, 20, 12, 1, tzinfo=UTC) + timedelta(seconds=arriving))
        traffic("tr-001b", datetime(2026, 11, 21, 0, 0, tzinfo=UTC) + timedelta(seconds=arriving))
        url = page["next"]
        page = client.get(url).json()
    assert len(seen) == len(set(seen))
    assert seen == sorted(seen, key=lambda row: (row[1], row[0]), reverse=order == "desc")
    regular = {(code, at) for code, at in seen if at.endswith("00Z") and not at.startswith("2026-11-20T12:01")}
    assert len(regular) == len(expected)


def test_csv_and_parquet_hold_the_same_rows(client: TestClient, city: Connection) -> None:
    answer = client.get(URL, params=DAY | {"kind": "energy", "format": "csv", "order": "asc"})
    assert answer.headers["content-type"].startswith("text/csv")
    assert 'filename="arterial-energy-raw-20261120T0000Z-20261121T0000Z.csv"' in answer.headers["content-disposition"]
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert len(rows) == 96
    assert rows[0] == {
        "sensor": "en-001",
        "kind": "energy",
        "observed_at": "2026-11-20T00:00:00Z",
        "received_at": "2026-11-20T00:15:00Z",
        "power_kw": "-3.25",
        "energy_kwh": "1000.5",
        "quality": "1",
    }
    accept = {"Accept": "application/vnd.apache.parquet"}
    table = pq.read_table(
        io.BytesIO(client.get(URL, params=DAY | {"kind": "energy", "order": "asc"}, headers=accept).content)
    )
    assert table.num_rows == 96
    assert table.schema.field("power_kw").metadata[b"unit"] == b"kW"
    assert table.to_pylist()[0]["observed_at"] == datetime(2026, 11, 20, tzinfo=UTC)
    assert [row["power_kw"] for row in table.to_pylist()] == [float(row["power_kw"]) for row in rows]


def test_mixed_kinds_are_refused_in_words(client: TestClient, city: Connection) -> None:
    answer = client.get(URL, params={"sensor": "tr-001a,en-001"})
    assert answer.status_code == 422
    assert "energy, traffic" in answer.json()["detail"]
