"""Code concerned with the work of a live process: messages into the database, or on disk while it is away.

The direct way decodes a batch in this thread while another stores the one before. When the database has not taken a batch
for a while, messages go to the spool as they come, and are acknowledged; beside that the spool is drained from its head
whenever the database lets it, decoding in one thread and storing in another. Messages are decoded in the order of their
receipt, each once: what was decoded already when it went to the spool is kept as it is. Once the spool is empty the
direct way is taken again.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Final

import structlog

from ingest.batch import Batch
from ingest.counts import Counts
from ingest.decoders.memory import Memory
from ingest.decoding import decode_all
from ingest.inbox import Inbox, Receipt
from ingest.message_spool import MessageSpool
from ingest.persistence import Persistence
from ingest.pipeline import limits_of
from ingest.routing import Routing
from ingest.session import Session
from ingest.spool import Position
from ingest.watch import Watch
from services.domain import Decoded, Message
from services.errors import UnavailableError
from services.settings import Settings

_HEARTBEAT_S: Final = 3.0
_LOOK_S: Final = 0.25
_STOP_LOOK_S: Final = 0.05
_STOP_PATIENCE_S: Final = 4.0
_CALM_S: Final = 10.0
"""A full spool that is drained takes and refuses in turns; only after this long without a refusal it is told to take again."""

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True, slots=True)
class _Taken:
    """Messages taken from the inbox, what acknowledges them, and what they said, when they are decoded."""

    messages: list[Message]
    receipts: list[Receipt]
    batch: Batch | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Running:
    """What another thread does since `begun`: a batch is stored, or, without one, a heartbeat is written."""

    future: Future[int]
    begun: float
    taken: _Taken | None = None


class Work:
    """The loop of one process."""

    def __init__(
        self,
        settings: Settings,
        *,
        stop: threading.Event,
        inbox: Inbox,
        session: Session,
        persistence: Persistence,
        routing: Routing,
        memory: Memory,
        watch: Watch,
        spool: MessageSpool | None,
    ) -> None:
        """Take the parts, all open; without a spool the database is waited for."""
        self._settings = settings
        self._stop = stop
        self._inbox = inbox
        self._session = session
        self._persistence = persistence
        self._routing = routing
        self._memory = memory
        self._watch = watch
        self._spool = spool
        self._limits = limits_of(settings)
        self._most = settings.ingest_batch_messages
        self._patience_s = None if spool is None else settings.ingest_patience_s
        self._pending: deque[_Taken] = deque()
        """Taken, and neither stored nor spooled; nothing more is taken as long as there is any."""
        self._decoded: deque[tuple[Batch, Position]] = deque()
        """At the head of the spool: what is decoded already, and the position after it."""
        self._handing_over = threading.Lock()
        self._refused_at: float | None = None
        self._next_heartbeat = 0.0
        inbox.received = 0 if spool is None else len(spool)

    def counts(self) -> Counts:
        """What has become of the messages by now."""
        return self._persistence.counts.taking_in(*self._intake())

    @property
    def spool_bytes(self) -> int:
        """Size of the spool on disk [bytes]."""
        return 0 if self._spool is None else self._spool.size_bytes

    def run(self) -> None:
        """Work until told to stop; then store or spool what was received.

        Raises:
            UnavailableError: the session's thread ended by itself.
            StorageError: the database lacks what this version needs.

        """
        self._expire()
        with ThreadPoolExecutor(1, "writer") as writer, ThreadPoolExecutor(1, "drain") as drainer:
            is_done = False
            while not is_done:
                if self._spool is not None and len(self._spool):
                    log.info("messages wait in the spool", messages=len(self._spool), bytes=self._spool.size_bytes)
                    is_done = self._by_way_of_spool(self._spool, writer, drainer)
                    if not len(self._spool):
                        log.info("the spool is empty")
                        self._tell_room()
                else:
                    is_done = self._directly(writer)
            if not self._persistence.is_in_trouble():
                self._beat()

    # the direct way

    def _directly(self, writer: ThreadPoolExecutor) -> bool:
        """Store what arrives; True at the end of the work, False when messages have gone to the spool, or should."""
        running: _Running | None = None
        while True:
            self._expire()
            stopping = self._is_stopping() or self._session.has_retired()
            taken = self._next(stopping=stopping)
            if taken is not None and taken.batch is None:
                taken = self._decode(taken)
            if running is not None and (taken or stopping or running.future.done() or self._is_late(running)):
                rest = self._finish(running)
                running = None
                if rest is not None:
                    self._pending.extendleft(reversed([rest] if taken is None else [rest, taken]))
                    if self._spool is None or not self._put_pending(self._spool):
                        return self._stop.is_set()
                    return False
            if taken is not None:
                future = writer.submit(self._settle, taken)
                running = _Running(future=future, begun=time.monotonic(), taken=taken)
            elif stopping:
                return True
            elif running is None and self._is_heartbeat_due():
                running = _Running(future=writer.submit(self._beat), begun=time.monotonic())
            self._check_session()

    def _settle(self, taken: _Taken) -> int:
        """Store a batch and acknowledge it when all of it is stored; how many messages were."""
        if taken.batch is None:
            return 0
        stored = self._persistence.persist(taken.batch, *self._intake(), patience_s=self._patience_s)
        if stored == len(taken.messages):
            self._session.acknowledge(taken.receipts)
            _tell_dead_letters(taken.batch)
        return stored

    def _beat(self) -> int:
        self._persistence.heartbeat(*self._intake())
        self._next_heartbeat = time.monotonic() + _HEARTBEAT_S
        return 0

    def _is_heartbeat_due(self) -> bool:
        due = time.monotonic() >= self._next_heartbeat
        return due or self._watch.beat_for(self._persistence.counts) is not None

    def _is_late(self, running: _Running) -> bool:
        """Whether the database has had more time than it is given."""
        patience_s = self._patience_s
        if patience_s is None and self._is_stopping():
            patience_s = _STOP_PATIENCE_S
        return patience_s is not None and time.monotonic() - running.begun > patience_s + _LOOK_S

    def _finish(self, running: _Running) -> _Taken | None:
        """Wait for the other thread, and break its connection when that takes too long; what it has not stored."""
        while not wait([running.future], _LOOK_S).done:
            if self._is_late(running):
                self._persistence.interrupt()
        stored = running.future.result()
        taken = running.taken
        if taken is None or taken.batch is None or stored == len(taken.messages):
            return None
        batch = Batch.of(taken.batch.messages[stored:], taken.batch.decoded[stored:])
        return _Taken(messages=taken.messages[stored:], receipts=taken.receipts, batch=batch)

    # the way by the spool

    def _by_way_of_spool(self, spool: MessageSpool, writer: ThreadPoolExecutor, drainer: ThreadPoolExecutor) -> bool:
        """Spool what arrives while the head is drained; True at the end of the work, False when the spool is empty."""
        enough = threading.Event()
        draining = drainer.submit(self._drain, spool, writer, enough)
        held_since: float | None = None
        try:
            while not draining.done():
                self._expire()
                stopping = self._is_stopping()
                if len(spool) <= self._most and not self._persistence.is_in_trouble() and not stopping:
                    # Nearly caught up: what arrives waits a moment in the inbox, so that the spool can become empty.
                    held_since = held_since or time.monotonic()
                    if time.monotonic() - held_since < self._settings.ingest_patience_s:
                        wait([draining], _STOP_LOOK_S)
                        continue
                else:
                    held_since = None
                taken = self._next(stopping=stopping)
                if taken is not None:
                    self._pending.appendleft(taken)
                    if not self._put_pending(spool):
                        if stopping:
                            return True
                        wait([draining], _LOOK_S)
                elif stopping:
                    return True
                self._check_session()
        finally:
            enough.set()
            begun = time.monotonic()
            while not wait([draining], _LOOK_S).done:
                if time.monotonic() - begun > _STOP_PATIENCE_S:
                    self._persistence.interrupt()
        draining.result()
        return False

    def _drain(self, spool: MessageSpool, writer: ThreadPoolExecutor, enough: threading.Event) -> None:
        """Store what is in the spool, until it is empty or that is enough."""
        running: tuple[Future[int], int, Position] | None = None
        at: Position | None = None
        while True:
            batch: Batch | None = None
            if not enough.is_set():
                batch, at = self._next_spooled(spool, at)
            if running is not None:
                future, messages, end = running
                if future.result() < messages:
                    return
                _advance(spool, end)
                running = None
            elif batch is None:
                return
            if batch is not None and at is not None:
                running = writer.submit(self._settle_spooled, batch), len(batch.messages), at

    def _next_spooled(self, spool: MessageSpool, at: Position | None) -> tuple[Batch | None, Position | None]:
        """The next batch from the spool and the position after it; no batch at its end."""
        with self._handing_over:
            if self._decoded:
                return self._decoded.popleft()
            waited = spool.read(most=self._most, start=at)
        if not len(waited):
            return None, at
        messages = waited.messages
        decoded = self._say(messages)
        stand_ins = [spool.stand_in()] * len(waited.lost)
        return Batch.of([*messages, *stand_ins], [*decoded, *waited.lost]), waited.end

    def _settle_spooled(self, batch: Batch) -> int:
        stored = self._persistence.persist(batch, *self._intake(), drained=True)
        if stored == len(batch.messages):
            _tell_dead_letters(batch)
        return stored

    def _put_pending(self, spool: MessageSpool) -> bool:
        """Put what is pending on the disk and acknowledge it; False when there is no room for all of it."""
        while self._pending:
            taken = self._pending[0]
            try:
                with self._handing_over:
                    end = spool.append(taken.messages)
                    if taken.batch is not None:
                        self._decoded.append((taken.batch, end))
            except OSError as error:
                if self._refused_at is None:
                    log.error(  # noqa: TRY400 - it is no fault of the program
                        "the spool takes no more, messages stay at the broker until it does",
                        reason=error.strerror,
                        bytes=spool.size_bytes,
                    )
                self._refused_at = time.monotonic()
                return False
            if self._refused_at is not None and time.monotonic() - self._refused_at > _CALM_S:
                self._tell_room()
            self._session.acknowledge(taken.receipts)
            self._pending.popleft()
        return True

    def _tell_room(self) -> None:
        if self._refused_at is not None:
            log.info("the spool takes messages again")
            self._refused_at = None

    def _expire(self) -> None:
        if self._spool is not None:
            try:
                self._spool.expire()
            except OSError as error:
                log.warning("what is too old in the spool could not be erased", reason=error.strerror)

    # both

    def _next(self, *, stopping: bool) -> _Taken | None:
        """What is pending, else what has arrived, in the order of receipt."""
        if stopping:
            self._session.stop_receiving()
        if self._pending:
            return self._pending.popleft()
        messages, receipts = self._inbox.take(
            most=self._most,
            age_s=self._settings.ingest_batch_age_s,
            patience_s=_STOP_LOOK_S if stopping else _LOOK_S,
        )
        return _Taken(messages=messages, receipts=receipts) if messages else None

    def _decode(self, taken: _Taken) -> _Taken:
        batch = Batch.of(taken.messages, self._say(taken.messages))
        return _Taken(messages=taken.messages, receipts=taken.receipts, batch=batch)

    def _say(self, messages: list[Message]) -> list[Decoded]:
        """What messages say; in the order of receipt, and of each once, as decoders remember."""
        now_us = time.time_ns() // 1_000
        decoded = decode_all(messages, now_us=now_us, limits=self._limits, memory=self._memory, routing=self._routing)
        self._watch.decoded(len(messages), self._memory)
        return decoded

    def _intake(self) -> tuple[int, int]:
        """Messages received, and how many of them were put into the spool: counted first, so that they are no more."""
        spooled = 0 if self._spool is None else self._spool.taken_in
        return self._inbox.received, spooled

    def _is_stopping(self) -> bool:
        return self._stop.is_set()

    def _check_session(self) -> None:
        if not self._session.is_alive():
            self._stop.set()  # so that no thread waits for the database any longer
            message = "the MQTT session ended by itself; the log says why"
            raise self._session.failure or UnavailableError(message)


def _advance(spool: MessageSpool, end: Position) -> None:
    try:
        spool.advance(end)
    except OSError as error:
        log.warning("the place in the spool was not written, after a restart some comes twice", reason=error.strerror)


def _tell_dead_letters(batch: Batch) -> None:
    new = len(batch.reasons) - len(batch.known_letters)
    if new:
        log.warning("messages became dead letters", messages=new)
