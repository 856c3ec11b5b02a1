"""Code concerned with sending a period once more: rows of PostgreSQL to InfluxDB, for what the mirror had to leave out."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final, get_args

from ingest.influx import records
from ingest.influx.delivery import Server
from ingest.influx.sending import Sender
from ingest.rows import TableName
from services.settings import Settings
from services.storage import mirror as storage
from services.storage.database import connect

_TABLES: Final[tuple[TableName, ...]] = get_args(TableName)


@dataclass(frozen=True, kw_only=True, slots=True)
class Resent:
    """Rows the server has taken, and rows it refused for what they say; they are kept in `refused_file`."""

    written: int
    refused: int
    refused_file: str
    seconds: float


def resend(
    settings: Settings, *, start: datetime, end: datetime, stop: threading.Event, progress: Callable[[int, int], None]
) -> Resent:
    """Send all rows of [start, end) in `observed_at`; the server keeps one of each, so nothing is doubled.

    Args:
        settings: the database and the server.
        start: first moment sent, UTC.
        end: first moment no longer sent, UTC.
        stop: ends it early; the server is waited for until then.
        progress: told how many seconds of the three tables are done.

    Raises:
        ConfigurationError: no server is configured.
        UnavailableError: the database does not answer.

    """
    began = time.monotonic()
    refused_file = settings.data_dir / "influx-mirror" / "refused-resent.lp"
    refused_file.parent.mkdir(parents=True, exist_ok=True)
    span_us = round((end - start).total_seconds() * 1_000_000)
    start_us = round(start.timestamp() * 1_000_000)
    with (
        Server(settings) as server,
        connect(settings.role_dsn("ingest"), application="influx resend", autocommit=True) as connection,
    ):
        sender = Sender(server, refused_file=refused_file, stop=stop)
        for number, table in enumerate(_TABLES):
            for rows in storage.span(connection, table, start=start, end=end):
                if not sender.send(records.stored_lines(table, rows)):
                    break
                progress(number * span_us + rows[-1][2] - start_us, len(_TABLES) * span_us)
    return Resent(
        written=sender.written,
        refused=sender.refused,
        refused_file=str(refused_file),
        seconds=round(time.monotonic() - began, 1),
    )
