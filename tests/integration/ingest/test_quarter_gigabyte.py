"""Payloads of 256 MB end at the brokers we ship and embed: refused early, held by nobody, and in nobody else's way."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from ingest.decoders.checks import Limits
from ingest.packets import MOST_PACKET_BYTES, _length, _text, connect
from services.embedded import Running, _accepts, free_port, start_broker, start_child
from services.settings import Settings
from services.storage.database import Connection

DEPLOY = Path(__file__).resolve().parents[3] / "deploy"
TOPIC = "city/v1/traffic/det-1/telemetry"
HUGE = 256 * 1024 * 1024 - 1
"""The largest remaining length that MQTT can say [2.2.3]."""
SOON = 32 * 1024 * 1024
"""More than this must not be taken before the connection ends."""
MOST_GROWTH_MB = 64
MOST_INGEST_MB = 300
USER, PASSWORD = "det-1", "det-1-example"


@dataclass(frozen=True, kw_only=True)
class Broker:
    port: int
    pid: int

    def peak_mb(self) -> float:
        return peak_mb(self.pid)


def peak_mb(pid: int) -> float:
    """The largest memory a process ever had."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 1024
    raise AssertionError(pid)


@pytest.fixture
def shipped(tmp_path: Path, require_mosquitto: str) -> Iterator[Broker]:
    """Mosquitto with our configuration, its container paths replaced by this test's folder."""
    port, folder = free_port(), tmp_path / "mosquitto"
    (folder / "data").mkdir(parents=True)
    shutil.copy(DEPLOY / "mosquitto" / "acl", folder / "acl")
    text = (DEPLOY / "mosquitto" / "mosquitto.conf").read_text().replace("/mosquitto/config", str(folder))
    text = text.replace("/mosquitto/data", f"{folder}/data").replace("listener 1883", f"listener {port} 127.0.0.1")
    (folder / "mosquitto.conf").write_text(text + ("user root\n" if os.geteuid() == 0 else ""))
    (folder / "passwords").touch(mode=0o600)
    subprocess.run(["mosquitto_passwd", "-b", str(folder / "passwords"), USER, PASSWORD], check=True)
    with (tmp_path / "mosquitto.log").open("wb") as log:
        process = start_child([require_mosquitto, "-c", str(folder / "mosquitto.conf")], log=log)
    while not _accepts(port):
        assert process.poll() is None
        time.sleep(0.02)
    yield Broker(port=port, pid=process.pid)
    process.terminate()
    process.wait(5)


def _of(server: Any) -> Broker:
    """What `arterial up` started."""
    process = server.process if hasattr(server, "process") else server.broker._process
    return Broker(port=int(server.url.rpartition(":")[2]), pid=process.pid)


@pytest.fixture(
    params=[
        pytest.param("shipped", marks=pytest.mark.mosquitto),
        pytest.param("mosquitto", marks=pytest.mark.mosquitto),
        "iotcore",
    ]
)
def attacked(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Broker]:
    """The broker we ship, and both that `arterial up` starts."""
    if request.param != "iotcore":
        request.getfixturevalue("require_mosquitto")
    if request.param == "shipped":
        yield request.getfixturevalue("shipped")
    else:
        server, _, _ = start_broker(tmp_path, port=free_port(), prefer=request.param)
        yield _of(server)
        server.stop()


def taken(port: int, first: bytes, answer_to: bytes = b"") -> int:
    """How many bytes of a packet the broker takes after its head, until it ends the connection [bytes]."""
    sent, piece = 0, bytes(1 << 20)
    with socket.create_connection(("127.0.0.1", port), 5) as attack:
        attack.settimeout(10)
        if answer_to:
            attack.sendall(answer_to)
            assert attack.recv(4_096)[:1] == b"\x20"
        with suppress(ConnectionError):
            attack.sendall(first)
            while sent < HUGE:
                sent += attack.send(piece)
    return sent


def hello(name: str) -> bytes:
    return connect(
        client_id=name,
        is_5=False,
        keepalive_s=60,
        receive_maximum=100,
        session_expiry_s=0,
        user=USER,
        password=PASSWORD,
        clean=True,
    )


def a_publish(payload_bytes: int) -> bytes:
    head = _text(TOPIC) + b"\x00\x01"
    return b"\x32" + _length(min(HUGE, len(head) + payload_bytes)) + head


@pytest.fixture
def bystander(attacked: Broker) -> Iterator[paho.Client]:
    """A device that was there before, and is not to notice."""
    yield from _client(attacked.port, "bystander")


def _client(port: int, name: str) -> Iterator[paho.Client]:
    client = paho.Client(CallbackAPIVersion.VERSION2, client_id=name)
    client.username_pw_set(USER, PASSWORD)
    client.connect("127.0.0.1", port)
    client.loop_start()
    yield client
    client.disconnect()
    client.loop_stop()


def test_a_payload_of_256_mb_is_refused_before_it_is_held(attacked: Broker, bystander: paho.Client) -> None:
    lost: list[Any] = []
    bystander.on_disconnect = lambda *_: lost.append(_)
    bystander.publish(TOPIC, b"{}", qos=1).wait_for_publish(5)
    before = attacked.peak_mb()
    for number in range(3):
        assert taken(attacked.port, a_publish(HUGE), answer_to=hello(f"attack-{number}")) < SOON
    assert attacked.peak_mb() - before < MOST_GROWTH_MB
    bystander.publish(TOPIC, b"{}", qos=1).wait_for_publish(5)
    assert not lost


def test_a_greeting_of_256_mb_is_refused_before_anybody_is_known(attacked: Broker) -> None:
    before = attacked.peak_mb()
    for _ in range(3):
        assert taken(attacked.port, b"\x10" + _length(HUGE) + hello("attack")[2:]) < SOON
    assert attacked.peak_mb() - before < MOST_GROWTH_MB


def test_the_largest_payload_that_ingest_reads_passes(attacked: Broker, bystander: paho.Client) -> None:
    sent = bystander.publish(TOPIC, bytes(Limits().max_payload_bytes), qos=1)
    sent.wait_for_publish(10)
    assert sent.is_published()


def test_what_a_broker_may_pass_on_is_not_more_than_ingest_takes() -> None:
    for line in (DEPLOY / "mosquitto" / "mosquitto.conf").read_text().splitlines():
        if line.startswith("max_packet_size "):
            assert Limits().max_payload_bytes < int(line.split()[1]) < MOST_PACKET_BYTES
            return
    pytest.fail("the shipped configuration has no max_packet_size")


def _many_readings() -> bytes:
    """The largest payload of the smallest readings."""
    start_ms = time.time_ns() // 1_000_000 - 3_600_000
    items = (b'{"ts":%d,"flow_vph":1}' % (start_ms + number) for number in range(7_000))
    return b"[" + b",".join(items) + b"]"


def test_ingest_goes_on_through_huge_payloads_and_many_of_the_largest(
    settings: Settings, owner: Connection, broker: tuple[Running, str], tmp_path: Path
) -> None:
    port = _of(broker[0]).port
    assert settings.database_password_ingest is not None
    env = {name: value for name, value in os.environ.items() if not name.startswith("ARTERIAL_")} | {
        "ARTERIAL_DATABASE_PASSWORD_INGEST": settings.database_password_ingest.get_secret_value(),
        "ARTERIAL_DATABASE_URL": settings.owner_dsn(),
        "ARTERIAL_MQTT_URL": broker[0].url,
        "ARTERIAL_MQTT_PROTOCOL": broker[1],
        "ARTERIAL_DATA_DIR": str(tmp_path / "ingest"),
    }
    with (tmp_path / "ingest.log").open("wb") as log:
        process = start_child([sys.executable, "-m", "services.cli", "ingest"], log=log, env=env)
    client = _client(port, "device")
    device = next(client)

    def stored_after(number: int) -> None:
        """Publish until a reading of this number is stored."""
        deadline = time.monotonic() + 60
        while not owner.execute("SELECT 1 FROM sensing.traffic WHERE seq = %s", [number]).fetchone():
            assert process.poll() is None, (tmp_path / "ingest.log").read_text()[-2_000:]
            assert time.monotonic() < deadline, (tmp_path / "ingest.log").read_text()[-2_000:]
            stamp = time.time_ns() // 1_000_000
            device.publish(TOPIC, orjson.dumps({"ts": stamp, "seq": number, "flow_vph": 1}), qos=1).wait_for_publish(5)
            time.sleep(0.1)

    try:
        stored_after(1)
        assert taken(port, a_publish(HUGE), answer_to=hello("attack")) < SOON
        stored_after(2)
        for payload, times in ((bytes(1_000_000), 100), (b"[" + b"1," * 131_000 + b"1]", 20), (_many_readings(), 20)):
            for _ in range(times):
                device.publish(TOPIC, payload, qos=1)
        stored_after(3)
        assert peak_mb(process.pid) < MOST_INGEST_MB
        row = owner.execute("SELECT count(*), max(length(payload)) FROM sensing.dead_letter").fetchone()
        assert row is not None
        assert row[0] >= 1
        assert row[1] <= Limits().max_payload_bytes
    finally:
        next(client, None)
        process.terminate()
        process.wait(15)
