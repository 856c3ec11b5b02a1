"""Code concerned with one drain by several ingest processes that share the messages of one broker.

Every member of the group has left its session before the first message is published, so the broker holds an equal part
for each. The broker is then stopped until all processes wait for its answer: they begin together, whatever their start took.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from ingest.packets import SHARE
from services.benchmarks.process import cpu_of
from services.benchmarks.speed import load
from services.benchmarks.speed.consumers import ARTERIAL, arterial, log_of
from services.benchmarks.speed.drain import empty, wait_for_rows
from services.benchmarks.speed.rig import Rig
from services.embedded import stop_process
from services.errors import UnavailableError

_START_S: Final = 60
_GRACE_S: Final = 10
_SPAN_MS: Final = 3_600_000


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupDrained:
    """One drain: its rate, processor time of the ingest a message, and how many cores each of the three kept busy."""

    msg_per_s: float
    cpu_us_per_msg: float
    ingest: float
    broker: float
    database: float


def drain_group(servers: Rig, size: int, messages: int, client_id: str) -> GroupDrained:
    """Fill the broker for a group of ingest processes, start them, and wait for their last row.

    Args:
        servers: what they work with.
        size: how many processes.
        messages: how many, of one reading each.
        client_id: of the first; the others add their number.

    Raises:
        UnavailableError: a process did not start, or they stopped before the last row.

    """
    members = [client_id, *(f"{client_id}-{number}" for number in range(2, size + 1))]
    topics = load.TOPICS if size == 1 else f"{SHARE}{client_id}/{load.TOPICS}"
    empty(servers, ARTERIAL.table)
    for member in members:
        load.leave_session(servers.mqtt_port, member, topics)
    load.publish(servers.mqtt_port, load.singles(messages, int(time.time()) * 1_000 - _SPAN_MS))
    with _stopped(servers.broker_pid):
        process = arterial(servers, client_id, size)
        try:
            pids = _wait_until_all_wait(servers, process, client_id, size)
        except UnavailableError:
            stop_process(process, signal.SIGTERM, _GRACE_S)
            raise
    try:
        watched = (pids, [servers.broker_pid], children_of(_postmaster(servers)))
        begun, before = time.time(), [_cpu(group) for group in watched]
        seconds = wait_for_rows(servers, process, ARTERIAL.table, messages, client_id) - begun
        own, broker, database = (_cpu(group) - spent for group, spent in zip(watched, before, strict=True))
        return GroupDrained(
            msg_per_s=messages / seconds,
            cpu_us_per_msg=1e6 * own / messages,
            ingest=own / seconds,
            broker=broker / seconds,
            database=database / seconds,
        )
    finally:
        stop_process(process, signal.SIGTERM, _GRACE_S)
        for member in members:
            load.end_session(servers.mqtt_port, member)


@contextmanager
def _stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _wait_until_all_wait(servers: Rig, process: subprocess.Popen[bytes], client_id: str, size: int) -> list[int]:
    """The ingest processes, once each has knocked at the broker's door."""
    log, deadline = log_of(servers, client_id), time.monotonic() + _START_S
    while log.read_text(errors="replace").count("ingest has started") < size:
        if process.poll() is not None or time.monotonic() > deadline:
            message = f"the ingest processes did not start: see {log.read_text(errors='replace')[-300:]}"
            raise UnavailableError(message)
        time.sleep(0.01)
    time.sleep(0.1)
    if size == 1:
        return [process.pid]
    return children_of(process.pid)


def children_of(pid: int) -> list[int]:
    """The processes that a process has started, from /proc."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()]


def _postmaster(servers: Rig) -> int:
    return int((servers.folder / "postgres" / "postmaster.pid").read_text(encoding="ascii").split()[0])


def _cpu(pids: list[int]) -> float:
    return sum(cpu_of(pid) for pid in pids)
