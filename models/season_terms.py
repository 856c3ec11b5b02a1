"""Code concerned with season as regressors: waves of the local day, and how Fridays, Saturdays and free days differ.

A season of a week as a filter would need a state for each of its 168 hours; these few terms say the same, and each of
them can be read. Public holidays count as Sundays, and a change to summer time moves nothing, as the clock on the wall
decides.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

import numpy as np

from models.panel import Panel, Values

HARMONICS: Final = 6
_FRIDAY, _SATURDAY, _FREE = 4, 5, 6
_CYCLES: Final = {"week": 15, "day": 3}  # days of history before a season is used


class Season(IntEnum):
    """What of the season a history is long enough for."""

    NONE = 0
    DAY = 1
    WEEK = 2

    @classmethod
    def of_days(cls, days: float) -> Season:
        """Two weeks and a day for a week, three days for a day."""
        if days >= _CYCLES["week"]:
            return cls.WEEK
        return cls.DAY if days >= _CYCLES["day"] else cls.NONE

    def width(self, steps_per_day: int) -> int:
        """How many of the terms belong to it: they are the first ones."""
        waves = len(_waves(steps_per_day))
        return (1, 1 + waves, 5 + 3 * waves)[self]


def season_terms(panel: Panel, first: int, count: int) -> Values:
    """The terms of `count` columns from `first` on, also beyond the panel's end: columns x terms.

    In this order: one; waves of the day; Fridays, Saturdays, free days, working days in school holidays; the waves on
    Saturdays; those on free days.
    """
    days, slots = panel.local(first, count)
    distinct, where = np.unique(days, return_inverse=True)
    kinds = panel.calendar.day_types(distinct)[where]
    breaks = panel.calendar.school_breaks_at(distinct)[where].astype(np.float64)
    angle = 2 * np.pi * slots / panel.steps_per_day
    waves = [np.sin(k * angle) if odd else np.cos(k * angle) for k, odd in _waves(panel.steps_per_day)]
    friday, saturday, free = ((kinds == kind).astype(np.float64) for kind in (_FRIDAY, _SATURDAY, _FREE))
    special = [wave * kind for kind in (saturday, free) for wave in waves]
    return np.stack([np.ones(count), *waves, friday, saturday, free, breaks, *special], axis=1)


def term_names(steps_per_day: int) -> tuple[str, ...]:
    """What each term means, in words."""
    waves = [f"{'sine' if odd else 'cosine'} {k} a day" for k, odd in _waves(steps_per_day)]
    return (
        "level",
        *waves,
        "Friday",
        "Saturday",
        "Sunday or holiday",
        "school holidays",
        *(f"{wave}, Saturday" for wave in waves),
        *(f"{wave}, Sunday or holiday" for wave in waves),
    )


def _waves(steps_per_day: int) -> list[tuple[int, bool]]:
    """Number and phase of the waves that a day of so many steps can tell apart; True is a sine."""
    return [
        (k, odd)
        for k in range(1, min(HARMONICS, steps_per_day // 2) + 1)
        for odd in (False, True)
        if not (odd and 2 * k == steps_per_day)
    ]
