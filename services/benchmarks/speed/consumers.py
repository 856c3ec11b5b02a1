"""Code concerned with what is measured: Arterial's own process, and the pipelines people would use instead.

Peers are installed on first use into a folder of their own and store five plain columns without a key and without the
sensor, which is less than Arterial stores: the comparison leans towards them.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from services.benchmarks.speed.load import TOPICS
from services.benchmarks.speed.rig import WINDOW, Rig
from services.embedded import free_port, start_child
from services.errors import UnavailableError

FOLDER: Final = Path(".bench")
PEER_TABLE: Final = "public.reading"
_COLUMNS: Final = ("seq", "ts", "flow_vph", "speed_kmh", "occupancy")
_INSERT: Final = "INSERT INTO reading (seq, ts, flow_vph, speed_kmh, occupancy) VALUES ({})"
_NODE_PACKAGE: Final = f"node-linux-{'arm64' if platform.machine() == 'aarch64' else 'x64'}"
_PYTHON_PEERS: Final = ("mq-bridge==1.2.0", "pathway==0.33.0")
_NODE_PEERS: Final = (f"{_NODE_PACKAGE}@22.23.3", "node-red@5.0.7", "node-red-contrib-re-postgres@0.1.10")
_PATIENCE_S: Final = 900

_MQ_BRIDGE: Final = """\
import sys, json
from mq_bridge import Route
Route.from_config(json.loads(sys.argv[1])).run()
"""
_PATHWAY: Final = """\
import sys, json
import pathway as pw
class Reading(pw.Schema):
    seq: int
    ts: int
    flow_vph: float
    speed_kmh: float
    occupancy: float
broker, topics, database = json.loads(sys.argv[1])
readings = pw.io.mqtt.read(broker, topics, qos=1, schema=Reading, format="json", autocommit_duration_ms=200)
pw.io.postgres.write(readings, database, "reading")
pw.run(monitoring_level=pw.MonitoringLevel.NONE)
"""
_NODE_RED_SETTINGS: Final = """\
module.exports = {{ uiHost: "127.0.0.1", uiPort: {port}, httpAdminRoot: false, httpNodeRoot: false,
    credentialSecret: false, flowFile: "flows.json", telemetry: {{ enabled: false, updateNotification: false }},
    logging: {{ console: {{ level: "warn", metrics: false, audit: false }} }} }};
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class Consumer:
    """A pipeline.

    Attributes:
        name: for people.
        table: which it fills.
        start: starts its process for a client id.
        share: of the messages that it drains; a slow one needs fewer for the same figure.

    """

    name: str
    table: str
    start: Callable[[Rig, str], subprocess.Popen[bytes]]
    share: float = 1.0


def arterial(rig: Rig, client_id: str) -> subprocess.Popen[bytes]:
    """The real process with its default settings, told only where broker and database are."""
    chosen = {
        "database_url": rig.settings.owner_dsn(),
        "database_password_ingest": _password(rig),
        "mqtt_url": rig.settings.broker_url(),
        "mqtt_client_id": client_id,
        "mqtt_topics": json.dumps([TOPICS]),
        "mqtt_receive_maximum": str(WINDOW),
        "data_dir": str(rig.folder / "arterial"),
    }
    env = _plain_environment() | {f"ARTERIAL_{name.upper()}": value for name, value in chosen.items()}
    return _run([sys.executable, "-m", "services.cli", "ingest"], rig, client_id, env)


def mq_bridge(rig: Rig, client_id: str) -> subprocess.Popen[bytes]:
    """Batches of 5,000 by COPY, acknowledged after the output has them."""
    python = _python_peers()
    values = ", ".join(f"${{payload:{name}}}" for name in _COLUMNS)
    route = {
        "input": {
            "mqtt": {
                "url": f"tcp://127.0.0.1:{rig.mqtt_port}",
                "topic": TOPICS,
                "qos": 1,
                "clean_session": False,
                "client_id": client_id,
                "max_inflight": WINDOW,
                "queue_capacity": WINDOW,
                "session_expiry_interval": 86_400,
            }
        },
        "output": {
            "sqlx": {
                "url": rig.settings.owner_dsn(),
                "table": "reading",
                "insert_query": _INSERT.format(values),
                "bulk_copy": True,
            }
        },
        "batch_size": 5_000,
    }
    return _run([str(python), "-c", _MQ_BRIDGE, json.dumps(route)], rig, client_id, _plain_environment())


def pathway(rig: Rig, client_id: str) -> subprocess.Popen[bytes]:
    """A stream of changes, committed every 200 ms as Arterial's batches are."""
    python = _python_peers()
    parts = urlsplit(rig.settings.owner_dsn())
    database = {
        "host": parts.hostname,
        "port": str(parts.port),
        "dbname": parts.path[1:],
        "user": parts.username,
        "password": parts.password,
    }
    broker = f"mqtt://127.0.0.1:{rig.mqtt_port}?client_id={client_id}&clean_session=false"
    arguments = json.dumps([broker, TOPICS, database])
    return _run([str(python), "-c", _PATHWAY, arguments], rig, client_id, _plain_environment())


def node_red(rig: Rig, client_id: str) -> subprocess.Popen[bytes]:
    """The usual flow: mqtt in, a function that writes the INSERT, postgres; one statement per message."""
    modules = _node_peers()
    folder = rig.folder / "node-red"
    folder.mkdir(exist_ok=True)
    if not (folder / "node_modules").exists():
        (folder / "node_modules").symlink_to(modules)
    for name, text in _node_red_files(rig, client_id).items():
        (folder / name).write_text(text, encoding="utf-8")
    command = [
        str(modules / _NODE_PACKAGE / "bin" / "node"),
        str(modules / "node-red" / "red.js"),
        "--userDir",
        str(folder),
    ]
    return _run(command, rig, client_id, _plain_environment())


def _node_red_files(rig: Rig, client_id: str) -> dict[str, str]:
    parts = urlsplit(rig.settings.owner_dsn())
    names = ", ".join(f"${name}" for name in _COLUMNS)
    insert = _INSERT.format(names)
    broker = {
        "broker": "127.0.0.1",
        "port": str(rig.mqtt_port),
        "clientid": client_id,
        "autoConnect": True,
        "protocolVersion": "4",
        "keepalive": "60",
        "cleansession": False,
        "autoUnsubscribe": False,
    }
    database = {"hostname": parts.hostname, "port": str(parts.port), "db": parts.path[1:], "ssl": False}
    source = {"topic": TOPICS, "qos": "1", "datatype": "json", "broker": "broker"}
    function = f"msg.queryParameters = msg.payload; msg.payload = '{insert}'; return msg;"
    flow = [
        {"id": "tab", "type": "tab", "label": "bench"},
        {"id": "broker", "type": "mqtt-broker", **broker},
        {"id": "database", "type": "postgresdb", **database},
        {"id": "in", "type": "mqtt in", "z": "tab", **source, "wires": [["statement"]]},
        {"id": "statement", "type": "function", "z": "tab", "func": function, "outputs": 1, "wires": [["out"]]},
        {"id": "out", "type": "postgres", "z": "tab", "postgresdb": "database", "output": False, "wires": []},
    ]
    return {
        "flows.json": json.dumps(flow),
        "flows_cred.json": json.dumps({"database": {"user": parts.username, "password": parts.password}}),
        "settings.js": _NODE_RED_SETTINGS.format(port=free_port()),
        "package.json": json.dumps({"name": "bench", "dependencies": dict(peer.split("@") for peer in _NODE_PEERS)}),
    }


ARTERIAL: Final = Consumer(name="arterial", table="sensing.traffic", start=arterial)
PEERS: Final = (
    Consumer(name="mq-bridge", table=PEER_TABLE, start=mq_bridge),
    Consumer(name="pathway", table=PEER_TABLE, start=pathway),
    Consumer(name="node-red", table=PEER_TABLE, start=node_red, share=0.2),
)


def _python_peers() -> Path:
    folder = FOLDER.resolve() / "python"
    mark = folder / ".complete"
    if not mark.exists():
        _install([sys.executable, "-m", "venv", str(folder)])
        _install([str(folder / "bin" / "pip"), "install", "--quiet", *_PYTHON_PEERS])
        mark.touch()
    return folder / "bin" / "python"


def _node_peers() -> Path:
    folder = FOLDER.resolve() / "node-red"
    mark = folder / ".complete"
    if not mark.exists():
        if shutil.which("npm") is None:
            message = "npm is not installed"
            raise UnavailableError(message)
        folder.mkdir(parents=True, exist_ok=True)
        _install(["npm", "install", "--prefix", str(folder), "--no-audit", "--no-fund", *_NODE_PEERS])
        _let_connect(folder / "node_modules" / "pg" / "lib" / "connection.js")
        mark.touch()
    return folder / "node_modules"


def _let_connect(driver: Path) -> None:
    """Mend one line of the node's database driver (pg 6): since Node.js 14 it takes a new socket for an open one."""
    text = driver.read_text(encoding="utf-8")
    driver.write_text(text.replace("this.stream.readyState === 'closed'", "this.stream.pending"), encoding="utf-8")


def _install(command: list[str]) -> None:
    """Run an installer.

    Raises:
        UnavailableError: it failed; the message has its last line.

    """
    FOLDER.mkdir(exist_ok=True)
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_PATIENCE_S)
    except subprocess.TimeoutExpired as error:
        message = f"{command[0]} took more than {_PATIENCE_S} s"
        raise UnavailableError(message) from error
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        message = f"it could not be installed: {lines[-1] if lines else command}"
        raise UnavailableError(message)


def _plain_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("ARTERIAL_")}


def _password(rig: Rig) -> str:
    return str(urlsplit(rig.settings.owner_dsn()).password)


def _run(command: list[str], rig: Rig, client_id: str, env: dict[str, str]) -> subprocess.Popen[bytes]:
    with log_of(rig, client_id).open("wb") as log:
        return start_child(command, log=log, env=env, folder=rig.folder)


def log_of(rig: Rig, client_id: str) -> Path:
    """Where a consumer's output goes."""
    return rig.folder / f"{client_id}.log"
