"""`arterial decode` and `arterial ingest` as a person or a program calls them."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import orjson


def arterial(*arguments: str, payload: bytes = b"", **variables: str) -> subprocess.CompletedProcess[bytes]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ARTERIAL_")} | variables
    command = [sys.executable, "-m", "services.cli", *arguments]
    return subprocess.run(command, input=payload, capture_output=True, check=False, env=environment)


def test_decode_shows_the_rows_as_one_document() -> None:
    moment = int(time.time()) * 1_000
    done = arterial("decode", "--dialect", "native", "--json", payload=b'{"ts": %d, "flow_vph": 820}' % moment)
    assert done.returncode == 0
    document = orjson.loads(done.stdout)
    assert document["rejected"] == []
    assert document["readings"][0]["flow_vph"] == 820


def test_decode_says_what_is_wrong_and_fails() -> None:
    done = arterial("decode", "--topic", "city/v1/traffic/a/telemetry", payload=b'{"ts": "2026-11-22T08:00:00"}')
    assert done.returncode == 1
    assert done.stdout.decode().strip() == (
        "refused: the timestamp 2026-11-22T08:00:00 has no time zone: add Z or an offset such as +01:00"
    )


def test_decode_tells_which_dialect_it_has_recognised_and_why() -> None:
    payload = b'{"linkquality": 9, "power": 1500}'
    done, document = arterial("decode", payload=payload), arterial("decode", "--json", payload=payload)
    assert (
        done.stdout.decode().splitlines()[0] == "read as zigbee2mqtt: the payload has linkquality beside other fields"
    )
    assert "EnergyReading(sensor='zigbee2mqtt-example:energy'" in done.stdout.decode()
    assert orjson.loads(document.stdout)["read_by"]["dialect"] == "zigbee2mqtt"


def test_decode_of_what_looks_personal_asks_for_the_dialect() -> None:
    done = arterial("decode", payload=b'{"VP": {"veh": 7}}')
    assert done.returncode == 1
    assert b"it looks like hsl_hfp, and personal data is never read without a rule" in done.stderr


def test_decode_reads_by_the_rules_of_the_settings() -> None:
    rules = '[{"topic": "plant/+", "dialect": "zigbee2mqtt", "read_as": "zigbee2mqtt/{1}", "units": {"power": "W"}}]'
    topics = {"ARTERIAL_INGEST_ROUTES": rules, "ARTERIAL_MQTT_TOPICS": '["plant/#"]'}
    done = arterial("decode", "--topic", "plant/7", payload=b'{"power": 1500}', **topics)
    assert done.stdout.decode().splitlines()[0].startswith("read as zigbee2mqtt: rule 1 of ARTERIAL_INGEST_ROUTES")
    wrong = arterial("decode", "--topic", "plant/7", ARTERIAL_INGEST_ROUTES='[{"topic": "plant/+", "dialect": "z"}]')
    assert b"ARTERIAL_INGEST_ROUTES, rule 1 (plant/+): there is no dialect 'z'" in wrong.stderr


def test_a_dialect_does_not_read_a_topic_that_is_not_its_own() -> None:
    done = arterial("decode", "--dialect", "tasmota", "--topic", "a/b", payload=b"{}")
    assert b"refused: the topic 'a/b' is not one of tasmota: tele/+/SENSOR, tele/+/LWT" in done.stdout


def test_decode_needs_a_topic_or_a_dialect_that_exists() -> None:
    nothing, unknown = arterial("decode"), arterial("decode", "--dialect", "nativ")
    assert (nothing.returncode, unknown.returncode) == (1, 1)
    assert b"name the topic with --topic" in nothing.stderr
    assert b"native, senml, senml_cbor, things_stack" in unknown.stderr


def test_ingest_without_a_broker_says_what_to_do() -> None:
    done = arterial("ingest")
    assert done.returncode == 2
    assert b"no broker is configured: set ARTERIAL_MQTT_URL" in done.stderr
