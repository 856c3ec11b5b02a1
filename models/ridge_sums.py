"""Code concerned with ridge regressions of many sensors at once, from sums over their rows that are made only once.

Sums of runs of rows can be added up to those of a shorter or a longer history, or of a part of the day, and solved for each.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.differences import Features
from models.panel import Values
from models.symmetric import solved

_LITTLE: Final = 1e-6


@dataclass(frozen=True, kw_only=True, slots=True)
class Ridge:
    """Penalty per row on standardised features, rows' worth of it besides, and how many times each the newest difference has."""

    penalty: float
    prior: float
    newest: float = 1.0
    newest_prior: float = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Sums:
    """Gram matrices (… x features x features), right sides (… x features x leads) and weights (…) of runs of rows.

    The Gram matrix counts each row by the share of its leads that are known; each lead's right side is scaled to it.
    """

    gram: Values | Features
    right: Values | Features
    weight: Values | Features

    @classmethod
    def over(
        cls,
        rows: Features,
        known: Features,
        share: Features,
        robust: Features,
        edges: NDArray[np.int64],
    ) -> Sums:
        """Sums over the rows between neighbouring edges (runs x sensors x …).

        Args:
            rows: features, and below them the targets over their share that is known (sensors x features, leads x rows).
            known: which targets are known (sensors x leads x rows).
            share: of the leads of a row that are known (sensors x rows).
            robust: the weight of a row besides (sensors x rows).
            edges: where each run begins and the last ends.

        """
        runs, sensors, width = len(edges) - 1, len(rows), rows.shape[1] - known.shape[1]
        weight = share * robust
        both = np.empty((runs, sensors, width, rows.shape[1]), dtype=np.float32)
        total = np.empty((runs, sensors), dtype=np.float32)
        is_whole = bool(known.all())
        for run in range(runs):
            here = slice(edges[run], edges[run + 1])
            some = rows[:, :, here]
            np.matmul(some[:, :width] * weight[:, None, here], some.transpose(0, 2, 1), out=both[run])
            total[run] = weight[:, here].sum(axis=1)
            if not is_whole:
                mine = np.ascontiguousarray(known[:, :, here])
                heard = np.matmul(mine, robust[:, here, None])[:, :, 0]
                scaled = np.where(heard > 0, total[run][:, None] / np.maximum(heard, _LITTLE), 0.0)
                both[run, :, :, width:] *= np.where(mine.all(axis=2), 1.0, scaled)[:, None]
        return cls(gram=both[..., :width], right=both[..., width:], weight=total)

    def through(self, end: int, groups: int) -> Sums:
        """Of each group, over the runs before this one (groups x sensors x …); of `groups` runs in turn each is of one."""
        parts = (one[:end] for one in (self.gram, self.right, self.weight))
        gram, right, weight = (one.reshape(-1, groups, *one.shape[1:]).sum(axis=0, dtype=np.float64) for one in parts)
        return Sums(gram=gram, right=right, weight=weight)

    def together(self) -> Sums:
        """Over all runs (sensors x …)."""
        gram, right, weight = (one.sum(axis=0, dtype=np.float64) for one in (self.gram, self.right, self.weight))
        return Sums(gram=gram, right=right, weight=weight)

    def without(self, coefficients: Values) -> Sums:
        """The same rows, of whose targets these coefficients have explained their part."""
        return Sums(gram=self.gram, right=self.right - np.matmul(self.gram, coefficients), weight=self.weight)

    def solved(self, ridge: Ridge, size: Values, *, constant: bool = False) -> Values:
        """Ridge regressions (… x features x leads) of sums in double precision, whose Gram matrices are used up.

        Args:
            ridge: how much features are held back.
            size: mean square of each feature (sensors x features).
            constant: whether the last feature, which is constant, is shrunk too, by the prior alone.

        """
        heavy = (ridge.penalty * self.weight + ridge.prior)[..., None] * size
        heavy[..., 0] = (ridge.newest * ridge.penalty * self.weight + ridge.newest_prior * ridge.prior) * size[..., 0]
        heavy[..., -1] = ridge.prior if constant else 0.0
        gram = np.asarray(self.gram, dtype=np.float64)  # the same memory, as they are large
        index = np.arange(gram.shape[-1])
        gram[..., index, index] += heavy + 1e-6 * size
        return solved(gram, self.right)


def mean_squares(features: Features, share: Features) -> Values:
    """Of each feature over the rows that count (sensors x features), the last of which is one; 1 where it is always zero.

    Of few rows a mean can be zero but for its rounding, which is nothing to divide by.
    """
    size = np.empty(features.shape[:2], dtype=np.float32)
    for own, weight, squared in zip(features, share, size, strict=True):  # one by one, as squares of all fit no cache
        np.matmul(own**2, weight, out=squared)
    size /= np.maximum(share.sum(axis=1), 1)[:, None]
    least = _LITTLE * size[:, :-1].max(axis=1, keepdims=True)
    return np.where(size > least, size, 1.0).astype(np.float64)
