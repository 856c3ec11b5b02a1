from __future__ import annotations

import contextlib
import math

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ingest.influx import line_protocol
from ingest.influx.line_protocol import Point, head, parse
from services.errors import InputError

NAMES = st.text(min_size=1, max_size=40)
"""Any text, with commas, spaces, equal signs, backslashes, quotes and line ends among it."""
NUMBERS = st.one_of(st.just(math.nan), st.floats(allow_nan=False, allow_infinity=False, width=32))


def pictured(text: str) -> str:
    return text.replace("\\", "＼").replace("\n", "␊").replace("\r", "␍")


@given(sensor=NAMES, quantity=NAMES, value=NUMBERS, moment=st.integers(0, 2**52), flag=st.integers(1, 9))
@example(sensor="a,b c=d\\", quantity="x\ny", value=0.1, moment=0, flag=1)
@example(sensor="\\", quantity="\\ ", value=-0.0, moment=0, flag=1)
def test_a_line_says_what_the_row_says(sensor: str, quantity: str, value: float, moment: int, flag: int) -> None:
    series = [head("observation", sensor, quantity)]
    (line,) = line_protocol.lines("observation", series, [0], [moment], np.array([[value]]), [flag])

    assert "\n" not in line
    assert "\r" not in line
    fields: dict[str, object] = {"quality": flag} if math.isnan(value) else {"value": value, "quality": flag}
    found = parse(line, "us")
    assert found == Point(
        measurement="observation",
        tags={"quantity": pictured(quantity), "sensor": pictured(sensor)},
        fields=fields,  # type: ignore[arg-type]  # float and int
        time_us=moment,
    )


@given(first=NAMES, second=NAMES)
def test_two_sensors_are_two_series(first: str, second: str) -> None:
    assert (head("traffic", first) == head("traffic", second)) == (pictured(first) == pictured(second))


@given(values=st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS), min_size=1, max_size=30))
def test_absent_values_are_left_out_and_the_others_keep_their_column(values: list[tuple[float, ...]]) -> None:
    rows = len(values)
    texts = line_protocol.lines(
        "traffic", ["traffic,sensor=a"], [0] * rows, list(range(rows)), np.array(values), [1] * rows
    )

    for place, (text, row) in enumerate(zip(texts, values, strict=True)):
        point = parse(text, "us")
        assert point is not None
        assert point.time_us == place
        named = dict(zip(("flow_vph", "speed_kmh", "occupancy"), row, strict=True))
        expected = {name: value for name, value in named.items() if not math.isnan(value)}
        assert {name: np.float32(value) for name, value in point.fields.items() if name != "quality"} == expected


def test_values_are_as_short_as_the_column_allows() -> None:
    rounded = float(np.float32(43.3))
    traffic = line_protocol.lines(
        "traffic", ["traffic,sensor=a"], [0], [0], np.array([[820.0, rounded, math.nan]]), [3]
    )
    energy = line_protocol.lines("energy", ["energy,sensor=a"], [0], [5], np.array([[math.nan, 1234567.123456]]), [1])

    assert traffic == ["traffic,sensor=a flow_vph=820.0,speed_kmh=43.3,quality=3i 0"]
    assert energy == ["energy,sensor=a energy_kwh=1234567.123456,quality=1i 5"]


@pytest.mark.parametrize(
    ("line", "point"),
    [
        (
            r'my\ measurement,tag\,1=a\=b,t=c\ d text="say \"a, b = c\"\\",n=1i,u=7u,b=t,f=-1.5e3 1790000000123456789',
            Point(
                measurement="my measurement",
                tags={"tag,1": "a=b", "t": "c d"},
                fields={"text": 'say "a, b = c"\\', "n": 1, "u": 7, "b": True, "f": -1500.0},
                time_us=1_790_000_000_123_456,
            ),
        ),
        ("m f=1", Point(measurement="m", tags={}, fields={"f": 1.0}, time_us=None)),
        ("m f=false -5000", Point(measurement="m", tags={}, fields={"f": False}, time_us=-5)),
        ("# a comment", None),
        ("  ", None),
    ],
)
def test_lines_of_the_specification_are_read(line: str, point: Point | None) -> None:
    assert parse(line, "ns") == point


@pytest.mark.parametrize(
    ("precision", "counted"), [("s", 1_790_000_000), ("ms", 1_790_000_000_000), ("us", 1_790_000_000_000_000)]
)
def test_times_are_what_the_precision_says(precision: line_protocol.Precision, counted: int) -> None:
    point = parse(f"m f=1 {counted}", precision)
    assert point is not None
    assert point.time_us == 1_790_000_000_000_000


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("m", "not line protocol"),
        ("m,t=1", "not line protocol"),
        ("m,t f=1", "'t' is not a tag"),
        ("m f=abc", "'abc' is not a value"),
        ("m f=1,g", "'g' is not a field"),
        ('m f="open', "is not a field"),
        ("m f=1 soon", "'soon' is not a time"),
        (",t=1 f=1", "not line protocol"),
    ],
)
def test_what_is_no_line_is_refused_with_the_place(line: str, reason: str) -> None:
    with pytest.raises(InputError, match=reason):
        parse(line, "ns")


@given(st.text(max_size=200))
def test_any_text_is_a_point_or_refused(text: str) -> None:
    with contextlib.suppress(InputError):
        parse(text, "ns")
