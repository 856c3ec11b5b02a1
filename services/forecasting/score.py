"""Code concerned with the scorecard: what was forecast beside what then happened, every hour, also where we lose."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from services.settings import Settings
from services.storage import forecasts
from services.storage.database import connect

_DAYS: Final = forecasts.KEEP_ALL // timedelta(days=1)  # further back most forecasts have been thinned out


def score_closed_hours(settings: Settings, now: datetime) -> int:
    """Add every hour that has closed to the scorecard, once; a day that late readings have completed, once more as a whole.

    Returns:
        How many rows were written.

    """
    closed = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    written = 0
    for back in range(_DAYS, -1, -1):
        with connect(settings.role_dsn("jobs"), application="score") as connection:
            written += forecasts.score_day(connection, (closed - timedelta(days=back)).date(), closed=closed)
            connection.commit()
    return written
