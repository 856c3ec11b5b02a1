"""The short way of a batch says what the catalogue says, or leaves the message to it."""

from __future__ import annotations

import time

import orjson
from hypothesis import given
from hypothesis import strategies as st

from ingest.decoders.catalogue import decode
from ingest.decoders.checks import Limits, Window
from ingest.decoders.memory import Memory
from ingest.decoding import _shortly, decode_all
from ingest.routing import Routing
from services.domain import Message


def _dumps(item: object) -> bytes:
    try:
        return orjson.dumps(item)
    except TypeError:  # an integer of more than 64 bits
        return str(item).replace("'", '"').encode()


NOW_US = time.time_ns() // 1_000
LIMITS = Limits(max_payload_bytes=300)
values = st.none() | st.floats(allow_nan=False) | st.integers(-(2**63), 2**63) | st.booleans() | st.text(max_size=3)
times = (
    st.integers(NOW_US // 1_000 - 10**6, NOW_US // 1_000 + 10**6)
    | st.integers(-(2**70), 2**70)
    | st.sampled_from(["2026-11-22T08:00:00Z", "2026-11-22T08:00:00", "soon", None, 1.5e12])
)
names = ("flow_vph", "speed_kmh", "occupancy", "power_kw", "energy_kwh", "seq", "other")
items = st.builds(
    lambda ts, fields: {"ts": ts, **fields}, times, st.dictionaries(st.sampled_from(names), values | st.floats(0, 1))
)
payloads = st.binary(max_size=60) | (items | st.lists(items, max_size=3)).map(_dumps)
topics = st.sampled_from(
    [
        *(
            f"city/v1/{kind}/s1/{purpose}"
            for kind in ("traffic", "energy", "probe")
            for purpose in ("telemetry", "meta")
        ),
        "city/v1/ship/s1/telemetry",
        "city/v1/traffic/\x07/telemetry",
        "unheard/of",
        "a\udcff",
    ]
)


@given(st.lists(st.tuples(topics, payloads), max_size=5))
def test_a_batch_says_what_its_messages_say_one_by_one(sent: list[tuple[str, bytes]]) -> None:
    messages = [Message(topic=topic, payload=payload, received_us=NOW_US) for topic, payload in sent]
    routing, memory = Routing(), Memory()
    one_by_one = [routing.decode(message, now_us=NOW_US, limits=LIMITS, memory=memory) for message in messages]
    assert decode_all(messages, now_us=NOW_US, limits=LIMITS, memory=Memory(), routing=Routing()) == one_by_one


def test_a_plain_reading_takes_the_short_way() -> None:
    window = Window.of(LIMITS, NOW_US)
    for kind, field in (("traffic", "flow_vph"), ("energy", "power_kw")):
        payload = orjson.dumps({"ts": NOW_US // 1_000, field: 12})
        message = Message(topic=f"city/v1/{kind}/s1/telemetry", payload=payload, received_us=NOW_US)
        assert _shortly(message, window, 300) == decode(message, now_us=NOW_US, limits=LIMITS)
