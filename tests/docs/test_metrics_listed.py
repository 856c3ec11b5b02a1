"""The metrics that the operator's page and the alert rules speak of exist, and the page names every one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import cast

import pytest
from prometheus_client import CollectorRegistry
from psycopg_pool import ConnectionPool

from ingest.counts import Counts
from ingest.decoders.memory import Memory
from ingest.inbox import Inbox
from ingest.metrics import Figures
from ingest.persistence import Persistence
from ingest.session import Session
from ingest.watch import Watch
from ingest.work import Work
from services.api.metrics import Requests
from services.settings import load_settings

DEPLOY = Path(__file__).resolve().parents[2] / "deploy"


def names(registry: CollectorRegistry) -> set[str]:
    """The names of all metrics, counters with their suffix."""
    families = [family for family in registry.collect() if family.name.startswith("arterial")]
    return {family.name + ("_total" if family.type == "counter" else "") for family in families}


class _Idle:
    """The work of a process that has none."""

    spool_bytes = 0

    def counts(self) -> Counts:
        return Counts()


@pytest.fixture
def offered() -> set[str]:
    settings = load_settings({"mqtt_url": "mqtt://127.0.0.1:1"}, join_running=False)
    watch, memory = Watch(settings), Memory()
    watch.broker.newest = {"dropped": 0, "clients": 1, "stored": 1, "stored_bytes": 1, "uptime": 1}
    beat = watch.heartbeat.beat()
    assert beat is not None
    watch.heartbeat.hear(beat, received=0)
    watch.heartbeat.committed(1)
    session = Session(settings, Inbox(most_messages=1, most_bytes=1), watch)
    Figures(work=cast("Work", _Idle()), session=session, persistence=Persistence(settings), memory=memory, watch=watch)
    api = {
        *names(Requests(ConnectionPool("host=127.0.0.1 port=1", open=False)).registry),
        "arterial_ingest_session_messages",
        "arterial_ingest_session_silence_seconds",
        "arterial_ingest_session_heartbeat_age_seconds",
    }
    session.close()
    return names(watch.registry) | api


def test_the_page_names_every_metric_and_no_other(offered: set[str]) -> None:
    lines = (DEPLOY / "README.md").read_text(encoding="utf-8").splitlines()
    text = "\n".join(line for line in lines if re.match(r"\| `arterial_(ingest|api|broker)_", line))
    named: set[str] = set()
    for group in re.findall(r"`(arterial_[a-z_]+)(?:\{[a-z_,]+\})?`|`…(_[a-z_]+)`", text):
        if group[0]:
            named.add(last := group[0])
        else:
            named.add(re.sub(r"_messages_.*", "_messages", last) + group[1])
    assert named == offered


def test_the_alert_rules_speak_of_metrics_that_exist(offered: set[str]) -> None:
    rules = (DEPLOY / "prometheus" / "alerts.yaml").read_text(encoding="utf-8")
    spoken = {re.sub("_count$", "", name) for name in re.findall(r"arterial_[a-z_]+", rules)}
    assert spoken
    assert spoken <= offered
