"""One running city for all acceptance tests, and a way to start others."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import httpx2
import paho.mqtt.client as paho
import psycopg
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from services.embedded import free_port

READY_S = 90.0
"""Patience on a machine that is busy with other tests; `arterial up` prints how long it took."""


@dataclass
class RunningCity:
    """One `arterial up` and the doors it opened."""

    folder: Path
    process: subprocess.Popen[str]
    zone: ZoneInfo
    endpoints: dict[str, str] = field(default_factory=dict)

    def get(self, path: str) -> Any:
        return httpx2.get(self.endpoints["api"] + path, timeout=20).raise_for_status().json()

    def psql(self, user: str = "arterial") -> psycopg.Connection[Any]:
        return psycopg.connect(self.endpoints["database"].replace("//arterial:", f"//{user}:"), autocommit=True)

    def publish(self, topic: str, payload: bytes | str) -> None:
        host, port = self.endpoints["mqtt"].removeprefix("mqtt://").split(":")
        version = paho.MQTTv5 if self.endpoints["mqtt_protocol"] == "5" else paho.MQTTv311
        client = paho.Client(CallbackAPIVersion.VERSION2, protocol=version)
        client.connect(host, int(port))
        client.loop_start()
        client.publish(topic, payload, qos=1).wait_for_publish(5)
        client.disconnect()
        client.loop_stop()

    def served(self, sensor: str) -> list[dict[str, Any]]:
        """The newest observations of a sensor, none while it is not registered."""
        response = httpx2.get(f"{self.endpoints['api']}/api/v1/observations?sensor={sensor}", timeout=20)
        if response.status_code == 404:
            return []
        rows: list[dict[str, Any]] = response.raise_for_status().json()["data"]
        return rows

    def eventually(self, happened: Callable[[], Any], patience_s: float) -> Any:
        """What `happened` returns as soon as it is true, or at last."""
        deadline = time.monotonic() + patience_s
        while True:
            found = happened()
            if found or time.monotonic() > deadline:
                return found
            time.sleep(0.05)

    def stop(self) -> float:
        """Stop it and return how long that took [s]."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(20)
        return time.monotonic() - began


def _zone_of_day() -> ZoneInfo:
    """Where yesterday can be released now: in the last hour of a day and the first of the next no day can (`services.privacy.days`)."""
    usual = ZoneInfo("Europe/Berlin")
    return usual if 2 <= datetime.now(usual).hour < 22 else ZoneInfo("Asia/Tokyo")


def _start(folder: Path, *arguments: str) -> RunningCity:
    zone = _zone_of_day()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ARTERIAL_")}
    environment["ARTERIAL_CITY_TIMEZONE"] = zone.key
    ports = ["--port", str(free_port()), "--mqtt-port", str(free_port())]
    command = [sys.executable, "-m", "services.cli", "up", "--data-dir", str(folder), *ports, *arguments]
    log_path = folder.parent / f"{folder.name}.log"
    with log_path.open("w") as log:
        process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, text=True, env=environment)
    city = RunningCity(folder=folder, process=process, zone=zone)
    file = folder / "endpoints.json"
    deadline = time.monotonic() + READY_S
    while time.monotonic() < deadline and process.poll() is None:
        if file.exists() and file.read_text().endswith("}"):
            city.endpoints = json.loads(file.read_text())
            return city
        time.sleep(0.1)
    process.kill()
    process.wait()
    pytest.fail(f"the city was not ready: {log_path.read_text()[-2000:]}")


@pytest.fixture(scope="session")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningCity]:
    """The synthetic city with its history, running."""
    running = _start(tmp_path_factory.mktemp("city") / "data")
    yield running
    running.stop()


@pytest.fixture
def start_city(tmp_path: Path) -> Iterator[Callable[[], RunningCity]]:
    """Starts a small city, without the synthetic one, on this test's own data folder; what still runs is stopped."""
    started: list[RunningCity] = []

    def start() -> RunningCity:
        started.append(_start(tmp_path / "data", "--no-simulator", "--broker", "iotcore"))
        return started[-1]

    yield start
    for one in started:
        if one.process.poll() is None:
            one.stop()
