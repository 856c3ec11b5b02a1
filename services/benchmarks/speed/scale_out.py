"""Code concerned with how much more several ingest processes store than one, and what holds them back."""

from __future__ import annotations

from collections.abc import Callable
from statistics import median
from typing import Any, Final

from services.benchmarks.machine import machine
from services.benchmarks.speed.group import GroupDrained, drain_group
from services.benchmarks.speed.rig import rig
from services.errors import InputError

_ROUNDS: Final = 3
_MOST: Final = 64


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
    runs: dict[int, list[GroupDrained]] = {size: [] for size in groups}
    with rig() as servers:
        for turn in range(rounds):
            for size in groups:
                run = drain_group(servers, size, messages, f"bench-group-{size}-{turn}")
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
