"""Code concerned with uplinks of ChirpStack on `application/<id>/device/<devEui>/event/up`, version 4 and version 3.

Both versions use the same topic. A payload with `deviceInfo` is version 4 and its values are the object `object`; one
with `devEUI` is version 3 and its values are JSON inside the text `objectJSON`, its DevEUI hexadecimal or base64. The
device is `chirpstack-<devEui>` in lower case hexadecimal, and must be the device of the topic. The time of reception
(`time`, in version 3 `publishedAt` or a gateway's) has up to nanoseconds and is cut to microseconds; it is the same in
every copy of an uplink, so copies are recognised as duplicates.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import Any, Final

from ingest.decoders.checks import Window, parse_json, shown, text_moment
from ingest.decoders.columns import by_kind, numbers, sensors_of
from services.domain import Decoded, Message, SensorMeta
from services.errors import InputError

_EUI: Final = re.compile(r"[0-9a-f]{16}")


def decode(message: Message, window: Window) -> Decoded:
    """All that an uplink says.

    Raises:
        InputError: it is not an uplink of ChirpStack, of another device than the topic says, or has no value.

    """
    uplink = parse_json(message.payload)
    if not isinstance(uplink, dict):
        reason = f"{shown(uplink)} is not an uplink of ChirpStack"
        raise InputError(reason)
    if isinstance(uplink.get("deviceInfo"), dict):
        device, name, moment, content = _version_4(uplink)
    elif "devEUI" in uplink:
        device, name, moment, content = _version_3(uplink)
    else:
        reason = "the uplink has neither deviceInfo (ChirpStack 4) nor devEUI (ChirpStack 3)"
        raise InputError(reason)
    addressed = message.topic.split("/")[3].lower()
    if device != addressed:
        reason = f"the uplink is of device {device}, but the topic says {shown(addressed)}"
        raise InputError(reason)
    if not isinstance(moment, str):
        reason = "the uplink has no time of reception"
        raise InputError(reason)
    if not isinstance(content, dict):
        reason = "the uplink has no decoded object: set a codec in ChirpStack's device profile"
        raise InputError(reason)
    values = dict(numbers(content))
    if not values:
        reason = "the decoded object has no numeric value"
        raise InputError(reason)
    sensor = f"chirpstack-{device}"
    count = uplink.get("fCnt")
    seq = count if isinstance(count, int) and not isinstance(count, bool) and 0 <= count < 2**63 else None
    found = by_kind(sensor, text_moment(moment, window), values, seq=seq)
    return Decoded(
        readings=tuple(found),
        meta=tuple(SensorMeta(sensor=code, kind=kind, name=name) for code, kind in sensors_of(found).items() if name),
    )


def _version_4(uplink: dict[str, Any]) -> tuple[str, str | None, object, object]:
    info = uplink["deviceInfo"]
    return _eui(info.get("devEui")), _name(info.get("deviceName")), uplink.get("time"), uplink.get("object")


def _version_3(uplink: dict[str, Any]) -> tuple[str, str | None, object, object]:
    content = uplink.get("object")
    if isinstance(uplink.get("objectJSON"), str):
        content = parse_json(uplink["objectJSON"].encode(errors="surrogatepass")) if uplink["objectJSON"] else None
    moment = uplink.get("publishedAt")
    gateways = uplink.get("rxInfo")
    if moment is None and isinstance(gateways, list):
        times = [g["time"] for g in gateways if isinstance(g, dict) and isinstance(g.get("time"), str)]
        moment = min(times, default=None)
    return _eui(uplink["devEUI"]), _name(uplink.get("deviceName")), moment, content


def _eui(value: object) -> str:
    """A DevEUI in lower case hexadecimal, from hexadecimal or base64."""
    if isinstance(value, str):
        if _EUI.fullmatch(value.lower()):
            return value.lower()
        try:
            octets = base64.b64decode(value, validate=True)
        except (binascii.Error, ValueError):
            octets = b""
        if len(octets) == 8:
            return octets.hex()
    message = f"the DevEUI is {shown(value)}, but 8 octets in hexadecimal or base64 are expected"
    raise InputError(message)


def _name(value: object) -> str | None:
    return value if isinstance(value, str) and 0 < len(value) <= 200 and value.isprintable() else None
