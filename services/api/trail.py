"""Code concerned with what the API writes into the audit log: every file that is taken away, and every refusal by the database.

There is no login, so nothing says who; the request number leads to the line of the access log. Only what the platform has
names for is written down, so that nothing a client types ends up there.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import parse_qsl

import psycopg
import structlog
from psycopg_pool import PoolTimeout

from services.storage import audit
from services.storage.audit import Action
from services.storage.database import Pool, first_line

_ASKED: Final = frozenset(
    {
        "kind",
        "from",
        "to",
        "resolution",
        "order",
        "limit",
        "format",
        "district",
        "plan",
        "first_day",
        "last_day",
        "domain",
    }
)
_COUNTED: Final = frozenset({"sensor"})
_LONGEST: Final = 63
_log = structlog.get_logger("arterial.api")


class Trail:
    """Writes into the audit log as role arterial_api, which may log this and nothing else."""

    def __init__(self, pool: Pool) -> None:
        self._pool = pool

    def exported(self, path: str, query: str, media_type: str, request_id: str) -> None:
        """A file is about to be sent.

        Raises:
            psycopg.Error: it could not be written down; then nothing may be sent.
            PoolTimeout: the same, because no connection is free.

        """
        asked = parse_qsl(query)
        facts: dict[str, Any] = {name: value[:_LONGEST] for name, value in asked if name in _ASKED}
        for name in _COUNTED:
            number = sum(len(value.split(",")) for each, value in asked if each == name)
            facts |= {f"{name}s": number} if number else {}
        document = {"path": path[:_LONGEST], "media_type": media_type, "asked": facts, "request_id": request_id}
        with self._pool.connection() as connection:
            audit.append_alone(connection, Action.EXPORT, "api", document)

    def denied(self, path: str, why: str, request_id: str | None) -> None:
        """The database has refused the role of the API something; when that cannot be written down, it is in the log."""
        document = {"path": path[:_LONGEST], "reason": why, "request_id": request_id}
        try:
            with self._pool.connection() as connection:
                audit.append_alone(connection, Action.ACCESS_DENIED, "api", document)
        except (psycopg.Error, PoolTimeout) as error:
            _log.error("a refusal could not be written into the audit log", reason=first_line(error), **document)
