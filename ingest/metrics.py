"""Code concerned with the metrics of an ingest process, put together when somebody asks for them.

No label names a sensor, a topic or a person: messages that may be personal are in the totals only.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from prometheus_client import ProcessCollector
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ingest.counts import Counts
from ingest.decoders.memory import Memory
from ingest.persistence import Persistence
from ingest.rows import TableName
from ingest.session import Session
from ingest.watch import Watch
from ingest.work import Work

SILENCE_S: Final = 20.0
"""An idle process commits its counters every three seconds: without a commit for so long the database does not take any."""
_TABLES: Final[tuple[TableName, ...]] = ("traffic", "energy", "observation")


class Figures(Collector):
    """Reads what the parts of the process count anyway; asking costs the hot path nothing."""

    def __init__(self, *, work: Work, session: Session, persistence: Persistence, memory: Memory, watch: Watch) -> None:
        """Take the parts, and register with the watch's registry, which holds the histograms already."""
        self._work = work
        self._session = session
        self._persistence = persistence
        self._memory = memory
        self._watch = watch
        watch.registry.register(self)
        ProcessCollector(registry=watch.registry)

    def counts(self) -> Counts:
        """The terms of the equation at one instant: what came since the last batch is in flight or in the spool."""
        return self._work.counts()

    def trouble(self) -> list[str]:
        """Why the process is not ready, in sentences; empty when it is."""
        found = [] if self._session.is_connected() else ["there is no session with the broker"]
        heartbeat = self._watch.heartbeat.trouble()
        if heartbeat:
            found.append(heartbeat)
        age_s = self._watch.committed_age_s()
        if age_s > SILENCE_S:
            found.append(f"the database has taken nothing for {age_s:.0f} s")
        return found

    def describe(self) -> list[Metric]:
        """Nothing in advance: the registry then does not ask for figures before there are any."""
        return []

    def collect(self) -> Iterator[Metric]:
        """All figures that are not histograms."""
        yield from self._equation()
        yield from self._transport()
        yield from self._content()
        yield from self._path()
        yield from self._broker()

    def _equation(self) -> Iterator[Metric]:
        counts = self.counts()
        for name, value, meaning in (
            ("received", counts.received, "Messages received by this process."),
            ("stored", counts.stored, "Messages stored."),
            ("duplicate", counts.duplicate, "Messages that brought nothing new."),
            ("dead_lettered", counts.dead_lettered, "Messages kept as dead letters."),
        ):
            yield _counter(f"messages_{name}", meaning, value)
        yield _gauge("messages_spooled", "Messages acknowledged and on disk, waiting for the database.", counts.spooled)
        yield _gauge("spool_bytes", "Size of the spool on disk.", self._work.spool_bytes)
        yield _gauge("messages_in_flight", "Messages received and not yet at their end.", counts.in_flight)
        yield _counter("rows", "Rows written.", counts.rows)

    def _transport(self) -> Iterator[Metric]:
        session = self._session
        yield _gauge("connected", "Whether there is a session with the broker.", session.is_connected())
        yield _counter("connections", "Connections the broker accepted, the first included.", session.connections)
        yield _counter("sessions_lost", "Times the broker had forgotten the session.", session.sessions_lost)
        yield _counter("stalls", "Connections begun anew as a message was never acknowledged.", session.stalls)
        meaning = "Longest time a message has been waiting for its acknowledgement."
        yield _gauge("oldest_unacknowledged_seconds", meaning, session.oldest_unacknowledged_s())

    def _content(self) -> Iterator[Metric]:
        dialects = CounterMetricFamily(
            "arterial_ingest_dialect_messages",
            "Messages by dialect, those that may be personal left out.",
            labels=["dialect"],
        )
        for name, messages in sorted(self._watch.dialects.items()):
            if name != "personal":
                dialects.add_metric([name], messages)
        yield dialects
        recognised = CounterMetricFamily(
            "arterial_ingest_recognised", "Messages whose payload alone told the dialect.", labels=["dialect"]
        )
        for name, messages in sorted(self._memory.recognised.items()):
            recognised.add_metric([name], messages)
        yield recognised
        letters = CounterMetricFamily(
            "arterial_ingest_dead_letters", "Dead letters by class of reason.", labels=["reason"]
        )
        for name, messages in sorted(self._watch.letters.items()):
            letters.add_metric([name], messages)
        yield letters
        succession = self._persistence.memory
        lost = sum(sum(succession.lost(table).values()) for table in _TABLES)
        yield _gauge("sequence_numbers_lost", "Sequence numbers that readings have skipped.", lost)
        skews = [min(found) for table in _TABLES if (found := succession.skew_us(table).values())]
        ahead = max(0.0, -min(skews, default=0) / 1_000_000)
        yield _gauge("clock_ahead_seconds", "How far the clock of the worst device is ahead.", ahead)
        yield _counter(
            "frames_lost", "Messages that a dialect's own numbering shows were never seen.", self._memory.gaps
        )
        meaning = "Facts about devices that decoders gave up for want of space."
        yield _counter("decoder_facts_forgotten", meaning, self._memory.forgotten)

    def _path(self) -> Iterator[Metric]:
        heartbeat = self._watch.heartbeat
        yield _gauge("ready", "Whether the whole path works, as /ready says.", not self.trouble())
        yield _gauge("database_silence_seconds", "Time since the last commit.", self._watch.committed_age_s())
        yield _counter("heartbeats_sent", "Heartbeats published.", heartbeat.sent)
        yield _counter("heartbeats_returned", "Heartbeats that went the whole way.", heartbeat.round_trips)
        age_s = heartbeat.age_s()
        if age_s is not None:
            yield _gauge("heartbeat_age_seconds", "Time since a heartbeat last went the whole way.", age_s)
        if heartbeat.round_trip_s is not None:
            yield _gauge("heartbeat_round_trip_seconds", "How long the last one took.", heartbeat.round_trip_s)

    def _broker(self) -> Iterator[Metric]:
        """What the broker tells; a figure it does not tell is left out."""
        newest = self._watch.broker.newest
        if "dropped" in newest:
            meaning = "Messages the broker has dropped since it started, for any client."
            yield CounterMetricFamily("arterial_broker_messages_dropped", meaning, newest["dropped"])
        for name, key, meaning in (
            ("clients_connected", "clients", "Clients connected to the broker."),
            ("messages_held", "stored", "Messages the broker holds, retained ones included."),
            ("held_bytes", "stored_bytes", "Bytes of payload the broker holds."),
            ("uptime_seconds", "uptime", "Age of the broker."),
        ):
            if key in newest:
                yield GaugeMetricFamily(f"arterial_broker_{name}", meaning, newest[key])


def _counter(name: str, meaning: str, value: float) -> Metric:
    return CounterMetricFamily(f"arterial_ingest_{name}", meaning, value)


def _gauge(name: str, meaning: str, value: float) -> Metric:
    return GaugeMetricFamily(f"arterial_ingest_{name}", meaning, value)
