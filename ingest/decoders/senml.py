"""Code concerned with SenML in JSON (RFC 8428) on `city/v1/<kind>/<sensor>/senml`.

A record's sensor is the base name in force, or the topic's sensor where there is none; its quantity is its own name.
Base time, value and unit are resolved; times below 2^28 are relative to the receipt. Sums, strings, booleans and data
values are not stored, and said so.
"""

from __future__ import annotations

from typing import Any, Final

from ingest.decoders.checks import (
    SECOND_US,
    Window,
    is_quantity,
    number,
    parse_json,
    quantity_name,
    sensor_code,
    shown,
    within,
)
from ingest.decoders.native import address
from services.domain import (
    PERSONAL_KINDS,
    Decoded,
    EnergyReading,
    Kind,
    Message,
    QuantityReading,
    Reading,
    Rejected,
    TrafficReading,
)
from services.errors import InputError

_RELATIVE_BELOW: Final = 2**28
_VERSION: Final = 10
_UNITS: Final = {
    (Kind.TRAFFIC, "km/h"): ("speed_kmh", 1.0),
    (Kind.TRAFFIC, "m/s"): ("speed_kmh", 3.6),
    (Kind.ENERGY, "W"): ("power_kw", 0.001),
    (Kind.ENERGY, "kW"): ("power_kw", 1.0),
    (Kind.ENERGY, "Wh"): ("energy_kwh", 0.001),
    (Kind.ENERGY, "kWh"): ("energy_kwh", 1.0),
    (Kind.ENERGY, "J"): ("energy_kwh", 1 / 3.6e6),
}
_SUFFIXES: Final = {"Cel": "c", "K": "k", "%RH": "percent", "%": "percent", "/": "share", "m/s": "m_per_s"}
_OTHER_VALUES: Final = {"vs": "strings", "vb": "booleans", "vd": "data values", "s": "sums", "bs": "base sums"}
_WIDE: Final = {
    "flow_vph": (Kind.TRAFFIC, 0.0, 3.4e38, "a flow is not negative"),
    "speed_kmh": (Kind.TRAFFIC, 0.0, 3.4e38, "a speed is not negative"),
    "occupancy": (Kind.TRAFFIC, 0.0, 1.0, "it is a share between 0 and 1"),
    "power_kw": (Kind.ENERGY, -3.4e38, 3.4e38, ""),
    "energy_kwh": (Kind.ENERGY, -3.4e38, 3.4e38, ""),
}


def decode(message: Message, window: Window) -> Decoded:
    """All that a SenML pack says.

    Raises:
        InputError: nothing of it can be used.

    """
    pack = parse_json(message.payload)
    if not isinstance(pack, list) or not pack:
        reason = "a SenML pack is a JSON array of records"
        raise InputError(reason)
    return decode_pack(pack, message, window)


def decode_pack(pack: list[Any], message: Message, window: Window) -> Decoded:
    """All that the records of a pack say, whatever its representation was; labels are those of JSON.

    Raises:
        InputError: the topic's sensor cannot send SenML.

    """
    kind, sensor, _ = address(message.topic)
    if kind in PERSONAL_KINDS:
        reason = f"a {kind} is not read from SenML: its readings need the native dialect"
        raise InputError(reason)
    return _Pack(kind, sensor, message.received_us, window).read(pack)


class _Pack:
    """Resolves records one after the other, as base fields hold until they are replaced."""

    def __init__(self, kind: Kind, sensor: str, received_us: int, window: Window) -> None:
        self._kind = kind
        self._topic_sensor = sensor
        self._received_us = received_us
        self._window = window
        self._base: dict[str, Any] = {}
        self._wide: dict[tuple[str, int], dict[str, Any]] = {}
        self._narrow: list[Reading] = []

    def read(self, pack: list[Any]) -> Decoded:
        rejected = []
        for position, record in enumerate(pack):
            try:
                self._read(record)
            except InputError as refusal:
                rejected.append(Rejected(reason=str(refusal), item=position))
        wide: list[Reading] = [
            TrafficReading(sensor=sensor, observed_us=observed_us, **values)
            if self._kind is Kind.TRAFFIC
            else EnergyReading(sensor=sensor, observed_us=observed_us, **values)
            for (sensor, observed_us), values in self._wide.items()
        ]
        if not wide and not self._narrow and not rejected:
            rejected = [Rejected(reason="the pack has no record with a numeric value")]
        return Decoded(readings=(*wide, *self._narrow), rejected=tuple(rejected))

    def _read(self, record: object) -> None:
        if not isinstance(record, dict):
            message = f"{shown(record)} is not a SenML record"
            raise InputError(message)
        self._understand(record)
        self._base |= {name: record[name] for name in ("bn", "bt", "bu", "bv") if name in record}
        if "v" not in record and not self._has_base_value(record):
            for name, what in _OTHER_VALUES.items():
                if name in record:
                    message = f"{what} ({name}) are not stored, only numeric values (v)"
                    raise InputError(message)
            if "n" in record:
                message = f"the record {shown(record['n'])} has no value (v)"
                raise InputError(message)
            return  # a record of base fields only
        value = self._number(record, "v") + self._base_number("bv")
        observed_us = self._moment(record)
        sensor, quantity = self._names(record)
        unit = record.get("u", self._base.get("bu"))
        self._keep(sensor, observed_us, quantity, unit, value)

    def _has_base_value(self, record: dict[str, Any]) -> bool:
        """Whether the record stands for the base value itself: it names a quantity and has no value of its own."""
        return "bv" in self._base and "n" in record and not record.keys() & _OTHER_VALUES.keys()

    def _understand(self, record: dict[str, Any]) -> None:
        version = record.get("bver", _VERSION)
        if isinstance(version, bool) or not isinstance(version, int) or version > _VERSION:
            message = f"bver is {shown(version)}, but SenML up to version {_VERSION} is understood"
            raise InputError(message)
        strange = [name for name in record if name.endswith("_")]
        if strange:
            message = f"the field {shown(strange[0])} must be understood (its name ends in _), and is not"
            raise InputError(message)

    def _number(self, record: dict[str, Any], name: str) -> float:
        return number(name, record[name], low=-1e300, high=1e300) if name in record else 0.0

    def _base_number(self, name: str) -> float:
        return self._number(self._base, name)

    def _moment(self, record: dict[str, Any]) -> int:
        seconds = self._number(record, "t") + self._base_number("bt")
        if abs(seconds) > 1e12:
            message = f"the time {seconds:.0f} is not in seconds since 1970"
            raise InputError(message)
        moment = round(seconds * SECOND_US)
        return within(moment + self._received_us if seconds < _RELATIVE_BELOW else moment, self._window)

    def _names(self, record: dict[str, Any]) -> tuple[str, str]:
        base, own = self._base.get("bn", ""), record.get("n", "")
        if not isinstance(base, str) or not isinstance(own, str):
            message = "bn and n are texts"
            raise InputError(message)
        return sensor_code(base.rstrip(":/.-_") or self._topic_sensor), own

    def _keep(self, sensor: str, observed_us: int, name: str, unit: object, value: float) -> None:
        wide, factor = name, 1.0
        if isinstance(unit, str):
            wide, factor = _UNITS.get((self._kind, unit), (name, 1.0))
        if wide in _WIDE and _WIDE[wide][0] is self._kind:
            _, low, high, why = _WIDE[wide]
            columns = self._wide.setdefault((sensor, observed_us), {})
            if columns.setdefault(wide, amount := number(wide, value * factor, low=low, high=high, why=why)) != amount:
                message = (
                    f"{wide} is given twice for the same time, as {columns[wide]:g} and {amount:g}; the first is kept"
                )
                raise InputError(message)
            return
        quantity = quantity_name(name or "value")
        if isinstance(unit, str) and unit:
            suffix = _SUFFIXES.get(unit, quantity_name(unit.lower()))
            if suffix and not quantity.endswith(f"_{suffix}"):
                quantity = f"{quantity}_{suffix}"[:63]
        if not is_quantity(quantity):
            message = f"the name {shown(name)} cannot be stored as a quantity"
            raise InputError(message)
        self._narrow.append(
            QuantityReading(sensor=sensor, observed_us=observed_us, quantity=quantity, value=value, kind=self._kind)
        )
