"""Several ingest processes of one shared-subscription group, over a real mosquitto into a real database."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
import paho.mqtt.client as mqtt
import pytest
from pydantic import SecretStr

from ingest import service
from ingest.batch import Batch
from ingest.decoders.memory import Memory
from ingest.persistence import Persistence
from ingest.pipeline import limits_of
from ingest.routing import Routing
from ingest.sharing import as_member
from services.domain import Message
from services.embedded import free_port, start_broker
from services.errors import ConfigurationError
from services.settings import Settings
from services.storage import readings
from services.storage.database import Connection

CASES = Path(__file__).parents[2] / "cases" / "decode"
pytestmark = [pytest.mark.mosquitto, pytest.mark.usefixtures("require_mosquitto")]


@pytest.fixture
def live(settings: Settings, tmp_path: Path) -> Iterator[Settings]:
    server, _, protocol = start_broker(tmp_path, port=free_port(), prefer="mosquitto")
    yield settings.model_copy(
        update={
            "mqtt_url": SecretStr(server.url),
            "mqtt_protocol": protocol,
            "mqtt_topics": ("city/v1/#", "+/events/rpc"),
        }
    )
    server.stop()


def start(settings: Settings, processes: int, log: Path) -> subprocess.Popen[bytes]:
    """`arterial ingest --processes N`."""
    chosen = {name: getattr(settings, name).get_secret_value() for name in ("database_url", "database_password_ingest")}
    chosen |= {"mqtt_url": settings.broker_url(), "mqtt_topics": json.dumps(settings.mqtt_topics), "log_format": "json"}
    chosen["data_dir"] = str(settings.data_dir)
    environment = os.environ | {f"ARTERIAL_{name.upper()}": value for name, value in chosen.items()}
    command = [sys.executable, "-m", "services.cli", "ingest", "--json", "--processes", str(processes)]
    with log.open("ab") as errors:
        return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=errors)


@contextmanager
def group(settings: Settings, processes: int, log: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A group that is stopped by SIGTERM within 10 s."""
    process = start(settings, processes, log)
    try:
        yield process
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0, log.read_text()
    finally:
        process.kill()
        process.communicate()


@contextmanager
def publisher(settings: Settings) -> Iterator[Callable[..., None]]:
    host, port = settings.broker_url().removeprefix("mqtt://").split(":")
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    client.max_inflight_messages_set(200)
    client.connect(host, int(port))
    client.loop_start()
    sent: list[mqtt.MQTTMessageInfo] = []

    def publish(topic: str, payload: bytes, *, retain: bool = False) -> None:
        sent.append(client.publish(topic, payload, qos=1, retain=retain))

    yield publish
    for info in sent:
        info.wait_for_publish(20)
    client.disconnect()
    client.loop_stop()


def one(owner: Connection, statement: str) -> int:
    row = owner.execute(statement).fetchone()
    assert row
    return int(row[0] or 0)


def until(condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)


def sessions(owner: Connection) -> dict[str, tuple[int, ...]]:
    rows = owner.execute(
        "SELECT client_id, received, stored, duplicate, dead_lettered, spooled, in_flight FROM sensing.ingest_session"
    )
    return {name: tuple(counters) for name, *counters in rows.fetchall()}


def connected(log: Path, times: int) -> Callable[[], bool]:
    return lambda: log.exists() and log.read_text().count("connected to the broker") >= times


def reading(number: int, start_ms: int) -> tuple[str, bytes]:
    payload = orjson.dumps({"ts": start_ms + number // 20 * 1_000, "seq": number, "flow_vph": 600 + number % 50})
    return f"city/v1/traffic/group-{number % 20}/telemetry", payload


def start_ms() -> int:
    return time.time_ns() // 1_000_000 - 3_600_000


def test_a_group_of_two_stores_all_once_with_what_is_retained_and_what_belongs_together(
    live: Settings, owner: Connection, tmp_path: Path
) -> None:
    log, began = tmp_path / "ingest.log", start_ms()
    sent = [reading(number, began) for number in range(1_000)] * 5
    random.Random(1).shuffle(sent)
    with publisher(live) as publish:
        publish("city/v1/traffic/group-0/meta", b'{"name": "North"}', retain=True)
    with group(live, 2, log):
        until(connected(log, 2), "both members")
        until(lambda: one(owner, "SELECT count(*) FROM sensing.sensor WHERE name = 'North'") == 1, "retained meta")
        with publisher(live) as publish:
            for topic, payload in sent:
                publish(topic, payload)
        until(lambda: one(owner, "SELECT count(*) FROM sensing.traffic") == 1_000, "all rows")
        total = 5_000 + 1
        until(lambda: sum(counts[0] - counts[5] for counts in sessions(owner).values()) == total, "all settled")
    counts = sessions(owner)
    assert counts.keys() == {"arterial-ingest", "arterial-ingest-2"}
    assert all(received == sum(fates) and received > 1_000 for received, *fates in counts.values())
    received, stored, duplicate, *rest = (sum(column) for column in zip(*counts.values(), strict=True))
    assert (received, stored, duplicate, rest) == (total, 1_001, 4_000, [0, 0, 0])
    noted = "SELECT count(*) FROM governance.audit WHERE action = 'configuration.changed' AND actor = 'ingest'"
    assert one(owner, noted) == 1, "once for the group"


def test_a_dialect_that_remembers_stays_whole_in_a_group(live: Settings, owner: Connection, tmp_path: Path) -> None:
    """Ten devices of delta frames: each frame means all only to the process that has the first."""
    log = tmp_path / "ingest.log"
    now = time.time()
    with group(live, 2, log):
        until(connected(log, 2), "both members")
        with publisher(live) as publish:
            for device in range(10):
                for step in range(6):
                    meter = {"id": 1, "act_power": 500.0 + step} | ({} if step else {"voltage": 230.0})
                    params = {"ts": now - 600 + step * 10, "em1:1": meter}
                    frame = {"src": f"shellyproem50-{device}", "dst": "x", "method": "NotifyStatus", "params": params}
                    publish(f"shellyproem50-{device}/events/rpc", orjson.dumps(frame))
        until(lambda: sum(counts[0] - counts[5] for counts in sessions(owner).values()) == 60, "all settled")
    assert one(owner, "SELECT count(*) FROM sensing.dead_letter") == 0
    assert one(owner, "SELECT count(*) FROM sensing.observation WHERE quantity = 'voltage_v' AND value = 230") == 60
    assert sessions(owner)["arterial-ingest"][0] == 60


def test_a_member_that_is_killed_under_load_loses_nothing_and_is_started_again(
    live: Settings, owner: Connection, tmp_path: Path
) -> None:
    log, began = tmp_path / "ingest.log", start_ms()
    with group(live, 2, log) as process:
        until(connected(log, 2), "both members")
        with publisher(live) as publish:
            for number in range(6_000):
                publish(*reading(number, began))
                if number in {2_000, 4_000}:
                    started_again = number // 4_000
                    until(lambda n=started_again: log.read_text().count("ingest has started") >= 2 + n, "both again")
                    children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
                    os.kill(int(children[started_again]), signal.SIGKILL)
        until(lambda: one(owner, "SELECT count(*) FROM sensing.traffic") == 6_000, "all rows")
        until(lambda: all(counts[5] == 0 for counts in sessions(owner).values()), "nothing in flight")
    assert log.read_text().count("an ingest process ended and is started again") == 2
    assert one(owner, "SELECT count(*) FROM sensing.dead_letter") == 0
    assert all(received == sum(fates) for received, *fates in sessions(owner).values())


def test_members_that_are_no_longer_wanted_first_take_what_the_broker_holds_for_them(
    live: Settings, owner: Connection, tmp_path: Path
) -> None:
    began = start_ms()
    with group(live, 3, tmp_path / "three.log"):
        until(connected(tmp_path / "three.log", 3), "three members")
    with publisher(live) as publish:
        for number in range(600):
            publish(*reading(number, began))
    alone = tmp_path / "alone.log"
    with group(live, 1, alone):
        until(lambda: one(owner, "SELECT count(*) FROM sensing.traffic") == 600, "all that was held")
        until(lambda: sessions(owner).keys() == {"arterial-ingest"}, "the others have left")
        with publisher(live) as publish:
            for number in range(600, 900):
                publish(*reading(number, began))
        until(lambda: one(owner, "SELECT count(*) FROM sensing.traffic") == 900, "all that came later")
        assert sessions(owner)["arterial-ingest"][2] == 0, "delivered twice"
    with group(live, 2, tmp_path / "two.log"):
        until(connected(tmp_path / "two.log", 2), "two members")
        time.sleep(0.5)  # until the former subscription is given up
        with publisher(live) as publish:
            for number in range(900, 1_500):
                publish(*reading(number, began))
        until(lambda: one(owner, "SELECT count(*) FROM sensing.traffic") == 1_500, "all of the new group")
    counts = sessions(owner)
    assert all(received > 0 and duplicate == 0 for received, _, duplicate, *_ in counts.values())


def test_a_second_group_is_refused_and_the_first_ends_with_its_supervisor(
    live: Settings, owner: Connection, tmp_path: Path
) -> None:
    log, second = tmp_path / "ingest.log", tmp_path / "second.log"
    process = start(live, 2, log)
    try:
        until(connected(log, 2), "both members")
        refused = start(live, 2, second)
        assert refused.communicate(timeout=60)[0] == b""
        assert refused.returncode == 2
        assert "another ingest process is running with the client id" in second.read_text()
        assert "cannot run as it is configured: what it said stands above" in second.read_text()
        process.kill()
        locks = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted"
        until(lambda: one(owner, locks) == 0, "nobody is left")
        assert log.read_text().count("ingest has ended") == 2
    finally:
        process.kill()
        process.communicate()


def test_two_writers_of_the_same_rows_store_each_once(settings: Settings, owner: Connection) -> None:
    """Two processes get the same messages five times over, shuffled, and write at the same time."""
    began, limits = start_ms(), limits_of(settings)
    unique = []
    for number in range(2_000):
        moment = began + number // 50 * 1_000
        energy = orjson.dumps({"ts": moment, "power_kw": 2.5, "energy_kwh": 100.0 + number // 50})
        unique.append((f"city/v1/energy/meter-{number % 50}/telemetry", energy))
        unique.append((f"city/v1/traffic/road-{number % 50}/telemetry", orjson.dumps({"ts": moment, "flow_vph": 600})))
    sent = unique * 5
    random.Random(2).shuffle(sent)

    def write(place: int) -> None:
        memory, routing, received = Memory(), Routing(), 0
        member = as_member(settings, place + 1)
        with Persistence(member, client_id=member.mqtt_client_id) as persistence:
            part = sent[place::2]
            for first in range(0, len(part), 400):
                now_us = time.time_ns() // 1_000
                messages = [Message(topic=t, payload=p, received_us=now_us) for t, p in part[first : first + 400]]
                decoded = [routing.decode(one, now_us=now_us, limits=limits, memory=memory) for one in messages]
                received += len(messages)
                assert persistence.persist(Batch.of(messages, decoded), received)

    both = [threading.Thread(target=write, args=(place,)) for place in range(2)]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join(60)
    assert one(owner, "SELECT count(*) FROM sensing.traffic") == 2_000
    assert one(owner, "SELECT count(*) FROM sensing.energy") == 2_000
    counts = sessions(owner)
    assert [sum(column) for column in zip(*counts.values(), strict=True)] == [20_000, 4_000, 16_000, 0, 0, 0]
    assert all(received == sum(fates) == 10_000 for received, *fates in counts.values())


def test_two_processes_that_complete_a_reading_otherwise_do_not_overwrite_each_other(
    settings: Settings, owner: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other is quicker between look and write: its value stays, and this one becomes a dead letter."""
    moment, limits = start_ms(), limits_of(settings)

    def tell(persistence: Persistence, received: int, **fields: float) -> None:
        now_us = time.time_ns() // 1_000
        payload = orjson.dumps({"ts": moment, **fields})
        message = Message(topic="city/v1/traffic/road/telemetry", payload=payload, received_us=now_us)
        said = Routing().decode(message, now_us=now_us, limits=limits, memory=Memory())
        assert persistence.persist(Batch.of([message], [said]), received)

    look = readings.existing
    with Persistence(settings, client_id="a") as one_process, Persistence(settings, client_id="b") as other:

        def look_too_early(*arguments: Any) -> list[tuple[Any, ...]]:
            seen = look(*arguments)
            monkeypatch.setattr(readings, "existing", look)
            tell(other, 1, speed_kmh=50)
            return seen

        tell(one_process, 1, flow_vph=600)
        monkeypatch.setattr(readings, "existing", look_too_early)
        tell(one_process, 2, speed_kmh=60)
    assert owner.execute("SELECT flow_vph, speed_kmh FROM sensing.traffic").fetchall() == [(600, 50)]
    assert one(owner, "SELECT count(*) FROM sensing.dead_letter WHERE reason LIKE '%already stored as 50%'") == 1
    assert sessions(owner) == {"a": (2, 1, 0, 1, 0, 0), "b": (1, 1, 0, 0, 0, 0)}


@pytest.mark.parametrize(
    "answer",
    [b"\x20\x05\x00\x00\x02\x2a\x00", b"\x20\x03\x00\x00\x00" + b"\x90\x05\x00\x01\x00\x9e\x9e"],
    ids=["the broker says so at once", "it refuses the subscription"],
)
def test_a_broker_without_shared_subscriptions_is_refused(settings: Settings, answer: bytes) -> None:
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        connection.recv(4_096)
        connection.sendall(answer)
        with connection:
            while connection.recv(4_096):
                pass

    threading.Thread(target=serve, daemon=True).start()
    url = SecretStr(f"mqtt://127.0.0.1:{listener.getsockname()[1]}")
    member = as_member(settings.model_copy(update={"mqtt_url": url}), 2)
    with pytest.raises(ConfigurationError, match="knows no shared subscriptions"):
        service.run(member, threading.Event())
    listener.close()
