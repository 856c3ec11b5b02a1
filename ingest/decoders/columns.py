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
_UNITS: Final = {
    "W": ("kw", 1e-3),
    "kW": ("kw", 1.0),
    "MW": ("kw", 1e3),
    "Wh": ("kwh", 1e-3),
    "kWh": ("kwh", 1.0),
    "MWh": ("kwh", 1e3),
    "J": ("kwh", 1 / 3.6e6),
    "V": ("v", 1.0),
    "mV": ("v", 1e-3),
    "A": ("a", 1.0),
    "mA": ("a", 1e-3),
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
        suffix, factor = _UNITS.get(unit, (quantity_name(unit), 1.0))
        value *= factor
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


def readings(
    sensor: str, observed_us: int, values: dict[str, float], *, seq: int | None = None, kind: Kind | None = None
) -> list[Reading]:
    """One row for the columns of the kind, one for each other quantity.

    Args:
        sensor: its name.
        observed_us: start of the interval [µs since 1970 UTC].
        values: by quantity name, in the units of the names.
        seq: the device's sequence number.
        kind: of the sensor; by default as the quantities tell.

    Raises:
        InputError: a column lies outside its range.

    """
    kind = kind or kind_of(values)
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
