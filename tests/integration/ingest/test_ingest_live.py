"""The live process over a real broker into a real database."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import orjson
import paho.mqtt.client as mqtt
import pytest
from pydantic import SecretStr

from ingest import service
from ingest.inbox import Inbox, Receipt
from ingest.session import Session
from services.embedded import Running, _accepts, free_port, start_broker, start_child, start_postgres, stop_process
from services.errors import ConfigurationError
from services.settings import Settings, load_settings
from services.storage.database import Connection, connect
from services.storage.migrate import migrate

_PATH = os.environ["PATH"] + ":/usr/sbin"
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
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
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


def counters(owner: Connection) -> tuple[int, ...]:
    row = owner.execute(
        "SELECT received, stored, duplicate, dead_lettered, spooled, in_flight FROM sensing.ingest_session"
    ).fetchone()
    return tuple(row) if row else ()


def wait_until_subscribed(settings: Settings, owner: Connection) -> None:
    """A retained message of an own topic arrives as soon as the subscription stands."""
    with publisher(settings.broker_url()) as publish:
        publish("city/v1/traffic/first/meta", b"{}", retain=True)
    until(lambda: count(owner, "sensing.sensor WHERE code = 'first'") == 1, "subscription")


def environment(settings: Settings) -> dict[str, str]:
    chosen = {name: str(getattr(settings, name)) for name in ("mqtt_protocol", "mqtt_client_id", "data_dir")}
    for name in ("database_url", "mqtt_url", "database_password_ingest"):
        chosen[name] = getattr(settings, name).get_secret_value()
    return os.environ | {f"ARTERIAL_{name.upper()}": value for name, value in chosen.items()}


def start_process(settings: Settings) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "services.cli", "ingest", "--json"]
    return subprocess.Popen(command, env=environment(settings), stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def test_a_reading_published_by_hand_is_stored_and_counted(live: Settings, owner: Connection) -> None:
    with running(live):
        wait_until_subscribed(live, owner)
        with publisher(live.broker_url()) as publish:
            publish(TOPIC, reading(now_ms()))
            until(lambda: count(owner, "sensing.traffic") == 1, "row", 2)
    found = owner.execute("SELECT code, kind, described FROM sensing.sensor WHERE code <> 'first'").fetchall()
    assert found == [("ring-1", "traffic", False)]
    assert counters(owner) == (2, 2, 0, 0, 0, 0)


def test_many_messages_good_bad_and_repeated_are_all_accounted_for(live: Settings, owner: Connection) -> None:
    start = now_ms() - 3_600_000
    poison = [
        b"{",
        b'{"ts": 1, "flow_vph": NaN}',
        b"\xff\xfe",
        reading(0),
        reading(start + 10**12),
        b'{"ts": "soon"}',
        bytes(1_000_000),
    ]
    with running(live):
        wait_until_subscribed(live, owner)
        with publisher(live.broker_url()) as publish:
            for number in range(300):
                publish(TOPIC, reading(start + number * 1_000))
                if number % 3 == 0:
                    publish(TOPIC, reading(start + number * 1_000))
                if number % 10 == 9:
                    publish(TOPIC, poison[number // 10 % len(poison)])
            publish("city/v1/traffic/ring-1/unheard", b"{}")
            until(lambda: sum(counters(owner)[1:4]) == 432, "all settled", 30)
    assert counters(owner) == (432, 301, 100, 31, 0, 0)
    assert count(owner, "sensing.traffic") == 300
    assert count(owner, "sensing.dead_letter WHERE length(reason) > 20") == 31
    longest = owner.execute("SELECT max(length(payload)), max(payload_bytes) FROM sensing.dead_letter").fetchone()
    assert longest == (live.ingest_max_payload_bytes, 1_000_000)


def test_a_killed_process_loses_nothing_and_doubles_nothing(live: Settings, owner: Connection) -> None:
    start = now_ms() - 3_600_000
    process = start_process(live)
    try:
        wait_until_subscribed(live, owner)
        with connect(live.owner_dsn(), application="test") as blocking, publisher(live.broker_url()) as publish:
            publish(TOPIC, reading(start))
            until(lambda: count(owner, "sensing.traffic") == 1, "first row")
            blocking.execute("LOCK TABLE sensing.traffic IN ACCESS EXCLUSIVE MODE")
            for number in range(1, 60):
                publish(TOPIC, reading(start + number * 1_000))
            blocked = "pg_stat_activity WHERE application_name = 'arterial-ingest' AND wait_event_type = 'Lock'"
            until(lambda: count(owner, blocked) >= 1, "received, but not committed")
            process.kill()
            process.wait()
            blocking.rollback()
    finally:
        process.kill()
        process.communicate()
    assert count(owner, "sensing.traffic") == 1
    until(lambda: count(owner, "pg_locks WHERE locktype = 'advisory'") == 0, "the lock of the dead process is gone")
    with running(live):
        until(lambda: count(owner, "sensing.traffic") == 60, "redelivered")
    assert counters(owner)[3:] == (0, 0, 0)
    assert count(owner, "sensing.dead_letter") == 0


def test_what_was_committed_but_not_acknowledged_comes_again_as_duplicates(
    live: Settings, owner: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = now_ms() - 3_600_000
    with monkeypatch.context() as patch, running(live), publisher(live.broker_url()) as publish:
        wait_until_subscribed(live, owner)
        patch.setattr("ingest.session.Session.acknowledge", lambda *_: None)
        for number in range(50):
            publish(TOPIC, reading(start + number * 1_000))
        until(lambda: count(owner, "sensing.traffic") == 50, "rows")
    with running(live):
        until(lambda: counters(owner)[2:] == (50, 0, 0, 0), "redelivery, told from what was there")
    assert count(owner, "sensing.traffic") == 50


def test_sigterm_ends_the_process_in_order(live: Settings, owner: Connection) -> None:
    process = start_process(live)
    wait_until_subscribed(live, owner)
    with publisher(live.broker_url()) as publish:
        publish(TOPIC, reading(now_ms()))
    process.send_signal(signal.SIGTERM)
    output, errors = process.communicate(timeout=10)
    assert process.returncode == 0, errors.decode()
    document = orjson.loads(output)
    assert document["received"] == document["stored"] + document["in_flight"]
    assert tuple(document[name] for name in ("received", "stored", "in_flight")) == (
        counters(owner)[0],
        counters(owner)[1],
        counters(owner)[5],
    )


def test_a_second_process_with_the_same_client_id_is_refused(live: Settings, owner: Connection) -> None:
    with running(live):
        wait_until_subscribed(live, owner)
        with pytest.raises(ConfigurationError, match="another ingest process is running with the client id"):
            service.run(live, threading.Event())
        with publisher(live.broker_url()) as publish:
            publish(TOPIC, reading(now_ms()))
            until(lambda: count(owner, "sensing.traffic") == 1, "the first goes on", 2)


def test_the_window_of_the_broker_does_not_hold_up_the_stream(live: Settings, owner: Connection) -> None:
    """Batches end when the stream pauses: a broker that sends 100 before it waits is not made to wait for the age limit."""
    patient = live.model_copy(update={"ingest_batch_age_s": 10.0})
    start = now_ms() - 3_600_000
    with running(patient):
        wait_until_subscribed(patient, owner)
        host, port = patient.broker_url().removeprefix("mqtt://").split(":")
        client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
        client.connect(host, int(port))
        client.loop_start()
        for number in range(1_000):
            client.publish(TOPIC, reading(start + number * 100), qos=1)
        until(lambda: count(owner, "sensing.traffic") == 1_000, "rows", 10)
        client.disconnect()
        client.loop_stop()


def test_a_full_inbox_is_not_read_into_and_drops_nothing(
    live: Settings, owner: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ingest.service._MOST_BYTES", 3_000)
    start = now_ms() - 3_600_000
    with running(live), connect(live.owner_dsn(), application="test") as blocking:
        wait_until_subscribed(live, owner)
        blocking.execute("LOCK TABLE sensing.sensor IN ACCESS EXCLUSIVE MODE")
        with publisher(live.broker_url()) as publish:
            for number in range(300):
                publish(TOPIC, reading(start + number * 1_000))
        time.sleep(0.5)
        blocking.rollback()
        until(lambda: count(owner, "sensing.traffic") == 300, "all rows", 20)


@pytest.mark.mosquitto
@pytest.mark.usefixtures("require_mosquitto")
def test_a_broker_that_restarts_loses_nothing(settings: Settings, owner: Connection, tmp_path: Path) -> None:
    port = free_port()
    start = now_ms() - 3_600_000
    server, _, protocol = start_broker(tmp_path, port=port, prefer="mosquitto")
    live = settings.model_copy(update={"mqtt_url": SecretStr(server.url), "mqtt_protocol": protocol})
    try:
        with running(live):
            wait_until_subscribed(live, owner)
            with publisher(server.url) as publish:
                for number in range(50):
                    publish(TOPIC, reading(start + number * 1_000))
            server.stop()
            server, _, _ = start_broker(tmp_path, port=port, prefer="mosquitto")
            with publisher(server.url) as publish:
                for number in range(50, 100):
                    publish(TOPIC, reading(start + number * 1_000))
            until(lambda: count(owner, "sensing.traffic") == 100, "all rows", 20)
        assert counters(owner)[3:] == (0, 0, 0)
    finally:
        server.stop()


def test_a_database_that_restarts_loses_nothing(broker: tuple[Running, str], tmp_path: Path) -> None:
    folder = tmp_path / "cluster"
    folder.mkdir()
    port, password = free_port(), "example-password"
    database = start_postgres(folder, port=port, password=password, durable=False)
    passwords = {f"database_password_{role}": password for role in ("ingest", "jobs", "api")}
    settings = load_settings(
        {
            "database_url": database.url,
            "mqtt_url": broker[0].url,
            "mqtt_protocol": broker[1],
            "data_dir": tmp_path,
            **passwords,
        }
    )
    migrate(settings)
    start = now_ms() - 3_600_000
    try:
        with running(settings):
            with connect(settings.owner_dsn(), application="test", autocommit=True) as owner:
                wait_until_subscribed(settings, owner)
            with publisher(settings.broker_url()) as publish:
                for number in range(20):
                    publish(TOPIC, reading(start + number * 1_000))
                database.stop()
                for number in range(20, 90):
                    publish(TOPIC, reading(start + number * 1_000))
            database = start_postgres(folder, port=port, password=password, durable=False)
            with connect(settings.owner_dsn(), application="test", autocommit=True) as owner:
                until(lambda: count(owner, "sensing.traffic") == 90, "all rows", 20)
                until(lambda: counters(owner)[5] == 0, "settled")
                received, stored, duplicate, dead, spooled, in_flight = counters(owner)
        assert (dead, spooled, in_flight) == (0, 0, 0)
        assert received == stored + duplicate
    finally:
        database.stop()


def test_a_receipt_of_an_earlier_connection_is_void(settings: Settings) -> None:
    live = settings.model_copy(update={"mqtt_url": SecretStr("mqtt://127.0.0.1:1")})
    session = Session(live, Inbox(most_messages=10, most_bytes=1_000))
    session._generation, session._connected = 2, True
    session.acknowledge([Receipt(generation=generation, mids=[generation * 10]) for generation in (1, 2)])
    session._acknowledge_committed()
    session.close()
    assert bytes(session._outgoing) == b"\x40\x02\x00\x14"


@pytest.mark.mosquitto
@pytest.mark.usefixtures("require_mosquitto")
def test_a_broker_with_tls_and_password(
    settings: Settings, owner: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, certificate, passwords = tmp_path / "key.pem", tmp_path / "cert.pem", tmp_path / "passwords"
    request = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    request += ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(request, check=True, capture_output=True)
    subprocess.run(
        ["mosquitto_passwd", "-b", "-c", str(passwords), "city", "p@ss:word"], check=True, capture_output=True
    )
    port = free_port()
    configuration = tmp_path / "tls.conf"
    lines = [f"listener {port} 127.0.0.1", f"certfile {certificate}", f"keyfile {key}", f"password_file {passwords}"]
    configuration.write_text(
        "\n".join([*lines, "allow_anonymous false", *(["user root"] if os.geteuid() == 0 else [])])
    )
    with (tmp_path / "log").open("wb") as log:
        broker = start_child([str(shutil.which("mosquitto", path=_PATH)), "-c", str(configuration)], log=log)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    url = f"mqtts://city:p%40ss%3Aword@localhost:{port}"
    try:
        with running(settings.model_copy(update={"mqtt_url": SecretStr(url)})):
            client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
            client.username_pw_set("city", "p@ss:word")
            client.tls_set()
            until(lambda: _accepts(port), "broker")
            client.connect("localhost", port)
            client.loop_start()
            client.publish("city/v1/traffic/first/meta", b"{}", qos=1, retain=True).wait_for_publish(5)
            until(lambda: count(owner, "sensing.sensor WHERE code = 'first'") == 1, "stored")
            client.disconnect()
            client.loop_stop()
    finally:
        stop_process(broker, signal.SIGTERM, 5)


def _away_and_back(live: Settings, owner: Connection) -> None:
    start = now_ms() - 3_600_000
    with running(live):
        wait_until_subscribed(live, owner)
    with publisher(live.broker_url()) as publish:
        for number in range(40):
            publish(TOPIC, reading(start + number * 1_000))
    assert count(owner, "sensing.traffic") == 0
    with running(live):
        until(lambda: count(owner, "sensing.traffic") == 40, "what was published meanwhile")


def test_the_broker_keeps_what_is_published_while_ingest_is_away(live: Settings, owner: Connection) -> None:
    _away_and_back(live, owner)


@pytest.mark.mosquitto
@pytest.mark.usefixtures("require_mosquitto")
def test_mqtt_3_1_1_keeps_its_session_as_well(settings: Settings, owner: Connection, tmp_path: Path) -> None:
    server, _, _ = start_broker(tmp_path, port=free_port(), prefer="mosquitto")
    try:
        _away_and_back(settings.model_copy(update={"mqtt_url": SecretStr(server.url), "mqtt_protocol": "3.1.1"}), owner)
    finally:
        server.stop()
