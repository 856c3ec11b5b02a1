"""Code concerned with how feeders have erred, as totals need it: their errors together, and what they drew."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.calendar import Calendar
from models.panel import Panel, Values
from models.regimes import regimes
from models.selection import Selected
from services.domain import QUANTILE_LEVELS, Kind
from services.forecasting.keeping import fetch
from services.forecasting.learnt import Group
from services.storage import fitted, panels
from services.storage.database import Connection

POWER: Final = "power_kw"
_MIDDLE: Final = QUANTILE_LEVELS.index(0.5)
_HALF: Final = 0.5  # of a total that must be known to tell how it errs
_NEARLY_ALL: Final = 0.9  # of a total that must be known to tell how much it drew


@dataclass(frozen=True, kw_only=True, slots=True)
class Ensemble:
    """Feeders that share a step: values (feeders x times) up to the learning, and errors (origins x feeders x steps).

    An error is observed minus the median as it would have been published.
    """

    ids: NDArray[np.int64]
    step_seconds: int
    start_us: int
    values: NDArray[np.floating[Any]]
    origins_us: NDArray[np.int64]
    errors: NDArray[np.float32]


def of_groups(groups: Iterable[Group]) -> list[Ensemble]:
    """What groups that have just been learnt say."""
    return [
        _ensemble(
            group.panel.names,
            group.panel.values,
            group.panel.start_us,
            group.step_seconds,
            group.selected,
            group.panel.calendar,
        )
        for group in groups
        if group.quantity == POWER
    ]


def of_night(connection: Connection, calendar: Calendar, folder: Path) -> Iterator[Ensemble]:
    """What was learnt of all feeders of the city in the night, one shard after the other."""
    for shard in panels.shards(connection):
        for one in fitted.of_shard(connection, shard):
            if one.kind == Kind.ENERGY and one.quantity == POWER:
                content = fetch(connection, one, folder)
                if content is not None:
                    yield _ensemble(
                        content["names"],
                        content["values"],
                        content["start_us"],
                        one.step_seconds,
                        content["selected"],
                        calendar,
                    )


def _ensemble(
    names: Iterable[str],
    values: NDArray[np.floating[Any]],
    start_us: int,
    step_seconds: int,
    selected: Selected,
    calendar: Calendar,
) -> Ensemble:
    errors, origins = selected.errors, selected.origins_us
    kinds = regimes_at(origins, errors.shape[2], step_seconds, calendar)
    middle = selected.conformal.offsets[_MIDDLE][kinds, :, np.arange(errors.shape[2])]
    return Ensemble(
        ids=np.array([int(name) for name in names], dtype=np.int64),
        step_seconds=step_seconds,
        start_us=start_us,
        values=values,
        origins_us=origins,
        errors=(errors - middle.transpose(0, 2, 1)).astype(np.float32),
    )


def regimes_at(origins_us: NDArray[np.int64], steps: int, step_seconds: int, calendar: Calendar) -> NDArray[np.int64]:
    """The regime of each step ahead of each origin (origins x steps)."""
    first, step_us = int(origins_us.min()), step_seconds * 1_000_000
    clock = Panel(names=(), values=np.empty((0, 0)), start_us=first, step_seconds=step_seconds, calendar=calendar)
    places = (origins_us - first) // step_us
    every = regimes(clock, 0, int(places.max()) + steps)
    return np.asarray(every[places[:, None] + np.arange(steps)])


@dataclass(frozen=True, kw_only=True, slots=True)
class Tree:
    """Which feeders make up which totals: `members` (totals x feeders) of ones and zeros, in the order of `ids`.

    `usual` (feeders,) is what each usually draws, without its sign: it stands for one that is missing.
    """

    ids: NDArray[np.int64]
    members: Values
    usual: Values

    def add(self, sums: Values, ids: NDArray[np.int64], values: Values, at: slice = slice(None)) -> None:
        """Add values (feeders x times), and what is known of the totals by them, to sums (2 x totals x times)."""
        order = np.argsort(self.ids)
        place = np.minimum(np.searchsorted(self.ids, ids, sorter=order), len(self.ids) - 1)
        column = order[place]
        mine = self.ids[column] == ids
        known = np.isfinite(values[mine])
        members = self.members[:, column[mine]]
        sums[0][:, at] += members @ np.where(known, values[mine], 0.0)
        sums[1][:, at] += (members * self.usual[column[mine]]) @ known

    def whole(self, sums: Values, needed: float) -> Values:
        """Sums made whole: what is missing is taken to be like the rest; NaN where less than a share is known."""
        share = sums[1] / np.maximum(self.members @ self.usual, 1e-12)[:, None]
        return np.where(share >= needed, sums[0] / np.maximum(share, needed), np.nan)


def summed_errors(
    ensembles: Iterable[Ensemble], tree: Tree, steps: int, step_seconds: int
) -> tuple[NDArray[np.int64], Values]:
    """Errors of totals: those of their feeders that were issued together, added up.

    Args:
        ensembles: of the feeders.
        tree: of the totals.
        steps: of the result.
        step_seconds: its step; an error over a longer one holds for all steps within.

    Returns:
        Origins [µs] and errors (origins x totals x steps), NaN where half of a total is not known.

    """
    sums: dict[int, Values] = {}
    for one in ensembles:
        longer = max(1, one.step_seconds // step_seconds)
        for origin, wrong in zip(one.origins_us.tolist(), one.errors, strict=True):
            long = np.repeat(wrong, longer, axis=1)[:, :steps].astype(np.float64)
            tree.add(
                sums.setdefault(origin, np.zeros((2, len(tree.members), steps))), one.ids, long, slice(long.shape[1])
            )
    origins = np.array(sorted(sums), dtype=np.int64)
    if not len(origins):
        return origins, np.empty((0, len(tree.members), steps))
    return origins, np.stack([tree.whole(sums[origin], _HALF) for origin in origins.tolist()])


def summed_values(
    ensembles: Iterable[Ensemble], tree: Tree, *, since_us: int, until_us: int, step_seconds: int
) -> Values:
    """What each total drew in each step of [since, until), as far as it was learnt from; NaN where unknown."""
    times = np.arange(since_us, until_us, step_seconds * 1_000_000)
    sums = np.zeros((2, len(tree.members), len(times)))
    for one in ensembles:
        column = (times - one.start_us) // (one.step_seconds * 1_000_000)
        inside = np.flatnonzero((column >= 0) & (column < one.values.shape[1]))
        if len(inside):
            values = one.values[:, column[inside]].astype(np.float64)
            tree.add(sums, one.ids, values, slice(int(inside[0]), int(inside[-1]) + 1))
    return tree.whole(sums, _NEARLY_ALL)
