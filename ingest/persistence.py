"""Code concerned with getting a batch into the database whatever happens: waiting for it, or bisecting the batch.

Trouble of the database is waited out with the batch kept in memory; a batch the database refuses is halved until the
message it refuses stands alone and becomes a dead letter.
"""

from __future__ import annotations

import random
import threading
from types import TracebackType
from typing import Final, Self

import psycopg
import structlog

from ingest.batch import Batch
from ingest.counts import Counts
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
_LONGEST_PAUSE_S: Final = 5.0

log = structlog.get_logger()


def is_passing(error: psycopg.Error) -> bool:
    """Whether the same batch may be stored when tried again."""
    if error.sqlstate is None:
        return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)
    return error.sqlstate.startswith(_RETRYABLE)


class Persistence:
    """The database as the ingest sees it: one connection, made anew when it is lost.

    With a client id it is a session: locked against a second process, its counters kept in the database.
    """

    def __init__(
        self, settings: Settings, *, client_id: str | None = None, stop: threading.Event | None = None
    ) -> None:
        """Nothing is opened before `with`."""
        self._settings = settings
        self._client_id = client_id
        self._stop = stop or threading.Event()
        self._connection: Connection | None = None
        self._writer: Writer | None = None

    def __enter__(self) -> Self:
        """Connect.

        Raises:
            UnavailableError: the database does not answer.
            ConfigurationError: another process has the client id.

        """
        self._connection = self._connect()
        self._writer = Writer(self._settings, self._connection, client_id=self._client_id)
        if self._client_id is not None:
            readings.start_session(self._connection, self._client_id)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Close the connection, and with it give up the lock."""
        if self._connection is not None:
            self._connection.close()

    @property
    def counts(self) -> Counts:
        """What became of the messages so far."""
        return self._open_writer().counts

    def persist(self, batch: Batch, received: int) -> bool:
        """Write a batch, for as long as it takes.

        Args:
            batch: the messages.
            received: all messages of the session so far.

        Returns:
            False when it was told to stop before the database came back; nothing of the rest was written then.

        Raises:
            StorageError: the database lacks what this version needs; nothing of the batch was written.

        """
        pause = _FIRST_PAUSE_S
        refused = False
        while True:
            try:
                self._open_writer().write(batch, received)
            except psycopg.Error as error:
                if not is_passing(error):
                    if error.sqlstate is not None and error.sqlstate.startswith(_NOT_OF_THE_MESSAGE):
                        raise StorageError(_unusable(error)) from error
                    if refused:
                        return self._isolate(batch, received, error)
                    refused = True  # what was looked up may be out of date: once more with fresh eyes
                    self._open_writer().forget()
                    batch = Batch.of(batch.messages, batch.decoded)
                    continue
                log.warning(
                    "the database does not take the batch, trying again", reason=first_line(error), pause_s=pause
                )
                if not self._reconnect(pause):
                    return False
                pause = min(pause * 2, _LONGEST_PAUSE_S)
                batch = Batch.of(batch.messages, batch.decoded)
            else:
                return True

    def heartbeat(self, received: int) -> None:
        """Show in the database that the session lives; a connection that was lost while idle is made anew."""
        try:
            self._open_writer().heartbeat(received)
        except psycopg.Error as error:
            log.warning("the heartbeat was not written", reason=first_line(error))
            self._reconnect(_FIRST_PAUSE_S)

    def _isolate(self, batch: Batch, received: int, error: psycopg.Error) -> bool:
        if len(batch.messages) == 1:
            if not batch.decoded[0].readings and batch.decoded[0].rejected:
                raise StorageError(_unusable(error)) from error  # not even the dead letter is taken
            reason = f"the database refuses it: {first_line(error)}"
            log.warning("a message was refused by the database", reason=reason)
            return self.persist(Batch.of(batch.messages, [Decoded(rejected=(Rejected(reason=reason),))]), received)
        middle = len(batch.messages) // 2
        return all(
            self.persist(Batch.of(batch.messages[part], batch.decoded[part]), received)
            for part in (slice(None, middle), slice(middle, None))
        )

    def _reconnect(self, pause: float) -> bool:
        """Wait and connect again, until it works; False when told to stop."""
        if self._connection is not None:
            self._connection.close()
        while not self._stop.wait(pause * random.uniform(0.5, 1.0)):  # noqa: S311 - jitter, not a secret
            try:
                self._connection = self._connect()
            except (UnavailableError, ConfigurationError) as error:
                log.warning("the database is away", reason=str(error), pause_s=pause)
                pause = min(pause * 2, _LONGEST_PAUSE_S)
            else:
                self._open_writer().use(self._connection)
                log.info("the database is back")
                return True
        return False

    def _connect(self) -> Connection:
        connection = connect(self._settings.role_dsn("ingest"), application="ingest", autocommit=True)
        if self._client_id is not None and not readings.lock_client(connection, self._client_id):
            connection.close()
            message = (
                f"another ingest process is running with the client id {self._client_id!r}: "
                "stop it, or set ARTERIAL_MQTT_CLIENT_ID to another name"
            )
            raise ConfigurationError(message)
        return connection

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
