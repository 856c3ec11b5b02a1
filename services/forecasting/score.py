"""Code concerned with the scorecard: what was forecast beside what then happened, every hour, also where we lose."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from services.local_day import day_of, day_span
from services.settings import Settings
from services.storage import forecasts, load_scores
from services.storage.database import Connection, connect

_DAY: Final = timedelta(days=1)
_WEEK: Final = timedelta(days=7)
_DAYS: Final = forecasts.KEEP_ALL // _DAY  # further back most forecasts have been thinned out
_YOUNG: Final = forecasts.LATE + timedelta(hours=1)


def score_closed_hours(settings: Settings, now: datetime) -> int:
    """Add every hour that has closed to the scorecard, once; a day that late readings have completed, once more as a whole.

    Totals of feeders are scored along with them, and the peaks of local days that are over: both are few, and made anew
    every hour until late readings have come.

    Returns:
        How many rows were written.

    """
    closed = now.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    written = 0
    for back in range(_DAYS, -1, -1):
        day = (closed - back * _DAY).date()
        start = datetime(day.year, day.month, day.day, tzinfo=UTC)
        with connect(settings.role_dsn("jobs"), application="score") as connection:
            written += forecasts.score_day(
                connection, day, closed=closed
            )  # nobody else scores this day until the commit
            if closed < start + _DAY + _YOUNG:
                written += load_scores.score_totals(
                    connection, day, since=start, until=min(closed, start + _DAY), leads=forecasts.LEADS
                )
            if back == 0:
                written += _score_peaks(connection, settings, closed)
            connection.commit()
    return written


def _score_peaks(connection: Connection, settings: Settings, closed: datetime) -> int:
    written = 0
    for back in range(1, _DAYS + 1):
        day = day_of(closed, settings.zone) - back * _DAY
        span = day_span(day, settings.zone)
        if span[1] <= closed < span[1] + _YOUNG:
            week_before = day_span(day - _WEEK, settings.zone)
            written += load_scores.score_peaks(connection, day, span=span, week_before=week_before)
    return written
