"""Code concerned with an outage at full speed: how fast messages go to disk without a database, and into it afterwards."""

from __future__ import annotations

import re
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from http.client import HTTPConnection
from typing import Any, Final

from pydantic import SecretStr

from services.benchmarks.process import peak_bytes
from services.benchmarks.speed import load
from services.benchmarks.speed.consumers import arterial, log_of
from services.benchmarks.speed.rig import Rig
from services.embedded import free_port, start_postgres, stop_process
from services.errors import UnavailableError
from services.storage.migrate import migrate

_CLIENT: Final = "bench-outage"
_PASSWORD: Final = "of-the-measurement"  # noqa: S105 - of a server on loopback that lives for a minute
_LOOK_S: Final = 0.05
_PATIENCE_S: Final = 180.0
_GRACE_S: Final = 10


def measure(rig: Rig, packets: Iterator[bytes], messages: int) -> dict[str, Any]:
    """Fill the broker, start an ingest without its database, let it spool everything, and start the database.

    Args:
        rig: the servers; the database is one of its own.
        packets: the messages.
        messages: how many they are.

    Returns:
        `messages`, `spooled_msg_per_s` (on disk, fsynced and acknowledged), `drained_msg_per_s` (from there into durable
        rows) and `rss_mb`, the most memory the process had through both.

    Raises:
        UnavailableError: the ingest ended, or did not come to an end.

    """
    folder = rig.folder / "outage"
    folder.mkdir(exist_ok=True)
    port, metrics_port = free_port(), free_port()
    database = start_postgres(folder, port=port, password=_PASSWORD)
    passwords = {f"database_password_{role}": SecretStr(_PASSWORD) for role in ("ingest", "jobs", "api")}
    settings = rig.settings.model_copy(update={"database_url": SecretStr(database.url), **passwords})
    try:
        migrate(settings)
        database.stop()
        load.leave_session(rig.mqtt_port, _CLIENT)
        load.publish(rig.mqtt_port, packets)
        more = {"ingest_metrics_port": str(metrics_port)}
        process = arterial(replace(rig, settings=settings), _CLIENT, more=more)
        try:
            spooled = _rate(rig, process, metrics_port, ("spooled",), messages)
            database = start_postgres(folder, port=port, password=_PASSWORD)
            drained = _rate(rig, process, metrics_port, ("stored_total", "duplicate_total"), messages)
            return {
                "messages": messages,
                "spooled_msg_per_s": round(spooled),
                "drained_msg_per_s": round(drained),
                "rss_mb": round(peak_bytes(process.pid) / 1e6, 1),
            }
        finally:
            stop_process(process, signal.SIGTERM, _GRACE_S)
            load.end_session(rig.mqtt_port, _CLIENT)
    finally:
        database.stop()


def _rate(rig: Rig, process: subprocess.Popen[bytes], port: int, terms: tuple[str, ...], messages: int) -> float:
    """Messages per second from the first look at which some were counted to the one at which all were.

    Raises:
        UnavailableError: the process ended, or it took too long.

    """
    deadline = time.monotonic() + _PATIENCE_S
    first: tuple[float, int] | None = None
    while True:
        time.sleep(_LOOK_S)
        now, count = time.monotonic(), sum(_figures(port).get(f"arterial_ingest_messages_{term}", 0) for term in terms)
        if process.poll() is not None or now > deadline:
            message = f"it came to {count:,} of {messages:,} messages: see {log_of(rig, _CLIENT)}"
            raise UnavailableError(message)
        if first is None and count:
            first = now, count
        if first is not None and count >= messages:
            return (count - first[1]) / (now - first[0]) if now > first[0] else float(count) / _LOOK_S


def _figures(port: int) -> dict[str, int]:
    """What /metrics says; nothing while it does not answer."""
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
    except OSError:
        return {}
    finally:
        connection.close()
    return {name: int(float(value)) for name, value in re.findall(r"^(\w+) (\S+)$", text, re.MULTILINE)}
