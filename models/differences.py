"""Code concerned with differences from what is usual as features: what the last hours and days say of the hours to come."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil, prod
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.panel import Panel, Values

REACH_DAYS: Final = 8
"""No feature looks further back."""

_LAG_STEPS: Final = (0, 1, 2, 3)
_LAG_HOURS: Final = (1, 2, 3, 5, 11)
_MEAN_HOURS: Final = (3, 6, 24, 72, 168)
_DAYS_BACK: Final = (1, 2, 3, 4, 5, 6, 7)
_DAYS_EXACT: Final = (1, 7)
_HOLD_STEPS: Final = 3
_HOLD: Final = 0.9
_FEW: Final = 8  # times as many columns as rows, from which means are taken for the rows alone

Features = NDArray[np.float32]


@dataclass(frozen=True, kw_only=True, slots=True)
class Differences:
    """Scaled differences from the profile, padded at the front, and the running sums of those that are known.

    A missing difference fades from the one before for some steps, so that a reading that is a moment late does not
    wipe out what is known about now; after that it is zero. In `heard`, which is not padded, it is zero at once; `known` is
    1 where there is one.
    """

    values: Features
    heard: Features
    known: Features
    sums: Values
    counts: Values
    pad: int
    means: dict[int, Features] = field(default_factory=dict)

    @classmethod
    def of(cls, raw: Values, scale: Values, panel: Panel) -> Differences:
        """From differences as measured (sensors x columns of the panel, NaN where missing) over each sensor's scale."""
        pad = REACH_DAYS * panel.steps_per_day
        known = np.isfinite(raw)
        values = np.zeros((raw.shape[0], raw.shape[1] + pad))
        values[:, pad:] = np.where(known, raw, 0.0) / scale[:, None]
        heard = values[:, pad:].astype(np.float32)
        sums = np.zeros((raw.shape[0], raw.shape[1] + pad + 1))
        np.cumsum(values, axis=1, out=sums[:, 1:])
        held = known.copy()
        for _ in range(_HOLD_STEPS):
            hole = ~held[:, 1:] & held[:, :-1]
            values[:, pad + 1 :][hole] = _HOLD * values[:, pad:-1][hole]
            held[:, 1:] |= hole
        counts = np.zeros_like(sums)
        np.cumsum(known, axis=1, out=counts[:, pad + 1 :])
        return cls(
            values=values.astype(np.float32),
            heard=heard,
            known=known.astype(np.float32),
            sums=sums,
            counts=counts,
            pad=pad,
        )

    def some(self, sensors: slice) -> Differences:
        """Those of some sensors."""
        return Differences(
            values=self.values[sensors],
            heard=self.heard[sensors],
            known=self.known[sensors],
            sums=self.sums[sensors],
            counts=self.counts[sensors],
            pad=self.pad,
        )

    def features(
        self, panel: Panel, newest: NDArray[np.int64], band: range, more: int = 0, room: Features | None = None
    ) -> Features:
        """What could be known when column `newest` was the latest: sensors x (features, a one and `more`) x rows.

        It lies in `room` where that is given.
        """
        columns = windows(panel, band)
        shape = (len(columns) + 1 + more, len(self.values), len(newest))
        made = np.empty(shape, dtype=np.float32) if room is None else room[: prod(shape)].reshape(shape)
        last = newest + self.pad
        for k, (near, far) in enumerate(columns):
            width = far + 1 - near
            if width > 1 and _FEW * len(last) < self.values.shape[1]:
                first, end = last - far, last - near + 1
                count = np.maximum(self.counts[:, end] - self.counts[:, first], 1.0)
                made[k] = (self.sums[:, end] - self.sums[:, first]) / count
            else:
                np.take(self._means(width), last - near, axis=1, out=made[k], mode="clip")
        made[len(columns)] = 1.0
        return made.transpose(1, 0, 2)

    def targets(self, rows: NDArray[np.int64], band: range) -> tuple[Features, Features]:
        """The differences at each lead of a band after each row (sensors x leads x rows) and which of them are known."""
        columns = rows + np.arange(band.start + 1, band.stop + 1)[:, None]
        return np.take(self.heard, columns, axis=1), np.take(self.known, columns, axis=1)

    def _means(self, width: int) -> Features:
        """The mean of what is known of each column and those before it, `width` in all; right where there are as many."""
        if width == 1:
            return self.values
        if width not in self.means:
            total = self.sums[:, width:] - self.sums[:, :-width]
            total /= np.maximum(self.counts[:, width:] - self.counts[:, :-width], 1.0)
            self.means[width] = np.zeros(self.values.shape, dtype=np.float32)
            self.means[width][:, width - 1 :] = total
        return self.means[width]


def windows(panel: Panel, band: range) -> list[tuple[int, int]]:
    """The features of a band as windows (nearest, farthest) of steps back from the newest; equal ends are one step.

    Those that say most come first: the newest step, the means of six hours to a week, the target's time the day before.
    """
    hour = 3600 / panel.step_seconds
    single = sorted({*_LAG_STEPS, *(ceil(hours * hour) for hours in _LAG_HOURS)})
    windows = [(0, 0), *((0, max(1, round(hours * hour)) - 1) for hours in reversed(_MEAN_HOURS))]
    centre = (band.start + band.stop - 1) // 2
    around = max(1, round(hour))
    for days in _DAYS_BACK:
        back = days * panel.steps_per_day - 1 - centre
        if back >= 0:
            windows.append((max(0, back - around), back + around))
    windows += [(lag, lag) for lag in single]
    for days in _DAYS_EXACT:
        exact = (days * panel.steps_per_day - 1 - lead for lead in range(band.start, band.stop, around))
        windows += [(lag, lag) for lag in exact if lag >= 0]
    return list(dict.fromkeys(windows))
