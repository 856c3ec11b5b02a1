"""The broker we ship lets a device write under its own name only, and ingest read what devices say."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from ingest.sharing import as_member, subscriptions
from services.embedded import free_port
from services.settings import load_settings

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"
PASSWORDS = {"arterial-ingest": "ingest-example", "det-1": "det-1-example", "det-2": "det-2-example"}
pytestmark = pytest.mark.mosquitto


@pytest.fixture
def shipped_broker(tmp_path: Path, require_mosquitto: str) -> Iterator[int]:
    """Mosquitto with our configuration, its container paths replaced by this test's folder."""
    port = free_port()
    folder = tmp_path / "mosquitto"
    (folder / "data").mkdir(parents=True)
    shutil.copy(DEPLOY / "mosquitto" / "acl", folder / "acl")
    text = (DEPLOY / "mosquitto" / "mosquitto.conf").read_text().replace("/mosquitto/config", str(folder))
    text = text.replace("/mosquitto/data", f"{folder}/data").replace("listener 1883", f"listener {port} 127.0.0.1")
    (folder / "mosquitto.conf").write_text(text + ("user root\n" if os.geteuid() == 0 else ""))
    (folder / "passwords").touch(mode=0o600)
    for name, password in PASSWORDS.items():
        subprocess.run(["mosquitto_passwd", "-b", str(folder / "passwords"), name, password], check=True)
    process = subprocess.Popen([require_mosquitto, "-c", str(folder / "mosquitto.conf")], stderr=subprocess.DEVNULL)
    yield port
    process.terminate()
    process.wait(5)


class Client:
    """A connected MQTT 5 client that remembers what it received."""

    def __init__(self, port: int, name: str, password: str | None) -> None:
        self.received: list[str] = []
        self.refused: list[int] = []
        self.connected: list[int] = []
        self._client = paho.Client(CallbackAPIVersion.VERSION2, client_id=f"test-{name}", protocol=paho.MQTTv5)
        self._client.username_pw_set(name, password)
        self._client.on_message = lambda _client, _data, message: self.received.append(message.topic)
        self._client.on_publish = lambda _c, _d, _mid, code, _p: (
            self.refused.append(code.value) if code.is_failure else None
        )
        self._client.on_connect = lambda _c, _d, _f, code, _p: self.connected.append(code.value)
        for attempt in range(50):
            try:
                self._client.connect("127.0.0.1", port)
                break
            except ConnectionRefusedError:
                if attempt == 49:
                    raise
                time.sleep(0.1)
        self._client.loop_start()
        _until(lambda: self.connected)

    def subscribe(self, topic: str) -> None:
        self._client.subscribe(topic, qos=1)
        time.sleep(0.3)

    def publish(self, topic: str) -> None:
        self._client.publish(topic, b"{}", qos=1).wait_for_publish(5)

    def close(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()


def _until(happened: Any, patience_s: float = 5) -> None:
    deadline = time.monotonic() + patience_s
    while not happened() and time.monotonic() < deadline:
        time.sleep(0.02)


def test_a_device_writes_under_its_own_name_only(shipped_broker: int) -> None:
    ingest = Client(shipped_broker, "arterial-ingest", PASSWORDS["arterial-ingest"])
    device = Client(shipped_broker, "det-1", PASSWORDS["det-1"])
    other = Client(shipped_broker, "det-2", PASSWORDS["det-2"])
    try:
        ingest.subscribe("city/v1/#")
        other.subscribe("#")
        device.publish("city/v1/traffic/det-2/telemetry")
        device.publish("city/v1/traffic/det-1/telemetry")
        ingest.publish("city/v1/traffic/det-1/telemetry")
        _until(lambda: ingest.received)
        time.sleep(0.3)

        assert ingest.received == ["city/v1/traffic/det-1/telemetry"]
        assert other.received == []
        assert device.refused == [0x87]  # not authorised: the reading under another's name
        assert ingest.refused == [0x87]  # ingest writes no readings
    finally:
        for client in (ingest, device, other):
            client.close()


def test_ingest_alone_sends_and_hears_heartbeats(shipped_broker: int) -> None:
    topic = "arterial/heartbeat/arterial-ingest"
    ingest = Client(shipped_broker, "arterial-ingest", PASSWORDS["arterial-ingest"])
    device = Client(shipped_broker, "det-1", PASSWORDS["det-1"])
    try:
        for client in (ingest, device):
            client.subscribe("arterial/heartbeat/#")
        device.publish(topic)
        ingest.publish(topic)
        _until(lambda: ingest.received)
        time.sleep(0.3)
        assert ingest.received == [topic]
        assert ingest.refused == []
        assert device.received == []
        assert device.refused == [0x87]
    finally:
        for client in (ingest, device):
            client.close()


def test_a_device_cannot_take_messages_from_the_group_of_ingest_processes(shipped_broker: int) -> None:
    """Mosquitto lets it join any group whose name it knows; that of ours is made of the password of ingest."""
    url = f"mqtt://arterial-ingest:{PASSWORDS['arterial-ingest']}@127.0.0.1:{shipped_broker}"
    member = as_member(load_settings({"mqtt_url": url}), 2)
    ingest = Client(shipped_broker, "arterial-ingest", PASSWORDS["arterial-ingest"])
    device = Client(shipped_broker, "det-1", PASSWORDS["det-1"])
    thief = Client(shipped_broker, "det-2", PASSWORDS["det-2"])
    try:
        for topic in subscriptions(member).shared:
            ingest.subscribe(topic)
        for group in ("arterial-ingest", "arterial", "ingest"):
            thief.subscribe(f"$share/{group}/city/v1/+/+/telemetry")
        for _ in range(20):
            device.publish("city/v1/traffic/det-1/telemetry")
        _until(lambda: len(ingest.received) == 20)
        assert (len(ingest.received), thief.received) == (20, [])
    finally:
        for client in (ingest, device, thief):
            client.close()


def test_a_wrong_password_is_refused(shipped_broker: int) -> None:
    stranger = Client(shipped_broker, "det-1", "guess")
    try:
        assert stranger.connected == [0x87]
    finally:
        stranger.close()
