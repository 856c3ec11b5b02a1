"""Rows written as files and read again by others."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from typing import Any

import orjson
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.api.columns import COLUMNS
from services.api.formats import json_response, records
from services.api.writers import csv_chunks, geojson_chunks, parquet_chunks

EARLIEST = datetime(1971, 1, 1)  # noqa: DTZ001 - hypothesis adds the zone
LATEST = datetime(2099, 1, 1)  # noqa: DTZ001 - hypothesis adds the zone
NAMES = ("lon", "lat", "sensor", "observed_at", "value", "quality", "silent")
NUMBERS = st.none() | st.floats()
ROWS = st.lists(
    st.tuples(
        st.none() | st.floats(-180, 180),
        st.none() | st.floats(-90, 90),
        st.text(),
        st.datetimes(EARLIEST, LATEST, timezones=st.just(UTC)),
        NUMBERS,
        st.integers(1, 9),
        st.booleans(),
    )
)


def finite(value: float | None) -> float | None:
    return None if value is None or value != value or abs(value) == float("inf") else value


@given(ROWS)
def test_csv_is_read_back_and_no_text_is_a_formula(rows: list[tuple[Any, ...]]) -> None:
    text = b"".join(csv_chunks(NAMES, [rows], hidden=2, meta={})).decode()
    back = list(csv.reader(io.StringIO(text, newline="")))
    assert tuple(back[0]) == NAMES[2:]
    assert len(back) == len(rows) + 1
    for row, (sensor, at, value, quality, silent) in zip(rows, back[1:], strict=True):
        assert sensor in {row[2], f"'{row[2]}"}
        assert not sensor.startswith(("=", "+", "-", "@", "\t", "\r"))
        assert at.endswith("Z")
        assert datetime.fromisoformat(at) == row[3]
        assert (float(value) if value else None) == finite(row[4])
        assert (quality, silent) == (str(row[5]), str(row[6]).lower())


@given(ROWS)
def test_parquet_is_read_back_with_its_units(rows: list[tuple[Any, ...]]) -> None:
    content = b"".join(parquet_chunks(NAMES, [rows[:1], rows[1:]], hidden=0, meta={"kind": "environment"}))
    table = pq.read_table(io.BytesIO(content))
    assert table.schema.metadata[b"kind"] == b"environment"
    assert table.schema.field("lon").metadata == {b"meaning": b"Longitude, WGS 84.", b"unit": b"deg"}
    assert table.column("observed_at").to_pylist() == [row[3] for row in rows]
    assert table.column("value").to_pylist() == [finite(row[4]) for row in rows]
    assert table.column("sensor").to_pylist() == [row[2] for row in rows]


def no_json(constant: str) -> None:
    pytest.fail(f"{constant} is no JSON")


@given(ROWS)
def test_geojson_is_valid_json_with_a_feature_for_each_row(rows: list[tuple[Any, ...]]) -> None:
    content = b"".join(geojson_chunks(NAMES, [rows[:2], rows[2:]], hidden=2, meta={"kind": "x"}))
    document = json.loads(content, parse_constant=no_json)
    assert document["type"] == "FeatureCollection"
    assert [feature["properties"]["sensor"] for feature in document["features"]] == [row[2] for row in rows]
    for feature, row in zip(document["features"], rows, strict=True):
        assert (feature["geometry"] is None) == (row[0] is None or row[1] is None)


@given(NUMBERS)
def test_a_number_that_is_none_is_null_in_json(value: float | None) -> None:
    body = json_response(records(("value",), [(value,)])).body
    assert orjson.loads(bytes(body)) == [{"value": finite(value)}]


def test_every_column_says_what_it_means() -> None:
    for name, column in COLUMNS.items():
        assert column.meaning.endswith("."), name
        assert name == name.lower()
