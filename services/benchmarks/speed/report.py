"""Code concerned with the whole comparison: runs in turn, medians, ratios, and a table for people."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Final

from services.benchmarks.machine import machine
from services.benchmarks.speed import load, outage
from services.benchmarks.speed.consumers import ARTERIAL, PEERS, Consumer
from services.benchmarks.speed.drain import Drained, drain, drain_bare
from services.benchmarks.speed.group import GroupDrained, drain_group
from services.benchmarks.speed.rig import Rig, rig
from services.benchmarks.speed.subscriber import WAYS
from services.errors import UnavailableError

_ROUNDS: Final = 3
_ARRAY: Final = 50
_GROUP: Final = 2
_SPAN_MS: Final = 3_600_000


@dataclass(kw_only=True, slots=True)
class Runs:
    """All runs of one comparison."""

    bare: dict[str, list[Drained]] = field(default_factory=dict)
    arterial: list[Drained] = field(default_factory=list)
    group: list[GroupDrained] = field(default_factory=list)
    batched: list[Drained] = field(default_factory=list)
    peers: dict[str, list[Drained]] = field(default_factory=dict)
    skipped: dict[str, str] = field(default_factory=dict)
    outage: dict[str, Any] = field(default_factory=dict)


def compare(messages: int, *, with_peers: bool, tell: Callable[[str], None], rounds: int = _ROUNDS) -> dict[str, Any]:
    """Measure Arterial, the bare subscriber and the peers in turn on the same servers.

    Args:
        messages: how many each drains.
        with_peers: whether to install and run the peers.
        tell: called with a line as each run ends.
        rounds: how often each runs; the figures are medians.

    Returns:
        The document: `arterial` (one process), `group` (two, with its own `ratio`), `bare_subscriber` (the quickest of its `ways`), `peers`, `skipped`, `ratio`, `batched`, `outage`,
        `messages`, `machine`; each figure is the median of the rounds, but those of the outage are of one.

    Raises:
        ConfigurationError: mosquitto or the embedded PostgreSQL is not installed.
        UnavailableError: a server, the bare subscriber or Arterial itself failed.

    """
    runs = Runs()
    with rig() as servers:
        for _ in range(rounds):
            for way in WAYS:
                if f"bare {way}" not in runs.skipped:
                    _try_bare(servers, way, messages, runs, tell)
            runs.arterial.append(drain(servers, ARTERIAL, _singles(messages), messages=messages, rows=messages))
            tell(_line("arterial", runs.arterial[-1]))
            runs.group.append(drain_group(servers, _GROUP, messages, "bench-group"))
            tell(f"  arterial, {_GROUP} processes: {runs.group[-1].msg_per_s:,.0f} msg/s")
            for peer in PEERS if with_peers else ():
                if peer.name not in runs.skipped:
                    _try(servers, peer, messages, runs, tell)
            count = messages // 10
            packets = load.arrays(count, _ARRAY, _start_ms())
            runs.batched.append(drain(servers, ARTERIAL, packets, messages=count, rows=count * _ARRAY))
            tell(f"  arterial, arrays of {_ARRAY}: {runs.batched[-1].rows / runs.batched[-1].seconds:,.0f} readings/s")
        runs.outage = outage.measure(servers, _singles(messages), messages)
        tell(f"  arterial without its database: {runs.outage['spooled_msg_per_s']:,} msg/s to disk")
    return _document(runs)


def _try_bare(servers: Rig, way: str, messages: int, runs: Runs, tell: Callable[[str], None]) -> None:
    try:
        drained = drain_bare(servers, way, _singles(messages), messages=messages)
    except UnavailableError as error:
        runs.skipped[f"bare {way}"] = str(error)
        tell(f"  the bare subscriber {way} is left out: {error}")
    else:
        runs.bare.setdefault(way, []).append(drained)
        tell(_line(f"bare subscriber, {way}", drained))


def _try(servers: Rig, peer: Consumer, messages: int, runs: Runs, tell: Callable[[str], None]) -> None:
    count = int(messages * peer.share)
    try:
        drained = drain(servers, peer, _singles(count), messages=count, rows=count)
    except UnavailableError as error:
        runs.skipped[peer.name] = str(error)
        tell(f"  {peer.name} is left out: {error}")
    else:
        runs.peers.setdefault(peer.name, []).append(drained)
        tell(_line(peer.name, drained))


def _document(runs: Runs) -> dict[str, Any]:
    ours = median(_rate(run) for run in runs.arterial)
    bare = {way: median(_rate(run) for run in all_runs) for way, all_runs in runs.bare.items()}
    peers = {name: median(_rate(run) for run in all_runs) for name, all_runs in runs.peers.items()}
    others = {**peers, "bare_subscriber": max(bare.values()), **{f"bare_{way}": rate for way, rate in bare.items()}}
    group = median(run.msg_per_s for run in runs.group)
    return {
        "arterial": {
            "msg_per_s": round(ours),
            "cpu_us_per_msg": round(median(1e6 * run.cpu_s / run.messages for run in runs.arterial), 1),
            "rss_mb": round(max(run.rss_mb for run in runs.arterial), 1),
        },
        "group": {
            "processes": _GROUP,
            "msg_per_s": round(group),
            "cpu_us_per_msg": round(median(run.cpu_us_per_msg for run in runs.group), 1),
            "ratio": {name: round(group / rate, 2) for name, rate in others.items()},
        },
        "bare_subscriber": {
            "msg_per_s": round(max(bare.values())),
            "ways": {way: {"msg_per_s": round(rate)} for way, rate in bare.items()},
        },
        "peers": {name: {"msg_per_s": round(rate)} for name, rate in peers.items()},
        "skipped": runs.skipped,
        "ratio": {name: round(ours / rate, 2) for name, rate in others.items()},
        "batched": {"readings_per_s": round(median(run.rows / run.seconds for run in runs.batched))},
        "outage": runs.outage,
        "messages": runs.arterial[0].messages,
        "machine": machine(),
    }


def table(document: dict[str, Any]) -> list[str]:
    """The document as lines for a person."""
    ours, ratio, group = document["arterial"], document["ratio"], document["group"]
    lines = [
        f"{document['messages']:,} messages of one reading, QoS 1, from the broker to durable rows, on {document['machine']}:",
        "",
        f"  {'pipeline':<20}{'msg/s':>10}{'one process is':>17}{f'a group of {_GROUP} is':>19}",
        f"  {'arterial':<20}{ours['msg_per_s']:>10,}",
        f"  {f'arterial, group of {_GROUP}':<20}{group['msg_per_s']:>9,}",
    ]
    for name, peer in document["peers"].items():
        lines.append(f"  {name:<20}{peer['msg_per_s']:>10,}{ratio[name]:>16.2f}×{group['ratio'][name]:>18.2f}×")
    for way, bare in document["bare_subscriber"]["ways"].items():
        own, of_group = ratio[f"bare_{way}"], group["ratio"][f"bare_{way}"]
        lines.append(
            f"  {'bare, ' + way:<20}{bare['msg_per_s']:>10,}{own:>16.2f}×{of_group:>18.2f}×   (stores nothing)"
        )
    lines += [f"  {name:<18}left out: {reason}" for name, reason in document["skipped"].items()]
    lines += [
        "",
        f"  arterial uses {ours['cpu_us_per_msg']} µs of its own processor time per message and {ours['rss_mb']} MB;",
        f"  with arrays of {_ARRAY} readings it stores {document['batched']['readings_per_s']:,} readings/s.",
    ]
    away = document["outage"]
    lines += [
        f"  While the database is away {away['spooled_msg_per_s']:,} msg/s are put on disk and acknowledged; when it is back",
        f"  they are drained at {away['drained_msg_per_s']:,} msg/s. The process had {away['rss_mb']} MB at most.",
    ]
    return lines


def _singles(messages: int) -> Iterator[bytes]:
    return load.singles(messages, _start_ms())


def _start_ms() -> int:
    return int(time.time()) * 1_000 - _SPAN_MS


def _rate(run: Drained) -> float:
    return run.messages / run.seconds


def _line(name: str, run: Drained) -> str:
    return f"  {name}: {_rate(run):,.0f} msg/s"
