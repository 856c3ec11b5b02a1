"""Topics as long as MQTT allows are refused, and leave nothing behind in memory."""

from __future__ import annotations

import tracemalloc

from ingest.decoders.catalogue import LONGEST_TOPIC
from ingest.decoders.checks import Limits
from ingest.decoders.memory import Memory
from ingest.decoding import decode_all
from ingest.packets import Stream, _packet, _text
from ingest.routing import Routing
from services.domain import Decoded

NOW_US = 1_795_338_000_000_000  # 2026-11-22T09:00:00Z


def hear(topics: list[str]) -> list[Decoded]:
    stream, routing, memory = Stream(is_5=False), Routing(), Memory()
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    said = []
    for topic in topics:
        arrived = stream.feed(_packet(0x32, _text(topic) + b'\0\1{"ts":1795334400000,"flow_vph":1}'))
        said += decode_all(arrived.messages, now_us=NOW_US, limits=Limits(), memory=memory, routing=routing)
    del arrived
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 3_000_000, f"{grown:,} bytes for {len(topics)} topics"
    return said


def test_topics_that_are_too_long_are_refused_and_not_remembered() -> None:
    said = hear([f"city/v1/{number:06d}{'x' * 60_000}/det-1/telemetry" for number in range(200)])
    assert {refusal.reason for one in said for refusal in one.rejected} == {
        f"the topic is 60,030 characters, the limit is {LONGEST_TOPIC}"
    }


def test_topics_of_any_other_length_are_read() -> None:
    said = hear([f"city/v1/traffic/{'x' * length}/telemetry" for length in (1, 60, 63)])
    assert [len(one.readings) for one in said] == [1, 1, 1]
