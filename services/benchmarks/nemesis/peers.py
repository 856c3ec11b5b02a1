"""Code concerned with the same storm over pipelines that people use instead, judged by the same journal.

Each is set up as carefully as its documentation offers: a session that the broker keeps, QoS 1, tries after an error, a
file for what the database refuses, state on disk. Only what a peer can be asked is judged: good readings lost, and rows
too many. None has a key to recognise a repeated message by, so repeats of the devices double in all of them.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final

from services.benchmarks import pipelines
from services.benchmarks.nemesis import payloads
from services.benchmarks.nemesis.journal import Expectation, Journal
from services.benchmarks.pipelines import COLUMNS, INSERT, Way

TOPICS: Final = "city/v1/traffic/+/telemetry"


@dataclass(frozen=True, kw_only=True, slots=True)
class Peer:
    """A pipeline from a broker to the table `reading`.

    Attributes:
        name: for the report.
        command: its command line; installs what is missing, or raises an UnavailableError with the reason.

    """

    name: str
    command: Callable[[Way], list[str]]


def _plain_script(way: Way) -> list[str]:
    broker = f"mqtt://127.0.0.1:{way.broker_port}"
    insert = INSERT.format(", ".join(["%s"] * len(COLUMNS)))
    return [sys.executable, "-m", "services.benchmarks.nemesis.plain_script", broker, way.topics, way.database, insert]


PEERS: Final = (
    Peer(name="plain-script", command=_plain_script),
    Peer(name="mq-bridge", command=pipelines.mq_bridge),
    Peer(name="pathway", command=pipelines.pathway),
    Peer(name="node-red", command=pipelines.node_red),
)


def judge_peer(journal: Journal, rows: Iterable[tuple[int, float, float, float]]) -> dict[str, int]:
    """Count what became of the good readings that the broker acknowledged.

    Args:
        journal: what the devices sent and what the broker acknowledged.
        rows: sequence number, flow, speed and occupancy of every row.

    Returns:
        `published` readings, of which `stored` and `lost`; `doubled`, the rows beyond one for each reading; and
        `repeated`, how many of the messages the devices sent again on purpose.

    """
    held = Counter(rows)
    wanted = {
        identity: (identity[1], *payloads.values(*identity))
        for identity, entry in journal.acknowledged.items()
        if entry.expectation is Expectation.STORED
    }
    return {
        "published": len(wanted),
        "stored": sum(row in held for row in wanted.values()),
        "lost": sum(row not in held for row in wanted.values()),
        "doubled": sum(held[row] - 1 for row in wanted.values() if row in held),
        "repeated": journal.publishes - len(journal.acknowledged),
    }
