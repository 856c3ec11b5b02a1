"""What dialects remember is bounded, and gaps in sequence numbers are counted."""

from __future__ import annotations

import pytest

from ingest.decoders.catalogue import decode
from ingest.decoders.memory import Memory
from services.domain import Message

NOW_US = 1_795_338_000_000_000


def test_what_was_not_used_longest_is_forgotten_first() -> None:
    memory = Memory(most=3)
    for device in ("a", "b", "c"):
        memory.keep("shelly", device, device)
    memory.recall("shelly", "a")
    memory.keep("shelly", "d", "d")
    assert [memory.recall("shelly", device) for device in ("a", "b", "c", "d")] == ["a", None, "c", "d"]
    assert memory.forgotten == 1


def test_a_heavy_value_displaces_many_light_ones() -> None:
    memory = Memory(most=10)
    for device in range(10):
        memory.keep("sparkplug", str(device), device)
    memory.keep("sparkplug", "heavy", "heavy", weight=9)
    assert memory.forgotten == 9
    assert memory.recall("sparkplug", "9") == 9


def test_a_value_kept_again_weighs_once() -> None:
    memory = Memory(most=2)
    for value in range(100):
        memory.keep("dsmr", "a", value)
    memory.keep("dsmr", "b", 0)
    assert (memory.forgotten, memory.recall("dsmr", "a")) == (0, 99)


def test_dialects_do_not_see_each_other() -> None:
    memory = Memory()
    memory.keep("shelly", "a", 1)
    assert memory.recall("dsmr", "a") is None


@pytest.mark.parametrize(
    ("numbers", "gaps"),
    [
        ([0, 1, 2, 3], 0),
        ([0, 1, 4], 2),
        ([254, 255, 0, 1], 0),
        ([254, 1], 2),
        ([0, 1, 1, 2], 0),  # delivered again
        ([0, 2, 1, 3], 1),  # overtaken
    ],
)
def test_missing_sequence_numbers_of_sparkplug_are_counted_around_the_circle(numbers: list[int], gaps: int) -> None:
    memory = Memory()
    for number in numbers:
        payload = b"\x18" + (bytes([number]) if number < 128 else bytes([number & 0x7F | 0x80, 1]))
        topic = "spBv1.0/plant/NDATA/edge-1"
        decode(Message(topic=topic, payload=payload, received_us=NOW_US), now_us=NOW_US, memory=memory)
    assert memory.gaps == gaps


def test_births_without_end_are_refused_and_take_no_more_space() -> None:
    memory = Memory()
    metrics = b"".join(b"\x12\x08\x0a\x06" + b"%06d" % place for place in range(9_000))
    refused = 0
    for device in range(12):
        topic = f"spBv1.0/plant/DBIRTH/edge-1/device-{device}"
        message = Message(topic=topic, payload=metrics, received_us=NOW_US)
        refused += bool(decode(message, now_us=NOW_US, memory=memory).rejected)
    node = memory.recall("sparkplug", "plant/edge-1")
    assert refused > 0
    assert len(node.names) <= 100_000
    assert memory.forgotten == 0
