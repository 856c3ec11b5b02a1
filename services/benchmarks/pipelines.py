"""Code concerned with the pipelines people would use instead: how each is installed, set up and started.

They are installed on first use into a folder of their own and fill the table `reading` of five plain columns, without a
key and without the sensor, which is less than Arterial stores.
"""

from __future__ import annotations

import fcntl
import json
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal
from urllib.parse import urlsplit

from services.embedded import free_port
from services.errors import UnavailableError

FOLDER: Final = Path(".bench")
COLUMNS: Final = ("seq", "ts", "flow_vph", "speed_kmh", "occupancy")
INSERT: Final = f"INSERT INTO reading ({', '.join(COLUMNS)}) VALUES ({{}})"  # noqa: S608 - constants of this file
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
broker, topics, database, stamps, kept = json.loads(sys.argv[1])
class Reading(pw.Schema):
    seq: int
    ts: {"integer": int, "text": str}[stamps]
    flow_vph: float
    speed_kmh: float
    occupancy: float
readings = pw.io.mqtt.read(
    broker, topics, qos=1, schema=Reading, format="json", autocommit_duration_ms=200, name="readings")
pw.io.postgres.write(readings, database, "reading")
config = kept and pw.persistence.Config(pw.persistence.Backend.filesystem(kept), snapshot_interval_ms=200)
pw.run(monitoring_level=pw.MonitoringLevel.NONE, persistence_config=config or None, terminate_on_error=True)
"""
_NODE_RED_SETTINGS: Final = """\
module.exports = {{ uiHost: "127.0.0.1", uiPort: {port}, httpAdminRoot: false, httpNodeRoot: false,
    credentialSecret: false, flowFile: "flows.json", telemetry: {{ enabled: false, updateNotification: false }},
    logging: {{ console: {{ level: "warn", metrics: false, audit: false }} }} }};
"""
_MOST_TRIES: Final = 1_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Way:
    """From where to where a pipeline carries readings, and how.

    Attributes:
        broker_port: of the broker, on loopback.
        topics: the filter it subscribes to at QoS 1, in a session the broker keeps.
        client_id: of that session.
        window: messages the broker may have unacknowledged.
        database: URL of the database.
        stamps: what `ts` is.
        folder: its own, the same when it is started again.
        is_careful: whether it tries again, sets aside and keeps state as far as its documentation offers.

    """

    broker_port: int
    topics: str
    client_id: str
    window: int
    database: str
    stamps: Literal["integer", "text"]
    folder: Path
    is_careful: bool


def mq_bridge(way: Way) -> list[str]:
    """The command line of mq-bridge: batches of 5,000 by COPY, acknowledged after the output has them."""
    mqtt = {
        "url": f"tcp://127.0.0.1:{way.broker_port}",
        "topic": way.topics,
        "qos": 1,
        "clean_session": False,
        "client_id": way.client_id,
        "max_inflight": way.window,
        "queue_capacity": way.window,
        "session_expiry_interval": 86_400,
    }
    sqlx = {
        "url": way.database,
        "table": "reading",
        "insert_query": INSERT.format(", ".join(f"${{payload:{name}}}" for name in COLUMNS)),
        "bulk_copy": True,
    }
    output: dict[str, Any] = {"sqlx": sqlx}
    if way.is_careful:
        aside = {"file": {"path": str(way.folder.absolute() / "set-aside.jsonl")}}
        output["middlewares"] = [{"retry": {"max_attempts": _MOST_TRIES}}, {"dlq": {"endpoint": aside}}]
    route = {"input": {"mqtt": mqtt}, "output": output, "batch_size": 5_000}
    return [str(_python_peers()), "-c", _MQ_BRIDGE, json.dumps(route)]


def pathway(way: Way) -> list[str]:
    """The command line of Pathway: a stream of changes, committed every 200 ms as Arterial's batches are.

    With persistence it acknowledges after its checkpoint, without it on receipt.
    """
    python = _python_peers()
    parts = urlsplit(way.database)
    database = {
        "host": parts.hostname,
        "port": str(parts.port),
        "dbname": parts.path[1:],
        "user": parts.username,
        "password": parts.password,
    }
    broker = f"mqtt://127.0.0.1:{way.broker_port}?client_id={way.client_id}&clean_session=false"
    kept = str(way.folder.absolute() / "pathway") if way.is_careful else ""
    return [str(python), "-c", _PATHWAY, json.dumps([broker, way.topics, database, way.stamps, kept])]


def node_red(way: Way) -> list[str]:
    """The command line of Node-RED with the usual flow: mqtt in, a function that writes the INSERT, postgres.

    One statement per message; a careful flow catches what the database refuses and tries it again a second later.
    """
    modules = _node_peers()
    folder = way.folder / "node-red"
    folder.mkdir(exist_ok=True)
    if not (folder / "node_modules").exists():
        (folder / "node_modules").symlink_to(modules)
    for name, text in _node_red_files(way).items():
        (folder / name).write_text(text, encoding="utf-8")
    node = modules / _NODE_PACKAGE / "bin" / "node"
    return [str(node), str(modules / "node-red" / "red.js"), "--userDir", str(folder)]


def trust_loopback(cluster: Path) -> None:
    """Let in peers whose database drivers are older than SCRAM; the cluster lives for a measurement only."""
    rules = cluster / "pg_hba.conf"
    rules.write_text("host all all 127.0.0.1/32 trust\n" + rules.read_text(encoding="utf-8"), encoding="utf-8")


def _node_red_files(way: Way) -> dict[str, str]:
    parts = urlsplit(way.database)
    insert = INSERT.format(", ".join(f"${name}" for name in COLUMNS))
    broker = {
        "broker": "127.0.0.1",
        "port": str(way.broker_port),
        "clientid": way.client_id,
        "autoConnect": True,
        "protocolVersion": "4",
        "keepalive": "60",
        "cleansession": False,
        "autoUnsubscribe": False,
    }
    database = {"hostname": parts.hostname, "port": str(parts.port), "db": parts.path[1:], "ssl": False}
    source = {"topic": way.topics, "qos": "1", "datatype": "json", "broker": "broker"}
    function = f"msg.queryParameters = msg.payload; msg.payload = '{insert}'; return msg;"
    if way.is_careful:
        function = (
            f"for (const name of {json.dumps(COLUMNS)}) {{ if (!(name in msg.payload)) return null; }} {function}"
        )
    flow = [
        {"id": "tab", "type": "tab", "label": "bench"},
        {"id": "broker", "type": "mqtt-broker", **broker},
        {"id": "database", "type": "postgresdb", **database},
        {"id": "in", "type": "mqtt in", "z": "tab", **source, "wires": [["statement"]]},
        {"id": "statement", "type": "function", "z": "tab", "func": function, "outputs": 1, "wires": [["out"]]},
        {"id": "out", "type": "postgres", "z": "tab", "postgresdb": "database", "output": False, "wires": []},
    ]
    if way.is_careful:
        again = f"msg.tries = (msg.tries || 0) + 1; return msg.tries < {_MOST_TRIES} ? msg : null;"
        pause = {"pauseType": "delay", "timeout": "1", "timeoutUnits": "seconds"}
        flow += [
            {"id": "caught", "type": "catch", "z": "tab", "scope": ["out"], "uncaught": False, "wires": [["again"]]},
            {"id": "again", "type": "function", "z": "tab", "func": again, "outputs": 1, "wires": [["pause"]]},
            {"id": "pause", "type": "delay", "z": "tab", **pause, "wires": [["out"]]},
        ]
    return {
        "flows.json": json.dumps(flow),
        "flows_cred.json": json.dumps({"database": {"user": parts.username, "password": parts.password}}),
        "settings.js": _NODE_RED_SETTINGS.format(port=free_port()),
        "package.json": json.dumps({"name": "bench", "dependencies": dict(peer.split("@") for peer in _NODE_PEERS)}),
    }


def _python_peers() -> Path:
    folder = FOLDER.resolve() / "python"
    with installing(folder) as is_new:
        if is_new:
            install([sys.executable, "-m", "venv", str(folder)])
            install([str(folder / "bin" / "pip"), "install", "--quiet", *_PYTHON_PEERS])
    return folder / "bin" / "python"


def _node_peers() -> Path:
    folder = FOLDER.resolve() / "node-red"
    with installing(folder) as is_new:
        if is_new:
            if shutil.which("npm") is None:
                message = "npm is not installed"
                raise UnavailableError(message)
            install(["npm", "install", "--prefix", str(folder), "--no-audit", "--no-fund", *_NODE_PEERS])
            _let_connect(folder / "node_modules" / "pg" / "lib" / "connection.js")
    return folder / "node_modules"


def _let_connect(driver: Path) -> None:
    """Mend one line of the node's database driver (pg 6): since Node.js 14 it takes a new socket for an open one."""
    text = driver.read_text(encoding="utf-8")
    driver.write_text(text.replace("this.stream.readyState === 'closed'", "this.stream.pending"), encoding="utf-8")


@contextmanager
def installing(folder: Path) -> Iterator[bool]:
    """Whether the folder has to be filled, by one process at a time; it is marked as whole when that has worked."""
    folder.mkdir(parents=True, exist_ok=True)
    mark = folder / ".complete"
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        is_new = not mark.exists()
        yield is_new
        mark.touch()


def install(command: list[str]) -> None:
    """Run an installer.

    Raises:
        UnavailableError: it failed; the message has its last line.

    """
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=_PATIENCE_S)
    except subprocess.TimeoutExpired as error:
        message = f"{command[0]} took more than {_PATIENCE_S} s"
        raise UnavailableError(message) from error
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.strip()]
        message = f"it could not be installed: {lines[-1] if lines else command}"
        raise UnavailableError(message)
