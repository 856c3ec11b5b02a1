"""Code concerned with one measurement: a broker full of messages, a consumer that connects, and the last durable row."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from psycopg import sql

from services.benchmarks.process import cpu_of, peak_bytes
from services.benchmarks.speed import load
from services.benchmarks.speed.consumers import PEER_TABLE, Consumer, log_of
from services.benchmarks.speed.rig import WINDOW, Rig, last_commit, row_count, table_bytes
from services.embedded import stop_process
from services.errors import UnavailableError

_LOOK_S: Final = 0.02
_START_S: Final = 90
_PAUSE_S: Final = 0.5
_SILENT_S: Final = 30
_GRACE_S: Final = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Drained:
    """What one run of a consumer took; `cpu_s` and `rss_mb` are those of its process (0 where not looked at)."""

    messages: int
    rows: int
    seconds: float
    cpu_s: float = 0.0
    rss_mb: float = 0.0


def drain(rig: Rig, consumer: Consumer, packets: Iterator[bytes], *, messages: int, rows: int) -> Drained:
    """Fill the broker for a consumer, start it, and wait for its last row.

    Args:
        rig: the servers.
        consumer: who drains.
        packets: the messages.
        messages: how many they are.
        rows: how many rows they make.

    Raises:
        UnavailableError: the consumer did not start, or stopped before the last row; the message has its last line.

    """
    client_id = f"bench-{consumer.name}"
    empty(rig, consumer.table)
    load.leave_session(rig.mqtt_port, client_id)
    load.publish(rig.mqtt_port, packets)
    connections = rig.connections(client_id)
    process = consumer.start(rig, client_id)
    try:
        _wait_for_connection(rig, process, client_id, connections)
        begun, cpu_s = time.time(), cpu_of(process.pid)
        ended = wait_for_rows(rig, process, consumer.table, rows, client_id)
        return Drained(
            messages=messages,
            rows=rows,
            seconds=ended - begun,
            cpu_s=cpu_of(process.pid) - cpu_s,
            rss_mb=peak_bytes(process.pid) / 1e6,
        )
    finally:
        stop_process(process, signal.SIGTERM, _GRACE_S)
        load.end_session(rig.mqtt_port, client_id)


def drain_bare(rig: Rig, way: str, packets: Iterator[bytes], *, messages: int) -> Drained:
    """The same for a bare subscriber, which times itself; `way` is one of `subscriber.WAYS`.

    Raises:
        UnavailableError: it failed; the message has its last line.

    """
    client_id = "bench-bare"
    load.leave_session(rig.mqtt_port, client_id)
    load.publish(rig.mqtt_port, packets)
    command = [sys.executable, "-m", "services.benchmarks.speed.subscriber"]
    command += [way, str(rig.mqtt_port), client_id, str(messages), str(WINDOW)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    load.end_session(rig.mqtt_port, client_id)
    if done.returncode:
        message = f"the bare subscriber failed: {done.stderr.strip().splitlines()[-1]}"
        raise UnavailableError(message)
    return Drained(messages=messages, rows=0, seconds=float(done.stdout))


def empty(rig: Rig, table: str) -> None:
    """Begin with an empty table and nothing left to write back."""
    if table == PEER_TABLE:
        rig.database.execute(
            "DROP TABLE IF EXISTS public.reading; CREATE TABLE public.reading (seq bigint, ts bigint, flow_vph float8, "
            'speed_kmh float8, occupancy float8, "time" bigint, diff bigint)'
        )
    else:
        rig.database.execute(sql.SQL("TRUNCATE {}, sensing.dirty_hour").format(sql.Identifier(*table.split("."))))
    rig.database.execute("CHECKPOINT")


def _wait_for_connection(rig: Rig, process: subprocess.Popen[bytes], client_id: str, before: int) -> None:
    deadline = time.monotonic() + _START_S
    while rig.connections(client_id) == before:
        if process.poll() is not None or time.monotonic() > deadline:
            message = f"it did not connect to the broker: {_last_line(log_of(rig, client_id))}"
            raise UnavailableError(message)
        time.sleep(_LOOK_S / 2)


def wait_for_rows(rig: Rig, process: subprocess.Popen[bytes], table: str, rows: int, client_id: str) -> float:
    """When the last row was committed [s since 1970], by the server's own note; rows are counted when the table rests."""
    size = 0
    changed = counted = time.monotonic()
    while True:
        time.sleep(_LOOK_S)
        now, latest = time.monotonic(), table_bytes(rig.database, table)
        if latest != size:
            size, changed = latest, now
        elif now - max(changed, counted) > _PAUSE_S:
            counted = now
            if row_count(rig.database, table) >= rows:
                return last_commit(rig.database, table)
        if process.poll() is not None or now - changed > _SILENT_S:
            found = row_count(rig.database, table)
            message = f"it stopped at {found:,} of {rows:,} rows: {_last_line(log_of(rig, client_id))}"
            raise UnavailableError(message)


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text(errors="replace").splitlines() if line.strip()]
    return lines[-1][:300] if lines else "it left no message"
