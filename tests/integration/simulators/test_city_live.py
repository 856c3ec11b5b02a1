"""The city's past in a real database and its present over real brokers: the same values, and nothing said twice or lost."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import paho.mqtt.client as paho
import pytest

from services.domain import Kind, from_us, to_us
from services.embedded import Running
from services.errors import UnavailableError
from services.settings import Settings
from services.storage.database import Connection
from simulators import live, replay
from simulators.city import build_city
from simulators.clock import day_of
from simulators.history import load
from simulators.progress import last_sent, remember
from simulators.recordings import read_recording
from simulators.series import Devices
from simulators.truth import faulty, household_energy

WINDOW = timedelta(hours=2)


def on(settings: Settings, **changes: Any) -> Settings:
    given = {name: getattr(settings, name) for name in settings.model_fields_set}
    return Settings(**{**given, **changes})


@contextmanager
def subscriber(broker: tuple[Running, str]) -> Iterator[list[paho.MQTTMessage]]:
    running, protocol = broker
    received: list[paho.MQTTMessage] = []
    client = paho.Client(
        paho.CallbackAPIVersion.VERSION2,
        protocol=paho.MQTTv5 if protocol == "5" else paho.MQTTv311,
        client_id="listener",
    )
    ready = threading.Event()
    client.on_message = lambda _client, _userdata, message: received.append(message)
    client.on_subscribe = lambda *_: ready.set()
    client.on_connect = lambda client, *_: client.subscribe([("city/v1/#", 1), ("gateway/#", 1)])
    client.connect("127.0.0.1", int(running.url.rpartition(":")[2]))
    client.loop_start()
    assert ready.wait(5)
    yield received
    client.disconnect()
    client.loop_stop()


def wait_for(condition: Any, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def test_history_is_stored_as_it_was_generated(settings: Settings, owner: Connection, tmp_path: Path) -> None:
    settings = on(settings, data_dir=tmp_path)
    city = build_city(settings)
    until = datetime.now(UTC)
    done = load(settings, city, days=1, until=until)
    assert done.dead_lettered == 0
    assert done.messages == done.stored
    assert last_sent(settings, city.seed) == to_us(until)
    (districts,) = owner.execute("SELECT count(*) FROM sensing.district").fetchone() or (0,)
    assert districts == 12
    described = owner.execute(
        "SELECT count(*), count(*) FILTER (WHERE described AND lon IS NOT NULL), count(district_id) FROM sensing.sensor"
    ).fetchone()
    assert described == (192, 192, 192)
    day = day_of(to_us(until)) - 1
    series = Devices(city).day(Kind.TRAFFIC, day)
    code = next(code for code in city.detectors.code if code not in faulty(city))
    device = city.detectors.code.index(code)
    stored = owner.execute(
        "SELECT observed_at, flow_vph, speed_kmh, occupancy FROM sensing.traffic JOIN sensing.sensor ON id = sensor_id"
        " WHERE code = %s AND observed_at < %s ORDER BY observed_at",
        [code, from_us((day + 1) * 86_400_000_000)],
    ).fetchall()
    sent = np.flatnonzero(series.sent[:, device])
    assert [to_us(row[0]) for row in stored] == series.times_us[sent].tolist()
    for column, name in enumerate(("flow_vph", "speed_kmh", "occupancy"), start=1):
        values = np.array([np.nan if row[column] is None else row[column] for row in stored])
        assert np.allclose(values, series.values[name][sent, device], rtol=1e-6, equal_nan=True)
    silent = next(code for code, why in faulty(city).items() if why == "silent")
    (newest,) = owner.execute(
        "SELECT max(observed_at) FROM sensing.traffic JOIN sensing.sensor ON id = sensor_id WHERE code = %s", [silent]
    ).fetchone() or (None,)
    assert newest is None or newest <= done.silent_since
    yesterday = until.astimezone(city.zone).date() - timedelta(days=1)
    energy = owner.execute(
        "SELECT code, sum(energy_wh) / 1000.0 FROM personal.household JOIN sensing.district ON id = district_id"
        " WHERE day = %s GROUP BY code",
        [yesterday],
    ).fetchall()
    assert {code: float(kwh) for code, kwh in energy} == pytest.approx(household_energy(city, yesterday), abs=0.2)
    # The future has not been told.
    (newest,) = owner.execute("SELECT max(observed_at) + interval '5 minutes' FROM sensing.traffic").fetchone() or (
        None,
    )
    assert newest <= until


def test_live_says_what_history_would_have_said(
    broker: tuple[Running, str], tmp_path: Path, settings: Settings
) -> None:
    running, protocol = broker
    settings = on(settings, mqtt_url=running.url, mqtt_protocol=protocol, data_dir=tmp_path)
    city = build_city(settings)
    since = to_us(datetime.now(UTC) - WINDOW)
    remember(settings, city.seed, since)
    stop = threading.Event()
    with subscriber(broker) as received:
        thread = threading.Thread(target=live.run, args=(settings, city, stop))
        thread.start()
        try:
            detectors = len(city.detectors.code)
            wait_for(lambda: _count(received, "traffic", "meta") == detectors, 30)
            wait_for(lambda: _count(received, "household", "telemetry") >= 1_200, 30)
            wait_for(lambda: _count(received, "probe", "telemetry") > 0, 30)
        finally:
            stop.set()
            thread.join(15)
        assert not thread.is_alive()
        wait_for(lambda: _count(received, "traffic", "status") >= 2 * detectors - 1, 10)
        wait_for(lambda: [m.payload for m in received if m.topic == live.GATEWAY_TOPIC][-1] == b'{"online":false}', 10)
    devices = Devices(city)
    said: dict[tuple[str, int], float] = {}
    for message in received:
        kind, code, purpose = message.topic.split("/")[2:] if message.topic.startswith("city/") else ("", "", "")
        if (kind, purpose) == ("traffic", "telemetry"):
            content = json.loads(message.payload)
            for item in content if isinstance(content, list) else [content]:
                assert (code, item["ts"]) not in said
                said[code, item["ts"]] = item["flow_vph"]
    until = max(moment for _, moment in said) * 1_000 + 300_000_000
    expected = {}
    for day in range(day_of(since - 20_000_000), day_of(until) + 1):
        series = devices.day(Kind.TRAFFIC, day)
        part = series.chosen(since - 18_000_000, until)
        for device, code in enumerate(series.codes):
            for step in range(part.start, part.stop):
                if series.sent[step, device] and faulty(city).get(code) != "silent":
                    expected[code, int(series.times_us[step]) // 1_000] = float(series.values["flow_vph"][step, device])
    missing = {key for key in expected.keys() - said.keys() if key[1] * 1_000 < until - 300_000_000}
    assert not missing
    assert all(expected[key] == value for key, value in said.items())
    assert (last_sent(settings, city.seed) or 0) > since


def test_live_finds_its_way_back_to_a_broker(tmp_path: Path, settings: Settings) -> None:
    from services.embedded import free_port, start_broker

    port = free_port()
    first, _, protocol = start_broker(tmp_path, port=port, prefer="iotcore")
    settings = on(settings, mqtt_url=first.url, mqtt_protocol=protocol, data_dir=tmp_path)
    city = build_city(settings)
    remember(settings, city.seed, to_us(datetime.now(UTC)))
    stop = threading.Event()
    thread = threading.Thread(target=live.run, args=(settings, city, stop))
    thread.start()
    try:
        time.sleep(2)
        first.stop()
        time.sleep(1)
        second, _, _ = start_broker(tmp_path, port=port, prefer="iotcore")
        with subscriber((second, protocol)) as received:
            wait_for(lambda: _count(received, "traffic", "meta") >= len(city.detectors.code), 30)
            stop.set()
            thread.join(15)
    finally:
        stop.set()
        thread.join(15)
        first.stop()
    assert not thread.is_alive()
    second.stop()


def test_without_a_broker_the_reason_is_said(settings: Settings, tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    settings = on(settings, mqtt_url=f"mqtt://127.0.0.1:{port}", data_dir=tmp_path)
    with pytest.raises(UnavailableError, match=f"127.0.0.1:{port} does not answer"):
        live.run(settings, build_city(settings), threading.Event())


def test_a_csv_is_replayed_over_mqtt(broker: tuple[Running, str], tmp_path: Path, settings: Settings) -> None:
    running, protocol = broker
    settings = on(settings, mqtt_url=running.url, mqtt_protocol=protocol, data_dir=tmp_path)
    file = tmp_path / "counts.csv"
    file.write_text("time,a\n2024-06-03 08:00,1\n2024-06-03 09:00,\n2024-06-03 10:00,4\n")
    recording = read_recording(file, settings.zone)
    with subscriber(broker) as received:
        done = replay.publish(
            settings,
            recording,
            speed=20_000,
            begin_us=int(recording.times_us[0]),
            stop=threading.Event(),
            progress=lambda *_: None,
        )
        wait_for(lambda: _count(received, "environment", "telemetry") == 2, 10)
    assert done.readings == 2
    values = [json.loads(m.payload)["value"] for m in received if m.topic == "city/v1/environment/a/telemetry"]
    assert values == [1.0, 4.0]


def test_a_csv_is_loaded_as_history(settings: Settings, owner: Connection, tmp_path: Path) -> None:
    (tmp_path / "sensors.csv").write_text("id,name,lon,lat,kind,unit\na,Ring,13.4,52.5,traffic,veh/h\n")
    file = tmp_path / "counts.csv"
    file.write_text("time,a\n2024-06-03 08:00,100\n2024-06-03 09:00,\n2024-06-03 10:00,400\n")
    recording = read_recording(file, settings.zone)
    done = replay.load_as_history(settings, recording, lambda *_: None)
    assert (done.stored_rows, done.dead_lettered) == (2, 0)
    assert replay.load_as_history(settings, recording, lambda *_: None).stored_rows == 0
    rows = owner.execute("SELECT observed_at, flow_vph FROM sensing.traffic ORDER BY 1").fetchall()
    assert rows == [(datetime(2024, 6, 3, 6, tzinfo=UTC), 100), (datetime(2024, 6, 3, 8, tzinfo=UTC), 400)]


def test_the_commands_explain_themselves_and_their_refusals(tmp_path: Path) -> None:
    def arterial(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "services.cli", *arguments],
            capture_output=True,
            text=True,
            check=False,
            cwd=tmp_path,
        )

    for command in ("simulate", "replay"):
        shown = arterial(command, "--help")
        assert shown.returncode == 0
        assert "--json" in shown.stdout
    refused = arterial("replay", "nothing.csv")
    assert refused.returncode == 1
    assert refused.stderr == "arterial: there is no file nothing.csv\n"
    (tmp_path / "counts.csv").write_text("time,a\n2024-06-03 08:00,1\n2024-06-03 09:00,2\n")
    assert "two days such as" in arterial("replay", "counts.csv", "--history", "June").stderr
    assert "before it begins" in arterial("replay", "counts.csv", "--history", "2024-06-03/2024-06-01").stderr


def _count(received: list[paho.MQTTMessage], kind: str, purpose: str) -> int:
    return sum(m.topic.startswith(f"city/v1/{kind}/") and m.topic.endswith(purpose) for m in list(received))
