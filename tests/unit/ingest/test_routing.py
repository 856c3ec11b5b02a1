"""Rules come first, topics second, signatures last; nothing is guessed, and nothing personal is recognised."""

from __future__ import annotations

import string
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from ingest.decoders.catalogue import DIALECTS, is_personal
from ingest.decoders.checks import Limits
from ingest.decoders.memory import Memory
from ingest.decoders.recognition import name_of
from ingest.routing import Routing
from services.domain import Decoded, EnergyReading, Message, QuantityReading, TrafficReading
from services.errors import ConfigurationError
from services.settings import Route, load_settings

CASES = Path(__file__).parents[2] / "cases" / "decode"
NOW_US = 1_795_338_000_000_000  # 2026-11-22T09:00:00Z
STAMP = "2026-11-22T08:00:00Z"
AT_US = 1_795_334_400_000_000


def routing(*rules: dict[str, object], topics: tuple[str, ...] = ("#",), recognise: bool = True) -> Routing:
    return Routing.of(load_settings({"ingest_routes": rules, "mqtt_topics": topics, "ingest_recognise": recognise}))


def said(by: Routing, topic: str, content: object, memory: Memory | None = None, *, retained: bool = False) -> Decoded:
    payload = content if isinstance(content, bytes) else orjson.dumps(content)
    message = Message(topic=topic, payload=payload, received_us=NOW_US, retained=retained)
    return by.decode(message, now_us=NOW_US, limits=Limits(), memory=memory or Memory())


def reason(decoded: Decoded) -> str:
    assert not decoded.readings
    return decoded.rejected[0].reason


PACK = [{"bt": 1_795_334_400, "n": "power", "u": "W", "v": 900}]


def test_a_rule_reads_a_topic_as_one_of_the_dialect() -> None:
    by = routing({"topic": "plant/+/power", "dialect": "senml", "read_as": "city/v1/energy/plant-{1}/senml"})
    assert said(by, "plant/7/power", PACK).readings == (
        EnergyReading(sensor="plant-7", observed_us=AT_US, power_kw=0.9),
    )


def test_the_first_rule_that_matches_decides_and_goes_before_built_in_topics() -> None:
    by = routing(
        {"topic": "tele/special/SENSOR", "dialect": "zigbee2mqtt", "read_as": "zigbee2mqtt/special"},
        {"topic": "tele/+/SENSOR", "dialect": "tasmota"},
    )
    content = {"last_seen": STAMP, "power": 1500, "Time": STAMP, "ENERGY": {"Power": 9}}
    assert [r.sensor for r in said(by, "tele/special/SENSOR", content).readings] == ["zigbee2mqtt-special:energy"]
    assert [r.sensor for r in said(by, "tele/other/SENSOR", content).readings] == ["tasmota-other:energy"]


def test_native_topics_stay_native_below_a_rule_for_everything() -> None:
    by = routing({"topic": "#", "dialect": "telraam", "read_as": "telraam/{#}"})
    content = {"ts": STAMP, "flow_vph": 5}
    assert said(by, "city/v1/traffic/a/telemetry", content).readings[0].sensor == "a"
    assert "row of Telraam" in reason(said(by, "abc", content))
    assert "is not one of telraam" in reason(said(by, "a/b", content))


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        ({"topic": "a/+", "dialect": "senlm"}, "there is no dialect 'senlm': did you mean senml?"),
        ({"topic": "a/+", "dialect": "x"}, "choose one of native, senml"),
        ({"topic": "", "dialect": "ngsi"}, "must have 1 to 65,535 bytes"),
        ({"topic": "a/#/b", "dialect": "ngsi"}, "has a # that is not the whole last level"),
        ({"topic": "a/b#", "dialect": "ngsi"}, "has a # that is not the whole last level"),
        ({"topic": "a/b+/c", "dialect": "ngsi"}, "has a + that is not a whole level"),
        ({"topic": "city/v1/energy/+/telemetry", "dialect": "ngsi"}, "are native and are never read as anything else"),
        ({"topic": "elsewhere/+", "dialect": "ngsi"}, "no topic filter of ARTERIAL_MQTT_TOPICS brings such topics"),
        ({"topic": "a/+", "dialect": "tasmota"}, "takes names from its topics, tele/+/SENSOR or tele/+/LWT"),
        (
            {"topic": "a/+", "dialect": "tasmota", "read_as": "tele/{2}/SENSOR"},
            "has {2}, but the topic filter has only {1}",
        ),
        ({"topic": "a/b", "dialect": "tasmota", "read_as": "tele/{1}/SENSOR"}, "the topic filter has no wildcard"),
        ({"topic": "a/+", "dialect": "tasmota", "read_as": "tele/+/SENSOR"}, "read_as is a topic, not a filter"),
        ({"topic": "a/+", "dialect": "tasmota", "read_as": "tele/{1}"}, "a topic of tasmota is expected"),
        ({"topic": "tele/+/SENSOR", "dialect": "tasmota", "units": {"power": "hp"}}, "the unit 'hp' is unknown"),
        ({"topic": "tele/+/SENSOR", "dialect": "tasmota", "names": {"power": "?"}}, "cannot be stored as a quantity"),
    ],
)
def test_a_rule_that_cannot_work_is_named(rule: dict[str, object], sentence: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        routing(rule, topics=("a/#", "tele/#", "city/#"))
    assert f"ARTERIAL_INGEST_ROUTES, rule 1 ({rule['topic']}): " in str(refused.value)
    assert sentence in str(refused.value)


def test_a_rule_behind_one_that_takes_all_its_topics_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"rule 2 \(a/b\): it never applies, as rule 1 \(a/\+\) comes first"):
        routing(
            {"topic": "a/+", "dialect": "ngsi", "read_as": "ngsi-ld/{1}"},
            {"topic": "a/b", "dialect": "ngsi", "read_as": "ngsi-ld/b"},
        )


def test_an_unknown_field_of_a_rule_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"ARTERIAL_INGEST_ROUTES\.0 has an unknown field 'dialects'"):
        load_settings({"ingest_routes": [{"topic": "a", "dialects": "ngsi"}]})


def test_a_rule_tells_what_numbers_are_that_do_not_tell_it_themselves() -> None:
    by = routing(
        {
            "topic": "sentilo/data/+/meter",
            "dialect": "sentilo",
            "names": {"value": "power"},
            "units": {"value": "W"},
        },
        {
            "topic": "v3/+/devices/+/up",
            "dialect": "things_stack",
            "units": {"speed_kmh": "mph", "occ": "%"},
            "names": {"occ": "occupancy"},
        },
    )
    body = {"observations": [{"value": "1500", "timestamp": "22/11/2026T08:00:00"}]}
    assert said(by, "sentilo/data/grid/meter", body).readings == (
        EnergyReading(sensor="sentilo-grid:meter:energy", observed_us=AT_US, power_kw=1.5),
    )
    uplink = {
        "end_device_ids": {"device_id": "d", "application_ids": {"application_id": "a"}},
        "received_at": STAMP,
        "uplink_message": {"decoded_payload": {"speed_kmh": 50, "occ": 12, "battery": 3}},
    }
    traffic, battery = said(by, "v3/a@t/devices/d/up", uplink).readings
    assert traffic == TrafficReading(sensor="a:d", observed_us=AT_US, speed_kmh=pytest.approx(80.4672), occupancy=0.12)
    assert isinstance(battery, QuantityReading)
    assert (battery.quantity, battery.value) == ("battery", 3)


def test_two_values_of_one_name_are_refused() -> None:
    by = routing({"topic": "zigbee2mqtt/+", "dialect": "zigbee2mqtt", "names": {"a": "x", "b": "x"}})
    assert "are both called x by the rule" in reason(said(by, "zigbee2mqtt/p", {"a": 1, "b": 2, "last_seen": STAMP}))


def test_a_value_out_of_range_after_its_conversion_is_refused() -> None:
    by = routing({"topic": "zigbee2mqtt/+", "dialect": "zigbee2mqtt", "names": {"a": "occupancy"}, "units": {"a": "%"}})
    assert "share between 0 and 1" in reason(said(by, "zigbee2mqtt/p", {"a": 101, "last_seen": STAMP}))


def test_a_rule_for_a_personal_dialect_keeps_its_dead_letters_with_personal_data() -> None:
    by = routing({"topic": "meters/+", "dialect": "dsmr", "read_as": "dsmr/mitte/{1}/json"})
    assert not is_personal("meters/7")
    decoded = said(by, "meters/7", b"{}")
    assert decoded.rejected
    assert decoded.personal


RECOGNISED = {
    "native": ({"ts": STAMP, "power_kw": 5}, "plant.a"),
    "things_stack": (
        {
            "end_device_ids": {"device_id": "d", "application_ids": {"application_id": "app"}},
            "received_at": STAMP,
            "uplink_message": {"decoded_payload": {"level": 3}},
        },
        "app:d",
    ),
    "chirpstack": (
        {"deviceInfo": {"devEui": "0101010101010101"}, "time": STAMP, "object": {"level": 3}},
        "chirpstack-0101010101010101",
    ),
    "tasmota": ({"Time": STAMP, "ENERGY": {"Total": 7.5}}, "tasmota-plant.a:energy"),
    "zigbee2mqtt": ({"linkquality": 9, "temperature": 20, "last_seen": STAMP}, "zigbee2mqtt-plant.a"),
    "sentilo": (
        {"sensors": [{"sensor": "s", "observations": [{"value": "1"}]}]},
        "sentilo-plant.a:s",
    ),
    "sensorthings": ({"result": 5.0, "resultTime": STAMP}, "sensorthings-plant.a"),
    "ngsi": (
        {"id": "u", "type": "ThreePhaseAcMeasurement", "dateObserved": STAMP, "totalActivePower": 1000},
        "ngsi-u",
    ),
    "telraam": ({"date": STAMP, "interval": "hourly", "uptime": 1.0, "car": 5}, "telraam-plant.a"),
    "shelly": (
        {"src": "pro", "method": "NotifyStatus", "params": {"ts": AT_US / 1e6, "em1:0": {"act_power": 5}}},
        "shelly-pro:em1-0",
    ),
}


@pytest.mark.parametrize("name", RECOGNISED)
def test_a_payload_that_fits_one_dialect_is_read_counted_and_logged_once(name: str) -> None:
    by, memory = routing(), Memory()
    content, sensor = RECOGNISED[name]
    with capture_logs() as logs:
        for _ in range(3):
            decoded = said(by, "plant/a", content, memory)
            assert not decoded.rejected
            assert {reading.sensor for reading in decoded.readings} == {sensor}
    assert memory.recognised == {name: 3}
    assert [(entry["dialect"], entry["topic"], entry["topic_filter"]) for entry in logs] == [(name, "plant/a", "#")]
    rule = Route(**logs[0]["rule"])
    again = said(routing(rule.model_dump()), "plant/a", content)
    assert again.readings == decoded.readings  # the rule that the log proposes says the same


@pytest.mark.parametrize("name", RECOGNISED)
def test_nothing_is_recognised_where_that_is_switched_off(name: str) -> None:
    why = reason(said(routing(recognise=False), "plant/a", RECOGNISED[name][0]))
    assert f"no dialect is configured for topic 'plant/a'; the payload looks like {name}: add a rule" in why


@pytest.mark.parametrize("topic", ["city/v1/energy/a/telemetri", "city/v1/x", "$SYS/x"])
def test_nothing_is_recognised_below_the_citys_own_topics(topic: str) -> None:
    assert "looks like native: add a rule" in reason(said(routing(), topic, RECOGNISED["native"][0]))


def test_a_payload_that_fits_two_dialects_is_a_dead_letter_that_names_both() -> None:
    content = {**RECOGNISED["tasmota"][0], **RECOGNISED["zigbee2mqtt"][0]}
    assert "the payload looks like tasmota and zigbee2mqtt" in reason(said(routing(), "plant/a", content))


def test_senml_needs_a_rule_that_says_what_is_measured() -> None:
    why = reason(said(routing(), "plant/a", PACK))
    assert "looks like senml: add a rule to ARTERIAL_INGEST_ROUTES that reads it as city/v1/+/+/senml" in why


@pytest.mark.parametrize("payload", [b"", b"23.4", b"[]", b"{}", b'{"a":1}', b"\xff\x00", b"[" * 9999, b"null"])
def test_what_looks_like_nothing_is_a_dead_letter(payload: bytes) -> None:
    decoded = said(routing(), "plant/a", payload)
    assert "looks like none that is known" in reason(decoded)
    assert not decoded.personal


def test_what_a_recognised_dialect_refuses_says_that_it_was_recognised() -> None:
    why = reason(said(routing(), "plant/a", {"Time": "soon", "ENERGY": {"Power": 1}}))
    assert why.startswith("recognised as tasmota by its content, but the timestamp 'soon' is not a time")


@pytest.mark.parametrize(
    "payload",
    [
        orjson.dumps({"VP": {"veh": 7, "lat": 60.2, "long": 24.9}}),
        b'{"VP":{"veh":7,"la',
        orjson.dumps({"evse_uid": "1", "kwh": 1.0, "status": "ACTIVE"}),
        b'{"cdr_token": {"uid": "123"',
        orjson.dumps({"electricity_delivered_1": "1.0", "timestamp": STAMP}),
        b"/ISK5\r\n1-0:1.8.1(001073.079*kWh)\r\n!0000",
        orjson.dumps({"ts": STAMP, "lon": 13.4, "lat": 52.5}),
        orjson.dumps([{"ts": STAMP, "district": "mitte", "energy_kwh": 0.2}]),
        orjson.dumps({"_type": "location", "tid": "ab"}),
        b'{"cdr_token":"' + b"x" * 300_000 + b'"}',
    ],
)
@pytest.mark.parametrize("recognise", [True, False])
def test_what_looks_personal_is_a_dead_letter_kept_with_personal_data(payload: bytes, recognise: bool) -> None:
    decoded = said(routing(recognise=recognise), "plant/a", payload)
    assert not decoded.readings
    assert decoded.rejected
    assert decoded.personal


def test_a_topic_that_may_be_personal_is_never_recognised() -> None:
    decoded = said(routing(), "x/household", RECOGNISED["tasmota"][0])
    assert "personal data is never read without a rule" in reason(decoded)
    assert decoded.personal


CASE_FOLDERS = [
    folder
    for folder in sorted(CASES.glob("*/*"))
    if (folder / "expected.json").exists() and not (folder / "error.txt").exists()
]


@pytest.mark.parametrize("folder", CASE_FOLDERS, ids=lambda folder: f"{folder.parent.name}/{folder.name}")
def test_no_payload_is_recognised_as_another_dialect(folder: Path) -> None:
    own, payload = folder.parent.name, next(folder.glob("payload.*")).read_bytes()
    found = routing().find("somewhere/else", payload)
    assert found.dialect in {None, own}
    if DIALECTS[own].personal:
        assert found.personal
        assert found.dialect is None


@given(st.lists(st.text(alphabet=string.printable, max_size=5), min_size=1, max_size=4).map("/".join), st.data())
def test_no_two_topics_make_the_same_name(topic: str, data: st.DataObject) -> None:
    other = data.draw(st.text(alphabet="/.:%2EF(' " + topic, max_size=len(topic) + 2))
    assert (name_of(topic) == name_of(other)) == (topic == other)
    assert not set(name_of(topic)) & set("/:()'")
