"""Code concerned with uplinks of The Things Stack v3 on `v3/<application>@<tenant>/devices/<device>/up`.

The sensor is `<application>:<device>`. Only `decoded_payload` is read: a payload formatter belongs into The Things
Stack. The Stack leaves empty fields out, so a missing value says nothing and none is invented.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from ingest.decoders.checks import (
    Window,
    is_quantity,
    number,
    parse_json,
    quantity_name,
    sensor_code,
    shown,
    text_moment,
)
from services.domain import (
    Decoded,
    EnergyReading,
    Kind,
    Message,
    QuantityReading,
    Reading,
    SensorMeta,
    TrafficReading,
)
from services.errors import InputError

_MAX_DEPTH: Final = 3
_MAX_VALUES: Final = 64
_TRAFFIC: Final = {
    "flow_vph": (3.4e38, "a flow is not negative"),
    "speed_kmh": (3.4e38, "a speed is not negative"),
    "occupancy": (1.0, "it is a share between 0 and 1"),
}
_ENERGY: Final = ("power_kw", "energy_kwh")


def decode(message: Message, window: Window) -> Decoded:
    """All that an uplink says.

    Raises:
        InputError: it is not an uplink, or has no value.

    """
    uplink = parse_json(message.payload)
    ids, content = _part(uplink, "end_device_ids"), _part(uplink, "uplink_message")
    if uplink.get("simulated") is True:
        reason = "the uplink is marked as simulated: it is not a measurement"
        raise InputError(reason)
    application = _text(_part(ids, "application_ids"), "application_id")
    sensor = sensor_code(f"{application}:{_text(ids, 'device_id')}")
    observed_us = text_moment(_text({**uplink, **content}, "received_at"), window)
    seq = content.get("f_cnt")
    seq = seq if isinstance(seq, int) and not isinstance(seq, bool) and 0 <= seq < 2**63 else None
    if not isinstance(content.get("decoded_payload"), dict):
        reason = "the uplink has no decoded_payload: set a payload formatter in The Things Stack"
        raise InputError(reason)
    values = dict(_numbers(content["decoded_payload"]))
    if not values:
        reason = "decoded_payload has no numeric value"
        raise InputError(reason)
    readings = tuple(_readings(sensor, observed_us, seq, values))
    return Decoded(readings=readings, meta=_place(sensor, readings[0], content))


def _part(parent: object, name: str) -> dict[str, Any]:
    part = parent.get(name) if isinstance(parent, dict) else None
    if not isinstance(part, dict):
        message = f"the object {name} is missing: this is not an uplink of The Things Stack v3"
        raise InputError(message)
    return part


def _text(parent: dict[str, Any], name: str) -> str:
    value = parent.get(name)
    if not isinstance(value, str):
        message = f"{name} is {shown(value)}, but text is expected"
        raise InputError(message)
    return value


def _numbers(fields: dict[str, Any], prefix: str = "", depth: int = 1) -> Iterator[tuple[str, float]]:
    """The numeric fields, those of nested objects under `outer_inner`."""
    if len(fields) > _MAX_VALUES:
        message = f"decoded_payload has an object of {len(fields)} fields, the limit is {_MAX_VALUES}"
        raise InputError(message)
    for name, value in fields.items():
        quantity = quantity_name(prefix + name)
        if isinstance(value, dict) and depth < _MAX_DEPTH:
            yield from _numbers(value, f"{prefix}{name}_", depth + 1)
        elif isinstance(value, int | float) and not isinstance(value, bool) and is_quantity(quantity):
            yield quantity, number(name, value, low=-1.7e308, high=1.7e308)


def _readings(sensor: str, observed_us: int, seq: int | None, values: dict[str, float]) -> Iterator[Reading]:
    kind = Kind.TRAFFIC if values.keys() & _TRAFFIC.keys() else Kind.ENVIRONMENT
    kind = Kind.ENERGY if kind is Kind.ENVIRONMENT and values.keys() & set(_ENERGY) else kind
    if kind is Kind.TRAFFIC:
        wide = {
            name: number(name, values.pop(name), low=0, high=high, why=why)
            for name, (high, why) in _TRAFFIC.items()
            if name in values
        }
        yield TrafficReading(sensor=sensor, observed_us=observed_us, seq=seq, **wide)
    elif kind is Kind.ENERGY:
        wide = {name: number(name, values.pop(name)) for name in _ENERGY if name in values}
        yield EnergyReading(sensor=sensor, observed_us=observed_us, seq=seq, **wide)
    for quantity, value in values.items():
        yield QuantityReading(
            sensor=sensor, observed_us=observed_us, quantity=quantity, value=value, kind=kind, seq=seq
        )


def _place(sensor: str, reading: Reading, content: dict[str, Any]) -> tuple[SensorMeta, ...]:
    """Where the device stands, when its owner has entered that in The Things Stack."""
    locations = content.get("locations")
    user = locations.get("user") if isinstance(locations, dict) else None
    if not isinstance(user, dict) or "longitude" not in user or "latitude" not in user:
        return ()
    kind = {TrafficReading: Kind.TRAFFIC, EnergyReading: Kind.ENERGY}.get(type(reading), Kind.ENVIRONMENT)
    lon = number("longitude", user["longitude"], low=-180, high=180, why="it lies between -180 and 180")
    lat = number("latitude", user["latitude"], low=-90, high=90, why="it lies between -90 and 90")
    return (SensorMeta(sensor=sensor, kind=kind, lon=lon, lat=lat),)
