"""Code concerned with readings as columns: what one transaction writes to one observation table. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal

import numpy as np
import numpy.typing as npt

from ingest import quality
from ingest.binary_copy import Column, TextColumn, moments
from services.domain import EnergyReading, Message, QuantityReading, TrafficReading

TableName = Literal["traffic", "energy", "observation"]
Integers = npt.NDArray[np.int64]
HOUR_US: Final = 3_600_000_000
_NEVER_US: Final = 1 << 62

VALUE_COLUMNS: Final[dict[TableName, dict[str, str]]] = {
    "traffic": {"flow_vph": ">f4", "speed_kmh": ">f4", "occupancy": ">f4"},
    "energy": {"power_kw": ">f4", "energy_kwh": ">f8"},
    "observation": {"value": ">f8"},
}
"""The value columns of each table and how PostgreSQL holds them."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Rows:
    """Rows of one table, in the order of receipt, n long.

    Attributes:
        table: which table.
        message: place of the message in its batch [n].
        sensor_id: [n].
        quantity: place in `quantities` [n]; zeros for the wide tables.
        quantities: names of the quantities; one empty name for the wide tables.
        observed_us: start of the interval [µs since 1970 UTC, n].
        received_us: [µs since 1970 UTC, n].
        seq: sequence numbers, -1 where the device sends none [n].
        values: [n × value columns], NaN where absent, rounded to what the table holds.

    """

    table: TableName
    message: Integers
    sensor_id: Integers
    quantity: npt.NDArray[np.int32]
    quantities: tuple[str, ...]
    observed_us: Integers
    received_us: Integers
    seq: Integers
    values: npt.NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.message)

    def take(self, which: npt.NDArray[np.intp] | npt.NDArray[np.bool_]) -> Rows:
        """The rows at these places."""
        return replace(
            self,
            message=self.message[which],
            sensor_id=self.sensor_id[which],
            quantity=self.quantity[which],
            observed_us=self.observed_us[which],
            received_us=self.received_us[which],
            seq=self.seq[which],
            values=self.values[which],
        )

    def flags(self) -> quality.Flags:
        """The quality flag of each row by its own values."""
        if self.table == "traffic":
            return quality.traffic_flags(self.values[:, 0], self.values[:, 1], self.values[:, 2])
        if self.table == "energy":
            return quality.energy_flags(self.values[:, 0], self.values[:, 1])
        flags = np.empty(len(self), dtype=np.int16)
        for place, name in enumerate(self.quantities):
            of_it = self.quantity == place
            flags[of_it] = quality.quantity_flags(name, self.values[of_it, 0])
        return flags

    def columns(self, flags: quality.Flags) -> list[Column | TextColumn]:
        """The columns in the order of the table's COPY statement, with the quality flag of each row [n]."""
        found: list[Column | TextColumn] = [Column(values=self.sensor_id, wire=">i4")]
        if self.table == "observation":
            found.append(TextColumn(values=self.quantity, texts=self.quantities))
        found += [
            moments(self.observed_us),
            moments(self.received_us),
            Column(values=self.seq, wire=">i8", null=self.seq < 0),
        ]
        for place, wire in enumerate(VALUE_COLUMNS[self.table].values()):
            column = self.values[:, place]
            found.append(Column(values=column, wire=wire, null=np.isnan(column)))
        return [*found, Column(values=flags, wire=">i2")]

    def months(self) -> list[str]:
        """The first day of each month (UTC) that has a row, ISO."""
        return [f"{month}-01" for month in np.unique(self.observed_us.astype("M8[us]").astype("M8[M]"))]

    def hours(self) -> tuple[Integers, Integers]:
        """The distinct pairs of sensor and hour [µs since 1970 UTC] that have a row."""
        hour = self.observed_us // HOUR_US
        pairs = np.unique((self.sensor_id << 32) | hour)
        return pairs >> 32, (pairs & 0xFFFF_FFFF) * HOUR_US

    def order(self) -> npt.NDArray[np.intp]:
        """The places of the rows by key, equal keys in order of receipt.

        Written in this order, rows of a sensor meet the same page of the index, a third less work for PostgreSQL than in
        the order of time; and processes that write the same keys wait for each other instead of in a circle.
        """
        return np.lexsort((self.observed_us, self.quantity, self.sensor_id))

    def repeats(self) -> npt.NDArray[np.bool_]:
        """Whether an earlier row has the same key [n]."""
        order = self.order()
        same = np.ones(max(len(self) - 1, 0), dtype=bool)
        for key in (self.sensor_id, self.quantity, self.observed_us):
            ordered = key[order]
            same &= ordered[1:] == ordered[:-1]
        found = np.zeros(len(self), dtype=bool)
        found[order[1:]] = same
        return found


@dataclass(frozen=True, kw_only=True, slots=True)
class Arrivals:
    """When the messages of a batch arrived [µs since 1970 UTC, messages], and how late history's readings would have been."""

    received_us: Integers
    delay_us: Integers | None

    @classmethod
    def of(cls, messages: Sequence[Message]) -> Arrivals:
        """Of these messages."""
        received_us = np.array([message.received_us for message in messages], dtype=np.int64)
        delays = [message.delay_us for message in messages]
        if delays.count(None) == len(delays):
            return cls(received_us=received_us, delay_us=None)
        late = [_NEVER_US if delay is None else delay for delay in delays]
        return cls(received_us=received_us, delay_us=np.array(late, dtype=np.int64))

    def of_readings(self, message: Integers, observed_us: Integers) -> Integers:
        """When each reading arrived [µs]: with its message, or in history when it would have been live."""
        received_us: Integers = self.received_us[message]
        if self.delay_us is None:
            return received_us
        earliest: Integers = np.minimum(received_us, observed_us + self.delay_us[message])
        return earliest


def traffic_rows(readings: list[TrafficReading], sensors: list[int], message: list[int], arrivals: Arrivals) -> Rows:
    """Rows of `sensing.traffic`; the lists belong together place by place."""
    values = np.array(
        [
            [reading.flow_vph for reading in readings],
            [reading.speed_kmh for reading in readings],
            [reading.occupancy for reading in readings],
        ],
        dtype=np.float64,
    )
    return _wide("traffic", readings, sensors, message, arrivals, values)


def energy_rows(readings: list[EnergyReading], sensors: list[int], message: list[int], arrivals: Arrivals) -> Rows:
    """Rows of `sensing.energy`; the lists belong together place by place."""
    values = np.array(
        [[reading.power_kw for reading in readings], [reading.energy_kwh for reading in readings]], dtype=np.float64
    )
    return _wide("energy", readings, sensors, message, arrivals, values)


def quantity_rows(readings: list[QuantityReading], sensors: list[int], message: list[int], arrivals: Arrivals) -> Rows:
    """Rows of `sensing.observation`; the lists belong together place by place."""
    names = tuple(dict.fromkeys(reading.quantity for reading in readings))
    place = {name: index for index, name in enumerate(names)}
    values = np.array([[reading.value for reading in readings]])
    rows = _wide("observation", readings, sensors, message, arrivals, values)
    return replace(
        rows, quantities=names, quantity=np.array([place[reading.quantity] for reading in readings], dtype=np.int32)
    )


def _wide(
    table: TableName,
    readings: list[TrafficReading] | list[EnergyReading] | list[QuantityReading],
    sensors: list[int],
    message: list[int],
    arrivals: Arrivals,
    values: npt.NDArray[np.float64],
) -> Rows:
    for place, wire in enumerate(VALUE_COLUMNS[table].values()):
        values[place] = values[place].astype(wire)
    places = np.array(message, dtype=np.int64)
    observed_us = np.array([reading.observed_us for reading in readings], dtype=np.int64)
    return Rows(
        table=table,
        message=places,
        sensor_id=np.array(sensors, dtype=np.int64),
        quantity=np.zeros(len(readings), dtype=np.int32),
        quantities=("",),
        observed_us=observed_us,
        received_us=arrivals.of_readings(places, observed_us),
        seq=np.array([-1 if reading.seq is None else reading.seq for reading in readings], dtype=np.int64),
        values=np.ascontiguousarray(values.T),
    )
