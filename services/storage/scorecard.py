"""Code concerned with reading how forecasts did: of sensors, of sums over feeders, of the peaks of days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Literal

from psycopg.rows import class_row

from services.storage.database import Connection
from services.storage.queries import query

What = Literal["sensor", "total", "peak"]
"""What was forecast: each sensor's values, the load of the city and of districts, the highest quarter hours of days."""

Dimension = Literal["district", "state", "quality", "day"]
"""What the scorecard can be divided by besides kind, quantity, lead time and scope."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ScoreRow:
    """How forecasts of one quantity did at one lead time.

    `naive_mae` is the mean absolute error of the value a week before, on its own count; `skill` is one minus the ratio of
    both sums over the hours that have both. `scope` is whose forecasts they are: `sensor`, or `district` and `city` where totals
    or peaks were asked for. `district`, `state`, `observed_quality` and `utc_day` are None unless asked for.
    """

    kind: str
    quantity: str
    lead_minutes: int
    sensors: int
    n: int
    mae: float
    naive_mae: float | None
    wape: float | None
    coverage_80: float
    coverage_90: float
    skill: float | None = None
    mase: float | None = None
    pinball: float | None = None
    coverage_50: float | None = None
    scope: str = "sensor"
    district: str | None = None
    state: str | None = None
    observed_quality: str | None = None
    utc_day: date | None = None


def scorecard(
    connection: Connection,
    what: What = "sensor",
    *,
    kind: str | None = None,
    quantity: str | None = None,
    sensors: Sequence[str] | None = None,
    district: str | None = None,
    since: date | None = None,
    until: date | None = None,
    by: Sequence[Dimension] = (),
) -> list[ScoreRow]:
    """How forecasts did, over whole days from `since` to `until`, both included: of peaks local days, else UTC's.

    Rows are by kind, quantity, lead time, scope and the dimensions of `by`, in that order, an unknown district first. Of
    totals and peaks neither quality is told apart nor is there a MASE.
    """
    facts = {
        "what": what,
        "kind": kind,
        "quantity": quantity,
        "sensors": None if sensors is None else list(sensors),
        "district": district,
        "since": since,
        "until": until,
        "by": list(by),
    }
    with connection.cursor(row_factory=class_row(ScoreRow)) as cursor:
        return cursor.execute(query("scorecard", "read"), facts).fetchall()
