"""Code concerned with how much more several ingest processes store than one, and what holds them back.

Every member of the group has left its session before the first message is published, so the broker holds an equal part
for each. The broker is then stopped until all processes wait for its answer: they begin together, whatever their start took.
"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, Final

from ingest.packets import SHARE
from services.benchmarks.speed import load
from services.benchmarks.speed.consumers import ARTERIAL, arterial, log_of
from services.benchmarks.speed.drain import cpu_of, empty, wait_for_rows
from services.benchmarks.speed.report import machine
from services.benchmarks.speed.rig import Rig, rig
from services.embedded import stop_process
from services.errors import InputError, UnavailableError

_ROUNDS: Final = 3
_MOST: Final = 64
_START_S: Final = 60
_GRACE_S: Final = 10
_SPAN_MS: Final = 3_600_000


@dataclass(frozen=True, kw_only=True, slots=True)
class _Run:
    """One drain: its rate, processor time of the ingest a message, and how many cores each of the three kept busy."""

    msg_per_s: float
    cpu_us_per_msg: float
    ingest: float
    broker: float
    database: float


def sizes(text: str) -> list[int]:
    """Numbers of processes from a list such as 1,2,4.

    Raises:
        InputError: it is not such a list.

    """
    found = [int(part) for part in text.split(",") if part.strip().isdecimal()]
    if len(found) != len(text.split(",")) or not all(1 <= size <= _MOST for size in found):
        message = f"--processes takes numbers from 1 to {_MOST} with commas between, for example 1,2,4, not {text!r}"
        raise InputError(message)
    return found


def measure(messages: int, groups: list[int], *, tell: Callable[[str], None], rounds: int = _ROUNDS) -> dict[str, Any]:
    """Drain a full broker with each size of group in turn, several times.

    Args:
        messages: how many each drains.
        groups: numbers of processes.
        tell: called with a line as each run ends.
        rounds: how often each drains.

    Returns:
        The document: `scale_out` (by number of processes the medians of `msg_per_s` and `cpu_us_per_msg`, and of the cores
        that `ingest_cpu`, `broker_cpu` and `database_cpu` kept busy), `messages`, `machine`.

    Raises:
        ConfigurationError: mosquitto or the embedded PostgreSQL is not installed.
        UnavailableError: a server or an ingest process failed.

    """
    runs: dict[int, list[_Run]] = {size: [] for size in groups}
    with rig() as servers:
        for turn in range(rounds):
            for size in groups:
                run = _drain(servers, size, messages, f"bench-group-{size}-{turn}")
                runs[size].append(run)
                tell(f"  {size} processes: {run.msg_per_s:,.0f} msg/s")
    return {
        "scale_out": {
            str(size): {
                "msg_per_s": round(median(run.msg_per_s for run in found)),
                "cpu_us_per_msg": round(median(run.cpu_us_per_msg for run in found), 1),
                "ingest_cpu": round(median(run.ingest for run in found), 2),
                "broker_cpu": round(median(run.broker for run in found), 2),
                "database_cpu": round(median(run.database for run in found), 2),
            }
            for size, found in runs.items()
        },
        "messages": messages,
        "machine": machine(),
    }


def table(document: dict[str, Any]) -> list[str]:
    """The document as lines for a person."""
    found = document["scale_out"]
    return [
        f"{document['messages']:,} messages of one reading, QoS 1, from the broker to durable rows, on {document['machine']}:",
        "",
        f"  {'processes':<12}{'msg/s':>10}{'µs each':>10}   cores busy: {'ingest':>8}{'broker':>8}{'database':>10}",
        *(
            f"  {size:<12}{one['msg_per_s']:>10,}{one['cpu_us_per_msg']:>10}{one['ingest_cpu']:>23}{one['broker_cpu']:>8}"
            f"{one['database_cpu']:>10}"
            for size, one in found.items()
        ),
    ]


def _drain(servers: Rig, size: int, messages: int, client_id: str) -> _Run:
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
        seconds = wait_for_rows(servers, process, ARTERIAL, messages) - begun
        own, broker, database = (_cpu(group) - spent for group, spent in zip(watched, before, strict=True))
        return _Run(
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
