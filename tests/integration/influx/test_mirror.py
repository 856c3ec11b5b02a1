"""What ingest commits is also at a real server that takes InfluxDB writes, whatever happens to that server meanwhile."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import orjson
import paho.mqtt.client as mqtt
import pytest
from prometheus_client import CollectorRegistry
from pydantic import SecretStr
from victoria_metrics import Victoria

from ingest import service
from ingest.batch import Batch
from ingest.decoders.catalogue import decode
from ingest.following import following
from ingest.influx.mirror import Mirror
from ingest.persistence import Persistence
from ingest.pipeline import limits_of
from services.domain import Message
from services.embedded import Running, free_port, start_broker
from services.settings import Settings
from services.storage.database import Connection

pytestmark = pytest.mark.influx
START_MS = 1_790_000_000_000


@pytest.fixture
def mirrored(settings: Settings, victoria: Victoria, tmp_path: Path) -> Settings:
    return settings.model_copy(update={"influx_url": victoria.url, "data_dir": tmp_path / "data"})


def until(condition: Callable[[], bool], what: str, seconds: float = 15) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"not within {seconds} s: {what}"
        time.sleep(0.05)


def message(topic: str, *items: dict[str, object]) -> Message:
    return Message(topic=f"city/v1/{topic}/telemetry", payload=orjson.dumps(list(items)), received_us=START_MS * 1_000)


def traffic(number: int, first: int = 0, sensors: int = 50) -> list[Message]:
    return [
        message(
            f"traffic/site {place % sensors},lane=1",
            {"ts": START_MS + 1_000 * (place // sensors), "flow_vph": place, "speed_kmh": 43.3, "occupancy": 0.12},
        )
        for place in range(first, first + number)
    ]


def persist(persistence: Persistence, settings: Settings, messages: list[Message], received: int) -> None:
    decoded = [decode(one, now_us=time.time_ns() // 1_000, limits=limits_of(settings)) for one in messages]
    assert persistence.persist(Batch.of(messages, decoded), received)


def stored(owner: Connection) -> dict[tuple[str, str, str, int], float]:
    """What the server should hold: every value of every row under its metric, sensor, quantity and millisecond."""
    found: dict[tuple[str, str, str, int], float] = {}
    columns = {
        "traffic": ("flow_vph", "speed_kmh", "occupancy", "quality"),
        "energy": ("power_kw", "energy_kwh", "quality"),
        "observation": ("value", "quality"),
    }
    for table, names in columns.items():
        quantity = "quantity" if table == "observation" else "''"
        chosen = ", ".join(f"{name}::text" for name in names)
        for code, of, moment, *values in owner.execute(
            f"SELECT s.code, {quantity}, floor(extract(epoch FROM t.observed_at) * 1000)::bigint, {chosen}"  # noqa: S608 - names above
            f" FROM sensing.{table} t JOIN sensing.sensor s ON s.id = t.sensor_id"
        ):
            for name, value in zip(names, values, strict=True):
                if value is not None:
                    found[f"{table}_{name}", code, of, moment] = float(value)
    return found


METRICS = "(traffic|energy|observation)_"


def test_every_stored_value_arrives_with_its_time(mirrored: Settings, victoria: Victoria, owner: Connection) -> None:
    messages = [
        *traffic(500),
        message("energy/feeder=7", {"ts": START_MS, "power_kw": 12.7}, {"ts": START_MS + 1, "energy_kwh": 1234.5678}),
        message("environment/météo, quai", {"ts": START_MS, "temperature_c": 7.25, "humidity_percent": 81}),
        message("traffic/back\\slash", {"ts": START_MS, "flow_vph": 19_999.5}),
        message("household/meter-1", {"ts": START_MS, "energy_kwh": 0.2, "district": "none"}),
        message("probe/bus-1", {"ts": START_MS, "lon": 13.4, "lat": 52.5, "speed_kmh": 20}),
    ]
    with following(mirrored, CollectorRegistry()) as follower, Persistence(mirrored, follower=follower) as persistence:
        assert isinstance(follower, Mirror)
        persist(persistence, mirrored, messages, len(messages))
        until(lambda: follower.counts.written == 505, "rows written")
        assert follower.counts.kept == 505

    expected = {
        (name, code.replace("\\", "＼"), quantity, moment): value
        for (name, code, quantity, moment), value in stored(owner).items()
    }
    assert victoria.samples(METRICS) == expected
    assert not [name for name, sensor, *_ in victoria.samples(".*") if "meter-1" in sensor or "bus-1" in sensor]


def test_rows_that_were_there_arrive_as_the_database_has_them(
    mirrored: Settings, victoria: Victoria, owner: Connection
) -> None:
    """As after a crash between the commit and the spool: the broker delivers again, the database knows the rows."""
    first = message("traffic/a", {"ts": START_MS, "flow_vph": 0, "occupancy": 0.5})
    with Persistence(mirrored) as persistence:
        persist(persistence, mirrored, [first, *traffic(20)], 21)
    again = [
        first,
        *traffic(30),
        message("traffic/a", {"ts": START_MS, "speed_kmh": 50}),
        message("traffic/a", {"ts": START_MS, "flow_vph": 99}),
    ]
    with following(mirrored, CollectorRegistry()) as follower, Persistence(mirrored, follower=follower) as persistence:
        persist(persistence, mirrored, again, len(again))
        assert isinstance(follower, Mirror)
        until(lambda: follower.counts.written == 31, "rows written")

    assert victoria.samples(METRICS) == stored(owner)
    assert victoria.samples("traffic_flow_vph")["traffic_flow_vph", "a", "", START_MS] == 0


def test_power_worked_out_from_registers_arrives(mirrored: Settings, victoria: Victoria, owner: Connection) -> None:
    hour = 3_600_000
    readings = [message("energy/meter", {"ts": START_MS + n * hour // 4, "energy_kwh": 100 + n}) for n in (0, 2)]
    late = message("energy/meter", {"ts": START_MS + hour // 4, "energy_kwh": 101.5})
    with following(mirrored, CollectorRegistry()) as follower, Persistence(mirrored, follower=follower) as persistence:
        persist(persistence, mirrored, readings, 2)
        persist(persistence, mirrored, [late], 3)
        until(lambda: len(victoria.samples("energy_power_kw")) == 2, "power")

    assert victoria.samples(METRICS) == stored(owner)


def test_while_the_server_is_away_rows_wait_on_disk_and_commits_do_not(
    mirrored: Settings, victoria: Victoria, owner: Connection
) -> None:
    victoria.stop()
    with following(mirrored, CollectorRegistry()) as follower, Persistence(mirrored, follower=follower) as persistence:
        assert isinstance(follower, Mirror)
        slowest = 0.0
        for number in range(10):
            begun = time.monotonic()
            persist(persistence, mirrored, traffic(1_000, 1_000 * number), 1_000 * (number + 1))
            slowest = max(slowest, time.monotonic() - begun)
        assert follower.counts.written == 0
    assert slowest < 2

    victoria.start()
    with following(mirrored, CollectorRegistry()) as follower:
        assert isinstance(follower, Mirror)
        until(lambda: follower.counts.written >= 10_000, "caught up")
        until(lambda: follower.waiting_bytes == 0, "an empty spool")

    assert victoria.samples(METRICS) == stored(owner)


def test_a_full_spool_leaves_rows_out_and_counts_them(
    mirrored: Settings, victoria: Victoria, owner: Connection
) -> None:
    registry = CollectorRegistry()
    victoria.stop()
    small = mirrored.model_copy(update={"influx_spool_bytes": 1_048_576})
    with following(small, registry) as follower, Persistence(small, follower=follower) as persistence:
        assert isinstance(follower, Mirror)
        for number in range(8):
            persist(persistence, small, traffic(5_000, 5_000 * number), 5_000 * (number + 1))
        counts = follower.counts
        assert counts.dropped > 0
        assert counts.kept + counts.dropped == 40_000
        assert follower.waiting_bytes <= 1_048_576
        victoria.start()
        until(lambda: follower.counts.written == counts.kept, "caught up")
        assert registry.get_sample_value("arterial_mirror_rows_dropped_total") == counts.dropped

    assert owner.execute("SELECT count(*) FROM sensing.traffic").fetchone() == (40_000,)
    assert len(victoria.samples("traffic_flow_vph")) == counts.kept


def test_a_period_is_sent_once_more(
    mirrored: Settings, victoria: Victoria, owner: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("database_url", "database_password_ingest"):
        monkeypatch.setenv(f"ARTERIAL_{name.upper()}", getattr(mirrored, name).get_secret_value())
    monkeypatch.setenv("ARTERIAL_INFLUX_URL", victoria.url)
    monkeypatch.setenv("ARTERIAL_DATA_DIR", str(mirrored.data_dir))
    readings = [message("environment/mast", {"ts": START_MS + n, "temperature_c": n}) for n in range(20)]
    readings += [message("energy/feeder", {"ts": START_MS, "power_kw": 3.5})]
    with Persistence(mirrored) as persistence:
        persist(persistence, mirrored, [*traffic(6_000), *readings], 6_021)

    def resend(start_ms: int, stop_ms: int) -> dict[str, object]:
        span = [datetime.fromtimestamp(ms / 1_000, UTC).isoformat() for ms in (start_ms, stop_ms)]
        command = [sys.executable, "-m", "services.cli", "influx", "resend", "--json"]
        run = subprocess.run([*command, "--start", span[0], "--stop", span[1]], capture_output=True, check=False)
        assert run.returncode == 0, run.stderr
        document: dict[str, object] = orjson.loads(run.stdout)
        return document

    assert resend(START_MS, START_MS + 1_000)["written"] == 71
    assert len(victoria.samples("traffic_flow_vph")) == 50
    everything = resend(START_MS, START_MS + 10_000_000)
    assert (everything["written"], everything["refused"], everything["complete"]) == (6_021, 0, True)
    assert victoria.samples(METRICS) == stored(owner)


def test_over_a_broker_the_original_goes_on_while_the_copy_waits(
    mirrored: Settings, victoria: Victoria, owner: Connection, require_mosquitto: str, tmp_path: Path
) -> None:
    del require_mosquitto
    broker: Running
    broker, _, protocol = start_broker(tmp_path, port=free_port(), prefer="mosquitto")
    live = mirrored.model_copy(update={"mqtt_url": SecretStr(broker.url), "mqtt_protocol": protocol})
    stop = threading.Event()
    thread = threading.Thread(target=service.run, args=(live, stop))
    thread.start()
    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", int(broker.url.rpartition(":")[2]))
    client.loop_start()

    def rows() -> int:
        return int(owner.execute("SELECT count(*) FROM sensing.traffic").fetchone()[0])  # type: ignore[index]  # one row

    def publish(first: int) -> None:
        for one in traffic(500, first):
            client.publish(one.topic, one.payload, qos=1)
        until(lambda: rows() == first + 500, f"{first + 500} rows")

    try:
        client.publish("city/v1/traffic/first/meta", b"{}", qos=1, retain=True)
        until(lambda: owner.execute("SELECT 1 FROM sensing.sensor").fetchone() is not None, "subscription")
        publish(0)
        until(lambda: len(victoria.samples("traffic_flow_vph")) == 500, "the first copies")
        victoria.stop()
        publish(500)
        victoria.start()
        publish(1_000)
        until(lambda: len(victoria.samples("traffic_flow_vph")) == 1_500, "all copies", 30)
    finally:
        stop.set()
        thread.join(10)
        client.disconnect()
        client.loop_stop()
        broker.stop()
    assert not thread.is_alive()
    assert victoria.samples(METRICS) == stored(owner)


def test_killing_ingest_at_any_moment_loses_nothing_of_the_copy(
    mirrored: Settings, victoria: Victoria, owner: Connection, require_mosquitto: str, tmp_path: Path
) -> None:
    del require_mosquitto
    broker, _, protocol = start_broker(tmp_path, port=free_port(), prefer="mosquitto")
    secret = {name: getattr(mirrored, name).get_secret_value() for name in ("database_url", "database_password_ingest")}
    given = {
        **secret,
        "mqtt_url": broker.url,
        "mqtt_protocol": protocol,
        "influx_url": victoria.url,
        "data_dir": str(mirrored.data_dir),
        "ingest_batch_messages": "50",
    }
    environment = os.environ | {f"ARTERIAL_{name.upper()}": value for name, value in given.items()}

    running: list[subprocess.Popen[bytes]] = []

    def rows() -> int:
        """The rows; ingest is started, and again when the lock of the one that was killed was still held."""
        if not running or running[-1].poll() is not None:
            command = [sys.executable, "-m", "services.cli", "ingest", "--json"]
            running.append(
                subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            )
        return int(owner.execute("SELECT count(*) FROM sensing.traffic").fetchone()[0])  # type: ignore[index]  # one row

    client = mqtt.Client(mqtt.CallbackAPIVersion.VERSION2)
    client.connect("127.0.0.1", int(broker.url.rpartition(":")[2]))
    client.loop_start()
    rows()
    try:
        client.publish("city/v1/traffic/first/meta", b"{}", qos=1, retain=True)
        until(lambda: owner.execute("SELECT 1 FROM sensing.sensor").fetchone() is not None, "subscription", 30)
        for sent in (2_000, 4_000, 6_000):
            before = rows()
            for one in traffic(2_000, sent - 2_000):
                client.publish(one.topic, one.payload, qos=1)
            until(lambda before=before: rows() > before + 300, "work in progress", 30)  # type: ignore[misc]  # bound now
            running[-1].kill()
            running[-1].wait(10)
        until(lambda: rows() == 6_000, "all rows", 40)
        until(lambda: victoria.samples(METRICS) == stored(owner), "a whole copy", 20)
    finally:
        running[-1].terminate()
        running[-1].wait(15)
        client.disconnect()
        client.loop_stop()
        broker.stop()
