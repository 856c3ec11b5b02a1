"""Code concerned with the live process: session, batches, database, and an orderly end."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

import structlog

from ingest.batch import Batch
from ingest.counts import Counts
from ingest.decoders.memory import Memory
from ingest.decoding import decode_all
from ingest.following import following
from ingest.inbox import Inbox, Receipt
from ingest.listener import listening
from ingest.metrics import Figures
from ingest.persistence import Persistence
from ingest.pipeline import limits_of
from ingest.routing import Routing
from ingest.session import Session
from ingest.watch import Watch
from services.errors import UnavailableError
from services.settings import Settings

_MOST_BYTES: Final = 64 * 1024 * 1024
_HEARTBEAT_S: Final = 3.0
_PATIENCE_S: Final = 0.25

log = structlog.get_logger()


def run(settings: Settings, stop: threading.Event, *, retiring: bool = False) -> Counts:
    """Receive, store and acknowledge until `stop` is set; then write what was received and end.

    A retiring process leaves its group and ends by itself when the broker has nothing more for it.

    Raises:
        ConfigurationError: a setting is missing or cannot work, or another process has the client id.
        UnavailableError: the database does not answer at the start, or the session's thread ended by itself.
        StorageError: the database lacks what this version needs.

    """
    routing = Routing.of(settings)
    inbox = Inbox(most_messages=settings.mqtt_receive_maximum, most_bytes=_MOST_BYTES)
    watch = Watch(settings)
    memory = Memory()
    session = Session(settings, inbox, watch, retiring=retiring)
    with (
        following(settings) as follower,
        Persistence(
            settings, client_id=settings.mqtt_client_id, stop=stop, watch=watch, follower=follower
        ) as persistence,
    ):
        figures = Figures(
            received=lambda: inbox.received, session=session, persistence=persistence, memory=memory, watch=watch
        )
        with listening(settings.ingest_metrics_host, settings.ingest_metrics_port, watch.registry, figures.trouble):
            session.start()
            log.info("ingest has started", client_id=settings.mqtt_client_id, topics=settings.mqtt_topics)
            try:
                _work(settings, routing, stop, inbox, session, persistence, memory, watch)
            finally:
                session.close()
        log.info("ingest has ended", received=inbox.received, stored=persistence.counts.stored)
        return persistence.counts


def _work(
    settings: Settings,
    routing: Routing,
    stop: threading.Event,
    inbox: Inbox,
    session: Session,
    persistence: Persistence,
    memory: Memory,
    watch: Watch,
) -> None:
    """Decode in this thread while another writes the batch before, so that neither core waits for the other."""
    limits = limits_of(settings)
    next_heartbeat = 0.0
    running: Future[bool] | None = None
    with ThreadPoolExecutor(1, "writer") as writer:
        while True:
            stopping = stop.is_set() or session.has_retired()
            if stopping:
                session.stop_receiving()
            messages, receipts = inbox.take(
                most=settings.ingest_batch_messages,
                age_s=settings.ingest_batch_age_s,
                patience_s=0.05 if stopping else _PATIENCE_S,
            )
            batch = None
            if messages:
                now_us = time.time_ns() // 1_000
                batch = Batch.of(
                    messages, decode_all(messages, now_us=now_us, limits=limits, memory=memory, routing=routing)
                )
                watch.decoded(len(messages), memory)
            if running is not None and (batch or stopping or running.done()):
                if not running.result():
                    return  # not acknowledged: the broker delivers it again
                running = None
            if batch is not None:
                running = writer.submit(_settle, persistence, session, batch, receipts, inbox.received)
            elif stopping or (
                running is None and (time.monotonic() >= next_heartbeat or watch.beat_for(persistence.counts))
            ):
                persistence.heartbeat(inbox.received)
                next_heartbeat = time.monotonic() + _HEARTBEAT_S
                if stopping:
                    return
            if not session.is_alive():
                message = "the MQTT session ended by itself; the log says why"
                raise session.failure or UnavailableError(message)


def _settle(
    persistence: Persistence, session: Session, batch: Batch, receipts: Sequence[Receipt], received: int
) -> bool:
    """Store a batch and acknowledge it; False when it was told to stop before the database took it."""
    if not persistence.persist(batch, received):
        return False
    session.acknowledge(receipts)
    if batch.reasons:
        log.warning("messages became dead letters", messages=len(batch.reasons))
    return True
