"""Code concerned with watching the ingest at work: what each batch took, and whether messages are left lying.

One object is handed to the session and to the writer. It is told once per batch, never per message.
"""

from __future__ import annotations

import re
import time
from collections import Counter as Tally
from collections.abc import Iterable
from typing import Final

from prometheus_client import CollectorRegistry, Histogram

from ingest.batch import Batch
from ingest.broker_figures import BrokerFigures
from ingest.counts import Counts
from ingest.decoders.memory import Memory
from ingest.heartbeat import Heartbeat
from services.settings import Settings

STALL_S: Final = 300.0
"""A message left unacknowledged for longer, while the database has been taking batches all the time, is forgotten."""
_GAP_S: Final = 20.0
"""Without a commit for longer, even an idle one, the database was not fine."""
_SECONDS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
_MESSAGES: Final = (1, 10, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 16_000)
_CLASSES: Final = (
    (re.compile("the payload is [0-9,]+ bytes"), "too_large"),
    (re.compile("no dialect "), "no_dialect"),
    (re.compile("the topic "), "bad_topic"),
    (re.compile("the database refuses it"), "refused_by_database"),
)
"""How the reasons of dead letters begin, by class; all others are about the content."""


class Watch:
    """What is known about one ingest process beside its counters."""

    def __init__(self, settings: Settings) -> None:
        self.heartbeat = Heartbeat(settings.mqtt_client_id, settings.ingest_heartbeat_s)
        self.broker = BrokerFigures()
        self.letters: Tally[str] = Tally()
        self.dialects: dict[str, int] = {}
        self.registry = CollectorRegistry()
        self._decoded = 0
        self._committed_at = 0.0
        self._fine_since = 0.0
        self._commit_s = self._histogram("commit_seconds", "Time to write and commit one batch.", _SECONDS)
        self._latency_s = self._histogram(
            "receive_to_commit_seconds", "From the receipt of the oldest message of a batch to its commit.", _SECONDS
        )
        self._messages = self._histogram("batch_messages", "Messages of one batch.", _MESSAGES)

    def _histogram(self, name: str, meaning: str, buckets: Iterable[float]) -> Histogram:
        return Histogram(f"arterial_ingest_{name}", meaning, buckets=tuple(buckets), registry=self.registry)

    def decoded(self, messages: int, memory: Memory) -> None:
        """Count the messages of a batch by dialect: those the catalogue did not see were plain native readings."""
        self._decoded += messages
        found = dict(memory.heard)
        found["native"] = found.get("native", 0) + self._decoded - sum(found.values())
        self.dialects = found

    def beat_for(self, counts: Counts) -> int | None:
        """The heartbeat to commit together with these counters, if any."""
        return self.heartbeat.ready(counts.ended)

    def committed(self, beat: int | None, batch: Batch | None = None, seconds: float = 0.0) -> None:
        """Note a commit: of a batch that took so many seconds to write, or of the counters alone."""
        now = time.monotonic()
        if now - self._committed_at > _GAP_S:
            self._fine_since = now
        self._committed_at = now
        if beat is not None:
            self.heartbeat.committed(beat)
        if batch is not None and batch.messages:
            self._commit_s.observe(seconds)
            self._messages.observe(len(batch.messages))
            self._latency_s.observe(max(0.0, time.time() - batch.messages[0].received_us / 1_000_000))
            if batch.reasons:
                new = batch.reasons.keys() - batch.known_letters
                self.letters.update(class_of(batch.reasons[place][0]) for place in sorted(new))

    def committed_age_s(self) -> float:
        """Time since the last commit, idle ones included [s]."""
        return time.monotonic() - self._committed_at

    def is_stalled(self, oldest_s: float) -> bool:
        """Whether a message that waits for so long for its acknowledgement was forgotten, as the database was fine."""
        now = time.monotonic()
        fine = now - self._committed_at <= _GAP_S and now - self._fine_since > STALL_S
        return oldest_s > STALL_S and fine


def class_of(reason: str) -> str:
    """The class of a dead letter's reason; one of a few words."""
    return next((name for beginning, name in _CLASSES if beginning.match(reason)), "content")
