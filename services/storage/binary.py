"""Code concerned with PostgreSQL's binary COPY format as numpy records: millions of rows without a Python object each.

Only rows of fixed width are possible, so a NULL must be written as something else (`coalesce(x, 'NaN')`).
Source of the format: PostgreSQL documentation, COPY, "Binary Format".
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from struct import pack
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

HEADER: Final = b"PGCOPY\n\xff\r\n\0" + bytes(8)
TRAILER: Final = b"\xff\xff"
_POSTGRES_EPOCH_US: Final = 946_684_800_000_000  # 2000-01-01, from which PostgreSQL counts timestamps


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """The layout of one row: field `cK` holds column K, `nK` its length in bytes."""

    dtype: np.dtype[np.void]
    columns: int

    def blank(self, rows: int) -> NDArray[np.void]:
        """Rows with every length filled in and every value still zero."""
        made = np.zeros(rows, dtype=self.dtype)
        made["columns"] = self.columns
        for k in range(self.columns):
            made[f"n{k}"] = self.dtype[f"c{k}"].itemsize
        return made

    def fill(self, rows: NDArray[np.void], values: Sequence[ArrayLike]) -> None:
        """Set all columns, each from an array of one value per row or from one value for all."""
        for k, column in enumerate(values):
            rows[f"c{k}"] = column

    def read(self, data: bytes) -> list[NDArray[Any]]:
        """The columns of a whole COPY document, in the machine's byte order."""
        body = data[len(HEADER) : -len(TRAILER)]
        rows = np.frombuffer(body, dtype=self.dtype)
        return [rows[f"c{k}"].astype(self.dtype[f"c{k}"].newbyteorder("=")) for k in range(self.columns)]


def record(*types: str) -> Record:
    """The layout of rows of these numpy types, such as `i4`, `f8` or `S8` for a text of eight bytes."""
    fields: list[tuple[str, str]] = [("columns", ">i2")]
    for k, kind in enumerate(types):
        fields += [(f"n{k}", ">i4"), (f"c{k}", kind if kind.startswith("S") else f">{kind}")]
    return Record(dtype=np.dtype(fields), columns=len(types))


def stamps(microseconds: NDArray[np.int64]) -> NDArray[np.int64]:
    """Microseconds since 1970 as PostgreSQL writes a `timestamptz`."""
    return microseconds - _POSTGRES_EPOCH_US


def from_stamps(stored: NDArray[np.int64]) -> NDArray[np.int64]:
    """A binary `timestamptz` as microseconds since 1970."""
    return stored + _POSTGRES_EPOCH_US


def stamp(microseconds: int) -> int:
    """One time in microseconds since 1970 as PostgreSQL writes a `timestamptz`."""
    return microseconds - _POSTGRES_EPOCH_US


def field(value: bytes | None) -> bytes:
    """One field of a row: its length and its bytes, or NULL."""
    return pack(">i", -1) if value is None else pack(">i", len(value)) + value


_FLOAT4: Final = 700  # the type's number in pg_type


def array_fields(values: NDArray[np.float64]) -> bytes:
    """One field of type `real[]` for each row of a finite matrix."""
    rows, width = values.shape
    made = np.empty(rows, dtype=[("head", ">i4", 6), ("items", [("length", ">i4"), ("value", ">f4")], width)])
    made["head"] = (20 + 8 * width, 1, 0, _FLOAT4, width, 1)
    made["items"]["length"] = 4
    made["items"]["value"] = values
    return made.tobytes()


def read_array(sent: bytes, kind: str) -> NDArray[Any]:
    """What `array_send` gives for an array without NULL, as numbers of a numpy type such as `f4`."""
    item = np.dtype([("length", ">i4"), ("value", f">{kind}")])
    items = np.frombuffer(sent, dtype=item, offset=20) if len(sent) > 20 else np.empty(0, dtype=item)
    return np.asarray(items["value"].astype(kind))
