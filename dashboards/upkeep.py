"""Code concerned with the platform's own troubles: nothing arrives, no forecast is made, a sensor sends what cannot be right."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from dashboards import words
from dashboards.alerts import Alert
from services.storage.overview import ForecastStates
from services.storage.sensor_health import Implausible

INGEST_SILENCE: Final = timedelta(minutes=2)
"""Ingest tells of itself every few seconds; after this long it stands still, or does not reach the database."""
_NAMED: Final = 3
_RANK: Final = {"ingest": 1_000.0, "unread": 100.0, "forecasts": 10.0, "implausible": -0.5}


@dataclass(frozen=True, kw_only=True, slots=True)
class Upkeep:
    """What is known of the platform itself.

    Attributes:
        ingest_seen_at: when an ingest process last told of itself, None before the first.
        forecasts: the forecasts in use, None without any of the last day.
        forecast_every: how often they should be made anew.
        implausible: sensors that send what cannot be right.
        unread: why messages could not be read, where not a single one could.

    """

    ingest_seen_at: datetime | None
    forecasts: ForecastStates | None
    forecast_every: timedelta
    implausible: Sequence[Implausible] = field(default=())
    unread: str | None = None

    def stopped_at(self, now: datetime) -> datetime | None:
        """When ingest fell silent; None while it runs, and where there never was one."""
        seen = self.ingest_seen_at
        return seen if seen is not None and now - seen > INGEST_SILENCE else None

    def overdue_since(self, now: datetime) -> datetime | None:
        """When the oldest forecast in use was made, if another should have followed it long ago."""
        made = None if self.forecasts is None else self.forecasts.issued_at
        return made if made is not None and now - made > 2 * self.forecast_every else None


def upkeep_alerts(upkeep: Upkeep, *, now: datetime, zone: ZoneInfo) -> Iterator[Alert]:
    """What needs attention of the platform itself, with what to do."""
    stopped, overdue = upkeep.stopped_at(now), upkeep.overdue_since(now)
    if stopped is not None:
        yield Alert(
            severity="critical",
            title="Nothing is being received",
            text=f"Ingest last told of itself at {words.clock(stopped, zone, now=now)}, {words.age(now - stopped)} ago. "
            "What is shown is as of then. Is the process arterial ingest running, and does it reach the database?",
            rank=_RANK["ingest"],
        )
    if upkeep.unread is not None:
        yield Alert(
            severity="critical",
            title="Nothing that arrives can be read",
            text=f"Mostly: {upkeep.unread}. GET /api/v1/dead-letters names the topics, arterial decode tells how a payload is read",
            rank=_RANK["unread"],
        )
    if overdue is not None:
        yield Alert(
            severity="warning",
            title="Forecasts are out of date",
            text=f"The oldest in use is of {words.clock(overdue, zone, now=now)}, {words.age(now - overdue)} ago. "
            "Is the process arterial worker running? Its log has the reason",
            rank=_RANK["forecasts"],
        )
    for one in upkeep.implausible[:_NAMED]:
        since = words.clock(one.since, zone, now=now)
        yield Alert(
            severity="warning",
            title=f"Implausible · {one.label}",
            text=f"{one.diagnosis.replace('_', ' ').capitalize()} since {since}: {one.detail}",
            rank=_RANK["implausible"],
            sensor=one.sensor,
        )
    more = len(upkeep.implausible) - _NAMED
    if more > 0:
        yield Alert(
            severity="warning",
            title=f"{more} more sensors send implausible values",
            text="GET /api/v1/health/sensors names them, since when and why",
            rank=_RANK["implausible"] - 0.1,
        )
