"""Code concerned with what covariates do to sensors: how far each moves with weather or events, curved and by time of day.

Learnt from differences: how a sensor differs from its profile, against how the weather differs from what it was in the
same weeks, so that a season both follow is not taken for an effect.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from models.covariates import Covariates, Times
from models.panel import Panel, Values
from models.profile import usual_before

_DAY_US: Final = 86_400_000_000
_HOUR_US: Final = 3_600_000_000
_KNOTS: Final = (0.25, 0.75)
_WAVES: Final = (1, 2)  # per day, with which an effect may change
_CLIP: Final = 4.0  # times the usual difference beyond which a difference counts no more than that
_PENALTY: Final = 0.003  # per row, on standardised features
_PRIOR_DAYS: Final = 3.0  # of rows that speak against any effect
_FLAT: Final = 1e-9
_WEEKS: Final = 6

SHAPES: Final = 2 * (1 + len(_KNOTS))
"""Of each variable: itself and how far it is above each knot, now and as the mean of the 24 hours before."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Shapes:
    """How the variables of one place become numbers that effects are linear in; arrays are by variable."""

    middle: Values
    spread: Values
    knots: Values
    limits: Values

    @classmethod
    def of(cls, known: Values) -> Shapes:
        """As values (variables x times) are spread; a variable that never changes has a spread of zero."""
        count = len(known)
        middle, spread, limits, knots = (
            np.zeros(count),
            np.zeros(count),
            np.zeros((count, 2)),
            np.zeros((count, len(_KNOTS))),
        )
        for k, row in enumerate(known):
            seen = row[np.isfinite(row)]
            if len(seen) and np.ptp(seen) > 0:
                middle[k], spread[k], limits[k] = seen.mean(), seen.std(), (seen.min(), seen.max())
                knots[k] = (np.quantile(seen, _KNOTS) - middle[k]) / spread[k]
        return cls(middle=middle, spread=spread, knots=knots, limits=limits)

    def of_values(self, values: Values, per_day: int) -> Values:
        """The shapes (variables x `SHAPES` x ... x times) of values (variables x ... x times, evenly apart).

        The first day of means is of what there is. Where nothing is known it is NaN.
        """
        made = []
        for k, row in enumerate(values):
            if self.spread[k] == 0:
                made.append(np.full((SHAPES, *row.shape), np.nan))
                continue
            now = (np.clip(row, *self.limits[k]) - self.middle[k]) / self.spread[k]
            both = (now, _trailing(now, per_day))
            made.append(
                np.stack([one for x in both for one in (x, *(np.maximum(x - knot, 0.0) for knot in self.knots[k]))])
            )
        return np.stack(made)


@dataclass(frozen=True, kw_only=True, slots=True)
class Effects:
    """What a shape does to each sensor of a place: `coefficients` is (shapes x waves) x sensors.

    `mean` is of each shape, so that what is not known does nothing.
    """

    shapes: Shapes
    mean: Values
    coefficients: Values

    @classmethod
    def learn(cls, panel: Panel, values: Values, known: Values) -> Effects:
        """From the values of the sensors of a place, and of its variables as known in each column (variables x columns)."""
        shapes = Shapes.of(known)
        made = shapes.of_values(known, panel.steps_per_day)
        flat = made.reshape(len(known) * SHAPES, known.shape[1])
        there = np.isfinite(flat)
        mean = np.where(there, flat, 0.0).sum(axis=1) / np.maximum(there.sum(axis=1), 1)
        both = np.concatenate([values, flat])
        usual = usual_before(_like(panel, both), 0, _WEEKS)
        differs = both - usual
        rows = waved(np.nan_to_num(differs[len(values) :]), panel, 0)
        return cls(
            shapes=shapes, mean=mean, coefficients=_solved(rows.T, differs[: len(values)].T, panel.steps_per_day)
        )

    def on(self, shapes: Values, panel: Panel, first: int) -> Values:
        """What is added to each sensor (sensors x columns) by shapes (all x columns) from column `first` on."""
        moved = np.nan_to_num(shapes - self.mean[:, None])
        return np.asarray(self.coefficients.T @ waved(moved, panel, first))


def waved(shapes: Values, panel: Panel, first: int) -> Values:
    """Shapes (all x columns) times one and the waves of the local day, from column `first` on."""
    _, slots = panel.local(first, shapes.shape[1])
    angle = 2 * np.pi * slots / panel.steps_per_day
    times = [np.ones(len(slots)), *(wave(k * angle) for k in _WAVES for wave in (np.sin, np.cos))]
    return np.concatenate([shapes * one for one in times])


def known_at(covariates: Covariates, place: int, panel: Panel, first: int, count: int, by_us: Times) -> Values:
    """What is known of each variable in `count` columns from `first` on (variables x columns), stand-ins included."""
    times = panel.times_us(first, count)
    return np.array([covariates.known(place, k, times, by_us)[0] for k in range(len(covariates.names))])


def _trailing(values: Values, per_day: int) -> Values:
    """The mean of what is known in the last day up to each time, of at least half a day."""
    known = np.isfinite(values)
    shape = (*values.shape[:-1], 1)
    sums = np.concatenate([np.zeros(shape), np.cumsum(np.where(known, values, 0.0), axis=-1)], axis=-1)
    counts = np.concatenate([np.zeros(shape), np.cumsum(known, axis=-1)], axis=-1)
    end = np.arange(1, values.shape[-1] + 1)
    begin = np.maximum(end - per_day, 0)
    total, count = sums[..., end] - sums[..., begin], counts[..., end] - counts[..., begin]
    return np.where(count * 2 >= np.minimum(per_day, end), total / np.maximum(count, 1.0), np.nan)


def _like(panel: Panel, values: Values) -> Panel:
    return Panel(
        names=tuple(str(k) for k in range(len(values))),
        values=values,
        start_us=panel.start_us,
        step_seconds=panel.step_seconds,
        calendar=panel.calendar,
        part_of_checked=True,
    )


def _solved(rows: Values, wanted: Values, per_day: int) -> Values:
    """Ridge coefficients (features x sensors) of differences (rows x sensors), of which some are not known.

    All sensors share one Gram matrix; a sensor that is known in a share of the rows has that share of it.
    """
    scale = np.sqrt((rows**2).mean(axis=0)) if len(rows) else np.zeros(rows.shape[1])
    scale = np.where(scale > _FLAT, scale, np.inf)
    even = rows / scale
    known = np.isfinite(wanted)
    count = known.sum(axis=0)
    size = np.where(known, np.abs(wanted), 0.0).sum(axis=0) / np.maximum(count, 1)
    size = np.where(size > 0, size, 1.0)
    left = np.where(known, np.clip(wanted / size, -_CLIP, _CLIP), 0.0)
    values, vectors = np.linalg.eigh(even.T @ even)
    inside = count / max(1, len(rows)) * np.maximum(values, 0.0)[:, None] + _PENALTY * count + _PRIOR_DAYS * per_day
    return np.asarray(vectors @ (vectors.T @ (even.T @ left) / inside) / scale[:, None] * size)
