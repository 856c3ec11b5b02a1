"""Code concerned with payloads that do not say what their numbers are: a rule gives names and units, the rows follow.

Names and units are given for what the dialect would store, a column or a quantity as `arterial decode` shows it. The value
is converted into the stored unit, whose ending the name gets; what becomes a column of another kind moves to the sensor
`<device>:<kind>`, as a sensor has one kind for ever. Personal readings are left as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from ingest.decoders import columns
from ingest.decoders.checks import is_quantity, quantity_name, shown
from services.domain import Decoded, EnergyReading, Kind, QuantityReading, Reading, Rejected, TrafficReading
from services.errors import InputError

UNITS: Final = columns.UNITS | {
    "m/s": ("kmh", 1 / 3.6),
    "mph": ("kmh", 1 / 1.609344),
    "kn": ("kmh", 1 / 1.852),
    "veh/min": ("vph", 1 / 60),
    "veh/5min": ("vph", 1 / 12),
    "veh/15min": ("vph", 1 / 4),
}
"""Of each unit a rule may name, the ending of the quantity stored and what the value is divided by."""
_OCCUPANCY: Final = "occupancy"

_Group = tuple[str, int, int | None, Kind]


def relabelled(decoded: Decoded, names: Mapping[str, str], units: Mapping[str, str]) -> Decoded:
    """The same message with its columns and quantities under other names, converted from other units.

    Args:
        decoded: what the dialect made of the message.
        names: the name to give, by the name the dialect gives.
        units: the unit the value came in, one of `UNITS`, by the name the dialect gives.

    """
    if not names and not units:
        return decoded
    kept: list[Reading] = []
    groups: dict[_Group, dict[str, float]] = {}
    for reading in decoded.readings:
        if not isinstance(reading, TrafficReading | EnergyReading | QuantityReading):
            kept.append(reading)
            continue
        group, values = _taken_apart(reading)
        groups.setdefault(group, {}).update(values)
    rejected = list(decoded.rejected)
    for (sensor, observed_us, seq, kind), values in groups.items():
        try:
            named = _named(values, names, units)
            if kind is Kind.ENVIRONMENT:
                kept += columns.by_kind(sensor, observed_us, named, seq=seq)
            else:
                kept += columns.readings(sensor, observed_us, named, kind=kind, seq=seq)
        except InputError as refusal:
            rejected.append(Rejected(reason=str(refusal)))
    return msgspec.structs.replace(decoded, readings=tuple(kept), rejected=tuple(rejected))


def target(name: str, unit: str | None) -> tuple[str, float]:
    """The stored name that a name and a unit make, and what the value is divided by.

    Raises:
        InputError: the unit is unknown, or no quantity can be made of the name.

    """
    quantity = quantity_name(name)
    if not is_quantity(quantity):
        message = f"the name {shown(name)} cannot be stored as a quantity"
        raise InputError(message)
    if unit is None:
        return quantity, 1.0
    if unit not in UNITS:
        message = f"the unit {shown(unit)} is unknown: choose one of {', '.join(UNITS)}"
        raise InputError(message)
    ending, divisor = UNITS[unit]
    if quantity == _OCCUPANCY and unit == "%":
        return quantity, 100.0
    return (quantity if quantity.endswith(f"_{ending}") else f"{quantity}_{ending}"[:63]), divisor


def _named(values: dict[str, float], names: Mapping[str, str], units: Mapping[str, str]) -> dict[str, float]:
    found: dict[str, float] = {}
    for name, value in values.items():
        quantity, divisor = target(names.get(name, name), units.get(name))
        if quantity in found:
            message = f"two values of the message are both called {quantity} by the rule"
            raise InputError(message)
        found[quantity] = value / divisor
    return found


def _taken_apart(reading: TrafficReading | EnergyReading | QuantityReading) -> tuple[_Group, dict[str, float]]:
    if isinstance(reading, QuantityReading):
        group = (reading.sensor, reading.observed_us, reading.seq, reading.kind)
        return group, {reading.quantity: reading.value}
    if isinstance(reading, TrafficReading):
        wide = {"flow_vph": reading.flow_vph, "speed_kmh": reading.speed_kmh, "occupancy": reading.occupancy}
        kind = Kind.TRAFFIC
    else:
        wide = {"power_kw": reading.power_kw, "energy_kwh": reading.energy_kwh}
        kind = Kind.ENERGY
    values = {name: value for name, value in wide.items() if value is not None}
    return (reading.sensor, reading.observed_us, reading.seq, kind), values
