"""Code concerned with connections: one way to open one, one way to pool them, and errors in words."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg_pool import ConnectionPool

from services.errors import UnavailableError

Connection = psycopg.Connection[tuple[Any, ...]]
Pool = ConnectionPool[Connection]

_KEEPALIVE: dict[str, Any] = {
    "connect_timeout": 5,
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
}
_SERVER_KEEPALIVE = "-c tcp_keepalives_idle=15 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3"
"""So that the server too notices a client that is gone, whose locks it holds for hours otherwise."""
_WITHOUT_LIMIT = "-c timescaledb.max_tuples_decompressed_per_dml_transaction=0"
"""So that TimescaleDB takes late readings into compressed chunks however many they are: a batch it refuses would be tried for ever.
A server without the extension takes no notice."""


def connect(dsn: str, *, application: str, statement_timeout_s: int = 0, autocommit: bool = False) -> Connection:
    """Open one connection; times inside are UTC.

    Args:
        dsn: PostgreSQL URL.
        application: what the server shows in `pg_stat_activity`.
        statement_timeout_s: cancel a statement after this long [s]; 0 is never.
        autocommit: whether each statement is its own transaction.

    Raises:
        UnavailableError: the server does not answer, or refuses the role.

    """
    options = f"-c timezone=UTC -c statement_timeout={statement_timeout_s}s -c lock_timeout=30s {_SERVER_KEEPALIVE} {_WITHOUT_LIMIT}"
    try:
        return psycopg.connect(
            dsn, autocommit=autocommit, application_name=f"arterial-{application}", options=options, **_KEEPALIVE
        )
    except psycopg.OperationalError as error:
        message = f"the database at {where(dsn)} does not answer: {first_line(error)}; start it, or correct its URL or password"
        raise UnavailableError(message) from error


@contextmanager
def pooled(dsn: str, *, application: str, statement_timeout_s: int, size: int = 8) -> Iterator[Pool]:
    """A pool of up to `size` read connections, checked before use, closed on leaving."""
    with ConnectionPool(
        dsn,
        connection_class=psycopg.Connection[tuple[Any, ...]],
        kwargs={
            "autocommit": True,
            "application_name": f"arterial-{application}",
            "options": f"-c timezone=UTC -c statement_timeout={statement_timeout_s}s -c default_transaction_read_only=on",
            **_KEEPALIVE,
        },
        min_size=1,
        max_size=size,
        timeout=5,
        reconnect_timeout=5,  # then each request asks anew, so that a database that is back is used at once
        check=ConnectionPool.check_connection,
        open=False,
    ) as pool:
        yield pool


def where(dsn: str) -> str:
    """Host, port and database of a URL, without user and password, for messages."""
    parts = urlsplit(dsn)
    return f"{parts.hostname or 'localhost'}:{parts.port or 5432}{parts.path}"


def first_line(error: BaseException) -> str:
    """The first line of an error, enough for a sentence."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]
