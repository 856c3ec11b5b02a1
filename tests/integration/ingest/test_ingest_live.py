"""The live process over a real broker into a real database."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import orjson
import paho.mqtt.client as mqtt
import pytest
from pydantic import SecretStr

from ingest import service
from services.embedded import Running
from services.settings import Settings
from services.storage.database import Connection

TOPIC = "city/v1/traffic/ring-1/telemetry"


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def reading(ts: int, **fields: object) -> bytes:
    return orjson.dumps({"ts": ts, **(fields or {"flow_vph": 820, "speed_kmh": 43.5, "occupancy": 0.12})})


@contextmanager
def running(settings: Settings) -> Iterator[threading.Thread]:
    stop = threading.Event()
    thread = threading.Thread(target=service.run, args=(settings, stop))
    thread.start()
    try:
        yield thread
    finally:
        stop.set()
        thread.join(10)
        assert not thread.is_alive(), "ingest did not stop within 10 s"


@contextmanager
def publisher(url: str) -> Iterator[Callable[..., None]]:
    host, port = url.removeprefix("mqtt://").split(":")
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="device")
    client.connect(host, int(port))
    client.loop_start()

    def publish(topic: str, payload: bytes, *, retain: bool = False) -> None:
        client.publish(topic, payload, qos=1, retain=retain).wait_for_publish(10)

    yield publish
    client.disconnect()
    client.loop_stop()


def count(owner: Connection, table: str) -> int:
    row = owner.execute(f"SELECT count(*) FROM {table}").fetchone()  # noqa: S608 - names of this file
    assert row
    return int(row[0])


def until(condition: Callable[[], bool], what: str, seconds: float = 10) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.02)


@pytest.fixture
def live(settings: Settings, broker: tuple[Running, str]) -> Settings:
    server, protocol = broker
    return settings.model_copy(update={"mqtt_url": SecretStr(server.url), "mqtt_protocol": protocol})


def subscribed(owner: Connection) -> Callable[[], bool]:
    return lambda: count(owner, "sensing.ingest_session WHERE seen_at > started_at") == 1


def test_a_reading_published_by_hand_is_stored_and_counted(live: Settings, owner: Connection) -> None:
    with running(live), publisher(live.broker_url()) as publish:
        until(subscribed(owner), "heartbeat")
        time.sleep(0.3)
        publish(TOPIC, reading(now_ms()))
        until(lambda: count(owner, "sensing.traffic") == 1, "row", 2)
    assert owner.execute("SELECT code, kind, described FROM sensing.sensor").fetchall() == [
        ("ring-1", "traffic", False)
    ]
    counters = owner.execute(
        "SELECT received, stored, duplicate, dead_lettered, spooled, in_flight FROM sensing.ingest_session"
    ).fetchone()
    assert counters == (1, 1, 0, 0, 0, 0)
