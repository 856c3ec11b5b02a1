"""What numpy packs is what PostgreSQL unpacks."""

from __future__ import annotations

import math
from datetime import UTC, datetime

import numpy as np
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from ingest.binary_copy import Column, TextColumn, blocks, moments
from services.domain import from_us
from services.storage.database import Connection

ROW = st.tuples(
    st.integers(0, 2),
    st.integers(-(2**31), 2**31 - 1),
    st.none() | st.integers(-(2**63), 2**63 - 1),
    st.none() | st.floats(width=32, allow_nan=False),
    st.none() | st.floats(allow_nan=False),
    st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1)),  # noqa: DTZ001 - made aware below
)


def null(values: list[object]) -> np.ndarray:
    return np.array([value is None for value in values])


@hypothesis_settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=st.lists(ROW, min_size=1, max_size=20))
def test_round_trip_through_postgresql(owner: Connection, rows: list[tuple]) -> None:
    owner.execute(
        "CREATE TEMP TABLE IF NOT EXISTS packed (t text, i int, b bigint, r real, d double precision, m timestamptz)"
    )
    owner.execute("TRUNCATE packed")
    texts = ("", "gemüse", "x" * 63)
    text, small, big, real, double, moment = (list(column) for column in zip(*rows, strict=True))
    moment_us = [
        int((value.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds()) * 10**6 + 1
        for value in moment
    ]
    columns = [
        TextColumn(values=np.array(text, dtype=np.int32), texts=texts),
        Column(values=np.array(small, dtype=np.int64), wire=">i4"),
        Column(values=np.array([0 if v is None else v for v in big], dtype=np.int64), wire=">i8", null=null(big)),
        Column(values=np.array([math.nan if v is None else v for v in real]), wire=">f4", null=null(real)),
        Column(values=np.array([math.nan if v is None else v for v in double]), wire=">f8", null=null(double)),
        moments(np.array(moment_us, dtype=np.int64)),
    ]
    with owner.cursor() as cursor, cursor.copy("COPY packed FROM STDIN (FORMAT binary)") as stream:
        for block in blocks(columns):
            stream.write(block)
    found = owner.execute("SELECT t, i, b, r::float8, d, m FROM packed").fetchall()
    expected = [
        (texts[t], i, b, r, d, from_us(m))
        for t, i, b, r, d, m in zip(text, small, big, real, double, moment_us, strict=True)
    ]
    assert sorted(map(repr, found)) == sorted(map(repr, expected))
