"""Code concerned with MQTT on the wire, versions 3.1.1 and 5: the few packets a QoS 1 subscriber sends and receives.

Thousands of small messages arrive in one read, so the cutting below does as little as it can per message. Numbers in
brackets are those of the OASIS standards' sections, the same in both versions unless one is named.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from services.domain import Message

PINGREQ: Final = b"\xc0\x00"
DISCONNECT: Final = b"\xe0\x00"
END_SESSION: Final = b"\xe0\x07\x00\x05\x11\x00\x00\x00\x00"
"""A DISCONNECT of version 5 that ends the session too: its expiry becomes zero [5: 3.14.2.2.2]."""
SHARE: Final = "$share/"
"""How the filter of a shared subscription begins; the name of the group follows [5: 4.8.2]."""
MOST_PACKET_BYTES: Final = 16 * 1024 * 1024
"""A larger packet is a broker without a limit: what ingest holds in memory must be bounded."""
ASIDE: Final = ("arterial/heartbeat/", "$SYS/")
"""How the topics begin that are about the path and not about the city: never counted, stored or buried."""
_TOPICS_KNOWN: Final = 65_536
_LONGEST_KNOWN: Final = 512
_CONNACK, _PUBLISH, _PUBACK, _SUBACK, _UNSUBACK, _PINGRESP, _DISCONNECT = 2, 3, 4, 9, 11, 13, 14
_SESSION_EXPIRY, _SERVER_KEEPALIVE, _RECEIVE_MAXIMUM, _PACKET_MAXIMUM, _SHARES = 0x11, 0x13, 0x21, 0x27, 0x2A
_PROPERTY_BYTES: Final = {
    **dict.fromkeys((0x01, 0x17, 0x19, 0x24, 0x25, 0x28, 0x29, 0x2A), 1),
    **dict.fromkeys((0x13, 0x21, 0x22, 0x23), 2),
    **dict.fromkeys((0x02, 0x11, 0x18, 0x27), 4),
}
"""Sizes of the properties of fixed size [5: 2.2.2.2]; those of a CONNACK with text have a length in front."""


class MalformedPacketError(ValueError):
    """The other end does not speak MQTT, or not this version: the connection is of no more use."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Accepted:
    """The broker's answer to CONNECT: `reason` 0 is success; a keepalive of its own replaces the client's [s].

    `shares` tells whether it knows shared subscriptions; a broker of version 3.1.1 does not say.
    """

    session_present: bool
    reason: int
    keepalive_s: int | None
    shares: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Granted:
    """The broker's answer to the SUBSCRIBE of this packet identifier: a code per topic filter, from 0x80 on a refusal."""

    mid: int
    codes: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Released:
    """The broker's answer to UNSUBSCRIBE: a code per topic filter, in version 5 zero where there was a subscription."""

    codes: tuple[int, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Goodbye:
    """The broker ends the connection, and in version 5 says why."""

    reason: int


Answer = Accepted | Granted | Released | Goodbye


@dataclass(kw_only=True, slots=True)
class Arrived:
    """What one piece of the stream held: messages with their packet identifiers (0 at QoS 0), and answers.

    `asides` are messages on topics of the path itself, heartbeats and the broker's own figures: nobody's readings.
    Their packet identifiers, where they have one, are in `aside_mids`.
    """

    messages: list[Message] = field(default_factory=list)
    mids: list[int] = field(default_factory=list)
    asides: list[Message] = field(default_factory=list)
    aside_mids: list[int] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)


def connect(
    *,
    client_id: str,
    is_5: bool,
    keepalive_s: int,
    receive_maximum: int,
    session_expiry_s: int,
    user: str | None = None,
    password: str | None = None,
    clean: bool = False,
) -> bytes:
    """A CONNECT [3.1] that takes up the session kept under the client id, or with `clean` ends it first."""
    flags = (0x80 if user is not None else 0) | (0x40 if password is not None else 0) | (0x02 if clean else 0)
    head = _text("MQTT") + bytes((5 if is_5 else 4, flags)) + keepalive_s.to_bytes(2, "big")
    if is_5:
        properties = bytes((_SESSION_EXPIRY,)) + session_expiry_s.to_bytes(4, "big")
        properties += bytes((_RECEIVE_MAXIMUM,)) + receive_maximum.to_bytes(2, "big")
        properties += bytes((_PACKET_MAXIMUM,)) + MOST_PACKET_BYTES.to_bytes(4, "big")
        head += _length(len(properties)) + properties
    texts = [text for text in (client_id, user, password) if text is not None]
    return _packet(0x10, head + b"".join(map(_text, texts)))


def subscribe(topics: Sequence[str], *, is_5: bool) -> bytes:
    """A SUBSCRIBE at QoS 1; in version 5 retained messages come with new subscriptions only [5: 3.8.3.1].

    With shared ones they never come, as the standard has it; some brokers would send them to every member.
    """
    return _subscribe(topics, 1, 0x11 if is_5 else 0x01, is_5=is_5)


def unsubscribe(topics: Sequence[str], *, mid: int) -> bytes:
    """An UNSUBSCRIBE of version 5 [5: 3.10]."""
    return _packet(0xA2, mid.to_bytes(2, "big") + b"\x00" + b"".join(map(_text, topics)))


def subscribe_aside(topics: Sequence[str], *, mid: int, is_5: bool) -> bytes:
    """A SUBSCRIBE at QoS 0, for what need not survive a lost connection; retained messages come each time."""
    return _subscribe(topics, mid, 0x00, is_5=is_5)


def _subscribe(topics: Sequence[str], mid: int, options: int, *, is_5: bool) -> bytes:
    body = mid.to_bytes(2, "big") + (b"\x00" if is_5 else b"")
    filters = [_text(topic) + bytes((0x21 if topic.startswith(SHARE) else options,)) for topic in topics]
    return _packet(0x82, body + b"".join(filters))


def publish(topic: str, payload: bytes, *, mid: int) -> bytes:
    """A PUBLISH at QoS 1 of version 3.1.1 [3.3]."""
    return _packet(0x32, _text(topic) + mid.to_bytes(2, "big") + payload)


def publish_once(topic: str, payload: bytes, *, is_5: bool) -> bytes:
    """A PUBLISH at QoS 0 [3.3], which nobody acknowledges."""
    return _packet(0x30, _text(topic) + (b"\x00" if is_5 else b"") + payload)


def acknowledgements(mids: Sequence[int]) -> bytes:
    """A PUBACK for each packet identifier, in order [3.4]; without a reason code it means success."""
    packets = np.empty(len(mids), dtype=[("head", ">u2"), ("mid", ">u2")])
    packets["head"] = 0x4002
    packets["mid"] = mids
    return packets.tobytes()


class Stream:
    """The bytes of one connection, cut into packets; what is incomplete waits for the next piece."""

    def __init__(self, *, is_5: bool) -> None:
        self._is_5 = is_5
        self._rest = b""
        self._topics: dict[bytes, str] = {}

    def feed(self, piece: bytes) -> Arrived:
        """All complete packets up to the end of this piece.

        Raises:
            MalformedPacketError: the bytes are no packets that a broker sends to a QoS 1 subscriber.

        """
        data = self._rest + piece if self._rest else piece
        arrived = Arrived()
        at, end = 0, len(data)
        received_us = time.time_ns() // 1_000
        topics, messages, mids, properties = self._topics, arrived.messages, arrived.mids, 1 if self._is_5 else 0
        try:
            while end - at >= 2:
                first, length, body = data[at], data[at + 1], at + 2
                if length > 127:
                    length, body = _read_length(data, at + 1, end)
                    if length > MOST_PACKET_BYTES:
                        message = f"a packet of {length:,} bytes, the limit is {MOST_PACKET_BYTES:,}"
                        raise MalformedPacketError(message)
                stop = body + length
                if body == 0 or stop > end:
                    break
                if first >> 4 == _PUBLISH:
                    named = body + 2 + (data[body] << 8 | data[body + 1])
                    topic = topics.get(data[body + 2 : named])
                    payload = named + 2 + properties
                    if topic is None or first & 0x0E != 2 or payload > stop or (properties and data[payload - 1]):
                        self._publish(data, first, body, stop, received_us, arrived)
                    else:  # what nearly all are: QoS 1, delivered once, a known topic, no properties
                        messages.append(
                            Message(
                                topic=topic,
                                payload=data[payload:stop],
                                received_us=received_us,
                                retained=first & 1 == 1,
                            )
                        )
                        mids.append(data[named] << 8 | data[named + 1])
                else:
                    self._answer(data[body:stop], first >> 4, arrived)
                at = stop
        except IndexError as error:
            message = "a packet is shorter than its content"
            raise MalformedPacketError(message) from error
        self._rest = data[at:]
        return arrived

    def _publish(self, data: bytes, first: int, body: int, stop: int, received_us: int, arrived: Arrived) -> None:
        at = body + 2 + (data[body] << 8 | data[body + 1])
        spelt = data[body + 2 : at]
        mid = 0
        quality = first & 0x06
        if quality:
            if quality != 2:
                message = "a message at QoS 2, which was not subscribed to"
                raise MalformedPacketError(message)
            mid = data[at] << 8 | data[at + 1]
            at += 2
        if self._is_5:
            if data[at]:
                properties, at = _whole_length(data, at, stop)
                at += properties
            else:
                at += 1
        if at > stop:
            message = "a message is shorter than its topic"
            raise MalformedPacketError(message)
        topic = self._topics.get(spelt)
        if topic is None:
            topic = self._learn(spelt)
            if topic.startswith(ASIDE):
                arrived.asides.append(Message(topic=topic, payload=data[at:stop], received_us=received_us))
                if mid:
                    arrived.aside_mids.append(mid)
                return
        arrived.messages.append(
            Message(
                topic=topic,
                payload=data[at:stop],
                received_us=received_us,
                retained=first & 1 == 1,
                again=first & 8 == 8,
            )
        )
        arrived.mids.append(mid)

    def _learn(self, spelt: bytes) -> str:
        """The topic as text, known from now on.

        Those aside stay unknown, so that no other message is asked about it, and long ones, so that they take no room.
        """
        topic = spelt.decode("utf-8", "surrogateescape")
        if not topic.startswith(ASIDE) and len(spelt) <= _LONGEST_KNOWN:
            if len(self._topics) >= _TOPICS_KNOWN:
                self._topics.clear()
            self._topics[spelt] = topic
        return topic

    def _answer(self, content: bytes, kind: int, arrived: Arrived) -> None:
        if kind == _CONNACK:
            said = _properties(content) if self._is_5 and content[1] == 0 else {}
            arrived.answers.append(
                Accepted(
                    session_present=content[0] & 1 == 1,
                    reason=content[1],
                    keepalive_s=said.get(_SERVER_KEEPALIVE),
                    shares=said.get(_SHARES, 1) == 1,
                )
            )
        elif kind in {_SUBACK, _UNSUBACK}:
            codes = 2
            if self._is_5:
                properties, codes = _whole_length(content, 2, len(content))
                codes += properties
            mid, found = content[0] << 8 | content[1], tuple(content[codes:])
            arrived.answers.append(Granted(mid=mid, codes=found) if kind == _SUBACK else Released(codes=found))
        elif kind == _DISCONNECT:
            arrived.answers.append(Goodbye(reason=content[0] if content else 0))
        elif kind not in {_PINGRESP, _PUBACK}:
            message = f"a packet of type {kind}, which no broker sends to a subscriber"
            raise MalformedPacketError(message)


def _properties(content: bytes) -> dict[int, int]:
    """The properties of a CONNACK that are numbers [5: 3.2.2.3]."""
    found = {}
    length, at = _whole_length(content, 2, len(content))
    end = at + length
    while at < end:
        name = content[at]
        at += 1
        size = _PROPERTY_BYTES.get(name)
        if size is None:
            for _ in range(2 if name == 0x26 else 1):  # a user property is a pair of texts
                at += 2 + (content[at] << 8 | content[at + 1])
        else:
            if at + size > len(content):
                message = "a property that ends behind its packet"
                raise MalformedPacketError(message)
            found[name] = int.from_bytes(content[at : at + size], "big")
            at += size
    return found


def _read_length(data: bytes, at: int, end: int) -> tuple[int, int]:
    """A variable byte integer [2.2.3; 5: 1.5.5] and the place after it; place 0 when it is not all there yet."""
    if at + 1 < end and data[at + 1] < 128 <= data[at]:  # two bytes, as nearly all packets have
        return data[at] & 0x7F | data[at + 1] << 7, at + 2
    length = 0
    for place in range(4):
        if at + place >= end:
            return 0, 0
        byte = data[at + place]
        length |= (byte & 0x7F) << (7 * place)
        if byte < 128:
            return length, at + place + 1
    message = "a length of more than four bytes"
    raise MalformedPacketError(message)


def _whole_length(data: bytes, at: int, end: int) -> tuple[int, int]:
    """A variable byte integer inside a whole packet, where none may be cut off."""
    length, after = _read_length(data, at, end)
    if not after:
        message = "a packet that ends inside a length"
        raise MalformedPacketError(message)
    return length, after


def _length(value: int) -> bytes:
    found = bytearray()
    while True:
        value, low = divmod(value, 128)
        found.append(low | (128 if value else 0))
        if not value:
            return bytes(found)


def _packet(first: int, body: bytes) -> bytes:
    return bytes((first,)) + _length(len(body)) + body


def _text(text: str) -> bytes:
    encoded = text.encode()
    return len(encoded).to_bytes(2, "big") + encoded
