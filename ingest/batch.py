"""Code concerned with the messages of one transaction, sorted by what has to be done with them. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from ingest.counts import Fate
from services.domain import (
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


FixedItem = TrafficReading | EnergyReading | QuantityReading | SensorMeta | SensorStatus
"""What speaks of a fixed sensor."""


def kind_of(item: FixedItem) -> Kind:
    """The kind of sensor that an item speaks of."""
    if isinstance(item, TrafficReading):
        return Kind.TRAFFIC
    if isinstance(item, EnergyReading):
        return Kind.ENERGY
    return item.kind


@dataclass(kw_only=True, slots=True)
class Items(Generic[T]):
    """Things of one type, each with the place of its message in the batch."""

    items: list[T] = field(default_factory=list)
    message: list[int] = field(default_factory=list)

    def add(self, item: T, message: int) -> None:
        """Append one."""
        self.items.append(item)
        self.message.append(message)


@dataclass(kw_only=True, slots=True)
class Batch:
    """The messages of one transaction and all they said.

    Attributes:
        messages: in order of receipt.
        decoded: what each said, in the same order.
        reasons: why a message becomes a dead letter, by its place.
        fresh_rows: how many new rows a message brought, by its place.

    """

    messages: Sequence[Message]
    decoded: Sequence[Decoded]
    traffic: Items[TrafficReading] = field(default_factory=Items)
    energy: Items[EnergyReading] = field(default_factory=Items)
    quantities: Items[QuantityReading] = field(default_factory=Items)
    positions: Items[PositionReading] = field(default_factory=Items)
    households: Items[HouseholdReading] = field(default_factory=Items)
    meta: Items[SensorMeta] = field(default_factory=Items)
    status: Items[SensorStatus] = field(default_factory=Items)
    reasons: dict[int, list[str]] = field(default_factory=dict)
    fresh_rows: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, messages: Sequence[Message], decoded: Sequence[Decoded]) -> Batch:
        """Sort what the messages said."""
        batch = cls(messages=messages, decoded=decoded, fresh_rows=[0] * len(messages))
        lanes: dict[type, Items[Any]] = {
            TrafficReading: batch.traffic,
            EnergyReading: batch.energy,
            QuantityReading: batch.quantities,
            PositionReading: batch.positions,
            HouseholdReading: batch.households,
        }
        for place, said in enumerate(decoded):
            for reading in said.readings:
                lane = lanes[type(reading)]
                lane.items.append(reading)
                lane.message.append(place)
            for meta in said.meta:
                batch.meta.add(meta, place)
            for status in said.status:
                batch.status.add(status, place)
            for rejected in said.rejected:
                batch.reject(
                    place, rejected.reason if rejected.item is None else f"item {rejected.item}: {rejected.reason}"
                )
        return batch

    def reject(self, place: int, reason: str) -> None:
        """Make the message at this place a dead letter, for this reason besides others."""
        self.reasons.setdefault(place, []).append(reason)

    def sensors(self) -> dict[str, Kind]:
        """Every sensor the batch speaks of, with the kind it first has."""
        found: dict[str, Kind] = {}
        lanes = (self.traffic.items, self.energy.items, self.quantities.items, self.meta.items, self.status.items)
        for items in lanes:
            for code, kind in {(item.sensor, kind_of(item)) for item in items}:
                found.setdefault(code, kind)
        return found

    def fates(self) -> list[Fate]:
        """Where each message ended, once all is written."""
        return [self._fate(place) for place in range(len(self.messages))]

    def _fate(self, place: int) -> Fate:
        if place in self.reasons:
            return Fate.DEAD_LETTERED
        if self.fresh_rows[place] or not self.decoded[place].readings:  # what describes a sensor has no rows
            return Fate.STORED
        return Fate.DUPLICATE
