"""The whole city with one command: started, used through every door, stopped, started again."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest

from services.embedded import free_port


def test_a_reading_published_by_hand_is_served_within_two_seconds(city: Any) -> None:
    now = datetime.now(UTC).replace(microsecond=0)
    reading = {"ts": now.isoformat(), "flow_vph": 820, "speed_kmh": 43.5, "occupancy": 0.12}
    city.publish("city/v1/traffic/my-sensor/telemetry", json.dumps(reading))
    published = time.monotonic()

    rows = city.eventually(lambda: city.served("my-sensor"), patience_s=2)

    assert time.monotonic() - published < 2
    assert [(row["flow_vph"], row["speed_kmh"], row["quality"]) for row in rows] == [(820.0, 43.5, 1)]
    assert abs(rows[0]["occupancy"] - 0.12) < 1e-6


def test_every_live_sensor_has_a_forecast_within_a_minute(city: Any) -> None:
    def without_forecast() -> set[str]:
        with city.psql("arterial_api") as connection:
            rows = connection.execute(
                "SELECT code FROM sensing.sensor s WHERE described AND EXISTS (SELECT FROM sensing.traffic_15min r "
                "WHERE r.sensor_id = s.id AND bucket > now() - interval '3 hours') "
                "AND NOT EXISTS (SELECT FROM forecast.series f WHERE f.sensor_id = s.id)"
            )
            return {row[0] for row in rows}

    def forecast_issued() -> bool:
        with city.psql("arterial_api") as connection:
            row = connection.execute("SELECT count(*) FROM forecast.run").fetchone()
            return bool(row and row[0])

    assert city.eventually(forecast_issued, patience_s=60)
    assert without_forecast() == set()


def test_the_api_role_is_refused_personal_data(city: Any) -> None:
    with city.psql("arterial_api") as connection:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SELECT * FROM personal.position")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SET ROLE arterial_release")


def test_bad_messages_end_as_dead_letters_and_the_city_goes_on(city: Any) -> None:
    bad: dict[str, bytes | str] = {
        "bad-json": b'{"ts": ',
        "bad-type": '{"ts": "2026-11-22T08:00:00Z", "flow_vph": "many"}',
        "bad-nan": b'{"ts": "2026-11-22T08:00:00Z", "flow_vph": NaN}',
        "bad-future": '{"ts": "2111-01-01T00:00:00Z", "flow_vph": 1}',
        "bad-1970": '{"ts": 1000, "flow_vph": 1}',
        "bad-utf8": b"\xff\xfe\xfd",
        "bad-size": b"[" + b" " * 1_000_000 + b"]",
    }
    for sensor, payload in bad.items():
        city.publish(f"city/v1/traffic/{sensor}/telemetry", payload)
    city.publish("city/v1/unknown", b"{}")

    def reasons() -> dict[str, str]:
        with city.psql() as connection:
            return dict(connection.execute("SELECT topic, reason FROM sensing.dead_letter").fetchall())

    found = city.eventually(lambda: reasons() if len(reasons()) >= len(bad) + 1 else None, patience_s=5) or reasons()
    assert {topic.split("/")[3] for topic in found if topic.count("/") == 4} >= set(bad)
    assert "city/v1/unknown" in found
    assert all(len(reason) > 20 for reason in found.values()), found
    city.publish("city/v1/traffic/after-the-storm/telemetry", json.dumps({"ts": _now(), "flow_vph": 5}))
    assert city.eventually(lambda: city.served("after-the-storm"), patience_s=3)


def test_every_message_has_a_fate(city: Any) -> None:
    with city.psql() as connection:
        row = connection.execute(
            "SELECT received, stored + duplicate + dead_lettered + spooled + in_flight FROM sensing.ingest_session "
            "WHERE client_id = 'arterial-ingest'"
        ).fetchone()
    assert row is not None
    assert row[0] == row[1] > 0


def test_pages_and_unknown_paths(city: Any) -> None:
    for page in ("", "map", "forecast", "energy", "mobility"):
        response = httpx2.get(city.endpoints["dashboard"] + page, timeout=20)
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/html")
    nowhere = httpx2.get(city.endpoints["api"] + "/api/v1/nope")
    assert nowhere.status_code == 404
    assert nowhere.headers["content-type"] == "application/problem+json"


def test_doctor_finds_the_running_city_well(city: Any) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "services.cli", "doctor", "--json"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "ARTERIAL_DATA_DIR": str(city.folder)},
    )
    assert done.returncode == 0, done.stdout
    assert json.loads(done.stdout)["healthy"]


def test_a_second_city_on_the_same_data_or_port_is_refused(city: Any, tmp_path: Path) -> None:
    same_data = refused("--data-dir", str(city.folder), "--port", str(free_port()))
    assert "another `arterial up` runs on the data folder" in same_data
    port = city.endpoints["api"].rpartition(":")[2]
    same_port = refused("--data-dir", str(tmp_path / "other"), "--port", port)
    assert f"port {port} cannot be used" in same_port


def test_wrong_settings_and_folders_are_refused_in_one_sentence(tmp_path: Path) -> None:
    a_file = tmp_path / "file"
    a_file.touch()
    assert "cannot be written" in refused("--data-dir", str(a_file / "below"))
    assert "ARTERIAL_CITY_TIMEZONE" in refused(ARTERIAL_CITY_TIMEZONE="Mars/Olympus")


def refused(*arguments: str, **environment: str) -> str:
    """What `arterial up` says when it refuses: one sentence and exit code 2."""
    done = subprocess.run(
        [sys.executable, "-m", "services.cli", "up", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        env={**os.environ, **environment},
    )
    assert done.returncode == 2, done.stderr
    assert done.stderr.count("\n") == 1, done.stderr
    return done.stderr


def test_stopping_leaves_no_orphan_and_a_second_start_keeps_the_data(start_city: Callable[[], Any]) -> None:
    first = start_city()
    first.publish("city/v1/traffic/kept/telemetry", json.dumps({"ts": _now(), "flow_vph": 7}))
    assert first.eventually(lambda: first.served("kept"), patience_s=3)
    family = descendants(first.process.pid)
    assert len(family) >= 5  # database, broker, ingest, worker, API

    assert first.stop() < 10
    assert first.process.returncode == 0
    assert [pid for pid in family if Path(f"/proc/{pid}").exists()] == []
    assert not (first.folder / "endpoints.json").exists()

    second = start_city()
    assert [row["flow_vph"] for row in second.served("kept")] == [7.0]


def test_a_killed_city_takes_its_children_with_it(start_city: Callable[[], Any]) -> None:
    city = start_city()
    family = descendants(city.process.pid)

    city.process.kill()
    city.process.wait()

    assert city.eventually(lambda: not [pid for pid in family if Path(f"/proc/{pid}").exists()], patience_s=10)


def test_a_child_that_dies_is_started_again(start_city: Callable[[], Any]) -> None:
    city = start_city()
    ingest = next(
        pid for pid in descendants(city.process.pid) if b"\0ingest\0" in Path(f"/proc/{pid}/cmdline").read_bytes()
    )

    os.kill(ingest, signal.SIGKILL)
    time.sleep(1)
    city.publish("city/v1/traffic/again/telemetry", json.dumps({"ts": _now(), "flow_vph": 7}))

    assert city.eventually(lambda: city.served("again"), patience_s=15)


def descendants(pid: int) -> list[int]:
    """All processes below a process."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            found += [int(child), *descendants(int(child))]
    return found


def _now() -> str:
    return (datetime.now(UTC) - timedelta(seconds=1)).isoformat()


def test_ports_are_on_loopback_only(city: Any) -> None:
    for door in ("api", "mqtt", "database"):
        port = int(re.findall(r":(\d+)", city.endpoints[door])[-1])
        assert listening(port) == {"127.0.0.1"}, door


def listening(port: int) -> set[str]:
    """The addresses on which something listens on this port, as the kernel tells."""
    found = set()
    for table in ("tcp", "tcp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            address, _, number = line.split()[1].partition(":")
            if int(number, 16) == port and line.split()[3] == "0A":
                found.add(socket.inet_ntoa(bytes.fromhex(address)[::-1]) if table == "tcp" else address)
    return found
