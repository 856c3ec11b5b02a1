"""Code concerned with Zigbee2MQTT on `zigbee2mqtt/<friendly name>` and its `availability`.

The device is `zigbee2mqtt-<friendly name>`, a plug's power and register are `zigbee2mqtt-<friendly name>:energy`. Names
with a slash are not read. The time is `last_seen` (switch it on: `advanced.last_seen`), else the receipt; a retained
message without `last_seen` is refused, as its time is unknown. `voltage` counts millivolts on a battery and volts on the
mains: a message that says neither `battery` nor a mains quantity has its voltage refused, the rest is stored.
"""

from __future__ import annotations

from typing import Any, Final

from ingest.decoders.checks import (
    Window,
    device_time,
    document,
    is_quantity,
    number,
    parse_json,
    quantity_name,
    shown,
    within,
)
from ingest.decoders.columns import by_kind, joined, with_unit
from services.domain import Decoded, Kind, Message, Rejected, SensorStatus
from services.errors import InputError

_UNITS: Final = {
    "temperature": "Cel",
    "humidity": "%RH",
    "pressure": "hPa",
    "illuminance": "lx",
    "co2": "ppm",
    "pm25": "µg/m³",
    "current": "A",
    "power": "W",
    "energy": "kWh",
    "battery": "%",
}
_MAINS: Final = {"power", "energy", "current"}
_MOST_FIELDS: Final = 256


def decode(message: Message, window: Window) -> Decoded:
    """All that a device's state or availability says.

    Raises:
        InputError: it has no value or no known time.

    """
    levels = message.topic.split("/")
    sensor = joined("zigbee2mqtt", levels[1])
    if len(levels) > 2:
        return Decoded(status=(_availability(sensor, message.payload),))
    state = document(message.payload, "a state of Zigbee2MQTT")
    if len(state) > _MOST_FIELDS:
        reason = f"the state has {len(state)} fields, the limit is {_MOST_FIELDS}"
        raise InputError(reason)
    observed_us = _moment(state, message, window)
    values: dict[str, float] = {}
    rejected: tuple[Rejected, ...] = ()
    for name, value in state.items():
        if isinstance(value, bool) or not isinstance(value, int | float) or name == "last_seen":
            continue
        amount = number(name, value)
        if name == "voltage":
            if "battery" in state:
                values["battery_voltage_v"] = amount / 1000
            elif _MAINS & state.keys():
                values["voltage_v"] = amount
            else:
                rejected = (Rejected(reason="voltage is in millivolts on a battery and in volts on the mains: which?"),)
        elif name in _UNITS:
            quantity, values_in_unit = with_unit(name, _UNITS[name], amount)
            values[quantity] = values_in_unit
        elif is_quantity(quantity_name(name)):
            values[quantity_name(name)] = amount
    if not values and not rejected:
        reason = "the state has no numeric value"
        raise InputError(reason)
    return Decoded(readings=tuple(by_kind(sensor, observed_us, values)), rejected=rejected)


def _moment(state: dict[str, Any], message: Message, window: Window) -> int:
    if state.get("last_seen") is not None:
        return device_time(state["last_seen"], window)
    if message.retained:
        reason = "the message was retained and has no last_seen: its time is unknown"
        raise InputError(reason)
    return within(message.received_us, window)


def _availability(sensor: str, payload: bytes) -> SensorStatus:
    state: object = payload.decode(errors="replace")
    if payload[:1] == b"{":
        content = parse_json(payload)
        state = content.get("state") if isinstance(content, dict) else None
    if state not in ("online", "offline"):
        message = f"the availability is {shown(state)}, but online or offline is expected"
        raise InputError(message)
    return SensorStatus(sensor=sensor, kind=Kind.ENVIRONMENT, online=state == "online")
