"""Code concerned with what the mirror keeps on disk of one transaction: rows as they are, or the keys of rows to look up.

New rows are kept whole. Where a message repeated or completed what was stored, only the database knows the row as it now
is, so its key is kept and the row read when it is sent.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from ingest.influx import line_protocol
from ingest.quality import Flags
from ingest.rows import VALUE_COLUMNS, Integers, Rows, TableName
from services.storage import mirror as storage
from services.storage.database import Connection


class Record(msgspec.Struct, frozen=True, kw_only=True, gc=False, array_like=True):
    """Rows, or keys, of one table, n long; arrays as their bytes in the machine's order.

    Attributes:
        table: which table.
        sensors: the distinct sensors [s].
        names: their codes; empty where only keys are kept.
        place: place of the row's sensor in `sensors` [n].
        quantities: names of the quantities.
        quantity: place in `quantities` [n].
        observed_us: [n].
        values: [n × value columns]; empty where only keys are kept.
        flags: [n]; empty where only keys are kept.

    """

    table: TableName
    sensors: bytes
    names: tuple[str, ...]
    place: bytes
    quantities: tuple[str, ...]
    quantity: bytes
    observed_us: bytes
    values: bytes = b""
    flags: bytes = b""

    def __len__(self) -> int:
        return len(self.observed_us) // 8


_ENCODER: Final = msgspec.msgpack.Encoder()
_DECODER: Final = msgspec.msgpack.Decoder(Record)


def of_rows(rows: Rows, flags: Flags, code: Callable[[int], str]) -> Record:
    """New rows with the quality flag of each, and the code of a sensor by its number."""
    sensors, place = np.unique(rows.sensor_id, return_inverse=True)
    return Record(
        table=rows.table,
        sensors=b"",
        names=tuple(code(number) for number in sensors.tolist()),
        place=place.astype(np.int32).tobytes(),
        quantities=rows.quantities,
        quantity=rows.quantity.astype(np.int32).tobytes(),
        observed_us=rows.observed_us.astype(np.int64).tobytes(),
        values=rows.values.astype(np.float64).tobytes(),
        flags=flags.astype(np.int16).tobytes(),
    )


def of_keys(
    table: TableName,
    sensor_id: Integers,
    observed_us: Integers,
    quantity: npt.NDArray[np.int32],
    quantities: tuple[str, ...],
) -> Record:
    """The keys of rows: sensor, time [µs since 1970 UTC], place of the quantity in `quantities` [all n]."""
    sensors, place = np.unique(sensor_id, return_inverse=True)
    return Record(
        table=table,
        sensors=sensors.astype(np.int64).tobytes(),
        names=(),
        place=place.astype(np.int32).tobytes(),
        quantities=quantities,
        quantity=quantity.astype(np.int32).tobytes(),
        observed_us=observed_us.astype(np.int64).tobytes(),
    )


def dump(record: Record) -> bytes:
    """A record as bytes."""
    return _ENCODER.encode(record)


def load(content: bytes) -> Record:
    """The record that `dump` wrote.

    Raises:
        msgspec.DecodeError: it did not write them.

    """
    return _DECODER.decode(content)


def is_keys(record: Record) -> bool:
    """Whether the rows have to be looked up."""
    return not record.flags


def lines(record: Record) -> list[str]:
    """The lines of rows that were kept whole."""
    place = np.frombuffer(record.place, dtype=np.int32)
    quantity = np.frombuffer(record.quantity, dtype=np.int32)
    kinds = len(record.quantities)
    series, at = np.unique(place.astype(np.int64) * kinds + quantity, return_inverse=True)
    heads = [
        line_protocol.head(record.table, record.names[number // kinds], record.quantities[number % kinds])
        for number in series.tolist()
    ]
    return line_protocol.lines(
        record.table,
        heads,
        at.tolist(),
        np.frombuffer(record.observed_us, dtype=np.int64).tolist(),
        np.frombuffer(record.values, dtype=np.float64).reshape(len(record), len(VALUE_COLUMNS[record.table])),
        np.frombuffer(record.flags, dtype=np.int16).tolist(),
    )


def looked_up(connection: Connection, record: Record) -> list[str]:
    """The lines of rows of which only the keys were kept, as the database has them now."""
    place = np.frombuffer(record.place, dtype=np.int32)
    quantity = np.frombuffer(record.quantity, dtype=np.int32)
    return stored_lines(
        record.table,
        storage.rows_at(
            connection,
            record.table,
            np.frombuffer(record.sensors, dtype=np.int64)[place].tolist(),
            np.frombuffer(record.observed_us, dtype=np.int64).tolist(),
            [record.quantities[number] for number in quantity.tolist()],
        ),
    )


def stored_lines(table: TableName, rows: list[storage.StoredRow]) -> list[str]:
    """The lines of rows read from the database."""
    if not rows:
        return []
    codes, quantities, observed_us, flags, *columns = zip(*rows, strict=True)
    heads = {key: place for place, key in enumerate(dict.fromkeys(zip(codes, quantities, strict=True)))}
    return line_protocol.lines(
        table,
        [line_protocol.head(table, code, quantity) for code, quantity in heads],
        [heads[key] for key in zip(codes, quantities, strict=True)],
        list(observed_us),
        np.array(columns, dtype=np.float64).T,
        list(flags),
    )
