"""What a machine that watches sees of a running ingest: figures that add up, and a path that is or is not whole."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx2
import orjson
import paho.mqtt.client as mqtt
import pytest
import structlog
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics_families
from prometheus_client.parser import text_string_to_metric_families
from pydantic import SecretStr

from ingest import service
from ingest.heartbeat import _PATIENCE
from ingest.session import Session
from services.embedded import Running, free_port, start_broker
from services.errors import ConfigurationError
from services.settings import Settings
from services.storage.database import Connection

TOPIC = "city/v1/traffic/ring-1/telemetry"
HOUSEHOLD = "city/v1/household/meter-1/telemetry"
FATES = ("stored", "duplicate", "dead_lettered")
Samples = dict[tuple[str, ...], float]


class Watched:
    """A running ingest, seen from outside."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._url = f"http://127.0.0.1:{settings.ingest_metrics_port}"

    def samples(self) -> Samples:
        """The figures by name and label values; the parser refuses what is no exposition."""
        answer = httpx2.get(f"{self._url}/metrics", timeout=5)
        assert answer.headers["content-type"].startswith("text/plain")
        return {
            (sample.name, *sorted(sample.labels.values())): sample.value
            for family in text_string_to_metric_families(answer.text)
            for sample in family.samples
        }

    def figure(self, name: str) -> float:
        return self.samples()[f"arterial_ingest_{name}",]

    def ready(self) -> tuple[int, list[str]]:
        answer = httpx2.get(f"{self._url}/ready", timeout=5)
        return answer.status_code, answer.json()["reasons"]

    def until(self, condition: Callable[[], Any], what: str, seconds: float = 15) -> float:
        begun = time.monotonic()
        while not condition():
            assert time.monotonic() - begun < seconds, f"not within {seconds} s: {what}: {self.ready()}"
            time.sleep(0.05)
        return time.monotonic() - begun

    def until_ready(self) -> float:
        return self.until(lambda: self.ready() == (200, []), "ready")

    def until_not_ready(self) -> list[str]:
        self.until(lambda: self.ready()[0] == 503, "not ready", 30)
        return self.ready()[1]


@contextmanager
def watched(settings: Settings) -> Iterator[Watched]:
    stop = threading.Event()
    thread = threading.Thread(target=service.run, args=(settings, stop))
    thread.start()
    found = Watched(settings)
    try:
        deadline = time.monotonic() + 10
        while True:
            try:
                found.ready()
                break
            except httpx2.TransportError:
                assert time.monotonic() < deadline, "nobody listens"
                time.sleep(0.05)
        yield found
    finally:
        stop.set()
        thread.join(15)
        assert not thread.is_alive(), "ingest did not stop"


@contextmanager
def client(url: str) -> Iterator[mqtt.Client]:
    host, port = url.removeprefix("mqtt://").split(":")
    connected = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    connected.connect(host, int(port))
    connected.loop_start()
    yield connected
    connected.disconnect()
    connected.loop_stop()


def with_metrics(settings: Settings, server: Running, protocol: str = "5", beat_s: int = 1) -> Settings:
    return settings.model_copy(
        update={
            "mqtt_url": SecretStr(server.url),
            "mqtt_protocol": protocol,
            "ingest_metrics_port": free_port(),
            "ingest_heartbeat_s": beat_s,
        }
    )


@pytest.fixture
def live(settings: Settings, broker: tuple[Running, str]) -> Settings:
    return with_metrics(settings, *broker)


@pytest.fixture
def mosquitto(settings: Settings, tmp_path: Path, require_mosquitto: str) -> Iterator[tuple[Settings, Any]]:
    """Settings with a mosquitto that a test may stop, and the mosquitto."""
    server, _, protocol = start_broker(tmp_path, port=free_port(), prefer="mosquitto")
    yield with_metrics(settings, server, protocol), server
    server.stop()


def reading(number: int) -> bytes:
    return orjson.dumps({"ts": time.time_ns() // 1_000_000 - 3_600_000 + number * 100, "flow_vph": 820})


def test_the_scraped_figures_add_up_at_any_instant(live: Settings, owner: Connection) -> None:
    seen: list[Samples] = []
    with watched(live) as ingest, client(live.broker_url()) as device:
        ingest.until_ready()
        payloads = [reading(number) for number in range(4_000)]
        sent = [(TOPIC, payload) for payload in payloads]
        sent += [(TOPIC, payload) for payload in payloads[::10]]
        sent += [(TOPIC, b"{"), ("city/v1/traffic/ring-1/unheard", b"{}")] * 20
        sent += [(HOUSEHOLD, b"{}"), ("city/v1/environment/e-1/senml", b"[]")] * 20
        publishing = threading.Thread(target=lambda: [device.publish(topic, one, qos=1) for topic, one in sent])
        publishing.start()
        ingest.until(lambda: seen.append(ingest.samples()) or _settled(seen[-1]) == len(sent), "all settled", 30)
        publishing.join()
        ingest.until(lambda: ingest.figure("heartbeats_returned_total") >= 3, "heartbeats")
        ingest.until(lambda: ingest.figure("oldest_unacknowledged_seconds") == 0, "acknowledged")
        last = ingest.samples()

    assert len({_settled(one) for one in seen}) > 2, "seen at several instants"
    for before, after in zip([{}, *seen], [*seen, last], strict=True):
        terms = {name: after[f"arterial_ingest_messages_{name}_total",] for name in ("received", *FATES)}
        held = [after[f"arterial_ingest_messages_{name}",] for name in ("spooled", "in_flight")]
        assert terms["received"] == sum(terms[name] for name in FATES) + sum(held)
        assert min(held) >= 0
        assert all(after[key] >= value for key, value in before.items() if key[0].endswith(("_total", "_count")))
    row = owner.execute("SELECT received, stored, duplicate, dead_lettered FROM sensing.ingest_session").fetchone()
    assert row is not None
    counted = [last[f"arterial_ingest_messages_{name}_total",] for name in ("received", *FATES)]
    assert counted == [len(sent), 4_000, 400, 80], "neither heartbeats nor the broker's figures are messages"
    assert row == (len(sent) - 20, 4_000, 400, 60), "what the API shows is as though personal messages had never come"
    assert last["arterial_ingest_rows_total",] == 4_000
    assert last["arterial_ingest_batch_messages_sum",] == len(sent)
    assert last["arterial_ingest_commit_seconds_count",] == last["arterial_ingest_batch_messages_count",] > 0
    letters = {key[1]: value for key, value in last.items() if key[0] == "arterial_ingest_dead_letters_total"}
    assert letters == {"no_dialect": 20, "content": 60}
    dialects = {key[1]: value for key, value in last.items() if key[0] == "arterial_ingest_dialect_messages_total"}
    assert {name: dialects[name] for name in ("senml", "none")} == {"senml": 20, "none": 20}
    assert sum(dialects.values()) == len(sent) - 20, "what may be personal is in the totals only"
    assert not any("ring-1" in label or "meter-1" in label for key in last for label in key[1:])
    beaten = owner.execute("SELECT heartbeat_at > now() - interval '10 seconds' FROM sensing.ingest_session").fetchone()
    assert beaten == (True,)


def _settled(samples: Samples) -> float:
    return sum(samples[f"arterial_ingest_messages_{name}_total",] for name in FATES)


def test_ready_is_red_while_the_broker_or_the_database_hangs_and_green_again(
    mosquitto: tuple[Settings, Any], owner: Connection
) -> None:
    settings, server = mosquitto
    with watched(settings) as ingest:
        assert ingest.until_ready() < 5
        server.process.send_signal(signal.SIGSTOP)
        try:
            reasons = ingest.until_not_ready()
        finally:
            server.process.send_signal(signal.SIGCONT)
        assert any("does not come back from the broker" in reason for reason in reasons), reasons
        ingest.until_ready()

        row = owner.execute("SELECT pid FROM pg_stat_activity WHERE application_name = 'arterial-ingest'").fetchone()
        assert row is not None
        os.kill(row[0], signal.SIGSTOP)
        try:
            reasons = ingest.until_not_ready()
        finally:
            os.kill(row[0], signal.SIGCONT)
        assert any("waits for the database" in reason for reason in reasons), reasons
        ingest.until_ready()
        assert ingest.figure("stalls_total") == 0


def test_ready_is_red_without_a_broker_and_says_so(mosquitto: tuple[Settings, Any], tmp_path: Path) -> None:
    settings, server = mosquitto
    with watched(settings) as ingest:
        ingest.until_ready()
        server.stop()
        assert "there is no session with the broker" in ingest.until_not_ready()
        again, _, _ = start_broker(tmp_path, port=int(server.url.rpartition(":")[2]), prefer="mosquitto")
        try:
            ingest.until_ready()
            assert ingest.figure("connections_total") == 2
        finally:
            again.stop()


def test_by_default_a_broken_path_is_seen_within_half_a_minute() -> None:
    assert _PATIENCE * Settings.model_fields["ingest_heartbeat_s"].default + 1 < 30


def test_a_message_that_is_never_acknowledged_is_noticed_and_delivered_again(
    mosquitto: tuple[Settings, Any], owner: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    live = mosquitto[0]  # rumqttd by itself ends the connection at an acknowledgement out of order
    acknowledge, forgotten = Session.acknowledge, []

    def forgetful(session: Session, receipts: Any) -> None:
        kept = list(receipts)
        if not forgotten and len(kept) > 1:
            forgotten.append(kept.pop(1))
        acknowledge(session, kept)

    monkeypatch.setattr("ingest.watch.STALL_S", 1.0)
    monkeypatch.setattr(Session, "acknowledge", forgetful)
    with structlog.testing.capture_logs() as lines, watched(live) as ingest, client(live.broker_url()) as device:
        ingest.until_ready()
        for number in range(100):
            device.publish(TOPIC, reading(number), qos=1)
        ingest.until(lambda: ingest.figure("stalls_total") == 1, "noticed", 20)
        ingest.until(lambda: ingest.figure("messages_duplicate_total") >= 1, "delivered again")
        ingest.until(lambda: ingest.figure("oldest_unacknowledged_seconds") == 0, "acknowledged")
        ingest.until_ready()
        assert ingest.figure("sessions_lost_total") == 0
    assert forgotten
    assert any(line["event"].startswith("a message was never acknowledged") for line in lines)
    assert owner.execute("SELECT count(*) FROM sensing.traffic").fetchone() == (100,)


@pytest.mark.mosquitto
def test_an_alarm_tells_what_the_broker_dropped(settings: Settings, tmp_path: Path, require_mosquitto: str) -> None:
    port = free_port()
    conf = tmp_path / "small.conf"
    conf.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 5\nmax_inflight_messages 1\nsys_interval 1\n"
    )
    process = subprocess.Popen([require_mosquitto, "-c", str(conf)], stderr=subprocess.DEVNULL)
    live = settings.model_copy(
        update={
            "mqtt_url": SecretStr(f"mqtt://127.0.0.1:{port}"),
            "ingest_metrics_port": free_port(),
            "ingest_heartbeat_s": 1,
        }
    )
    try:
        with structlog.testing.capture_logs() as lines, watched(live) as ingest:
            ingest.until_ready()
            ingest.until(lambda: ("arterial_broker_messages_dropped_total",) in ingest.samples(), "told by the broker")
            away = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2, client_id="away", clean_session=False)
            away.connect("127.0.0.1", port)
            away.loop_start()
            away.subscribe("elsewhere/#", qos=1)
            time.sleep(0.5)
            away.disconnect()
            away.loop_stop()
            with client(live.broker_url()) as device:
                for _ in range(50):
                    device.publish("elsewhere/x", b"x", qos=1).wait_for_publish(5)
            ingest.until(lambda: ingest.samples()["arterial_broker_messages_dropped_total",] >= 44, "dropped", 10)
            assert ingest.figure("messages_received_total") == 0
    finally:
        process.terminate()
        process.wait(5)
    alarms = [line for line in lines if line["event"].startswith("the broker dropped messages")]
    assert sum(line["dropped"] for line in alarms) >= 44
    assert all(line["log_level"] == "error" for line in alarms)


def test_the_door_answers_three_questions_and_no_more(live: Settings) -> None:
    with watched(live) as ingest:
        url = f"http://127.0.0.1:{live.ingest_metrics_port}"
        assert httpx2.get(f"{url}/live").json() == {"status": "ok"}
        assert httpx2.head(f"{url}/metrics").content == b""
        assert httpx2.get(f"{url}/").status_code == 404
        openmetrics = httpx2.get(f"{url}/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
        assert openmetrics.text.endswith("# EOF\n")
        assert list(openmetrics_families(openmetrics.text))
        ingest.until_ready()
        other = live.model_copy(update={"mqtt_client_id": "another"})
        with pytest.raises(ConfigurationError, match="ARTERIAL_INGEST_METRICS_PORT"):
            service.run(other, threading.Event())


def test_without_heartbeats_ready_rests_on_the_session_and_the_database(live: Settings) -> None:
    silent = live.model_copy(update={"ingest_heartbeat_s": 0})
    with watched(silent) as ingest:
        ingest.until_ready()
        assert ingest.figure("heartbeats_sent_total") == 0
