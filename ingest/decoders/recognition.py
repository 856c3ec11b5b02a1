"""Code concerned with what the payloads of a dialect look like: signatures for messages whose topic no dialect has.

A signature holds only for what its dialect sends and nothing else known does, and says in words what it saw. Dialects that
put a bare number, or protocol buffers, into their messages have none. Where topics name the device, the recognised one is
named after its whole topic; where they also tell what is measured, as in SenML, nothing is read before a rule says it.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import Any, Final

import cbor2
import msgspec

from ingest.decoders.checks import parse_json
from services.errors import InputError

_UNSAFE: Final = re.compile(r"[%.:()'\"{}\s]")
_LABELS: Final = frozenset({"bn", "bt", "bu", "bv", "bs", "bver", "n", "u", "v", "vs", "vb", "vd", "s", "t", "ut"})
_TRAFFIC: Final = frozenset({"flow_vph", "speed_kmh", "occupancy"})
_ENERGY: Final = frozenset({"power_kw", "energy_kwh"})
_MARKS: Final = {
    "a position of a vehicle (VP)": (b'"VP"',),
    "a charging session's token (cdr_token)": (b'"cdr_token"',),
    "a household meter's registers": (b'"electricity_delivered_', b"1-0:1.8."),
    "a phone's position (OwnTracks)": (b'"_type":"location"', b'"_type": "location"'),
}
"""What personal payloads have in them, found even where the rest cannot be read."""


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """A payload: as received, and what it says if it is JSON."""

    raw: bytes
    json: Any = None

    @classmethod
    def of(cls, payload: bytes) -> Content:
        """Look at a payload once for all signatures."""
        try:
            return cls(raw=payload, json=parse_json(payload))
        except InputError:
            return cls(raw=payload)


class Signature(msgspec.Struct, frozen=True, kw_only=True):
    """How a dialect's payloads are known.

    Attributes:
        says: what is seen in them, to complete "it has …".
        fits: whether it is there.
        topic: the topic, in the dialect's own form, that a message is read as; given the name its topic makes and its
            content. None where a rule must tell it.

    """

    says: str
    fits: Callable[[Content], bool]
    topic: Callable[[str, Content], str] | None = None


def name_of(topic: str) -> str:
    """The name a topic makes: its levels with points between, other than any other topic's."""
    return _UNSAFE.sub(lambda found: "".join(f"%{byte:02X}" for byte in found[0].encode()), topic).replace("/", ".")


def personal_marks(payload: bytes) -> str | None:
    """What in a payload speaks of a person; None when nothing known does."""
    for says, marks in _MARKS.items():
        if any(mark in payload for mark in marks):
            return says
    return "a position or a household's energy" if _is_personal_native(Content.of(payload)) else None


def _is_personal_native(content: Content) -> bool:
    return any(
        (
            {"lat", "latitude"} & item.keys()
            and {"lon", "long", "lng", "longitude"} & item.keys()
            and {"ts", "tst", "time", "timestamp"} & item.keys()
        )
        or {"district", "energy_kwh"} <= item.keys()
        for item in _items(content.json)
    )


def _items(json: Any) -> list[dict[str, Any]]:
    """The objects of a batch, or the one object."""
    return [item for item in (json if isinstance(json, list) else [json]) if isinstance(item, dict)]


def _object(content: Content, **types: type | tuple[type, ...]) -> bool:
    """Whether the payload is an object with these fields of these types."""
    json = content.json
    return isinstance(json, dict) and all(isinstance(json.get(name), of_type) for name, of_type in types.items())


def _native_columns(content: Content) -> frozenset[str] | None:
    """Which kind's columns every item of the payload has, and no other's."""
    items = _items(content.json)
    if not items or (isinstance(content.json, list) and len(items) != len(content.json)):
        return None
    for own, others in ((_TRAFFIC, _ENERGY), (_ENERGY, _TRAFFIC)):
        if all("ts" in item and own & item.keys() and not others & item.keys() for item in items):
            return own
    return None


def _is_senml(json: Any) -> bool:
    return (
        isinstance(json, list)
        and bool(json)
        and all(isinstance(record, dict) and record.keys() <= _LABELS for record in json)
        and any("v" in record and {"n", "bn"} & record.keys() for record in json)
    )


def _is_senml_cbor(content: Content) -> bool:
    if not 0x81 <= (content.raw[0] if content.raw else 0) <= 0x9B:
        return False
    try:
        pack = cbor2.loads(content.raw, max_depth=4)
    except (cbor2.CBORDecodeError, ValueError, ArithmeticError, TypeError, EOFError, RecursionError):
        return False
    return isinstance(pack, list) and all(isinstance(record, dict) and 2 in record for record in pack)


def _rows(json: Any, name: str) -> Iterable[dict[str, Any]]:
    return _items(json[name] if isinstance(json, dict) and isinstance(json.get(name), list) else json)


def _is_ngsi(json: Any) -> bool:
    if isinstance(json, dict) and isinstance(json.get("body"), dict):
        json = json["body"]
    types = [entity.get("type") for entity in _rows(json, "data") if isinstance(entity.get("id"), str)]
    known = ("TrafficFlowObserved", "ThreePhaseAcMeasurement")
    return bool(types) and all(isinstance(of_type, str) and of_type.endswith(known) for of_type in types)


def _is_zigbee(content: Content) -> bool:
    return _object(content, linkquality=(int, float)) and len(content.json) > 1


def _chirpstack_device(content: Content) -> str | None:
    info = content.json.get("deviceInfo") if isinstance(content.json, dict) else None
    device = info.get("devEui") if isinstance(info, dict) else None
    return device.lower() if isinstance(device, str) and re.fullmatch(r"[0-9a-fA-F]{16}", device) else None


def _native_topic(name: str, content: Content) -> str:
    return f"city/v1/{'traffic' if _native_columns(content) is _TRAFFIC else 'energy'}/{name}/telemetry"


NATIVE: Final = Signature(
    says="ts beside flow_vph, speed_kmh or occupancy, or beside power_kw or energy_kwh",
    fits=lambda content: _native_columns(content) is not None,
    topic=_native_topic,
)
SENML: Final = Signature(says="records with the labels of SenML and nothing else", fits=lambda c: _is_senml(c.json))
SENML_CBOR: Final = Signature(says="a CBOR array of records with the labels of SenML", fits=_is_senml_cbor)
THINGS_STACK: Final = Signature(
    says="the objects end_device_ids and uplink_message",
    fits=lambda content: _object(content, end_device_ids=dict, uplink_message=dict),
    topic=lambda *_: "v3/-/devices/-/up",
)
CHIRPSTACK: Final = Signature(
    says="deviceInfo with a devEui",
    fits=lambda content: _chirpstack_device(content) is not None,
    topic=lambda _, content: f"application/-/device/{_chirpstack_device(content)}/event/up",
)
HSL_HFP: Final = Signature(
    says="the object VP with a vehicle's number", fits=lambda c: _object(c, VP=dict) and "veh" in c.json["VP"]
)
TASMOTA: Final = Signature(
    says="Time as text beside ENERGY or TempUnit",
    fits=lambda content: _object(content, Time=str, ENERGY=dict) or _object(content, Time=str, TempUnit=str),
    topic=lambda name, _: f"tele/{name}/SENSOR",
)
ZIGBEE2MQTT: Final = Signature(
    says="linkquality beside other fields", fits=_is_zigbee, topic=lambda name, _: f"zigbee2mqtt/{name}"
)
SENTILO: Final = Signature(
    says="the list sensors, each with sensor and observations",
    fits=lambda c: (
        _object(c, sensors=list)
        and bool(c.json["sensors"])
        and all(isinstance(one, dict) and {"sensor", "observations"} <= one.keys() for one in c.json["sensors"])
    ),
    topic=lambda name, _: f"sentilo/data/{name}",
)
SENSORTHINGS: Final = Signature(
    says="result as a number beside resultTime or phenomenonTime",
    fits=lambda content: (
        _object(content, result=(int, float), resultTime=str)
        or _object(content, result=(int, float), phenomenonTime=str)
    ),
    topic=lambda name, _: f"v1.1/Datastreams('{name}')/Observations",
)
NGSI: Final = Signature(
    says="entities with an id, of type TrafficFlowObserved or ThreePhaseAcMeasurement",
    fits=lambda content: _is_ngsi(content.json),
    topic=lambda *_: "ngsi-ld/-",
)
TELRAAM: Final = Signature(
    says="date, interval and uptime",
    fits=lambda content: (
        bool(rows := list(_rows(content.json, "report")))
        and all({"date", "interval", "uptime"} <= row.keys() for row in rows)
    ),
    topic=lambda name, _: f"telraam/{name}",
)
OCPI: Final = Signature(
    says="evse_uid, kwh and status", fits=lambda c: _object(c, evse_uid=str, kwh=(int, float), status=str)
)
SHELLY: Final = Signature(
    says="src, a method Notify… and params",
    fits=lambda c: _object(c, src=str, method=str, params=dict) and c.json["method"].startswith("Notify"),
    topic=lambda *_: "-/events/rpc",
)
DSMR: Final = Signature(
    says="the registers of a household meter",
    fits=lambda content: (
        _object(content, electricity_delivered_1=str) or (content.raw[:1] == b"/" and b"1-0:1.8." in content.raw)
    ),
)
