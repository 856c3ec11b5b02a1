"""Code concerned with getting a batch into the database whatever happens: waiting for it, or bisecting the batch.

Trouble of the database is waited out with the batch kept in memory, for as long as the caller is patient; a batch the
database refuses is halved until the message it refuses stands alone and becomes a dead letter.
"""

from __future__ import annotations

import math
import os
import random
import socket
import threading
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from types import TracebackType
from typing import Final, Self

import psycopg
import structlog

from ingest.batch import Batch
from ingest.committed import Follower
from ingest.counts import Counts
from ingest.succession import Memory
from ingest.watch import Watch
from ingest.writer import Writer
from services.domain import Decoded, Rejected
from services.errors import ConfigurationError, StorageError, UnavailableError
from services.settings import Settings
from services.storage import readings
from services.storage.database import Connection, connect, first_line

_RETRYABLE: Final = ("08", "40001", "40P01", "53", "55P03", "57", "58", "25006")
"""SQLSTATE classes of trouble that passes: connection, serialisation, resources, lock, operator, system, read-only."""
_NOT_OF_THE_MESSAGE: Final = "42"
"""A missing table, column or right: no message is to blame, and none must become a dead letter for it."""
_FIRST_PAUSE_S: Final = 0.1
_LONGEST_PAUSE_S: Final = 2.0
_END_PATIENCE_MS: Final = 2_000

log = structlog.get_logger()


def is_passing(error: psycopg.Error) -> bool:
    """Whether the same batch may be stored when tried again."""
    if error.sqlstate is None:
        return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    return error.sqlstate.startswith(_RETRYABLE)


@dataclass(frozen=True, slots=True)
class _Task:
    """A batch to write: how many were received and spooled by then, whether it was, until when to try, whether it was tried."""

    batch: Batch
    received: int
    spooled: int
    drained: bool
    deadline: float
    again: bool = False

    def of(self, batch: Batch) -> _Task:
        return replace(self, batch=batch)

    def anew(self) -> _Task:
        """As it was before the writer had it."""
        return self.of(Batch.of(self.batch.messages, self.batch.decoded))


class Persistence:
    """The database as the ingest sees it: one connection, made anew when it is lost.

    With a client id it is a session: locked against a second process, its counters kept in the database.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        client_id: str | None = None,
        stop: threading.Event | None = None,
        watch: Watch | None = None,
        follower: Follower | None = None,
        may_be_away: bool = False,
    ) -> None:
        """Nothing is opened before `with`; with a spool to bridge it, the database may be away then."""
        self._settings = settings
        self._client_id = client_id
        self._watch = watch
        self._follower = follower
        self._stop = stop or threading.Event()
        self._connection: Connection | None = None
        self._writer: Writer | None = None
        self._may_be_away = may_be_away
        self._backend: tuple[int, datetime] | None = None
        """The server process of the last connection: while it lives it holds the lock of the client id."""
        self._in_trouble = False

    def __enter__(self) -> Self:
        """Connect.

        Raises:
            UnavailableError: the database does not answer, and is not to be waited for.
            ConfigurationError: another process has the client id.

        """
        try:
            self._connect()
        except UnavailableError as error:
            if not self._may_be_away:
                raise
            log.warning("the database is away, messages will wait in the spool", reason=str(error))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the connection, and with it give up the lock."""
        if self._connection is not None:
            self._connection.close()

    @property
    def counts(self) -> Counts:
        """What became of the messages so far, as last committed."""
        return Counts() if self._writer is None else self._writer.counts

    @property
    def memory(self) -> Memory:
        """What is remembered of each series."""
        return Memory() if self._writer is None else self._writer.memory

    def persist(
        self, batch: Batch, received: int, spooled: int = 0, *, drained: bool = False, patience_s: float | None = None
    ) -> int:
        """Write a batch, for as long as it takes or `patience_s` lasts.

        Args:
            batch: the messages.
            received: all messages of the session so far.
            spooled: how many of them were put into the spool.
            drained: whether this batch comes from there.
            patience_s: how long the database may be away [s]; by default for ever.

        Returns:
            How many messages were written, counted from the first: all, unless patience ran out or it was told to stop.

        Raises:
            StorageError: the database lacks what this version needs; nothing more of the batch was written.

        """
        deadline = math.inf if patience_s is None else time.monotonic() + patience_s
        return self._persist(_Task(batch, received, spooled, drained, deadline))

    def heartbeat(self, received: int, spooled: int = 0) -> None:
        """Show in the database that the session lives; with a connection that was lost, try once to make it anew."""
        try:
            if self._writer is None or self._in_trouble:
                if self._connection is not None:
                    self._connection.close()  # with it goes the lock that the next one takes
                self._connect()
            self._open_writer().heartbeat(received, spooled)
            self._in_trouble = False
        except (psycopg.Error, UnavailableError, ConfigurationError) as error:
            self._tell("the heartbeat was not written", error)

    def is_in_trouble(self) -> bool:
        """Whether the last attempt failed."""
        return self._in_trouble or self._writer is None

    def interrupt(self) -> None:
        """Break the connection, so that the thread that waits for the database meets an error; from any other thread."""
        connection = self._connection
        if connection is not None:
            with suppress(OSError, psycopg.Error), socket.socket(fileno=os.dup(connection.fileno())) as wire:
                wire.shutdown(socket.SHUT_RDWR)

    def _persist(self, task: _Task) -> int:
        pause = _FIRST_PAUSE_S
        refused = False
        if self._writer is None and not self._reconnect(0.0, task.deadline):
            return 0
        while True:
            try:
                self._open_writer().write(
                    task.batch, task.received, task.spooled, drained=task.drained, again=task.again
                )
            except psycopg.Error as error:
                if not is_passing(error):
                    if error.sqlstate is not None and error.sqlstate.startswith(_NOT_OF_THE_MESSAGE):
                        raise StorageError(_unusable(error)) from error
                    if refused:
                        return self._isolate(task, error)
                    refused = True  # what was looked up may be out of date: once more with fresh eyes
                    self._open_writer().forget()
                    task = task.anew()
                    continue
                self._tell("the database does not take the batch, trying again", error)
                if not self._reconnect(pause, task.deadline):
                    return 0
                pause = min(pause * 2, _LONGEST_PAUSE_S)
                task = replace(task.anew(), again=True)  # perhaps only the answer was lost
            else:
                self._in_trouble = False
                return len(task.batch.messages)

    def _isolate(self, task: _Task, error: psycopg.Error) -> int:
        batch = task.batch
        if len(batch.messages) == 1:
            if not batch.decoded[0].readings and batch.decoded[0].rejected:
                raise StorageError(_unusable(error)) from error  # not even the dead letter is taken
            reason = f"the database refuses it: {first_line(error)}"
            log.warning("a message was refused by the database", reason=reason)
            refused = Decoded(rejected=(Rejected(reason=reason),), personal=batch.decoded[0].personal)
            return self._persist(task.of(Batch.of(batch.messages, [refused])))
        middle = len(batch.messages) // 2
        first = self._persist(task.of(Batch.of(batch.messages[:middle], batch.decoded[:middle])))
        if first < middle:
            return first
        return first + self._persist(task.of(Batch.of(batch.messages[middle:], batch.decoded[middle:])))

    def _reconnect(self, pause: float, deadline: float) -> bool:
        """Wait and connect again, until it works; False when told to stop, or the deadline has passed."""
        if self._connection is not None:
            self._connection.close()
        if time.monotonic() > deadline:
            return False
        while not self._stop.wait(pause * random.uniform(0.5, 1.0)):  # noqa: S311 - jitter, not a secret
            try:
                self._connect()
            except (UnavailableError, ConfigurationError, psycopg.Error) as error:
                if isinstance(error, psycopg.Error) and not is_passing(error):
                    raise StorageError(_unusable(error)) from error
                self._tell("the database is away, trying again", error)
                if time.monotonic() > deadline:
                    return False
                pause = min(max(_FIRST_PAUSE_S, pause * 2), _LONGEST_PAUSE_S)
            else:
                log.info("the database is back")
                return True
        return False

    def _tell(self, what: str, error: Exception) -> None:
        """Log trouble as a warning when it begins, and its continuation for those who look closely."""
        (log.debug if self._in_trouble else log.warning)(what, reason=first_line(error))
        self._in_trouble = True

    def _connect(self) -> None:
        """Open the connection, take the lock of the client id, and count from zero when it is the first time."""
        connection = connect(self._settings.role_dsn("ingest"), application="ingest", autocommit=True)
        self._connection = connection
        if self._client_id is not None and not self._lock(connection, self._client_id):
            connection.close()
            message = (
                f"another ingest process is running with the client id {self._client_id!r}: "
                "stop it, or set ARTERIAL_MQTT_CLIENT_ID to another name"
            )
            raise ConfigurationError(message)
        if self._writer is not None:
            self._writer.use(connection)
            return
        if self._client_id is not None:
            readings.start_session(connection, self._client_id)
        self._writer = Writer(
            self._settings, connection, client_id=self._client_id, watch=self._watch, follower=self._follower
        )

    def _lock(self, connection: Connection, client_id: str) -> bool:
        """Take the lock of the client id, from an own connection too that the server has not noticed to be broken."""
        if not readings.lock_client(connection, client_id):
            if self._backend is None:
                return False
            readings.end_backend(connection, self._backend, patience_ms=_END_PATIENCE_MS)
            if not readings.lock_client(connection, client_id):
                return False
            log.info("the connection before, which the server had not noticed to be broken, was ended")
        self._backend = readings.own_backend(connection)
        return True

    def _open_writer(self) -> Writer:
        if self._writer is None:
            message = "Persistence is used outside its `with`"
            raise RuntimeError(message)
        return self._writer


def _unusable(error: psycopg.Error) -> str:
    return (
        f"the database is not as this version needs it ({first_line(error)}): run `arterial migrate`; "
        "messages that are not stored stay with the broker"
    )
