"""Code concerned with how forecasts of sums over feeders, and of the peaks of days, did: made anew while a day is young."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Final

from services.storage.database import Connection
from services.storage.queries import query
from services.storage.totals import CITY_SHARD

PEAK_LEADS: Final = tuple(timedelta(hours=hours) for hours in (12, 18, 24, 36))
"""From the issue of a peak to the end of its day: at noon, in the morning, as the day begins, at noon of the day before."""

_HELD: Final = 0.9


def score_totals(
    connection: Connection, day: date, *, since: datetime, until: datetime, leads: Sequence[timedelta]
) -> int:
    """Make the scores of all totals whose targets ended in (since, until], a UTC day's part from its start, anew.

    Returns:
        How many rows were written, in the caller's transaction.

    """
    connection.execute(query("load_scores", "unscore"), {"what": "total", "day": day})
    facts = {"day": day, "since": since, "until": until, "leads": _minutes(leads), "held": _HELD, "city": CITY_SHARD}
    return connection.execute(query("load_scores", "score_totals"), facts).rowcount


def score_peaks(
    connection: Connection, day: date, *, span: tuple[datetime, datetime], week_before: tuple[datetime, datetime]
) -> int:
    """Make the scores of the peaks of a local day that is over anew.

    Args:
        connection: as arterial_jobs, in the caller's transaction.
        day: the local day.
        span: its beginning and end.
        week_before: those of the day a week before, whose peak is what the forecasts are compared with.

    Returns:
        How many rows were written.

    """
    connection.execute(query("load_scores", "unscore"), {"what": "peak", "day": day})
    facts = {
        "day": day,
        "start": span[0],
        "end": span[1],
        "week_start": week_before[0],
        "week_end": week_before[1],
        "leads": _minutes(PEAK_LEADS),
        "held": _HELD,
    }
    return connection.execute(query("load_scores", "score_peaks"), facts).rowcount


def _minutes(leads: Sequence[timedelta]) -> list[int]:
    return [lead // timedelta(minutes=1) for lead in leads]
