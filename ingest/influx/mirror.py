"""Code concerned with the mirror: a copy in InfluxDB of what ingest has committed, which never holds up the original.

After each commit, before the messages are acknowledged, the rows go to a spool on disk; a thread of its own sends them
from there, in order. So the server is given each row at least once, unless the spool was full or its disk failed: what
is left out then is counted and logged. What the server has taken it may still lose: it answers before its disk has it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import Final, Self
from urllib.parse import quote

import msgspec
import numpy as np
import numpy.typing as npt
import psycopg
import structlog

from ingest.committed import Committed
from ingest.influx import records
from ingest.influx.delivery import Server
from ingest.influx.sending import Sender, Trouble
from ingest.rows import Rows
from ingest.spool import Spool
from services.errors import ArterialError
from services.settings import Settings
from services.storage.database import Connection, connect, first_line

_ROWS_OF_A_RECORD: Final = 5_000
_RECORDS_AT_ONCE: Final = 500
_BYTES_AT_ONCE: Final = 512 * 1024
_GATHER_S: Final = 0.5
_PATIENCE_S: Final = 5.0
_PAUSE_S: Final = 2.0
_ENDING_S: Final = 5.0

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True, slots=True)
class MirrorCounts:
    """Rows since the start of this process.

    Attributes:
        kept: put into the spool.
        written: taken by the server; rows that an earlier process left in the spool are among them.
        refused: refused by the server for what they say, and kept in `refused.lp`.
        dropped: left out because the spool was full or failed.

    """

    kept: int
    written: int
    refused: int
    dropped: int


class Mirror:
    """Follows the commits of one ingest process; used in a `with`."""

    def __init__(self, settings: Settings, client_id: str) -> None:
        """Nothing is opened before `with`.

        Raises:
            ConfigurationError: no InfluxDB server is configured.

        """
        self._settings = settings
        self.folder = settings.data_dir / "influx-mirror" / quote(client_id, safe="")
        self._spool = Spool(self.folder, most_bytes=settings.influx_spool_bytes)
        self._server = Server(settings)
        self._stop = threading.Event()
        self._arrived = threading.Event()
        self._sender = Sender(self._server, refused_file=self.folder / "refused.lp", stop=self._stop)
        self._thread = threading.Thread(target=self._work, name="mirror", daemon=True)
        self._connection: Connection | None = None
        self._full = Trouble("the mirror's spool")
        self._away = Trouble("the database, read by the mirror")
        self._kept = 0
        self._dropped = 0

    def __enter__(self) -> Self:
        """Open the spool and begin to send what is in it.

        Raises:
            ConfigurationError: the spool cannot be used, or another process uses it.

        """
        self._spool.__enter__()
        self._thread.start()
        log.info("the mirror has started", url=self._server.url, bucket=self._server.bucket, waiting=len(self._spool))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Send what can be sent at once; the rest stays in the spool for the next process."""
        self._stop.set()
        self._arrived.set()
        self._thread.join(_ENDING_S)
        waiting = len(self._spool)
        if not self._thread.is_alive():  # else it waits for an answer, and ends with the process
            self._spool.__exit__(None, None, None)
            self._server.__exit__(None, None, None)
        log.info("the mirror has ended", waiting=waiting, **asdict(self.counts))

    @property
    def counts(self) -> MirrorCounts:
        """What became of the rows so far."""
        return MirrorCounts(
            kept=self._kept, written=self._sender.written, refused=self._sender.refused, dropped=self._dropped
        )

    @property
    def waiting_bytes(self) -> int:
        """What is on disk for the server [bytes]."""
        return self._spool.size_bytes

    def keep(self, committed: Sequence[Committed], code: Callable[[int], str]) -> None:
        """Put rows into the spool; what finds no room is counted and logged. Never waits for the server, never raises."""
        kept = [record for one in committed for record in _records(one, code)]
        if not kept:
            return
        rows = sum(map(len, kept))
        try:
            self._spool.append([records.dump(record) for record in kept])
        except OSError as error:
            self._dropped += rows
            self._full.say(f"rows are left out: {error.strerror}", dropped=self._dropped, folder=str(self.folder))
        else:
            self._kept += rows
            self._full.over(dropped=self._dropped)
            self._arrived.set()

    def _work(self) -> None:
        """Send what is in the spool until told to stop."""
        while True:
            try:
                if not self._send_some():
                    break
            except OSError as error:
                self._full.say(f"it cannot be read: {error.strerror}", folder=str(self.folder))
                if self._stop.wait(_PAUSE_S):
                    break
        if self._connection is not None:
            self._connection.close()

    def _send_some(self) -> bool:
        """Send the next records, or wait for some; False when told to stop.

        Raises:
            OSError: the spool's disk fails.

        """
        chunk = self._spool.read(most=_RECORDS_AT_ONCE, most_bytes=_BYTES_AT_ONCE)
        if chunk.end == self._spool.head:
            if self._stop.is_set():
                return False
            if self._arrived.wait(_PATIENCE_S):
                self._arrived.clear()
                self._stop.wait(_GATHER_S)
            return True
        lines = self._lines(chunk.records)
        if lines is None or not self._sender.send(lines):
            return False
        self._spool.advance(chunk.end)
        return True

    def _lines(self, dumped: Sequence[bytes]) -> list[str] | None:
        """The lines of records; waits for the database where rows have to be looked up, None when told to stop."""
        lines: list[str] = []
        for content in dumped:
            try:
                record = records.load(content)
            except msgspec.DecodeError as error:
                log.warning("a record of the copy in InfluxDB cannot be read and is left out", reason=str(error))
                continue
            found = self._looked_up(record) if records.is_keys(record) else records.lines(record)
            if found is None:
                return None
            lines += found
        return lines

    def _looked_up(self, record: records.Record) -> list[str] | None:
        while True:
            try:
                if self._connection is None:
                    self._connection = connect(self._settings.role_dsn("ingest"), application="mirror", autocommit=True)
                lines = records.looked_up(self._connection, record)
            except (psycopg.Error, ArterialError) as error:
                self._away.say(first_line(error) if isinstance(error, psycopg.Error) else str(error))
                if self._connection is not None:
                    self._connection.close()
                    self._connection = None
                if self._stop.wait(_PAUSE_S):
                    return None
            else:
                self._away.over()
                return lines


def _records(committed: Committed, code: Callable[[int], str]) -> Iterator[records.Record]:
    """New rows as they are; the keys of those that were there, for a crash may have kept them from the spool."""
    new = committed.new
    for part in _parts(len(new)):
        yield records.of_rows(new.take(part), committed.flags[part], code)
    if len(new) < len(committed.rows):
        places = {key: place for place, key in enumerate(_keys(committed.rows))}
        for key in _keys(new):
            del places[key]
        rest = committed.rows.take(np.fromiter(places.values(), dtype=np.intp))
        for part in _parts(len(rest)):
            yield records.of_keys(
                new.table, rest.sensor_id[part], rest.observed_us[part], rest.quantity[part], rest.quantities
            )
    for part in _parts(len(committed.also)):
        sensors, moments = committed.also[part].T
        yield records.of_keys(new.table, sensors, moments, np.zeros(len(part), dtype=np.int32), new.quantities)


def _parts(length: int) -> Iterator[npt.NDArray[np.intp]]:
    for start in range(0, length, _ROWS_OF_A_RECORD):
        yield np.arange(start, min(start + _ROWS_OF_A_RECORD, length))


def _keys(rows: Rows) -> Iterator[tuple[int, int, int]]:
    return zip(rows.sensor_id.tolist(), rows.quantity.tolist(), rows.observed_us.tolist(), strict=True)
