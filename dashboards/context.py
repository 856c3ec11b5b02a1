"""Code concerned with what every page is given: the city's settings, its clock and its read-only database."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial, wraps
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import anyio.to_thread
import dash
import psycopg
from psycopg_pool import PoolClosed, PoolTimeout

from services.errors import UnavailableError
from services.settings import Settings
from services.storage.database import Connection, Pool, first_line

_Answer = TypeVar("_Answer")


@dataclass(frozen=True, kw_only=True, slots=True)
class City:
    """The city a dashboard shows."""

    settings: Settings
    pool: Pool

    @property
    def zone(self) -> ZoneInfo:
        """The zone in which times are shown."""
        return self.settings.zone

    def now(self) -> datetime:
        """The moment a page is drawn for."""
        return datetime.now(UTC)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection of role `arterial_api`.

        Raises:
            UnavailableError: the database does not answer, or cancelled the query.

        """
        try:
            with self.pool.connection() as connection:
                yield connection
        except (psycopg.Error, PoolTimeout, PoolClosed) as error:
            message = f"the database did not answer: {first_line(error)}"
            raise UnavailableError(message) from error


def threaded(work: Callable[..., _Answer]) -> Callable[..., Awaitable[_Answer]]:
    """A callback that works in a thread: Dash runs plain functions on the event loop, where a query would stop the API."""

    @wraps(work)
    async def run(*arguments: Any) -> _Answer:
        return await anyio.to_thread.run_sync(partial(work, *arguments))

    return run


def in_browser(app: dash.Dash, function: str, *wiring: Any, prevent_initial_call: bool = False) -> None:
    """A callback that runs in the browser: `function` of `assets/arterial.js` with outputs, inputs and states."""
    app.clientside_callback(  # type: ignore[no-untyped-call]  # dash gives this method no types
        dash.ClientsideFunction("arterial", function), *wiring, prevent_initial_call=prevent_initial_call
    )
