"""Code concerned with what is measured: Arterial's own process, and the pipelines people would use instead.

Peers store five plain columns without a key and without the sensor, which is less than Arterial stores: the comparison
leans towards them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from services.benchmarks import pipelines
from services.benchmarks.pipelines import Way
from services.benchmarks.speed.load import TOPICS
from services.benchmarks.speed.rig import WINDOW, Rig
from services.embedded import start_child

PEER_TABLE: Final = "public.reading"


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


def arterial(
    rig: Rig, client_id: str, processes: int = 1, more: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    """The real process, or group of processes, with its default settings, told only where broker and database are.

    Args:
        rig: the servers.
        client_id: of the session.
        processes: how many.
        more: further settings by name, without prefix.

    """
    chosen = {
        "database_url": rig.settings.owner_dsn(),
        "database_password_ingest": _password(rig),
        "mqtt_url": rig.settings.broker_url(),
        "mqtt_client_id": client_id,
        "mqtt_topics": json.dumps([TOPICS]),
        "mqtt_receive_maximum": str(WINDOW),
        "data_dir": str(rig.folder / "arterial"),
        **(more or {}),
    }
    env = _plain_environment() | {f"ARTERIAL_{name.upper()}": value for name, value in chosen.items()}
    command = [sys.executable, "-m", "services.cli", "ingest", "--processes", str(processes)]
    return _run(command, rig, client_id, env)


def _peer(command: Callable[[Way], list[str]]) -> Callable[[Rig, str], subprocess.Popen[bytes]]:
    """How a peer is started on the servers of a measurement."""

    def start(rig: Rig, client_id: str) -> subprocess.Popen[bytes]:
        way = Way(
            broker_port=rig.mqtt_port,
            topics=TOPICS,
            client_id=client_id,
            window=WINDOW,
            database=rig.settings.owner_dsn(),
            stamps="integer",
            folder=rig.folder,
            is_careful=False,
        )
        return _run(command(way), rig, client_id, _plain_environment())

    return start


ARTERIAL: Final = Consumer(name="arterial", table="sensing.traffic", start=arterial)
PEERS: Final = (
    Consumer(name="mq-bridge", table=PEER_TABLE, start=_peer(pipelines.mq_bridge)),
    Consumer(name="pathway", table=PEER_TABLE, start=_peer(pipelines.pathway)),
    Consumer(name="node-red", table=PEER_TABLE, start=_peer(pipelines.node_red), share=0.2),
)


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
