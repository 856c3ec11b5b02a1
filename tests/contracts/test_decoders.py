"""Every dialect keeps the contract of decoders: its cases, and an answer to whatever arrives.

`UPDATE_CASES=1 pytest tests/contracts/test_decoders.py` fills in what is expected of case folders that do not say it yet.
"""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingest.decoders.catalogue import DIALECTS, MOST_REASONS, decode, is_personal, matches, route
from ingest.decoders.checks import Limits
from ingest.decoders.memory import Memory
from services.domain import Decoded, Message, from_us
from services.errors import InputError

CASES = Path(__file__).parents[1] / "cases" / "decode"
NOW_US = 1_795_338_000_000_000  # 2026-11-22T09:00:00Z
FOLDERS = sorted(folder for folder in CASES.glob("*/*") if folder.is_dir())


def message_of(folder: Path) -> Message:
    payload = next(folder.glob("payload.*")).read_bytes()
    topic = (folder / "topic").read_text(encoding="utf-8").strip()
    retained = (folder / "retained").exists()
    return Message(topic=topic, payload=payload, received_us=NOW_US, retained=retained)


def memory_of(folder: Path) -> Memory:
    memory = Memory()
    for earlier in sorted((folder / "before").glob("*")):
        decode(message_of(earlier), now_us=NOW_US, memory=memory)
    return memory


def said(folder: Path) -> Decoded:
    return decode(message_of(folder), now_us=NOW_US, memory=memory_of(folder))


def rows(decoded: Decoded) -> list[dict[str, object]]:
    found = []
    for row in (*decoded.readings, *decoded.meta, *decoded.status):
        fields = {name: value for name, value in msgspec.to_builtins(row).items() if value is not None}
        if "observed_us" in fields:
            fields["observed_at"] = from_us(fields.pop("observed_us")).isoformat().replace("+00:00", "Z")
        found.append({"type": type(row).__name__, **fields})
    return found


def refusals(decoded: Decoded) -> list[str]:
    return [r.reason if r.item is None else f"item {r.item}: {r.reason}" for r in decoded.rejected]


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: f"{folder.parent.name}/{folder.name}")
def test_case(folder: Path) -> None:
    decoded = said(folder)
    expected, error = folder / "expected.json", folder / "error.txt"
    assert expected.exists() or error.exists() or _filled_in(folder, decoded), (
        "neither expected.json nor error.txt: write them, or run with UPDATE_CASES=1 and read what was written"
    )
    assert rows(decoded) == (orjson.loads(expected.read_bytes()) if expected.exists() else [])
    assert refusals(decoded) == (error.read_text(encoding="utf-8").splitlines() if error.exists() else [])


def _filled_in(folder: Path, decoded: Decoded) -> bool:
    """Write down what was decoded, where a person asks for it."""
    if os.environ.get("UPDATE_CASES") != "1":
        return False
    if rows(decoded):
        (folder / "expected.json").write_bytes(orjson.dumps(rows(decoded), option=orjson.OPT_INDENT_2) + b"\n")
    if refusals(decoded):
        (folder / "error.txt").write_text("".join(f"{line}\n" for line in refusals(decoded)), encoding="utf-8")
    return True


class Watched(Memory):
    """Notes that it was asked."""

    asked = False

    def recall(self, dialect: str, key: str) -> object:
        self.asked = True
        return super().recall(dialect, key)

    def keep(self, dialect: str, key: str, value: object, weight: int = 1) -> None:
        self.asked = True
        super().keep(dialect, key, value, weight)


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: f"{folder.parent.name}/{folder.name}")
def test_what_is_read_by_memory_is_kept_whole_in_a_group(folder: Path) -> None:
    memory, message = Watched(), message_of(folder)
    decode(message, now_us=NOW_US, memory=memory)
    name = route(message.topic)
    if memory.asked and name is not None:
        assert any(matches(message.topic, topic_filter) for topic_filter in DIALECTS[name].whole)


@pytest.mark.parametrize("name", DIALECTS)
def test_what_is_kept_whole_is_a_topic_filter_of_the_dialect(name: str) -> None:
    assert set(DIALECTS[name].whole) <= set(DIALECTS[name].topics)


@pytest.mark.parametrize("name", DIALECTS)
def test_every_dialect_has_a_case_that_works_and_one_that_does_not(name: str) -> None:
    folders = [folder for folder in FOLDERS if folder.parent.name == name]
    assert any((folder / "expected.json").exists() for folder in folders)
    assert any((folder / "error.txt").exists() for folder in folders)


@pytest.mark.parametrize("name", DIALECTS)
def test_every_dialect_routes_its_example_to_itself(name: str) -> None:
    assert route(DIALECTS[name].example) == name


@pytest.mark.parametrize("name", DIALECTS)
def test_no_topic_filter_of_a_dialect_matches_the_example_of_another(name: str) -> None:
    for other in DIALECTS.values():
        if other.name != name:
            assert not any(matches(other.example, topic_filter) for topic_filter in DIALECTS[name].topics)


def _json(content: object) -> bytes:
    return json.dumps(content).encode()  # the standard library writes NaN and Infinity, as careless devices do


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=5),
    max_leaves=12,
)
# fmt: off
FIELDS = [
    "ts", "seq", "flow_vph", "speed_kmh", "occupancy", "power_kw", "energy_kwh", "lon", "lat",
    "district", "online", "name", "kind", "step_seconds", "bn", "bt", "bu", "bv", "bver", "n", "u", "v",
    "vs", "t", "s", "end_device_ids", "uplink_message", "decoded_payload", "received_at", "value",
    "time", "start", "unit", "free_flow_kmh",
]
# fmt: on
NAMES = st.sampled_from(FIELDS)
TIMES = st.sampled_from(["2026-11-22T08:00:00Z", 1_795_334_400_000, 1_795_334_400, -5, 0])
LIKELY = st.dictionaries(NAMES, TIMES | JSON, max_size=6)
PAYLOADS = (
    st.binary(max_size=64)
    | st.text(max_size=64).map(str.encode)
    | (JSON | LIKELY | st.lists(LIKELY, max_size=4)).map(_json)
)
KNOWN_TOPICS = [
    *(dialect.example for dialect in DIALECTS.values()),
    *(f"city/v1/{kind}/x/{end}" for kind in ("energy", "probe", "household", "none") for end in ("telemetry", "meta")),
    "city/v1/traffic/x/status",
    "city/v1/traffic/x/meta",
    "city/v1/energy/x/senml",
    "tms-v2/a/b",
]
# Their messages may hold nothing to store: a service's own status, an event, a null metric, a quarter not yet over.
MAY_BE_SILENT = {"shelly", "sparkplug", "dsmr"}
TOPICS = st.sampled_from([*KNOWN_TOPICS, "tms-v2/status"]) | st.text(alphabet=st.characters(), max_size=20)


@settings(max_examples=400)
@given(topic=TOPICS, payload=PAYLOADS, dialect=st.none() | st.sampled_from(list(DIALECTS)))
def test_whatever_arrives_is_decoded_or_refused_in_a_sentence(topic: str, payload: bytes, dialect: str | None) -> None:
    message = Message(topic=topic, payload=payload, received_us=NOW_US)
    if dialect is not None and not any(matches(topic, topic_filter) for topic_filter in DIALECTS[dialect].topics):
        message = Message(topic=DIALECTS[dialect].example, payload=payload, received_us=NOW_US)
    decoded = decode(message, dialect, now_us=NOW_US)
    if message.topic != "tms-v2/status" and (dialect or route(message.topic)) not in MAY_BE_SILENT:
        assert decoded.readings or decoded.meta or decoded.status or decoded.rejected
    for refusal in decoded.rejected:
        assert 10 < len(refusal.reason) < 500
        assert refusal.reason.isprintable()
    for reading in decoded.readings:
        for value in msgspec.structs.asdict(reading).values():
            assert not isinstance(value, float) or math.isfinite(value)
        assert NOW_US - 3_650 * 86_400_000_000 <= reading.observed_us <= NOW_US + 300_000_000


@pytest.mark.parametrize("name", FIELDS)
def test_no_type_of_no_field_breaks_a_decoder(name: str) -> None:
    odd = ([], {}, [[1]], None, True, "x", "", "\0", -1, 1e300, 2**70, {"device_id": 1}, {"decoded_payload": {"a": {}}})
    good = {"ts": "2026-11-22T08:00:00Z", "flow_vph": 1, "v": 1, "value": 1, "time": 1_795_334_400, "lon": 1, "lat": 1}
    for topic in KNOWN_TOPICS:
        for value in odd:
            for content in ({name: value}, {**good, name: value}, [{**good, name: value}]):
                message = Message(topic=topic, payload=_json(content), received_us=NOW_US)
                for refusal in decode(message, now_us=NOW_US).rejected:
                    assert refusal.reason.isprintable()


ODD = ([], {}, [[1]], None, True, "x", "", "\0", "1e400", -1, 1e300, 2**70, {"value": {"value": {}}}, {"a": {}})


def _mutants(content: object) -> Iterator[object]:
    """The content with each of its parts in turn replaced by something odd."""
    yield from ODD
    if isinstance(content, dict):
        for name, part in content.items():
            yield {other: value for other, value in content.items() if other != name}
            for mutant in _mutants(part):
                yield {**content, name: mutant}
    elif isinstance(content, list):
        for place, part in enumerate(content[:2]):
            for mutant in _mutants(part):
                yield [*content[:place], mutant, *content[place + 1 :]]


@pytest.mark.parametrize("name", DIALECTS)
def test_no_odd_part_of_a_good_message_breaks_a_decoder(name: str) -> None:
    folders = [folder for folder in FOLDERS if folder.parent.name == name and (folder / "payload.json").exists()]
    for folder in [folder for folder in folders if (folder / "expected.json").exists()][:4]:
        good, memory = message_of(folder), memory_of(folder)
        for mutant in _mutants(json.loads(good.payload)):
            message = Message(topic=good.topic, payload=_json(mutant), received_us=NOW_US)
            for refusal in decode(message, now_us=NOW_US, memory=memory).rejected:
                assert 10 < len(refusal.reason) < 500
                assert refusal.reason.isprintable()


BINARY = [folder for folder in FOLDERS if (folder / "payload.bin").exists() or folder.parent.name == "dsmr"]


@settings(max_examples=600)
@given(folder=st.sampled_from(BINARY), place=st.integers(0, 400), put=st.binary(max_size=12), cut=st.integers(0, 12))
def test_no_changed_byte_breaks_a_binary_decoder(folder: Path, place: int, put: bytes, cut: int) -> None:
    good, memory = message_of(folder), memory_of(folder)
    place %= len(good.payload) + 1
    changed = good.payload[:place] + put + good.payload[place + cut :]
    message = Message(topic=good.topic, payload=changed, received_us=NOW_US)
    for refusal in decode(message, now_us=NOW_US, memory=memory).rejected:
        assert refusal.reason.isprintable()


@pytest.mark.parametrize("payload", [b"\x12\x00" * 100_000, b"\x81" * 200_000, b"\x08\x01" * 130_000])
@pytest.mark.parametrize("name", DIALECTS)
def test_the_largest_payload_of_the_least_parts_takes_less_than_a_second(name: str, payload: bytes) -> None:
    message = Message(topic=DIALECTS[name].example, payload=payload, received_us=NOW_US)
    started = time.perf_counter()
    decode(message, now_us=NOW_US)
    assert time.perf_counter() - started < 1


@pytest.mark.parametrize(
    "bad",
    [
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b'{"ts":' + b"9" * 100_000 + b"}",
        b"\x00" * 1000,
        b'{"value":1e400}',
    ],
)
@pytest.mark.parametrize("name", DIALECTS)
def test_hostile_payloads_are_refused(name: str, bad: bytes) -> None:
    message = Message(topic=DIALECTS[name].example, payload=bad, received_us=NOW_US)
    assert decode(message, now_us=NOW_US).rejected


def test_of_a_json_key_given_twice_the_last_counts() -> None:
    payload = b'{"ts":1795334400000,"flow_vph":1,"flow_vph":2}'
    said_of_it = decode(
        Message(topic="city/v1/traffic/a/telemetry", payload=payload, received_us=NOW_US), now_us=NOW_US
    )
    assert [row.get("flow_vph") for row in rows(said_of_it)] == [2.0]


def test_a_payload_above_the_limit_is_refused_with_both_numbers() -> None:
    message = Message(topic="city/v1/traffic/a/telemetry", payload=bytes(1_048_576), received_us=NOW_US)
    assert refusals(decode(message, now_us=NOW_US)) == ["the payload is 1,048,576 bytes, the limit is 262,144"]


def test_of_many_refused_items_the_first_are_named_and_the_others_counted() -> None:
    message = Message(topic="city/v1/traffic/a/telemetry", payload=b"[" + b"1," * 100_000 + b"1]", received_us=NOW_US)
    found = refusals(decode(message, now_us=NOW_US))
    assert len(found) == MOST_REASONS
    assert found[0].startswith("item 0: ")
    assert found[-1] == "and 99,902 more items of it are refused"


def test_an_unknown_topic_is_refused_and_never_guessed() -> None:
    message = Message(topic="foo/bar", payload=b'{"ts":1795334400000,"flow_vph":1}', received_us=NOW_US)
    assert refusals(decode(message, now_us=NOW_US)) == ["no dialect is configured for topic 'foo/bar'"]


def test_a_topic_that_is_not_utf8_is_refused() -> None:
    message = Message(topic="city/v1/traffic/\udcff/telemetry", payload=b"{}", received_us=NOW_US)
    assert refusals(decode(message, now_us=NOW_US)) == ["the topic is not valid UTF-8"]


@pytest.mark.parametrize("name", [name for name, dialect in DIALECTS.items() if dialect.personal])
def test_what_a_personal_dialect_cannot_read_is_kept_with_personal_data(name: str) -> None:
    assert is_personal(DIALECTS[name].example)


def test_the_token_of_a_charging_session_is_nowhere_in_what_is_decoded() -> None:
    for folder in (CASES / "ocpi").iterdir():
        said_of_it = repr(said(folder))
        assert "123abc" not in said_of_it
        assert "C12345678" not in said_of_it


def test_an_unknown_dialect_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(InputError, match="choose one of native, senml"):
        decode(Message(topic="a", payload=b"", received_us=0), "nativ", now_us=NOW_US)


def test_the_limits_of_the_settings_are_those_of_the_decoders() -> None:
    from ingest.pipeline import limits_of
    from services.settings import load_settings

    assert limits_of(load_settings()) == Limits()


@pytest.mark.parametrize(
    "topic",
    [
        "city/v1/bike/a/x",
        "city/v2/Charging/1",
        "city/v1/probe/a/telemetry",
        "city/v1/Probe/a/x",
        "x/household",
        "city/v2/HOUSEHOLD/1",
        "dsmr/json",
        "/hfp/v2/x",
    ],
)
def test_topics_that_may_be_personal_are_recognised(topic: str) -> None:
    assert is_personal(topic)


def test_a_counter_of_bicycles_is_not_personal() -> None:
    assert not is_personal("counters/bike/7")


@settings(max_examples=200)
@given(
    item=st.fixed_dictionaries(
        {"ts": st.sampled_from([1_795_334_400_000, "2026-11-22T08:00:00+02:00", "2026-11-22T08:00:00.123456789Z"])},
        optional={
            "seq": st.none() | st.integers(0, 2**63 - 1),
            "flow_vph": st.none() | st.floats(0, 1e6),
            "speed_kmh": st.floats(0, 300) | st.integers(0, 100),
            "occupancy": st.floats(0, 1),
        },
    ),
    unknown=st.booleans(),
)
def test_the_quick_and_the_thorough_way_of_the_native_dialect_agree(item: dict[str, object], unknown: bool) -> None:
    topic = "city/v1/traffic/a/telemetry"
    plain = decode(Message(topic=topic, payload=orjson.dumps(item), received_us=NOW_US), now_us=NOW_US)
    odd = orjson.dumps([{**item, "note": "makes the typed decoder refuse"}])
    thorough = decode(Message(topic=topic, payload=odd, received_us=NOW_US), now_us=NOW_US)
    assert plain.readings == thorough.readings
