"""Code concerned with writing rows as CSV, Parquet and GeoJSON, chunk by chunk. Pure: rows in, bytes out."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from math import isfinite
from typing import Any, Final

import orjson
import pyarrow as pa
import pyarrow.parquet as pq

from services.api.columns import COLUMNS, Type

Batches = Iterable[Sequence[Sequence[Any]]]
Chunks = Generator[bytes, None, None]

_FORMULA_STARTS: Final = ("=", "+", "-", "@", "\t", "\r")
_ROW_GROUP: Final = 50_000
_ARROW: Final[dict[Type, pa.DataType]] = {
    "text": pa.string(),
    "time": pa.timestamp("us", tz="UTC"),
    "date": pa.date32(),
    "number": pa.float64(),
    "whole": pa.int64(),
    "truth": pa.bool_(),
}


def csv_chunks(columns: Sequence[str], batches: Batches, *, hidden: int, meta: Mapping[str, str]) -> Chunks:
    """RFC 4180, UTF-8, one header row; times RFC 3339 with Z, empty means missing.

    A text that a spreadsheet would take for a formula gets an apostrophe in front; numbers keep their sign.
    """
    del meta  # CSV has no place for it
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\r\n")
    names = columns[hidden:]
    cells = [_CSV_CELLS[COLUMNS[name].type] for name in names]
    writer.writerow(names)
    for rows in batches:
        by_column = list(zip(*rows, strict=True))[hidden:]  # one type at a time is three times as fast as cell by cell
        writer.writerows(zip(*map(map, cells, by_column), strict=True))
        yield _drain(buffer)
    yield _drain(buffer)


def _drain(buffer: io.StringIO) -> bytes:
    chunk = buffer.getvalue().encode()
    buffer.seek(0)
    buffer.truncate()
    return chunk


def _guarded(text: str | None) -> str | None:
    return f"'{text}" if text is not None and text.startswith(_FORMULA_STARTS) else text


def _finite(number: float | None) -> float | None:
    return number if number is None or isfinite(number) else None


def instant(moment: datetime) -> str:
    """RFC 3339 in UTC with Z; the fraction only where there is one."""
    return moment.astimezone(UTC).isoformat().removesuffix("+00:00") + "Z"


_CSV_CELLS: Final[dict[Type, Callable[[Any], Any]]] = {
    "text": _guarded,
    "time": lambda moment: None if moment is None else instant(moment),
    "date": lambda day: day,
    "number": _finite,
    "whole": lambda number: number,
    "truth": lambda truth: None if truth is None else str(truth).lower(),
}


def parquet_chunks(columns: Sequence[str], batches: Batches, *, hidden: int, meta: Mapping[str, str]) -> Chunks:
    """Parquet with UTC times; each column carries its unit and meaning, the file what it is."""
    names = columns[hidden:]
    schema = pa.schema([_arrow_field(name) for name in names], metadata=dict(meta))
    sink = _Sink()
    with pq.ParquetWriter(sink, schema, compression="zstd") as writer:
        for rows in _regrouped(batches):
            arrays = [
                pa.array(map(_finite, values) if pa.types.is_floating(field.type) else values, type=field.type)
                for field, values in zip(schema, list(zip(*rows, strict=True))[hidden:], strict=True)
            ]
            writer.write_table(pa.Table.from_arrays(arrays, schema=schema))
            yield sink.drain()
    yield sink.drain()


def _arrow_field(name: str) -> pa.Field:
    column = COLUMNS[name]
    metadata = {"meaning": column.meaning} | ({} if column.unit is None else {"unit": column.unit})
    return pa.field(name, _ARROW[column.type], metadata=metadata)


def _regrouped(batches: Batches) -> Iterable[list[Sequence[Any]]]:
    """Row groups large enough to compress well."""
    group: list[Sequence[Any]] = []
    for rows in batches:
        group.extend(rows)
        if len(group) >= _ROW_GROUP:
            yield group
            group = []
    if group:
        yield group


class _Sink(io.RawIOBase):
    """Collects what is written until it is drained; knows its place, as a Parquet writer must."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._place = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._place

    def write(self, data: Any) -> int:
        with memoryview(data) as view:
            self._buffer += view
            self._place += view.nbytes
            return view.nbytes

    def drain(self) -> bytes:
        chunk = bytes(self._buffer)
        self._buffer.clear()
        return chunk


def geojson_chunks(columns: Sequence[str], batches: Batches, *, hidden: int, meta: Mapping[str, str]) -> Chunks:
    """An RFC 7946 FeatureCollection, one feature for each row.

    The geometry is that of the column `geometry` where there is one, else the point of `lon` and `lat`, else null.
    """
    names = list(columns)
    shape = names.index("geometry") if "geometry" in names else None
    lon, lat = (names.index("lon"), names.index("lat")) if shape is None else (0, 0)
    header = b'{"type":"FeatureCollection","meta":' + orjson.dumps(dict(meta)) + b',"features":['
    first = True
    for rows in batches:
        features = []
        for row in rows:
            geometry = row[shape] if shape is not None else _point(row[lon], row[lat])
            properties = dict(zip(names[hidden:], row[hidden:], strict=True))
            features.append({"type": "Feature", "geometry": geometry, "properties": properties})
        if features:
            yield (header if first else b",") + orjson.dumps(features, option=orjson.OPT_UTC_Z)[1:-1]
            first = False
    yield (header if first else b"") + b"]}"


def _point(lon: float | None, lat: float | None) -> dict[str, Any] | None:
    return None if lon is None or lat is None else {"type": "Point", "coordinates": [lon, lat]}
