"""Code concerned with the same storm over pipelines that people use instead, judged by the same journal.

Only what a peer can be asked is judged: good readings lost, and readings stored more than once.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from services.benchmarks.nemesis import payloads
from services.benchmarks.nemesis.journal import Expectation, Journal

TOPICS: Final = "city/v1/traffic/+/telemetry"
_COLUMNS: Final = ("ts", "seq", "flow_vph", "speed_kmh", "occupancy")
_INSERT: Final = "INSERT INTO reading (ts, seq, flow_vph, speed_kmh, occupancy) VALUES ({})"
_PYTHON: Final = Path(".bench") / "python" / "bin" / "python"
_MQ_BRIDGE: Final = "import sys, json; from mq_bridge import Route; Route.from_config(json.loads(sys.argv[1])).run()"


@dataclass(frozen=True, kw_only=True, slots=True)
class Peer:
    """A pipeline from a broker to the table `reading`.

    Attributes:
        name: for the report.
        command: its command line for the URL of a broker and of a database.
        missing: why it cannot run here; None when it can.

    """

    name: str
    command: Callable[[str, str], list[str]]
    missing: Callable[[], str | None]


def _plain_script(broker: str, database: str) -> list[str]:
    insert = _INSERT.format(", ".join(["%s"] * len(_COLUMNS)))
    return [sys.executable, "-m", "services.benchmarks.nemesis.plain_script", broker, TOPICS, database, insert]


def _mq_bridge(broker: str, database: str) -> list[str]:
    """Batches by COPY, acknowledged after the output has them."""
    values = ", ".join(f"${{payload:{name}}}" for name in _COLUMNS)
    mqtt = {
        "url": broker.replace("mqtt://", "tcp://"),
        "topic": TOPICS,
        "qos": 1,
        "clean_session": False,
        "client_id": "mq-bridge",
        "max_inflight": 20_000,
        "queue_capacity": 20_000,
        "session_expiry_interval": 86_400,
    }
    sqlx = {"url": database, "table": "reading", "insert_query": _INSERT.format(values), "bulk_copy": True}
    route = {"input": {"mqtt": mqtt}, "output": {"sqlx": sqlx}, "batch_size": 5_000}
    return [str(_PYTHON.absolute()), "-c", _MQ_BRIDGE, json.dumps(route)]


def _is_installed() -> str | None:
    return None if _PYTHON.exists() else "it is not installed here: `arterial bench ingest` installs it"


PEERS: Final = (
    Peer(name="plain-script", command=_plain_script, missing=lambda: None),
    Peer(name="mq-bridge", command=_mq_bridge, missing=_is_installed),
)


def judge_peer(journal: Journal, rows: Iterable[tuple[int, float, float, float]]) -> dict[str, int]:
    """Count the good readings that were acknowledged by the broker and that a peer lost, or stored more than once."""
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
        "doubled": sum(held[row] > 1 for row in wanted.values()),
    }
