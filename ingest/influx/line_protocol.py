"""Code concerned with InfluxDB's line protocol: rows as lines, and lines as points. Pure.

A line is `measurement,tag=value field=value,field=value time` (InfluxDB v2 documentation, "Line protocol"). Commas, equal
signs and spaces in names and tags are written with a backslash before them. A backslash or a line end in a tag has no
form that all servers read alike, so each is replaced by a printable relative of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
import numpy.typing as npt
import orjson

from ingest.rows import VALUE_COLUMNS, TableName
from services.errors import InputError

Value = float | int | bool | str
Precision = Literal["s", "ms", "us", "ns"]

PER_MICROSECOND: Final[dict[Precision, float]] = {"s": 1e-6, "ms": 1e-3, "us": 1, "ns": 1_000}
_TAG: Final = str.maketrans(
    {",": r"\,", "=": r"\=", " ": r"\ ", "\\": "\N{FULLWIDTH REVERSE SOLIDUS}", "\n": "␊", "\r": "␍"}
)
_FIELD: Final = re.compile(
    r'((?:[^,= \\]|\\.)+)=("(?:[^"\\]|\\.)*"|[^, "]+)(,|$)',
    re.DOTALL,
)
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,20}")
_SHOWN: Final = 80


@dataclass(frozen=True, kw_only=True, slots=True)
class Point:
    """One point of a series.

    Attributes:
        measurement: its name.
        tags: text by name.
        fields: values by name.
        time_us: [µs since 1970 UTC], None where the line has no time.

    """

    measurement: str
    tags: dict[str, str]
    fields: dict[str, Value]
    time_us: int | None


def tag(text: str) -> str:
    """The text of a tag value in a line."""
    return text.translate(_TAG)


def lines(
    table: TableName,
    series: list[str],
    place: list[int],
    observed_us: list[int],
    values: npt.NDArray[np.float64],
    flags: list[int],
) -> list[str]:
    """A line for each row, in order, its time in microseconds.

    Args:
        table: the table, which is the name of the measurement.
        series: what `head` returns, for each series.
        place: of the row's series in `series` [n].
        observed_us: [µs since 1970 UTC, n].
        values: [n × value columns], NaN where absent, written as short as the column's type allows.
        flags: the quality of each row [n].

    """
    columns = []
    for number, (name, wire) in enumerate(VALUE_COLUMNS[table].items()):
        kind = np.float32 if wire == ">f4" else np.float64
        texts = orjson.dumps(np.ascontiguousarray(values[:, number], dtype=kind), option=orjson.OPT_SERIALIZE_NUMPY)
        columns.append([f"{name}={text}," if text != "null" else "" for text in texts[1:-1].decode().split(",")])
    rows = zip(place, zip(*columns, strict=True), flags, observed_us, strict=True)
    return [f"{series[at]} {''.join(fields)}quality={flag}i {moment}" for at, fields, flag, moment in rows]


def head(table: TableName, sensor: str, quantity: str = "") -> str:
    """The beginning of every line of a series: measurement and tags."""
    return f"{table},quantity={tag(quantity)},sensor={tag(sensor)}" if quantity else f"{table},sensor={tag(sensor)}"


def parse(line: str, precision: Precision) -> Point | None:
    """The point of a line, None for an empty line or a comment.

    Raises:
        InputError: it is not line protocol.

    """
    line = line.strip()
    if not line or line.startswith("#"):
        return None
    key, rest = _cut(line, " ")
    fields_text, moment = _fields_and_time(rest)
    measurement, *tags = _split(key, ",")
    fields = dict(_fields(fields_text))
    if not measurement or not fields:
        message = f"{line[:_SHOWN]!r} is not line protocol: measurement,tag=value field=value time"
        raise InputError(message)
    return Point(
        measurement=_plain(measurement),
        tags=dict(_tag_pair(pair) for pair in tags),
        fields=fields,
        time_us=_time(moment, precision),
    )


def _cut(text: str, separator: str) -> tuple[str, str]:
    """The text before and after the first separator that no backslash precedes."""
    at = text.find(separator)
    while at > 0 and text[at - 1] == "\\":
        at = text.find(separator, at + 1)
    return (text, "") if at < 0 else (text[:at], text[at + 1 :])


def _split(text: str, separator: str) -> Iterator[str]:
    while text:
        part, text = _cut(text, separator)
        yield part


def _plain(text: str) -> str:
    for sign in ",= ":
        text = text.replace(f"\\{sign}", sign)
    return text


def _tag_pair(pair: str) -> tuple[str, str]:
    name, value = _cut(pair, "=")
    if not name or not value:
        message = f"{pair[:_SHOWN]!r} is not a tag: name=value is expected"
        raise InputError(message)
    return _plain(name), _plain(value)


def _fields_and_time(text: str) -> tuple[str, str]:
    """The fields, in which text may have spaces, and the time behind them."""
    quoted = False
    escaped = False
    for at, sign in enumerate(text):
        if escaped:
            escaped = False
        elif sign == "\\":
            escaped = True
        elif sign == '"':
            quoted = not quoted
        elif sign == " " and not quoted:
            return text[:at], text[at + 1 :].strip()
    return text, ""


def _fields(text: str) -> Iterator[tuple[str, Value]]:
    at = 0
    while at < len(text):
        found = _FIELD.match(text, at)
        if found is None:
            message = f"{text[at : at + _SHOWN]!r} is not a field: name=value is expected"
            raise InputError(message)
        yield _plain(found[1]), _value(found[2])
        at = found.end()


def _value(text: str) -> Value:
    if text.startswith('"'):
        return text[1:-1].replace('\\"', '"').replace("\\\\", "\\")
    if text in {"t", "T", "true", "True", "TRUE"}:
        return True
    if text in {"f", "F", "false", "False", "FALSE"}:
        return False
    if text[-1] in "iu" and _INTEGER.fullmatch(text[:-1]):
        return int(text[:-1])
    try:
        return float(text)
    except ValueError:
        message = f"{text[:_SHOWN]!r} is not a value: numbers, 1i, true, or text in quotes are"
        raise InputError(message) from None


def _time(text: str, precision: Precision) -> int | None:
    if not text:
        return None
    if not _INTEGER.fullmatch(text):
        message = f"{text[:_SHOWN]!r} is not a time: an integer of {precision} since 1970 is expected"
        raise InputError(message)
    counted = int(text)
    return counted // 1_000 if precision == "ns" else counted * round(1 / PER_MICROSECOND[precision])
