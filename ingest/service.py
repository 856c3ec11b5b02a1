"""Code concerned with the live process: session, batches, database, and an orderly end."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import structlog

from ingest.counts import Counts
from ingest.decoders.memory import Memory
from ingest.following import following
from ingest.inbox import Inbox
from ingest.listener import listening
from ingest.message_spool import MessageSpool
from ingest.metrics import Figures
from ingest.persistence import Persistence
from ingest.routing import Routing
from ingest.session import Session
from ingest.watch import Watch
from ingest.work import Work
from services.settings import Settings

_MOST_BYTES: Final = 64 * 1024 * 1024

log = structlog.get_logger()


def run(settings: Settings, stop: threading.Event, *, retiring: bool = False) -> Counts:
    """Receive, store and acknowledge until `stop` is set; then write what was received and end.

    A retiring process leaves its group and ends by itself when the broker has nothing more for it.

    Raises:
        ConfigurationError: a setting is missing or cannot work, or another process has the client id.
        UnavailableError: the database does not answer at the start and there is no spool, or the session's thread ended by
            itself.
        StorageError: the database lacks what this version needs.

    """
    routing = Routing.of(settings)
    inbox = Inbox(most_messages=settings.mqtt_receive_maximum, most_bytes=_MOST_BYTES)
    watch = Watch(settings)
    memory = Memory()
    session = Session(settings, inbox, watch, retiring=retiring)
    with (
        following(settings, watch.registry) as follower,
        Persistence(
            settings,
            client_id=settings.mqtt_client_id,
            stop=stop,
            watch=watch,
            follower=follower,
            may_be_away=settings.ingest_spool_bytes > 0,
        ) as persistence,
        _spool(settings, routing) as spool,
    ):
        work = Work(
            settings,
            stop=stop,
            inbox=inbox,
            session=session,
            persistence=persistence,
            routing=routing,
            memory=memory,
            watch=watch,
            spool=spool,
        )
        figures = Figures(work=work, session=session, persistence=persistence, memory=memory, watch=watch)
        with listening(settings.ingest_metrics_host, settings.ingest_metrics_port, watch.registry, figures.trouble):
            session.start()
            log.info("ingest has started", client_id=settings.mqtt_client_id, topics=settings.mqtt_topics)
            try:
                work.run()
            finally:
                session.close()
        counts = work.counts()
        log.info("ingest has ended", received=counts.received, stored=counts.stored, spooled=counts.spooled)
        return counts


@contextmanager
def _spool(settings: Settings, routing: Routing) -> Iterator[MessageSpool | None]:
    """The spool of this process, open; None where the settings want none."""
    if settings.ingest_spool_bytes == 0:
        yield None
        return
    with MessageSpool(settings, routing) as spool:
        yield spool
