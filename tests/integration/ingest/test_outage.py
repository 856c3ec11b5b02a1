"""Ingest while the database is away: acknowledged and on disk, drained in order, every message accounted for."""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import paho.mqtt.client as mqtt
import psycopg
import pytest
from psycopg import sql
from pydantic import SecretStr

from ingest import decoding, service
from ingest.message_spool import MessageSpool
from ingest.routing import Routing
from services.domain import Message
from services.embedded import Running, free_port, start_broker, start_postgres
from services.errors import ConfigurationError, UnavailableError
from services.settings import Settings, load_settings
from services.storage.database import connect
from services.storage.migrate import migrate

PASSWORD = "example-password-of-the-tests"
PATIENCE_S = 0.5
START_MS = time.time_ns() // 1_000_000 - 7_200_000
COUNTERS = ("received", "stored", "duplicate", "dead_lettered", "spooled", "in_flight")


@dataclass
class Server:
    """A PostgreSQL of its own that can be stopped, frozen and started again."""

    folder: Path
    port: int = field(default_factory=free_port)
    running: Running | None = None

    def start(self) -> None:
        self.running = start_postgres(self.folder, port=self.port, password=PASSWORD, durable=False)

    def stop(self) -> None:
        if self.running is not None:
            self.running.stop()
        self.running = None

    @property
    def url(self) -> str:
        return f"postgresql://arterial:{PASSWORD}@127.0.0.1:{self.port}"

    def signal(self, number: signal.Signals) -> None:
        """To the server and all its backends."""
        postmaster = int((self.folder / "postgres" / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()
        for process in (postmaster, *map(int, children)):
            with suppress(ProcessLookupError):  # a backend that has just ended
                os.kill(process, number)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("outage"))
    server.start()
    migrate(settings_of(f"{server.url}/arterial", server.folder))
    yield server
    server.stop()


def settings_of(url: str, folder: Path, **more: object) -> Settings:
    passwords = {f"database_password_{role}": PASSWORD for role in ("ingest", "jobs", "api")}
    own = {"database_url": url, "data_dir": folder, "ingest_patience_s": PATIENCE_S, "ingest_heartbeat_s": 0}
    return load_settings({**own, **passwords, **more})


@pytest.fixture
def database(server: Server, tmp_path: Path) -> Iterator[Settings]:
    """A fresh database of the server that can be stopped, which runs again afterwards."""
    name = f"test_{secrets.token_hex(6)}"
    with psycopg.connect(f"{server.url}/postgres", autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {} TEMPLATE arterial").format(sql.Identifier(name)))
    yield settings_of(f"{server.url}/{name}", tmp_path)
    if server.running is None:
        server.start()
    with psycopg.connect(f"{server.url}/postgres", autocommit=True) as admin:
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture
def live(database: Settings, require_mosquitto: str, tmp_path: Path) -> Iterator[Settings]:
    broker, _, protocol = start_broker(tmp_path, port=free_port(), prefer="mosquitto")
    yield database.model_copy(update={"mqtt_url": SecretStr(broker.url), "mqtt_protocol": protocol})
    broker.stop()


@contextmanager
def running(settings: Settings) -> Iterator[None]:
    stop = threading.Event()
    failed: list[BaseException] = []

    def run() -> None:
        try:
            service.run(settings, stop)
        except BaseException as error:  # noqa: BLE001 - shown below
            failed.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(10)
        assert not thread.is_alive(), "ingest did not stop within 10 s"
        assert not failed, failed


@contextmanager
def process(settings: Settings) -> Iterator[subprocess.Popen[bytes]]:
    names = ("mqtt_protocol", "data_dir", "ingest_patience_s", "ingest_spool_bytes", "ingest_batch_messages")
    chosen = {name: str(getattr(settings, name)) for name in names}
    for name in ("database_url", "mqtt_url", "database_password_ingest"):
        chosen[name] = getattr(settings, name).get_secret_value()
    env = os.environ | {f"ARTERIAL_{name.upper()}": value for name, value in chosen.items()}
    command = [sys.executable, "-m", "services.cli", "ingest", "--json"]
    with (settings.data_dir / "ingest.log").open("ab") as errors:
        started = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, stderr=errors)
    try:
        yield started
    finally:
        started.kill()
        started.communicate()


def ended(started: subprocess.Popen[bytes]) -> dict[str, int]:
    """What a process reports that is told to end."""
    started.send_signal(signal.SIGTERM)
    output, _ = started.communicate(timeout=10)
    assert started.returncode == 0
    counts: dict[str, int] = orjson.loads(output)
    assert counts["received"] == sum(counts[name] for name in COUNTERS[1:])
    return counts


def payload(number: int) -> bytes:
    return orjson.dumps({"ts": START_MS + number * 1_000, "seq": number, "flow_vph": 100 + number % 900})


def publish(settings: Settings, first: int, count: int) -> None:
    """Publish readings, one a message, and wait until the broker has all of them."""
    host, port = settings.broker_url().removeprefix("mqtt://").split(":")
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    client.max_inflight_messages_set(1_000)
    client.connect(host, int(port))
    client.loop_start()
    topic = "city/v1/traffic/ring-1/telemetry"
    sent = [client.publish(topic, payload(number), qos=1) for number in range(first, first + count)]
    for one in sent:
        one.wait_for_publish(20)
    client.disconnect()
    client.loop_stop()


def until(condition: Callable[[], bool], what: str, seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.02)


def ask(settings: Settings, text: str) -> Any:
    with connect(settings.owner_dsn(), application="test", autocommit=True) as owner:
        row = owner.execute(text).fetchone()
    return None if row is None else row[0] if len(row) == 1 else row


def rows(settings: Settings) -> int:
    return int(ask(settings, "SELECT count(*) FROM sensing.traffic"))


def counters(settings: Settings) -> tuple[int, ...]:
    return tuple(ask(settings, f"SELECT {', '.join(COUNTERS)} FROM sensing.ingest_session") or ())  # noqa: S608 - constants


def spooled(settings: Settings) -> int:
    """Bytes of the segment files."""
    return sum(path.stat().st_size for path in settings.data_dir.glob("spool/arterial-ingest/*.segment"))


def begun(settings: Settings) -> None:
    """Wait until a first message has gone the whole way."""
    until(lambda: subscribed(settings), "subscription")
    publish(settings, 0, 1)
    until(lambda: rows(settings) == 1, "the first row")


def subscribed(settings: Settings) -> bool:
    with connect(settings.owner_dsn(), application="test", autocommit=True) as owner:
        if not owner.execute("SELECT 1 FROM sensing.ingest_session").fetchone():
            return False
    host, port = settings.broker_url().removeprefix("mqtt://").split(":")
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    client.connect(host, int(port))
    client.loop_start()
    client.publish("city/v1/traffic/first/meta", b"{}", qos=1, retain=True).wait_for_publish(10)
    client.disconnect()
    client.loop_stop()
    return bool(ask(settings, "SELECT count(*) FROM sensing.sensor WHERE code = 'first'"))


def settled(settings: Settings, readings: int) -> None:
    until(lambda: rows(settings) == readings, f"{readings} rows")
    until(lambda: counters(settings)[4:] == (0, 0), f"nothing left on its way: {counters(settings)}")
    received, stored, duplicate, dead_lettered, *_ = counters(settings)
    assert received == stored + duplicate + dead_lettered
    assert dead_lettered == 0


def test_an_outage_under_load_is_bridged(server: Server, database: Settings, broker: tuple[Running, str]) -> None:
    live = database.model_copy(update={"mqtt_url": SecretStr(broker[0].url), "mqtt_protocol": broker[1]})
    with running(live):
        begun(live)
        direct = counters(live)
        server.stop()
        publish(live, 1, 1_500)
        until(lambda: spooled(live) > 1_500 * len(payload(1_000)), "all in the spool")
        server.start()
        publish(live, 1_501, 500)
        settled(live, 2_001)
        received, stored, *_ = counters(live)
        assert received - direct[0] == 2_000
        assert stored - direct[1] in {2_000, 1_999}, "a commit may have gone unanswered"
        until(lambda: spooled(live) == 0, "the spool is empty again")
        publish(live, 2_001, 100)
        settled(live, 2_101)
        assert spooled(live) == 0, "the direct way is taken again"
    assert ask(live, "SELECT bool_and(flow_vph = 100 + seq % 900) FROM sensing.traffic")


@pytest.mark.mosquitto
def test_what_was_decoded_is_decoded_once_and_all_in_the_order_of_receipt(
    server: Server, live: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Decoders remember earlier messages: a register read twice, or late, would look like a reset."""
    seen: list[bytes] = []
    original = decoding.decode_all

    def noting(messages: list[Message], **how: Any) -> Any:
        seen.extend(message.payload for message in messages)
        return original(messages, **how)

    monkeypatch.setattr("ingest.work.decode_all", noting)
    small = live.model_copy(update={"ingest_batch_messages": 40})
    with running(small):
        begun(small)
        server.stop()
        publish(small, 1, 700)
        server.start()
        publish(small, 701, 300)
        settled(small, 1_001)
    assert [text for text in seen if text != b"{}"] == [payload(number) for number in range(1_001)]


@pytest.mark.mosquitto
def test_a_process_killed_while_spooling_leaves_all_to_the_next(server: Server, live: Settings) -> None:
    with process(live) as started:
        begun(live)
        server.stop()
        publish(live, 1, 800)
        until(lambda: spooled(live) > 400 * len(payload(1_000)), "a part in the spool")
        started.kill()
        started.wait()
    publish(live, 801, 100)
    with process(live) as started:
        publish(live, 901, 100)
        server.start()
        settled(live, 1_001)
        counts = ended(started)
    assert counts["spooled"] == counts["in_flight"] == 0
    assert counts["received"] >= 1_000
    assert spooled(live) == 0


@pytest.mark.mosquitto
def test_a_process_killed_while_draining_stores_nothing_twice(server: Server, live: Settings) -> None:
    small = live.model_copy(update={"ingest_batch_messages": 100})
    with process(small):
        begun(small)
        server.stop()
        publish(small, 1, 3_000)
        until(lambda: spooled(small) > 3_000 * len(payload(1_000)), "all in the spool")
    server.start()
    with process(small):
        until(lambda: rows(small) > 600, "a part is drained")
    assert spooled(small) > 0
    with process(small) as started:
        settled(small, 3_001)
        counts = ended(started)
    assert counts["received"] == counts["stored"] + counts["duplicate"]


@pytest.mark.mosquitto
def test_a_full_spool_leaves_messages_with_the_broker(server: Server, live: Settings) -> None:
    bound = 60_000
    small = live.model_copy(update={"ingest_spool_bytes": bound, "ingest_batch_messages": 100})
    with process(small) as started:
        begun(small)
        server.stop()
        publish(small, 1, 3_000)
        until(lambda: "the spool takes no more" in (small.data_dir / "ingest.log").read_text(), "full")
        time.sleep(0.5)
        assert started.poll() is None
        assert bound // 2 < spooled(small) <= bound
        server.start()
        settled(small, 3_001)
        server.stop()
        publish(small, 3_001, 3_000)
        until(lambda: (small.data_dir / "ingest.log").read_text().count("the spool takes no more") == 2, "full again")
        counts = ended(started)
    assert counts["spooled"] > 100
    assert counts["in_flight"] > 0, "these are not acknowledged"
    server.start()
    with running(small):
        settled(small, 6_001)


@pytest.mark.mosquitto
def test_without_a_spool_messages_wait_at_the_broker(server: Server, live: Settings) -> None:
    without = live.model_copy(update={"ingest_spool_bytes": 0})
    with process(without) as started:
        begun(without)
        server.stop()
        publish(without, 1, 300)
        time.sleep(1.5)
        counts = ended(started)
        assert (counts["spooled"], counts["in_flight"]) == (0, 300)
    assert not (live.data_dir / "spool").exists()
    with pytest.raises(UnavailableError, match="does not answer"):
        service.run(without, threading.Event())
    server.start()
    with running(without):
        settled(without, 301)


@pytest.mark.mosquitto
def test_told_to_end_during_an_outage_it_leaves_nothing_unacknowledged(server: Server, live: Settings) -> None:
    with process(live) as started:
        begun(live)
        server.stop()
        publish(live, 1, 600)
        counts = ended(started)
    assert (counts["spooled"], counts["in_flight"]) == (600, 0)
    server.start()
    with running(live):
        settled(live, 601)
        received, stored, duplicate, *_ = counters(live)
    assert (received, stored + duplicate) == (600, 600)


@pytest.mark.mosquitto
def test_it_starts_and_receives_before_the_database_does(server: Server, live: Settings) -> None:
    with running(live):
        begun(live)
    server.stop()
    publish(live, 1, 50)
    with process(live) as started:
        until(lambda: spooled(live) > 50 * len(payload(9)), "all in the spool")
        with pytest.raises(ConfigurationError, match="another process uses the spool"):
            service.run(live, threading.Event())
        publish(live, 51, 50)
        server.start()
        settled(live, 101)
        counts = ended(started)
    assert (counts["received"], counts["stored"]) == (100, 100)


@pytest.mark.mosquitto
def test_a_database_that_hangs_is_away_as_well(server: Server, live: Settings) -> None:
    """The frozen server's kernel still acknowledges what is sent: only the clock tells."""
    with process(live) as started:
        begun(live)
        server.signal(signal.SIGSTOP)
        try:
            publish(live, 1, 200)
            until(lambda: spooled(live) > 200 * len(payload(9)), "all in the spool")
            publish(live, 201, 200)
            until(lambda: spooled(live) > 400 * len(payload(9)), "those as well")
        finally:
            server.signal(signal.SIGCONT)
        settled(live, 401)
        server.signal(signal.SIGSTOP)
        try:
            publish(live, 401, 200)
            counts = ended(started)
        finally:
            server.signal(signal.SIGCONT)
    assert (counts["spooled"], counts["in_flight"]) == (200, 0)
    with running(live):
        settled(live, 601)


@pytest.mark.mosquitto
def test_a_locked_table_does_not_hold_up_the_broker(live: Settings) -> None:
    with running(live):
        begun(live)
        with connect(live.owner_dsn(), application="test") as blocking:
            blocking.execute("LOCK TABLE sensing.traffic IN ACCESS EXCLUSIVE MODE")
            publish(live, 1, 300)
            until(lambda: spooled(live) > 300 * len(payload(9)), "all in the spool")
            blocking.rollback()
        settled(live, 301)


@pytest.mark.mosquitto
def test_a_connection_that_hangs_does_not_keep_the_lock_from_the_next(live: Settings) -> None:
    holder = (
        "SELECT pid FROM pg_locks JOIN pg_database ON oid = database WHERE datname = current_database() "
        "AND locktype = 'advisory' AND granted"
    )
    with running(live):
        begun(live)
        first = ask(live, holder)
        with connect(live.owner_dsn(), application="test") as blocking:
            blocking.execute("LOCK TABLE sensing.traffic IN ACCESS EXCLUSIVE MODE")
            publish(live, 1, 10)
            until(lambda: ask(live, holder) not in {None, first}, "the lock is with a new connection", 10)
            blocking.rollback()
        settled(live, 11)


@pytest.mark.mosquitto
def test_what_is_lost_in_the_spool_is_told_message_by_message(live: Settings) -> None:
    """Personal messages that waited too long are erased, damaged ones set aside: each is a dead letter without bytes."""
    now_us, hour_us = time.time_ns() // 1_000, 3_600_000_000
    with MessageSpool(live, Routing.of(live)) as spool:
        person = b'{"ts": 1, "lon": 13.4, "lat": 52.5}'
        for age, topic, text in (
            (47.5, "city/v1/probe/tram-7/telemetry", person),
            (47.4, "city/v1/traffic/ring-1/telemetry", payload(5)),
        ):
            at = int(now_us - age * hour_us)
            spool.append([Message(topic=topic, payload=text, received_us=at) for _ in range(3)])
        spool.append(
            [Message(topic="city/v1/traffic/ring-1/telemetry", payload=payload(n), received_us=now_us) for n in (6, 7)]
        )
    [segment] = live.data_dir.glob("spool/*/*.segment")
    content = bytearray(segment.read_bytes())
    content[-1] ^= 0xFF
    segment.write_bytes(content)
    with running(live):
        until(lambda: len(counters(live)) > 0 and counters(live)[0] == 8 and counters(live)[4] == 0, "drained")
    assert counters(live) == (8, 2, 2, 4, 0, 0)
    letters = "SELECT count(*) FROM sensing.dead_letter WHERE payload = '' AND reason LIKE "
    assert ask(live, f"{letters} '%erased%'") == 3
    assert ask(live, f"{letters} '%damaged%'") == 1
    assert ask(live, "SELECT count(*) FROM personal.dead_letter") == 0
    assert len(list(live.data_dir.glob("spool/*/*.damaged"))) == 1
