"""`arterial decode` and `arterial ingest` as a person or a program calls them."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import orjson


def arterial(*arguments: str, payload: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ARTERIAL_")}
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


def test_decode_needs_a_topic_or_a_dialect_that_exists() -> None:
    nothing, unknown = arterial("decode"), arterial("decode", "--dialect", "nativ")
    assert (nothing.returncode, unknown.returncode) == (1, 1)
    assert b"name the topic with --topic" in nothing.stderr
    assert b"native, senml, senml_cbor, things_stack" in unknown.stderr


def test_ingest_without_a_broker_says_what_to_do() -> None:
    done = arterial("ingest")
    assert done.returncode == 2
    assert b"no broker is configured: set ARTERIAL_MQTT_URL" in done.stderr
