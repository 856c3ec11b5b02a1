"""Code concerned with running a whole city on one machine: what to start, in which order, and that all of it stops.

Children are processes of `arterial` itself, each with the settings of its role and a log file under the data folder.
A child that ends unasked is started again; one that cannot live stops the city with the end of its log.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from subprocess import Popen
from types import FrameType
from typing import Any

from pydantic import SecretStr

from services.embedded import (
    Running,
    embedded_password,
    free_port,
    prepare_data_dir,
    require_free_port,
    start_broker,
    start_child,
    start_postgres,
    stop_process,
)
from services.errors import ArterialError, ConfigurationError, UnavailableError
from services.settings import ENDPOINTS_FILE, PREFIX, Settings, without_user
from services.storage import stations
from services.storage.database import connect
from services.storage.health import live_sensors
from services.storage.migrate import migrate

_SECRET_OF: dict[str, str] = {
    "ingest": "database_password_ingest",
    "worker": "database_password_jobs",
    "serve": "database_password_api",
}
"""The one database password that each child is given."""
_SYNTHETIC_PLANS = (
    "presence=0.7",
    "origin_destination",
    "trip_lengths",
    "district_energy",
    "bike_stations",
    "charging",
)
"""The release plans of the synthetic city: it shows trips too, at the price of somewhat more noise in presence."""
_HISTORY_STATE = "history.state"
_HISTORY_DAYS = 30
_READY_PATIENCE_S = 60.0
_CHILD_GRACE_S = 5.0
_MOST_RESTARTS = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Endpoints:
    """Where the running city is reached."""

    api: str
    dashboard: str
    mqtt: str
    mqtt_protocol: str
    database: str
    ingest_metrics: str
    example_sensor: str | None
    ready_after_s: float

    def document(self) -> dict[str, str]:
        """What `endpoints.json` holds."""
        return {
            "api": self.api,
            "dashboard": self.dashboard,
            "docs": f"{self.api}/docs",
            "mqtt": self.mqtt,
            "mqtt_protocol": self.mqtt_protocol,
            "database": self.database,
            "ingest_metrics": self.ingest_metrics,
        }

    def lines(self) -> list[str]:
        """What a person reads, with a command to copy for each door."""
        host, _, port = self.mqtt.rpartition("://")[2].rpartition("@")[2].partition(":")
        sensor = self.example_sensor or "my-sensor"
        return [
            f"Ready         after {self.ready_after_s:.1f} s",
            "",
            f"  Dashboard   {self.dashboard}",
            f"  API docs    {self.api}/docs",
            f"  MQTT        {self.mqtt}",
            f"  Metrics     {self.api}/metrics and {self.ingest_metrics}",
            f"  Database    {without_user(self.database)} (user and password in {ENDPOINTS_FILE})",
            "",
            "Read the newest readings of a sensor:",
            f"  curl '{self.api}/api/v1/observations?sensor={sensor}&limit=3'",
            "Publish a reading by hand, and find it:",
            f"  {_publish_command(host, port or '1883')}",
            f"  curl '{self.api}/api/v1/observations?sensor=my-sensor'",
            "",
            "Ctrl-C stops everything; the data stays.",
        ]


def _publish_command(host: str, port: str) -> str:
    """A line that publishes one reading: with mosquitto's tool where it is installed, else with paho."""
    topic = "city/v1/traffic/my-sensor/telemetry"
    now = "'$(date -u +%FT%TZ)'"
    reading = f'{{"ts": "{now}", "flow_vph": 820, "speed_kmh": 43.5, "occupancy": 0.12}}'
    if shutil.which("mosquitto_pub"):
        return f"mosquitto_pub -h {host} -p {port} -q 1 -t {topic} -m '{reading}'"
    code = f"import sys, paho.mqtt.publish as p; p.single(sys.argv[1], sys.argv[2], 1, hostname='{host}', port={port})"
    return f"""{sys.executable} -c "{code}" {topic} '{reading}'"""


@dataclass(slots=True)
class _Process:
    """One child of the city and how often it had to be started again."""

    name: str
    process: Popen[bytes]
    started: float
    restarts: int = 0


@dataclass(slots=True)
class City:
    """The city on this machine. Constructing opens nothing; `running()` starts and stops it."""

    settings: Settings
    mqtt_port: int = 1883
    with_simulator: bool = True
    broker: str | None = None
    _folder: Path = field(init=False, default=Path())
    _children: list[_Process] = field(init=False, default_factory=list)
    _services: dict[str, Running] = field(init=False, default_factory=dict)
    _stop: threading.Event = field(init=False, default_factory=threading.Event)
    _began: float = field(init=False, default=0.0)
    _chosen: dict[str, Any] = field(init=False, default_factory=dict)
    _ready: bool = field(init=False, default=False)
    _say: Callable[[str], None] = field(init=False, default=print)

    @contextmanager
    def running(self, say: Callable[[str], None]) -> Iterator[Endpoints]:
        """Start what is not configured, fill an empty database, run all processes, and stop them on leaving.

        Args:
            say: is given a line for each step.

        Raises:
            ConfigurationError: a port, the data folder or a setting cannot be used; nothing is left running.
            UnavailableError: a service did not come up; the message has the end of its log.

        """
        self._say, self._began = say, time.monotonic()
        self._folder = prepare_data_dir(self.settings.data_dir)
        with ExitStack() as stack:
            stack.enter_context(self._signals())
            stack.enter_context(self._only_one())
            self._check_ports()
            stack.callback(self._stop_services)
            self._start_services()
            self._migrate()
            stack.callback(self._stop_children)
            self._start("ingest")
            self._start("serve")
            if self.with_simulator:
                self._load_history()  # before the worker: a day released before its rows came would stay empty
            self._start("worker")
            if self.with_simulator:
                self._start("simulate")
            self._wait_until_ready()
            endpoints = self._endpoints()
            file = self._folder / ENDPOINTS_FILE
            file.unlink(missing_ok=True)
            file.touch(mode=0o600)  # it holds the embedded database's password
            stack.callback(file.unlink, missing_ok=True)
            known = {**endpoints.document(), "settings": self._chosen}
            file.write_text(json.dumps(known, indent=2), encoding="utf-8")
            self._ready = True
            yield endpoints
            self._say("Stopping ...")

    def watch(self) -> None:
        """Wait for Ctrl-C or SIGTERM; start children again that end unasked.

        Raises:
            UnavailableError: a child or an embedded service cannot be kept alive.

        """
        while not self._stop.wait(0.5):
            for name, service in self._services.items():
                if not service.alive():
                    message = f"the embedded {name} ended unasked: see {self._folder / name}.log"
                    raise UnavailableError(message)
            for child in self._children:
                if child.process.poll() is not None:
                    self._restart(child)

    @contextmanager
    def _signals(self) -> Iterator[None]:
        def ask_to_stop(number: int, frame: FrameType | None) -> None:
            del number, frame
            if not self._stop.is_set():
                self._stop.set()
                if not self._ready:
                    raise KeyboardInterrupt  # leave whatever start-up is doing; what was started is stopped on the way out

        before = {number: signal.signal(number, ask_to_stop) for number in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def _only_one(self) -> Iterator[None]:
        with (self._folder / "up.lock").open("w", encoding="utf-8") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                message = f"another `arterial up` runs on the data folder {self._folder}: stop it, or choose another with --data-dir"
                raise ConfigurationError(message) from error
            yield

    def _check_ports(self) -> None:
        require_free_port(self.settings.api_port, "--port")
        if self.settings.mqtt_url is None:
            require_free_port(self.mqtt_port, "--mqtt-port")

    def _start_services(self) -> None:
        found: dict[str, Any] = {}
        if self.settings.database_url is None:
            began = time.monotonic()
            password = embedded_password(self._folder)
            database = start_postgres(self._folder, port=free_port(), password=password)
            self._services["postgres"] = database
            found["database_url"] = database.url
            found |= {f"database_password_{role}": password for role in ("ingest", "jobs", "api")}
            self._say(f"PostgreSQL    embedded, started in {time.monotonic() - began:.1f} s")
        if self.settings.mqtt_url is None:
            broker, name, protocol = start_broker(self._folder, port=self.mqtt_port, prefer=self.broker)
            self._services[name] = broker
            found |= {"mqtt_url": broker.url, "mqtt_protocol": protocol}
            self._say(f"MQTT broker   {name}, MQTT {protocol} on {broker.url}")
        if self.settings.ingest_metrics_port is None:
            found["ingest_metrics_port"] = free_port()
        if self.with_simulator:
            self._chosen = self._for_the_simulator()
            found |= self._chosen
        given = {name: getattr(self.settings, name) for name in self.settings.model_fields_set}
        self.settings = Settings(**{**given, "data_dir": self._folder, **found})

    def _for_the_simulator(self) -> dict[str, Any]:
        """What the synthetic city needs and nobody has set: its charging points are heard, and every product has something to show."""
        from simulators.encoders.ocpi import TOPICS

        wanted = {"mqtt_topics": (*self.settings.mqtt_topics, TOPICS), "privacy_plans": _SYNTHETIC_PLANS}
        return {name: value for name, value in wanted.items() if name not in self.settings.model_fields_set}

    def _migrate(self) -> None:
        done = migrate(self.settings)
        store = f"TimescaleDB {done.timescale}" if done.timescale else "native partitions"
        self._say(f"Database      version {done.version}, {store}")

    def _load_history(self) -> None:
        """Fill a database that has no sensors, or finish what an interrupted start began; loading twice adds nothing."""
        from simulators import history
        from simulators.city import build_city

        state = self._folder / _HISTORY_STATE
        with connect(self.settings.owner_dsn(), application="up") as connection:
            begun = state.exists() and state.read_text(encoding="utf-8") == "loading"
            if not begun and live_sensors(connection)[0]:
                if state.exists() and not stations.codes(connection, "bike"):  # a version without a register made it
                    history.write_register(self.settings, build_city(self.settings))
                return
        state.write_text("loading", encoding="utf-8")
        began = time.monotonic()
        self._say(
            f"City          loading {_HISTORY_DAYS} days of history, this once: half a minute, or a few on a busy machine ..."
        )
        done = history.load(self.settings, build_city(self.settings), days=_HISTORY_DAYS, until=datetime.now(UTC))
        self._say(f"City          {done} in {time.monotonic() - began:.1f} s")
        state.write_text("loaded", encoding="utf-8")

    def _start(self, name: str) -> None:
        logs = self._folder / "logs"
        logs.mkdir(exist_ok=True)
        with (logs / f"{name}.log").open("ab") as log:
            process = start_child([sys.executable, "-m", "services.cli", name], log=log, env=self._environment(name))
        self._children.append(_Process(name=name, process=process, started=time.monotonic()))

    def _environment(self, child: str) -> dict[str, str]:
        """The settings of a child: what was given to us, with the one database password of its role."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
        for name in self.settings.model_fields_set:
            value = getattr(self.settings, name)
            if value is None or (name.startswith("database_password_") and name != _SECRET_OF.get(child)):
                continue
            if name == "influx_token" and child != "ingest":
                continue
            if name == "database_url":
                text: Any = without_user(value.get_secret_value())
            else:
                text = value.get_secret_value() if isinstance(value, SecretStr) else value
            environment[PREFIX + name.upper()] = json.dumps(text) if isinstance(text, tuple) else str(text)
        return environment

    def _restart(self, child: _Process) -> None:
        lived = time.monotonic() - child.started
        child.restarts = child.restarts + 1 if lived < 60 else 1
        if child.restarts > _MOST_RESTARTS:
            message = f"{child.name} ended {child.restarts} times: {self._end_of_log(child.name)}"
            raise UnavailableError(message)
        self._say(f"{child.name} ended with code {child.process.returncode} and is started again")
        self._children.remove(child)
        self._start(child.name)
        self._children[-1].restarts = child.restarts

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + _READY_PATIENCE_S
        url = f"http://{self.settings.api_host}:{self.settings.api_port}/readyz"
        while not self._stop.is_set():
            for child in self._children:
                if child.process.poll() is not None:
                    message = f"{child.name} did not start: {self._end_of_log(child.name)}"
                    raise UnavailableError(message)
            try:
                with urllib.request.urlopen(url, timeout=2):
                    return
            except urllib.error.HTTPError as error:
                reason = error.read().decode(errors="replace")
            except OSError as error:
                reason = str(error)
            if time.monotonic() > deadline:
                message = f"the city was not ready after {_READY_PATIENCE_S:.0f} s: {reason}"
                raise UnavailableError(message)
            time.sleep(0.1)

    def _endpoints(self) -> Endpoints:
        api = self.settings.public_url or f"http://{self.settings.api_host}:{self.settings.api_port}"
        example = None
        if self.with_simulator:
            from simulators.city import build_city

            example = build_city(self.settings).detectors.code[0]
        return Endpoints(
            api=api,
            dashboard=f"{api}/dash/",
            mqtt=self.settings.broker_url(),
            mqtt_protocol=self.settings.mqtt_protocol,
            database=self.settings.owner_dsn(),
            ingest_metrics=f"http://{self.settings.ingest_metrics_host}:{self.settings.ingest_metrics_port}/metrics",
            example_sensor=example,
            ready_after_s=time.monotonic() - self._began,
        )

    def _end_of_log(self, name: str) -> str:
        with suppress(OSError):
            lines = (self._folder / "logs" / f"{name}.log").read_text(errors="replace").strip().splitlines()
            if lines:
                return f"{lines[-1]} (see {self._folder / 'logs' / name}.log)"
        return "it left no message"

    def _stop_children(self) -> None:
        """The simulator first falls silent, then all others are asked at once; what does not listen is killed."""
        for child in reversed(self._children):
            if child.process.poll() is None:
                child.process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + _CHILD_GRACE_S
        for child in reversed(self._children):
            stop_process(child.process, signal.SIGTERM, max(0.1, deadline - time.monotonic()))

    def _stop_services(self) -> None:
        for service in reversed(self._services.values()):
            with suppress(ArterialError):
                service.stop()
