"""Code concerned with which dialect reads which topic. A new dialect is one file, one line here, one case folder."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final

import msgspec

from ingest.decoders import (
    chirpstack,
    dsmr,
    esphome,
    fintraffic_tms,
    hsl_hfp,
    native,
    ngsi,
    ocpi,
    recognition,
    senml,
    senml_cbor,
    sensorthings,
    sentilo,
    shelly,
    sparkplug,
    tasmota,
    telraam,
    things_stack,
    zigbee2mqtt,
)
from ingest.decoders.checks import Limits, Window, shown
from ingest.decoders.memory import Memory
from ingest.decoders.recognition import Signature
from services.domain import PERSONAL_KINDS, Decoded, Kind, Message, Rejected
from services.errors import InputError


class Dialect(msgspec.Struct, frozen=True, kw_only=True):
    """A payload format.

    Attributes:
        name: short, for people and the command line.
        topics: MQTT topic filters that carry it.
        example: one such topic.
        decode: reads a message, given what is remembered of earlier ones; an InputError rejects it whole.
        description: one line.
        personal: whether it carries personal data; its dead letters are then kept with personal data.
        signature: how its payloads are known where no topic tells the dialect; None where they could be anything.
        whole: those of `topics` that must not be divided among processes: what they carry is retained by the broker, or
            is read with the help of earlier messages.

    """

    name: str
    topics: tuple[str, ...]
    example: str
    decode: Callable[[Message, Window, Memory], Decoded]
    description: str
    personal: bool = False
    signature: Signature | None = None
    whole: tuple[str, ...] = ()


def _alone(decode: Callable[[Message, Window], Decoded]) -> Callable[[Message, Window, Memory], Decoded]:
    """The decoder of a dialect whose messages need no other."""
    return lambda message, window, _: decode(message, window)


_SPARKPLUG: Final = (
    *(f"spBv1.0/+/{purpose}/+" for purpose in ("NBIRTH", "NDATA", "NDEATH")),
    *(f"spBv1.0/+/{purpose}/+/+" for purpose in ("DBIRTH", "DDATA", "DDEATH")),
)

DIALECTS: Final[dict[str, Dialect]] = {
    dialect.name: dialect
    for dialect in (
        Dialect(
            name="native",
            topics=tuple(f"city/v1/+/+/{purpose}" for purpose in ("telemetry", "status", "meta", "claim")),
            example="city/v1/traffic/example/telemetry",
            decode=_alone(native.decode),
            description="Arterial's own JSON: one reading, or an array of them",
            signature=recognition.NATIVE,
            whole=("city/v1/+/+/status", "city/v1/+/+/meta"),
        ),
        Dialect(
            name="senml",
            topics=("city/v1/+/+/senml",),
            example="city/v1/environment/example/senml",
            decode=_alone(senml.decode),
            description="Sensor Measurement Lists (RFC 8428) in JSON",
            signature=recognition.SENML,
        ),
        Dialect(
            name="senml_cbor",
            topics=("city/v1/+/+/senml-cbor",),
            example="city/v1/environment/example/senml-cbor",
            decode=_alone(senml_cbor.decode),
            description="Sensor Measurement Lists (RFC 8428) in CBOR",
            signature=recognition.SENML_CBOR,
        ),
        Dialect(
            name="things_stack",
            topics=("v3/+/devices/+/up",),
            example="v3/application@tenant/devices/example/up",
            decode=_alone(things_stack.decode),
            description="LoRaWAN uplinks of The Things Stack v3, with decoded_payload",
            signature=recognition.THINGS_STACK,
        ),
        Dialect(
            name="chirpstack",
            topics=("application/+/device/+/event/up",),
            example="application/1/device/0101010101010101/event/up",
            decode=_alone(chirpstack.decode),
            description="LoRaWAN uplinks of ChirpStack 4 and 3, decoded by their codec",
            signature=recognition.CHIRPSTACK,
        ),
        Dialect(
            name="fintraffic_tms",
            topics=("tms-v2/+/+", "tms-v2/status"),
            example="tms-v2/23001/5116",
            decode=_alone(fintraffic_tms.decode),
            description="Finland's road traffic measuring stations (Fintraffic Digitraffic, tms-v2)",
        ),
        Dialect(
            name="hsl_hfp",
            topics=("/hfp/v2/journey/ongoing/vp/+/+/+/#",),
            example="/hfp/v2/journey/ongoing/vp/bus/0012/01825/4400/1/Vantaankoski/09:12/1334126/4/60;24/28/58/42",
            decode=_alone(hsl_hfp.decode),
            description="Helsinki's vehicle positions (HSL, HFP 2), personal",
            signature=recognition.HSL_HFP,
            personal=True,
        ),
        Dialect(
            name="tasmota",
            topics=("tele/+/SENSOR", "tele/+/LWT"),
            example="tele/example/SENSOR",
            decode=_alone(tasmota.decode),
            description="Tasmota plugs and sensors",
            signature=recognition.TASMOTA,
            whole=("tele/+/LWT",),
        ),
        Dialect(
            name="zigbee2mqtt",
            topics=("zigbee2mqtt/+", "zigbee2mqtt/+/availability"),
            example="zigbee2mqtt/example",
            decode=_alone(zigbee2mqtt.decode),
            description="Zigbee devices behind Zigbee2MQTT",
            signature=recognition.ZIGBEE2MQTT,
            whole=("zigbee2mqtt/+/availability",),
        ),
        Dialect(
            name="esphome",
            topics=("esphome/+/sensor/+/state", "esphome/+/status"),
            example="esphome/example/sensor/temperature/state",
            decode=_alone(esphome.decode),
            description="ESPHome nodes whose topic prefix is esphome/<node>",
            whole=("esphome/+/status",),
        ),
        Dialect(
            name="sentilo",
            topics=("sentilo/data/+", "sentilo/data/+/+"),
            example="sentilo/data/example",
            decode=_alone(sentilo.decode),
            description="Sentilo's publication body, values as text",
            signature=recognition.SENTILO,
        ),
        Dialect(
            name="sensorthings",
            topics=("v1.1/+/Observations", "v1.0/+/Observations"),
            example="v1.1/Datastreams(1)/Observations",
            decode=_alone(sensorthings.decode),
            description="OGC SensorThings API over MQTT",
            signature=recognition.SENSORTHINGS,
        ),
        Dialect(
            name="ngsi",
            topics=("ngsi-ld/+", "ngsi-v2/+"),
            example="ngsi-ld/example",
            decode=_alone(ngsi.decode),
            description="NGSI-LD and NGSI-v2 TrafficFlowObserved and ThreePhaseAcMeasurement",
            signature=recognition.NGSI,
        ),
        Dialect(
            name="telraam",
            topics=("telraam/+",),
            example="telraam/9000001844",
            decode=_alone(telraam.decode),
            description="Telraam's traffic reports, counted by citizens",
            signature=recognition.TELRAAM,
        ),
        Dialect(
            name="ocpi",
            topics=("ocpi/+/sessions/+/+/+",),
            example="ocpi/2.2.1/sessions/NL/STK/101",
            decode=_alone(ocpi.decode),
            description="Sessions of charging points (OCPI 2.2), the token dropped at the door",
            signature=recognition.OCPI,
            personal=True,
        ),
        Dialect(
            name="sparkplug",
            topics=_SPARKPLUG,
            example="spBv1.0/group/DDATA/edge/device",
            decode=sparkplug.decode,
            description="Sparkplug B, with the aliases of its births",
            whole=_SPARKPLUG,
        ),
        Dialect(
            name="shelly",
            topics=("+/events/rpc",),
            example="shellyproem50-example/events/rpc",
            decode=shelly.decode,
            description="Shelly devices of generation 2 and later, frames laid over the last status",
            signature=recognition.SHELLY,
            whole=("+/events/rpc",),
        ),
        Dialect(
            name="dsmr",
            topics=("dsmr/+/+/json", "dsmr/+/+/raw"),
            example="dsmr/district/meter/json",
            decode=dsmr.decode,
            description="Household meters (DSMR, P1), quarter-hours only, personal",
            signature=recognition.DSMR,
            personal=True,
            whole=("dsmr/+/+/json", "dsmr/+/+/raw"),
        ),
    )
}
MOST_REASONS: Final = 100
"""For how many items of a message it is said one by one why they are refused: a hundred thousand fit into one payload."""
LONGEST_TOPIC: Final = 512
"""Longer ones are refused before anything is remembered of them, as what is remembered must stay small."""
_PERSONAL_LEVELS: Final = {Kind.PROBE, Kind.HOUSEHOLD} | {
    topic_filter.strip("/").split("/")[0]
    for dialect in DIALECTS.values()
    if dialect.personal
    for topic_filter in dialect.topics
}


def decode(
    message: Message,
    dialect: str | None = None,
    *,
    now_us: int,
    limits: Limits | None = None,
    memory: Memory | None = None,
) -> Decoded:
    """All that one message says, each item a reading or a rejection with its reason; never raises for a message.

    Args:
        message: as received.
        dialect: a name of `DIALECTS`; by default the one whose topic filter matches.
        now_us: the server's clock [µs since 1970 UTC].
        limits: sizes and times that are accepted.
        memory: what earlier messages of the session said; by default there were none.

    Raises:
        InputError: `dialect` is not a name of `DIALECTS`.

    """
    limits = limits or Limits()
    if dialect is not None and dialect not in DIALECTS:
        reason = f"there is no dialect {dialect!r}: choose one of {', '.join(DIALECTS)}"
        raise InputError(reason)
    if len(message.topic) > LONGEST_TOPIC:
        if memory is not None:
            memory.heard["personal" if is_personal(message.topic) else "none"] += 1
        return _rejected(f"the topic is {len(message.topic):,} characters, the limit is {LONGEST_TOPIC}")
    if memory is not None:
        memory.heard[_heading(message.topic, dialect)] += 1
    if len(message.payload) > limits.max_payload_bytes:
        return _rejected(f"the payload is {len(message.payload):,} bytes, the limit is {limits.max_payload_bytes:,}")
    name = dialect or route(message.topic)
    if name is None:
        return _rejected(no_dialect(message.topic))
    if dialect is not None and not reads(dialect, message.topic):
        return _rejected(f"the topic {shown(message.topic)} is not one of {name}: {', '.join(DIALECTS[name].topics)}")
    try:
        said = DIALECTS[name].decode(message, Window.of(limits, now_us), Memory() if memory is None else memory)
    except InputError as refusal:
        return _rejected(str(refusal))
    return said if len(said.rejected) <= MOST_REASONS else _shortened(said)


@lru_cache(maxsize=65_536)
def route(topic: str) -> str | None:
    """The name of the dialect whose topic filter matches, or None; the topic decides, never the content."""
    if not is_utf8(topic):
        return None
    for dialect in DIALECTS.values():
        if any(matches(topic, topic_filter) for topic_filter in dialect.topics):
            return dialect.name
    return None


@lru_cache(maxsize=65_536)
def _heading(topic: str, dialect: str | None) -> str:
    """Under which name a message is counted: what may be personal is not told apart."""
    name = dialect or route(topic)
    is_secret = is_personal(topic) or (name is not None and DIALECTS[name].personal)
    return "personal" if is_secret else name or "none"


@lru_cache(maxsize=65_536)
def reads(dialect: str, topic: str) -> bool:
    """Whether a topic is one of a dialect's own, from whose levels it takes names."""
    return any(matches(topic, topic_filter) for topic_filter in DIALECTS[dialect].topics)


def is_personal(topic: str) -> bool:
    """Whether a topic may carry personal data, however it is spelt.

    Any level may name a probe, a household or a personal dialect; a native topic any personal kind. Elsewhere a level `bike`
    may be a counter beside a road.
    """
    levels = [level.strip().casefold() for level in topic.split("/")]
    native = levels[0] == "city" and any(level in PERSONAL_KINDS for level in levels[2:3])
    return native or any(level in _PERSONAL_LEVELS for level in levels)


def matches(topic: str, topic_filter: str) -> bool:
    """Whether an MQTT topic filter, with `+` and `#`, matches a topic."""
    levels, wanted = topic.split("/"), topic_filter.split("/")
    if wanted[-1] == "#":
        wanted.pop()
        levels = levels[: len(wanted)]
    return len(levels) == len(wanted) and all(w in {"+", level} for level, w in zip(levels, wanted, strict=True))


def no_dialect(topic: str) -> str:
    """Why a topic has no dialect, in a sentence."""
    if not is_utf8(topic):
        return "the topic is not valid UTF-8"
    return f"no dialect is configured for topic {shown(topic)}"


def is_utf8(topic: str) -> bool:
    """Whether a topic was valid UTF-8; other bytes arrive as surrogates."""
    return topic.isascii() or not any("\ud800" <= character <= "\udfff" for character in topic)


def _rejected(reason: str) -> Decoded:
    return Decoded(rejected=(Rejected(reason=reason),))


def _shortened(said: Decoded) -> Decoded:
    """What a message said, with the reasons of its first refused items and the number of the others."""
    rest = Rejected(reason=f"and {len(said.rejected) - MOST_REASONS + 1:,} more items of it are refused")
    return msgspec.structs.replace(said, rejected=(*said.rejected[: MOST_REASONS - 1], rest))
