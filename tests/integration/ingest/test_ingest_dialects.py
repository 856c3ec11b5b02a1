"""Makers' dialects on the way into the database: one sensor per kind, memory across messages, personal dead letters."""

from __future__ import annotations

import time

import orjson

from ingest.pipeline import store
from services.domain import Message, from_us
from services.settings import Route, Settings
from services.storage.database import Connection

NOW_US = time.time_ns() // 1_000
AT_US = (NOW_US // 900_000_000 - 4) * 900_000_000  # the start of a quarter of an hour, one hour ago


def message(topic: str, content: object) -> Message:
    payload = content if isinstance(content, bytes) else orjson.dumps(content)
    return Message(topic=topic, payload=payload, received_us=NOW_US)


def shelly(seconds: int, **status: float) -> Message:
    frame = {"src": "shellypro", "method": "NotifyStatus", "params": {"ts": AT_US / 1e6 + seconds, "em1:0": status}}
    return message("shellypro/events/rpc", frame)


def test_frames_of_a_shelly_are_stored_whole_and_once(settings: Settings, owner: Connection) -> None:
    messages = [shelly(0, act_power=500, voltage=230), shelly(10, act_power=400), shelly(20, voltage=231)]
    counts = store(settings, messages)
    again = store(settings, messages)
    assert (counts.received, counts.stored, counts.dead_lettered) == (3, 3, 0)
    assert counts.holds()
    assert again.holds()
    rows = owner.execute("SELECT observed_at, power_kw FROM sensing.energy ORDER BY 1").fetchall()
    assert rows == [(from_us(AT_US + 10_000_000 * n), power) for n, power in enumerate((0.5, 0.4, 0.4))]
    sensors = owner.execute("SELECT code, kind FROM sensing.sensor").fetchall()
    assert sensors == [("shelly-shellypro:em1-0", "energy")]


def test_a_device_that_measures_two_kinds_is_two_sensors_in_any_order(settings: Settings, owner: Connection) -> None:
    counts = store(
        settings,
        [
            message("tele/plug/LWT", b"Online"),
            message("zigbee2mqtt/plug", {"linkquality": 10}),
            message("zigbee2mqtt/plug", {"power": 1500, "last_seen": AT_US // 1_000}),
            message("tele/plug/SENSOR", {"Time": from_us(AT_US).isoformat(), "ENERGY": {"Power": 9, "Voltage": 231}}),
        ],
    )
    assert (counts.received, counts.stored, counts.dead_lettered) == (4, 4, 0)
    assert dict(owner.execute("SELECT code, kind FROM sensing.sensor").fetchall()) == {
        "tasmota-plug": "environment",
        "tasmota-plug:energy": "energy",
        "zigbee2mqtt-plug": "environment",
        "zigbee2mqtt-plug:energy": "energy",
    }


def test_personal_dialects_leave_nothing_outside_the_personal_schema(settings: Settings, owner: Connection) -> None:
    position = {"oper": 12, "veh": 7, "tst": from_us(AT_US).isoformat(), "spd": 10, "lat": 60.2, "long": 24.9}
    counts = store(
        settings,
        [
            message("/hfp/v2/journey/ongoing/vp/bus/0012/00007/x/1/y", {"VP": position}),
            message("/hfp/v2/journey/ongoing/vp/bus/0012/00007/x/1/y", {"VP": {**position, "lat": None}}),
            message("dsmr/nowhere/meter/raw", b"/no telegram"),
            message("ocpi/2.2.1/sessions/NL/STK/1", {"cdr_token": {"uid": "123abc"}}),
        ],
    )
    assert (counts.received, counts.stored, counts.dead_lettered) == (4, 1, 3)
    assert owner.execute("SELECT speed_kmh FROM personal.position").fetchall() == [(36.0,)]
    assert owner.execute("SELECT count(*) FROM personal.dead_letter").fetchone() == (3,)
    assert owner.execute("SELECT count(*) FROM sensing.dead_letter").fetchone() == (0,)
    assert owner.execute("SELECT count(*) FROM sensing.sensor").fetchone() == (0,)


def test_rules_and_recognition_reach_the_tables_and_what_looks_personal_does_not(
    settings: Settings, owner: Connection
) -> None:
    rule = Route(
        topic="plant/+/meter",
        dialect="zigbee2mqtt",
        read_as="zigbee2mqtt/{1}",
        names={"reading": "energy"},
        units={"reading": "Wh"},
    )
    meters = Route(topic="meters/+", dialect="dsmr", read_as="dsmr/mitte/{1}/raw")
    routed = settings.model_copy(
        update={"ingest_routes": (rule, meters), "mqtt_topics": ("plant/#", "meters/#", "other/#")}
    )
    seen_at = AT_US // 1_000
    counts = store(
        routed,
        [
            message("plant/7/meter", {"reading": 1_000, "last_seen": seen_at}),
            message("plant/7/meter", {"reading": 1_500, "last_seen": seen_at + 900_000}),
            message("other/plug", {"Time": from_us(AT_US).isoformat(), "ENERGY": {"Power": 9}}),
            message("other/phone", {"_type": "location", "lat": 52.5, "lon": 13.4}),
            message("other/number", b"23.4"),
            message("meters/7", b"/no telegram"),
        ],
    )
    assert (counts.received, counts.stored, counts.dead_lettered) == (6, 3, 3)
    rows = owner.execute(
        "SELECT code, power_kw, energy_kwh FROM sensing.energy JOIN sensing.sensor ON id = sensor_id ORDER BY 1, 3"
    ).fetchall()
    assert rows == [
        ("tasmota-other.plug:energy", 0.009, None),
        ("zigbee2mqtt-7:energy", 2.0, 1.0),
        ("zigbee2mqtt-7:energy", None, 1.5),
    ]
    assert owner.execute("SELECT topic FROM sensing.dead_letter").fetchall() == [("other/number",)]
    assert owner.execute("SELECT topic FROM personal.dead_letter ORDER BY 1").fetchall() == [
        ("meters/7",),
        ("other/phone",),
    ]
