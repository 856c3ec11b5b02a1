"""Code concerned with history: many messages into the database by the same decoders, flags and writer as live ones.

Decoding runs in this thread while another writes the block before, so both cores work.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

from ingest.batch import Batch
from ingest.counts import Counts
from ingest.decoders.checks import Limits
from ingest.decoders.memory import Memory
from ingest.persistence import Persistence
from ingest.routing import Routing
from services.domain import Message
from services.settings import Settings

_BLOCK_READINGS: Final = 150_000


def limits_of(settings: Settings) -> Limits:
    """What the settings accept."""
    return Limits(
        max_payload_bytes=settings.ingest_max_payload_bytes,
        future_tolerance_s=settings.ingest_future_tolerance_s,
        oldest_days=settings.ingest_oldest_days,
        zone=settings.city_timezone,
    )


def store(settings: Settings, messages: Iterable[Message]) -> Counts:
    """Store messages through a connection of their own, in big transactions; repeating it adds nothing.

    Args:
        settings: the database, and what is accepted.
        messages: in any order; one message of many readings is quicker than many of one.

    Returns:
        What became of them; `received = stored + duplicate + dead_lettered`.

    Raises:
        UnavailableError: the database does not answer at the start.
        ConfigurationError: a rule of `ingest_routes` cannot work.

    """
    with Persistence(settings) as persistence, ThreadPoolExecutor(1, "history-writer") as writer:
        received = 0
        running: Future[object] | None = None
        for batch in _blocks(settings, messages):
            received += len(batch.messages)
            if running is not None:
                running.result()
            running = writer.submit(persistence.persist, batch, received)
        if running is not None:
            running.result()
        return persistence.counts


def _blocks(settings: Settings, messages: Iterable[Message]) -> Iterator[Batch]:
    limits = limits_of(settings)
    memory = Memory()
    routing = Routing.of(settings)
    block: list[Message] = []
    decoded = []
    size = 0
    for message in messages:
        said = routing.decode(message, now_us=time.time_ns() // 1_000, limits=limits, memory=memory)
        block.append(message)
        decoded.append(said)
        size += 1 + len(said.readings)
        if size >= _BLOCK_READINGS:
            yield Batch.of(block, decoded)
            block, decoded, size = [], [], 0
    if block:
        yield Batch.of(block, decoded)
