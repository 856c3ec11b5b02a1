"""Code concerned with what a device says about itself in the native dialect: its retained `meta` and `status`, its `claim`."""

from __future__ import annotations

import re
from typing import Any, Final

from ingest.decoders.checks import Window, device_time, json_object, number, parse_json, shown
from services.domain import ClaimReading, Kind, SensorMeta, SensorStatus
from services.errors import InputError

_CLAIMABLE: Final = frozenset({Kind.PROBE, Kind.HOUSEHOLD})
_SHA256: Final = re.compile("[0-9a-fA-F]{64}")


def status(kind: Kind, sensor: str, payload: bytes, window: Window) -> SensorStatus:
    """Whether the device is connected; an empty payload clears the retained status: the device has gone.

    Raises:
        InputError: it says neither.

    """
    if not payload:
        return SensorStatus(sensor=sensor, kind=kind, online=False)
    fields = json_object(parse_json(payload))
    online = fields.get("online")
    if not isinstance(online, bool):
        message = f"online is {shown(online)}, but true or false is expected"
        raise InputError(message)
    observed_us = None if fields.get("ts") is None else device_time(fields["ts"], window)
    return SensorStatus(sensor=sensor, kind=kind, online=online, observed_us=observed_us)


def claim(kind: Kind, sensor: str, payload: bytes, window: Window) -> ClaimReading:
    """The hash of a secret that a personal device keeps: who shows the secret may ask for the rows of that day.

    Raises:
        InputError: there is no time, or no SHA-256, or the device is a fixed sensor.

    """
    if kind not in _CLAIMABLE:
        message = (
            f"a {kind} device has nothing to claim: it observes no person, or each of its trips is a subject of its own"
        )
        raise InputError(message)
    fields = json_object(parse_json(payload))
    digits = fields.get("token_sha256")
    if not isinstance(digits, str) or not _SHA256.fullmatch(digits):
        message = "token_sha256 is not the 64 hexadecimal digits of a SHA-256"  # what was sent may be the secret itself
        raise InputError(message)
    return ClaimReading(
        subject=sensor, observed_us=device_time(fields.get("ts"), window), kind=kind, token_hash=bytes.fromhex(digits)
    )


def meta(kind: Kind, sensor: str, payload: bytes) -> SensorMeta:
    """What the device says about itself; an empty payload clears the retained meta, what is known stays.

    Raises:
        InputError: a field has another type or lies outside its range.

    """
    if not payload:
        return SensorMeta(sensor=sensor, kind=kind)
    fields = json_object(parse_json(payload))
    if fields.get("kind") not in (None, kind):
        message = f"kind is {shown(fields['kind'])}, but the topic says {kind}"
        raise InputError(message)
    values: dict[str, Any] = {}
    for name, longest in (("name", 200), ("unit", 40), ("district", 63), ("road", 200)):
        value = fields.get(name)
        if value is None:
            continue
        if not isinstance(value, str) or len(value) > longest or "\0" in value:
            message = f"{name} is {shown(value)}, but text of up to {longest} characters is expected"
            raise InputError(message)
        values[name] = value
    for name, low, high, why in (
        ("lon", -180.0, 180.0, "a longitude lies between -180 and 180"),
        ("lat", -90.0, 90.0, "a latitude lies between -90 and 90"),
        ("free_flow_kmh", 1e-30, 3.4e38, "it is above 0"),
        ("capacity_vph", 1e-30, 3.4e38, "it is above 0"),
        ("limit_kw", 1e-30, 3.4e38, "it is above 0"),
        ("register_kwh", 1e-30, 3.4e38, "it is above 0"),
    ):
        if fields.get(name) is not None:
            values[name] = number(name, fields[name], low=low, high=high, why=why)
    step = fields.get("step_seconds")
    if step is not None:
        if isinstance(step, bool) or not isinstance(step, int) or not 1 <= step <= 86_400:
            message = f"step_seconds is {shown(step)}, but an integer from 1 to 86400 is expected"
            raise InputError(message)
        values["step_seconds"] = step
    return SensorMeta(sensor=sensor, kind=kind, **values)
