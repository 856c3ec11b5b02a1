"""Code concerned with the messages of one transaction, sorted by what has to be done with them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Generic, TypeVar

import numpy as np
import numpy.typing as npt

from ingest.counts import Personal, Settled
from ingest.decoders.catalogue import is_personal
from ingest.rows import Arrivals, Rows, energy_rows, quantity_rows, traffic_rows
from services.domain import (
    BikeTripReading,
    ChargingReading,
    ClaimReading,
    Decoded,
    EnergyReading,
    HouseholdReading,
    Kind,
    Message,
    PositionReading,
    QuantityReading,
    SensorMeta,
    SensorStatus,
    TrafficReading,
)

T = TypeVar("T")
K = TypeVar("K", str, tuple[str, Kind])


@dataclass(kw_only=True, slots=True)
class Items(Generic[T]):
    """Things of one type, each with the place of its message in the batch."""

    items: list[T] = field(default_factory=list)
    message: list[int] = field(default_factory=list)

    def add(self, item: T, message: int) -> None:
        """Append one."""
        self.items.append(item)
        self.message.append(message)


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """Rows of one observation table before their sensors have numbers: `rows.sensor_id` holds places in `sensors`."""

    rows: Rows
    sensors: Sequence[tuple[str, Kind]]

    def numbered(self, numbers: npt.NDArray[np.int64]) -> Rows:
        """The rows with the numbers of their sensors, given sensor by sensor; those of a negative one are left out."""
        rows = replace(self.rows, sensor_id=numbers[self.rows.sensor_id])
        return rows if (numbers >= 0).all() else rows.take(rows.sensor_id >= 0)

    def messages_about(self, sensor: int) -> list[int]:
        """The places of the messages that speak of a sensor, by its place in `sensors`."""
        places: list[int] = self.rows.message[self.rows.sensor_id == sensor].tolist()
        return places


@dataclass(kw_only=True, slots=True)
class Batch:
    """The messages of one transaction and all they said.

    Attributes:
        messages: in order of receipt.
        decoded: what each said, in the same order.
        tables: the readings of fixed sensors, as rows.
        reasons: why a message becomes a dead letter, by its place.
        known_letters: the places of those that were among the dead letters already, once all is written.
        fresh_rows: how many new rows each message brought [messages].

    """

    messages: Sequence[Message]
    decoded: Sequence[Decoded]
    fresh_rows: npt.NDArray[np.int64]
    tables: list[Table] = field(default_factory=list)
    positions: Items[PositionReading] = field(default_factory=Items)
    households: Items[HouseholdReading] = field(default_factory=Items)
    bike_trips: Items[BikeTripReading] = field(default_factory=Items)
    charging: Items[ChargingReading] = field(default_factory=Items)
    claims: Items[ClaimReading] = field(default_factory=Items)
    meta: Items[SensorMeta] = field(default_factory=Items)
    status: Items[SensorStatus] = field(default_factory=Items)
    reasons: dict[int, list[str]] = field(default_factory=dict)
    known_letters: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, messages: Sequence[Message], decoded: Sequence[Decoded]) -> Batch:
        """Sort what the messages said."""
        batch = cls(messages=messages, decoded=decoded, fresh_rows=np.zeros(len(messages), dtype=np.int64))
        traffic, energy, quantities = Items[TrafficReading](), Items[EnergyReading](), Items[QuantityReading]()
        lanes: dict[type, Items[Any]] = {
            TrafficReading: traffic,
            EnergyReading: energy,
            QuantityReading: quantities,
            PositionReading: batch.positions,
            HouseholdReading: batch.households,
            BikeTripReading: batch.bike_trips,
            ChargingReading: batch.charging,
            ClaimReading: batch.claims,
        }
        for place, said in enumerate(decoded):
            for reading in said.readings:
                lane = lanes[type(reading)]
                lane.items.append(reading)
                lane.message.append(place)
            if said.meta or said.status or said.rejected:
                batch._add_rest(place, said)
        arrivals = Arrivals.of(messages)
        if traffic.items:
            codes, sensors = _places([reading.sensor for reading in traffic.items])
            rows = traffic_rows(traffic.items, sensors, traffic.message, arrivals)
            batch.tables.append(Table(rows=rows, sensors=[(code, Kind.TRAFFIC) for code in codes]))
        if energy.items:
            codes, sensors = _places([reading.sensor for reading in energy.items])
            rows = energy_rows(energy.items, sensors, energy.message, arrivals)
            batch.tables.append(Table(rows=rows, sensors=[(code, Kind.ENERGY) for code in codes]))
        if quantities.items:
            pairs, sensors = _places([(reading.sensor, reading.kind) for reading in quantities.items])
            rows = quantity_rows(quantities.items, sensors, quantities.message, arrivals)
            batch.tables.append(Table(rows=rows, sensors=pairs))
        return batch

    def reject(self, place: int, reason: str) -> None:
        """Make the message at this place a dead letter, for this reason besides others."""
        self.reasons.setdefault(place, []).append(reason)

    def sensors(self) -> dict[str, Kind]:
        """Every fixed sensor the batch speaks of, with the kind it first has."""
        found: dict[str, Kind] = {}
        for table in self.tables:
            for code, kind in table.sensors:
                found.setdefault(code, kind)
        for meta in self.meta.items:
            found.setdefault(meta.sensor, meta.kind)
        for status in self.status.items:
            found.setdefault(status.sensor, status.kind)
        return found

    def settled(self) -> Settled:
        """Where the messages ended, once all is written."""
        stored = self.fresh_rows > 0
        for place in np.flatnonzero(~stored).tolist():
            stored[place] = not self.decoded[place].readings  # what describes a sensor has no rows
        stored[list(self.reasons)] = False
        dead_lettered, count = len(self.reasons) - len(self.known_letters), int(stored.sum())
        return Settled(
            stored=count,
            duplicate=len(self.messages) - count - dead_lettered,
            dead_lettered=dead_lettered,
            rows=int(self.fresh_rows.sum()),
            personal=self._personal(stored),
        )

    def _personal(self, stored: npt.NDArray[np.bool_]) -> Personal:
        """How the personal messages among them ended."""
        places = self.personal_places()
        if not places:
            return Personal()
        dead_lettered = len((places & self.reasons.keys()) - self.known_letters)
        among = np.fromiter(places, dtype=np.int64)
        count = int(stored[among].sum())
        return Personal(
            stored=count,
            duplicate=len(places) - count - dead_lettered,
            dead_lettered=dead_lettered,
            rows=int(self.fresh_rows[among].sum()),
        )

    def personal_places(self) -> set[int]:
        """The places of personal messages."""
        lanes = (self.positions, self.households, self.bike_trips, self.charging, self.claims)
        places = {place for lane in lanes for place in lane.message}
        return places | {place for place in self.reasons if self.is_personal(place)}

    def is_personal(self, place: int) -> bool:
        """Whether the message at this place is personal, by its topic or by what it said."""
        return is_personal(self.messages[place].topic) or self.decoded[place].personal

    def _add_rest(self, place: int, said: Decoded) -> None:
        """Take in what a message said besides readings."""
        for meta in said.meta:
            self.meta.add(meta, place)
        for status in said.status:
            self.status.add(status, place)
        for rejected in said.rejected:
            self.reject(place, rejected.reason if rejected.item is None else f"item {rejected.item}: {rejected.reason}")


def _places(sensors: Sequence[K]) -> tuple[list[K], list[int]]:
    """The distinct sensors, and of each reading the place of its sensor among them."""
    known: dict[K, int] = {}
    places = [known.setdefault(sensor, len(known)) for sensor in sensors]
    return list(known), places
