"""Code concerned with where a dialect's named numbers belong: the columns of a kind, or quantities; and their units."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from ingest.decoders.checks import is_quantity, number, quantity_name, sensor_code, shown
from services.domain import EnergyReading, Kind, QuantityReading, Reading, TrafficReading
from services.errors import InputError

_MAX_DEPTH: Final = 3
_MAX_VALUES: Final = 64
_HUGE: Final = 1.7e308
_TRAFFIC: Final = {
    "flow_vph": (3.4e38, "a flow is not negative"),
    "speed_kmh": (3.4e38, "a speed is not negative"),
    "occupancy": (1.0, "it is a share between 0 and 1"),
}
_ENERGY: Final = ("power_kw", "energy_kwh")
# The ending of a quantity in the unit stored, and what the unit sent is divided by.
UNITS: Final = {
    "W": ("kw", 1000.0),
    "kW": ("kw", 1.0),
    "MW": ("kw", 1e-3),
    "Wh": ("kwh", 1000.0),
    "kWh": ("kwh", 1.0),
    "MWh": ("kwh", 1e-3),
    "J": ("kwh", 3.6e6),
    "V": ("v", 1.0),
    "mV": ("v", 1000.0),
    "A": ("a", 1.0),
    "mA": ("a", 1000.0),
    "Hz": ("hz", 1.0),
    "°C": ("c", 1.0),
    "degC": ("c", 1.0),
    "Cel": ("c", 1.0),
    "K": ("k", 1.0),
    "%": ("percent", 1.0),
    "%RH": ("percent", 1.0),
    "km/h": ("kmh", 1.0),
    "m/s": ("m_per_s", 1.0),
    "veh/h": ("vph", 1.0),
    "hPa": ("hpa", 1.0),
    "lx": ("lx", 1.0),
    "ppm": ("ppm", 1.0),
    "µg/m³": ("ug_m3", 1.0),
    "ug/m3": ("ug_m3", 1.0),
}


def joined(prefix: str, *parts: str) -> str:
    """A sensor's name `<prefix>-<part>:<part>…` that no other parts make.

    Raises:
        InputError: a part is empty or has a colon, or the name cannot be one.

    """
    for part in parts:
        if not part or ":" in part:
            message = f"{shown(part)} cannot be part of a sensor's name: it is empty or has a colon"
            raise InputError(message)
    return sensor_code(f"{prefix}-{':'.join(parts)}")


def with_unit(name: str, unit: object, value: float) -> tuple[str, float]:
    """The quantity that a name and a unit make, and the value in the unit stored: `Power` in W is `power_kw`.

    Raises:
        InputError: no quantity can be made of the name.

    """
    quantity = quantity_name(name)
    if isinstance(unit, str) and unit:
        suffix, divisor = UNITS.get(unit, (quantity_name(unit), 1.0))
        value /= divisor
        if suffix and quantity != suffix and not quantity.endswith(f"_{suffix}"):
            quantity = f"{quantity}_{suffix}"[:63]
    if not is_quantity(quantity):
        message = f"the name {shown(name)} cannot be stored as a quantity"
        raise InputError(message)
    return quantity, value


def numbers(fields: dict[str, Any], prefix: str = "", depth: int = 1) -> Iterator[tuple[str, float]]:
    """The numeric fields of an object under their quantity names, those of nested objects under `outer_inner`.

    Raises:
        InputError: it has too many fields, or a number is not finite.

    """
    if len(fields) > _MAX_VALUES:
        message = f"there is an object of {len(fields)} fields, the limit is {_MAX_VALUES}"
        raise InputError(message)
    for name, value in fields.items():
        quantity = quantity_name(prefix + name)
        if isinstance(value, dict) and depth < _MAX_DEPTH:
            yield from numbers(value, f"{prefix}{name}_", depth + 1)
        elif isinstance(value, int | float) and not isinstance(value, bool) and is_quantity(quantity):
            yield quantity, number(name, value, low=-_HUGE, high=_HUGE)


def kind_of(values: dict[str, float]) -> Kind:
    """The kind of device that sends these quantities: traffic, energy, else environment."""
    if values.keys() & _TRAFFIC.keys():
        return Kind.TRAFFIC
    return Kind.ENERGY if values.keys() & set(_ENERGY) else Kind.ENVIRONMENT


def by_kind(device: str, observed_us: int, values: dict[str, float], *, seq: int | None = None) -> list[Reading]:
    """The rows of a device that may measure several kinds of things, now together and now apart.

    A sensor has one kind for ever, so the kind must follow from its name: the columns of traffic belong to
    `<device>:traffic`, those of energy to `<device>:energy`, everything else to `<device>`, an environment sensor.

    Raises:
        InputError: a column lies outside its range.

    """
    found: list[Reading] = []
    for kind, names in ((Kind.TRAFFIC, _TRAFFIC.keys()), (Kind.ENERGY, set(_ENERGY))):
        own = {name: value for name, value in values.items() if name in names}
        if own:
            found += readings(sensor_code(f"{device}:{kind}"), observed_us, own, kind=kind, seq=seq)
    rest = {name: value for name, value in values.items() if name not in _TRAFFIC and name not in _ENERGY}
    return found + readings(device, observed_us, rest, kind=Kind.ENVIRONMENT, seq=seq)


def readings(
    sensor: str, observed_us: int, values: dict[str, float], *, kind: Kind, seq: int | None = None
) -> list[Reading]:
    """One row for the columns of the kind, one for each other quantity.

    Args:
        sensor: its name.
        observed_us: start of the interval [µs since 1970 UTC].
        values: by quantity name, in the units of the names.
        kind: of the sensor.
        seq: the device's sequence number.

    Raises:
        InputError: a column lies outside its range.

    """
    rest = dict(values)
    found: list[Reading] = []
    if kind is Kind.TRAFFIC:
        wide = {
            name: number(name, rest.pop(name), low=0, high=high, why=why)
            for name, (high, why) in _TRAFFIC.items()
            if name in rest
        }
        if wide:
            found.append(TrafficReading(sensor=sensor, observed_us=observed_us, seq=seq, **wide))
    elif kind is Kind.ENERGY:
        wide = {name: number(name, rest.pop(name)) for name in _ENERGY if name in rest}
        if wide:
            found.append(EnergyReading(sensor=sensor, observed_us=observed_us, seq=seq, **wide))
    for quantity, value in rest.items():
        found.append(
            QuantityReading(
                sensor=sensor,
                observed_us=observed_us,
                quantity=quantity,
                value=number(quantity, value, low=-_HUGE, high=_HUGE),
                kind=kind,
                seq=seq,
            )
        )
    return found


def sensors_of(found: list[Reading]) -> dict[str, Kind]:
    """The fixed sensors of some readings, with their kinds."""
    kinds: dict[type, Kind] = {TrafficReading: Kind.TRAFFIC, EnergyReading: Kind.ENERGY}
    return {
        reading.sensor: reading.kind if isinstance(reading, QuantityReading) else kinds[type(reading)]
        for reading in found
        if isinstance(reading, TrafficReading | EnergyReading | QuantityReading)
    }
