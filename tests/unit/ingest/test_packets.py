"""The few MQTT packets a subscriber needs, cut from a stream in any pieces, and garbage refused."""

from __future__ import annotations

from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest import packets
from ingest.packets import Accepted, Arrived, Goodbye, Granted, MalformedPacketError, Stream, _packet, _text


def publish(topic: str, payload: bytes, mid: int, *, is_5: bool, retained: bool = False) -> bytes:
    identifier = mid.to_bytes(2, "big") if mid else b""
    properties = b"\x05\x02\x00\x00\x00\x3c" if is_5 else b""  # message expiry interval
    return _packet(0x30 | (2 if mid else 0) | retained, _text(topic) + identifier + properties + payload)


def cut(stream: Stream, data: bytes, places: list[int]) -> list[Arrived]:
    edges = [0, *sorted({place % (len(data) + 1) for place in places}), len(data)]
    return [stream.feed(data[start:end]) for start, end in pairwise(edges)]


@given(
    st.lists(st.tuples(st.text(max_size=40), st.binary(max_size=300), st.integers(0, 65_535), st.booleans())),
    st.lists(st.integers(0, 10_000)),
    st.booleans(),
)
def test_messages_come_out_as_they_went_in_wherever_the_stream_is_cut(
    sent: list[tuple[str, bytes, int, bool]], places: list[int], is_5: bool
) -> None:
    sent = [(topic.replace("\0", "0"), *rest) for topic, *rest in sent]  # type: ignore[misc]  # the tuple stays whole
    data = b"".join(publish(t, p, mid, is_5=is_5, retained=retained) for t, p, mid, retained in sent)
    arrived = cut(Stream(is_5=is_5), data, places)
    found = [(m.topic, m.payload, mid, m.retained) for a in arrived for m, mid in zip(a.messages, a.mids, strict=True)]
    assert found == sent


@given(st.binary(max_size=400), st.lists(st.integers(0, 400), max_size=5), st.booleans())
def test_garbage_is_refused_or_waited_for_and_nothing_else(data: bytes, places: list[int], is_5: bool) -> None:
    with suppress(MalformedPacketError):
        cut(Stream(is_5=is_5), data, places)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x32\xff\xff\xff\x7f", "limit"),
        (b"\x32\xff\xff\xff\xff\x01", "four bytes"),
        (_packet(0x34, _text("a") + b"\x00\x01"), "QoS 2"),
        (_packet(0x32, b"\x00\xffa"), "shorter"),
        (_packet(0x32, _text("a") + b"\x00\x01\xff"), "inside a length"),
        (b"\x82\x00", "type 8"),
    ],
)
def test_what_no_broker_sends_is_refused_with_the_reason(data: bytes, reason: str) -> None:
    with pytest.raises(MalformedPacketError, match=reason):
        Stream(is_5=True).feed(data)


def test_answers_of_both_versions_are_understood() -> None:
    keepalive = b"\x21\x00\x64" + b"\x1f\x00\x02ok" + b"\x26\x00\x01a\x00\x01b" + b"\x13\x00\x0f"
    five = Stream(is_5=True).feed(
        _packet(0x20, b"\x01\x00" + bytes((len(keepalive),)) + keepalive)
        + _packet(0x90, b"\x00\x01\x00\x01\x87")
        + b"\xd0\x00"
        + _packet(0xE0, b"\x8e")
    )
    assert five.answers == [
        Accepted(session_present=True, reason=0, keepalive_s=15),
        Granted(mid=1, codes=(1, 0x87)),
        Goodbye(reason=0x8E),
    ]
    three = Stream(is_5=False).feed(b"\x20\x02\x00\x05" + b"\x90\x03\x00\x01\x80")
    assert three.answers == [Accepted(session_present=False, reason=5, keepalive_s=None), Granted(mid=1, codes=(0x80,))]


def test_a_topic_that_is_not_utf_8_keeps_its_bytes() -> None:
    data = _packet(0x30, b"\x00\x02a\xff" + b"payload")
    assert Stream(is_5=False).feed(data).messages[0].topic == "a\udcff"


def test_acknowledgements_are_in_order() -> None:
    assert packets.acknowledgements([1, 65_535, 258]) == b"\x40\x02\x00\x01\x40\x02\xff\xff\x40\x02\x01\x02"


@pytest.mark.parametrize("is_5", [True, False])
def test_what_the_broker_delivers_again_says_so(*, is_5: bool) -> None:
    first = publish("city/v1/traffic/t-1/telemetry", b"x", 7, is_5=is_5)
    again = bytes([first[0] | 8]) + first[1:]
    arrived = Stream(is_5=is_5).feed(again + first + again)
    assert [m.again for m in arrived.messages] == [True, False, True]
    assert [(m.topic, m.payload) for m in arrived.messages] == [("city/v1/traffic/t-1/telemetry", b"x")] * 3
    assert arrived.mids == [7, 7, 7]


def test_shared_subscriptions_ask_for_nothing_retained_and_plain_ones_for_what_is_new() -> None:
    packet = packets.subscribe(["a/+", "$share/g/b"], is_5=True)
    assert packet == b"\x82\x16\x00\x01\x00" + _text("a/+") + b"\x11" + _text("$share/g/b") + b"\x21"


def test_what_a_broker_says_about_groups_is_understood() -> None:
    arrived = Stream(is_5=True).feed(_packet(0x20, b"\x00\x00\x02\x2a\x00") + _packet(0xB0, b"\x00\x04\x00\x00\x11"))
    assert arrived.answers == [
        Accepted(session_present=False, reason=0, keepalive_s=None, shares=False),
        packets.Released(codes=(0, 0x11)),
    ]
    assert packets.unsubscribe(["a", "b"], mid=4) == b"\xa2\x09\x00\x04\x00\x00\x01a\x00\x01b"
