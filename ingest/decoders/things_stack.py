"""Code concerned with uplinks of The Things Stack v3 on `v3/<application>@<tenant>/devices/<device>/up`.

The sensor is `<application>:<device>`. Only `decoded_payload` is read: a payload formatter belongs into The Things
Stack. The Stack leaves empty fields out, so a missing value says nothing and none is invented.
"""

from __future__ import annotations

from typing import Any

from ingest.decoders.checks import Window, number, parse_json, sensor_code, shown, text_moment
from ingest.decoders.columns import kind_of, numbers, readings
from services.domain import Decoded, Kind, Message, SensorMeta
from services.errors import InputError


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
    values = dict(numbers(content["decoded_payload"]))
    if not values:
        reason = "decoded_payload has no numeric value"
        raise InputError(reason)
    kind = kind_of(values)
    return Decoded(
        readings=tuple(readings(sensor, observed_us, values, kind=kind, seq=seq)), meta=_place(sensor, kind, content)
    )


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


def _place(sensor: str, kind: Kind, content: dict[str, Any]) -> tuple[SensorMeta, ...]:
    """Where the device stands, when its owner has entered that in The Things Stack."""
    locations = content.get("locations")
    user = locations.get("user") if isinstance(locations, dict) else None
    if not isinstance(user, dict) or "longitude" not in user or "latitude" not in user:
        return ()
    lon = number("longitude", user["longitude"], low=-180, high=180, why="it lies between -180 and 180")
    lat = number("latitude", user["latitude"], low=-90, high=90, why="it lies between -90 and 90")
    return (SensorMeta(sensor=sensor, kind=kind, lon=lon, lat=lat),)
