"""Code concerned with heavy congestion ahead: where it may come within the next hour, how likely, and when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from models.congestion import Congestion
from services.storage import overview
from services.storage.database import Connection
from services.storage.overview import Chances

LIKELY: Final = 0.5
POSSIBLE: Final = 0.2
_HOUR: Final = timedelta(hours=1)
_QUARTER_S: Final = 900


@dataclass(frozen=True, kw_only=True, slots=True)
class Jam:
    """The highest chance of heavy congestion at a detector, and the start of the step that has it.

    That it comes at any time of the span is at least as likely.
    """

    chance: float
    at_us: int


def read_next_hour(connection: Connection, now: datetime) -> dict[int, Jam]:
    """The chance of heavy congestion within an hour from now, by sensor number."""
    start = datetime.fromtimestamp(int(now.timestamp()) // _QUARTER_S * _QUARTER_S, now.tzinfo)
    return worst(overview.city_chances(connection, now=now, start=start, end=now + _HOUR))


def worst(chances: Chances) -> dict[int, Jam]:
    """The step with the highest chance of heavy congestion of each sensor, the first of equals."""
    heavy = chances.values[:, Congestion.CONGESTED] if len(chances.values) else np.zeros(0)
    order = np.lexsort((chances.target_us, -heavy, chances.sensor_id))
    first = np.unique(chances.sensor_id[order], return_index=True)[1]
    return {
        int(chances.sensor_id[k]): Jam(chance=float(heavy[k]), at_us=int(chances.target_us[k])) for k in order[first]
    }


def summary(jams: Mapping[int, Jam]) -> str:
    """How many detectors may jam within the hour, in words."""
    if not jams:
        return "Nothing is forecast for the next hour yet."
    likely = sum(jam.chance >= LIKELY for jam in jams.values())
    possible = sum(POSSIBLE <= jam.chance < LIKELY for jam in jams.values())
    if not likely and not possible:
        return "Heavy congestion within the next hour: not expected anywhere."
    return (
        f"Heavy congestion within the next hour: likely at {likely}, possible at {possible} of {len(jams)} detectors."
    )
