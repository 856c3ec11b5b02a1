"""Code concerned with the scorecard: what was forecast beside what then happened, every hour, also where we lose."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from services.settings import Settings
from services.storage import forecasts
from services.storage.database import connect

_LATE: Final = timedelta(hours=6)  # readings up to this late still change a day's scores


def score_closed_hours(settings: Settings, now: datetime) -> int:
    """Score all forecasts about hours that have closed, for today and, while late readings come in, yesterday.

    Rows are sums over a UTC day and are written anew each time, so repeating changes nothing.

    Returns:
        How many rows were written.

    """
    closed = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    days = {(closed - timedelta(hours=1)).date(), (closed - _LATE).date()}
    with connect(settings.role_dsn("jobs"), application="score") as connection:
        written = sum(forecasts.score_day(connection, day, closed=closed) for day in sorted(days))
        connection.commit()
    return written
