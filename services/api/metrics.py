"""Code concerned with the metrics of the API: its own requests, and what ingest sessions have left in the database.

Requests are counted by route, never by address, parameter or client; what may be personal is in the totals only.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Final

import psycopg
from prometheus_client import CollectorRegistry, Histogram, ProcessCollector
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from psycopg_pool import PoolTimeout

from services.storage import health
from services.storage.database import Pool

_BUCKETS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15)
_METHODS: Final = {"GET", "HEAD", "POST", "OPTIONS"}
_FATES: Final = ("received", "stored", "duplicate", "dead_lettered", "spooled", "in_flight")
_PATIENCE_S: Final = 2.0


class Requests:
    """How many requests each route answered, and how quickly."""

    def __init__(self, pool: Pool) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        self.registry.register(_Sessions(pool))
        self._seconds = Histogram(
            "arterial_api_request_seconds",
            "Time to answer a request, by route.",
            ("method", "route", "status"),
            buckets=_BUCKETS,
            registry=self.registry,
        )

    def answered(self, scope: Any, status: int, seconds: float, *, in_dashboard: bool) -> None:
        """Count one; what no route knows has one name for all."""
        route = "/dash" if in_dashboard else getattr(scope.get("route"), "path", "none")
        method = scope["method"] if scope["method"] in _METHODS else "other"
        self._seconds.labels(method, route, f"{status // 100}xx").observe(seconds)


class _Sessions(Collector):
    """The ingest sessions of the last day, as the database has them."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def describe(self) -> list[Metric]:
        """Nothing in advance."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Counters and ages, or only that the database does not answer."""
        up = GaugeMetricFamily("arterial_api_database_up", "Whether the database answers.")
        try:
            with self._pool.connection(timeout=_PATIENCE_S) as connection:
                sessions = health.ingest_sessions(connection)
                issued = health.oldest_forecast(connection)
        except (PoolTimeout, psycopg.Error):
            up.add_metric([], 0)
            yield up
            return
        up.add_metric([], 1)
        yield up
        messages = GaugeMetricFamily(
            "arterial_ingest_session_messages",
            "Messages of an ingest session since it began, by fate; received is the sum of the others.",
            labels=["client_id", "fate"],
        )
        seen = GaugeMetricFamily(
            "arterial_ingest_session_silence_seconds", "Time since the session last committed.", labels=["client_id"]
        )
        beats = GaugeMetricFamily(
            "arterial_ingest_session_heartbeat_age_seconds",
            "Time since a heartbeat last went through broker and database.",
            labels=["client_id"],
        )
        now = time.time()
        for session in sessions:
            for fate in _FATES:
                messages.add_metric([session.client_id, fate], getattr(session, fate))
            seen.add_metric([session.client_id], max(0.0, now - session.seen_at.timestamp()))
            if session.heartbeat_at is not None:
                beats.add_metric([session.client_id], max(0.0, now - session.heartbeat_at.timestamp()))
        yield from (messages, seen, beats)
        age = GaugeMetricFamily(
            "arterial_forecast_age_seconds",
            "Age of the forecast now in use of whichever part of the city has the oldest; absent without any of a day.",
        )
        if issued is not None:
            age.add_metric([], max(0.0, now - issued.timestamp()))
        yield age
