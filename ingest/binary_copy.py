"""Code concerned with PostgreSQL's binary COPY format, built by numpy a block at a time.

A row is a 16-bit field count, then each field as a 32-bit length and its big-endian bytes; NULL is the length -1 with
no bytes (PostgreSQL documentation, COPY, "Binary Format"). Rows with NULLs in the same places have the same size, so
each such group is one structured array and one block.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import numpy.typing as npt

HEADER: Final = b"PGCOPY\n\xff\r\n\x00" + bytes(8)
TRAILER: Final = b"\xff\xff"
EPOCH_US: Final = 946_684_800_000_000
"""Microseconds from 1970 to 2000, where PostgreSQL's timestamps begin."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """A column of fixed width: `wire` is its big-endian type, `null` marks absent values."""

    values: npt.NDArray[np.generic]
    wire: str
    null: npt.NDArray[np.bool_] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class TextColumn:
    """A text column with few distinct values: `values` are places in `texts`."""

    values: npt.NDArray[np.int32]
    texts: Sequence[str]


def moments(microseconds: npt.NDArray[np.int64]) -> Column:
    """A `timestamptz` column from microseconds since 1970 UTC."""
    return Column(values=microseconds - EPOCH_US, wire=">i8")


def blocks(columns: Sequence[Column | TextColumn]) -> Iterator[bytes]:
    """The COPY stream of all rows, header and trailer included; rows are grouped, not kept in order.

    Args:
        columns: in the order of the COPY statement, all of the same length.

    """
    yield HEADER
    group = _groups(columns)
    if len(group) and (group == group[0]).all():
        yield _block(columns, slice(None))
    else:
        for code in np.unique(group):
            yield _block(columns, np.flatnonzero(group == code))
    yield TRAILER


def _groups(columns: Sequence[Column | TextColumn]) -> npt.NDArray[np.int64]:
    """A number per row that is equal for rows with the same NULLs and the same texts."""
    group = np.zeros(len(columns[0].values), dtype=np.int64)
    for column in columns:
        if isinstance(column, TextColumn):
            group = group * len(column.texts) + column.values
        elif column.null is not None:
            group = group * 2 + column.null
    return group


def _block(columns: Sequence[Column | TextColumn], rows: slice | npt.NDArray[np.intp]) -> bytes:
    fields: list[tuple[str, str]] = [("fields", ">i2")]
    for place, column in enumerate(columns):
        fields.append((f"length{place}", ">i4"))
        if isinstance(column, TextColumn):
            fields.append((f"value{place}", f"V{len(_text(column, rows))}"))
        elif not _is_null(column, rows):
            fields.append((f"value{place}", column.wire))
    block = np.empty(len(columns[0].values[rows]), dtype=fields)
    block["fields"] = len(columns)
    for place, column in enumerate(columns):
        if isinstance(column, TextColumn):
            text = _text(column, rows)
            block[f"length{place}"] = len(text)
            block[f"value{place}"] = np.void(text)
        elif _is_null(column, rows):
            block[f"length{place}"] = -1
        else:
            block[f"length{place}"] = np.dtype(column.wire).itemsize
            block[f"value{place}"] = column.values[rows]
    return block.tobytes()


def _is_null(column: Column, rows: slice | npt.NDArray[np.intp]) -> bool:
    return column.null is not None and bool(column.null[rows][0])


def _text(column: TextColumn, rows: slice | npt.NDArray[np.intp]) -> bytes:
    return column.texts[int(column.values[rows][0])].encode()
