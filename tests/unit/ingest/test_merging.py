"""Several messages about one sensor and moment: an independent, slow model tells what must come out."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ingest.merging import Stored, merge
from ingest.rows import Arrivals, Rows, quantity_rows, traffic_rows
from services.domain import QuantityReading, TrafficReading

ARRIVALS = Arrivals(received_us=np.full(14, 7), delay_us=None)
Values = tuple[float | None, float | None, float | None]


def rows_of(items: list[tuple[int, Values]]) -> Rows:
    readings = [
        TrafficReading(
            sensor=str(key), observed_us=1_000_000 * (key % 2), flow_vph=v[0], speed_kmh=v[1], occupancy=v[2]
        )
        for key, v in items
    ]
    return traffic_rows(readings, [key // 2 for key, _ in items], list(range(len(items))), ARRIVALS)


def slowly(
    items: list[tuple[int, Values]], table: dict[int, Values]
) -> tuple[dict[int, Values], list[bool], list[int]]:
    now, adds, contradicting = dict(table), [], []
    for place, (key, given_values) in enumerate(items):
        old = now.get(key)
        if old is None:
            now[key] = given_values
            adds.append(True)
        elif any(a is not None and b is not None and a != b for a, b in zip(old, given_values, strict=True)):
            contradicting.append(place)
            adds.append(False)
        else:
            now[key] = tuple(b if a is None else a for a, b in zip(old, given_values, strict=True))  # type: ignore[assignment]  # of the same length
            adds.append(now[key] != old)
    return now, adds, contradicting


COLUMN = st.none() | st.sampled_from([0.0, 0.5, 1.0])
VALUES = st.tuples(COLUMN, COLUMN, COLUMN).filter(lambda values: values != (None, None, None))


@given(
    items=st.lists(st.tuples(st.integers(0, 5), VALUES), min_size=1, max_size=14),
    table=st.dictionaries(st.integers(0, 5), VALUES),
)
def test_merging_equals_one_message_after_the_other(items: list[tuple[int, Values]], table: dict[int, Values]) -> None:
    rows = rows_of(items)
    first_of = {}
    for place, (key, _) in enumerate(items):
        first_of.setdefault(key, place)
    known = [key for key in first_of if key in table]
    stored = Stored(
        places=np.array([first_of[key] for key in known], dtype=np.intp),
        values=np.array([table[key] for key in known], dtype=float).reshape(len(known), 3),
    )
    merged = merge(rows, stored)
    now, adds, contradicting = slowly(items, table)
    assert merged.adds.tolist() == adds
    assert [place for place, _ in merged.contradictions] == contradicting
    result = dict(table)
    for part in (merged.new, merged.completed):
        for sensor, moment, values in zip(
            part.sensor_id.tolist(), part.observed_us.tolist(), part.values.tolist(), strict=True
        ):
            key = sensor * 2 + moment // 1_000_000
            result[key] = tuple(None if math.isnan(v) else v for v in values)  # type: ignore[assignment]  # of the same length
    assert result == now
    assert {int(place) for place in merged.new.message} == {
        place for key, place in first_of.items() if key not in table
    }


def test_a_contradiction_names_both_values() -> None:
    merged = merge(rows_of([(0, (820.0, None, None)), (0, (830.0, 50.0, None))]))
    assert merged.contradictions == [
        (1, "flow_vph at 1970-01-01T00:00:00Z is already stored as 820, this message says 830; the first is kept")
    ]
    assert merged.new.values[0, 0] == 820
    assert math.isnan(merged.new.values[0, 1]), "a contradicting message changes nothing"


def test_equal_quantities_of_one_moment_are_told_apart_by_name() -> None:
    readings = [QuantityReading(sensor="a", observed_us=0, quantity=name, value=1.0) for name in ("a", "b", "a")]
    merged = merge(quantity_rows(readings, [1, 1, 1], [0, 1, 2], ARRIVALS))
    assert merged.adds.tolist() == [True, True, False]


def test_hours_are_distinct_pairs_also_before_1970_plus_a_day() -> None:
    sensors, hours = rows_of([(0, (1.0, None, None)), (1, (1.0, None, None)), (2, (1.0, None, None))]).hours()
    assert (sensors.tolist(), hours.tolist()) == ([0, 1], [0, 0])
