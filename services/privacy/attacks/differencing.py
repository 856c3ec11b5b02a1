"""Code concerned with what sums and differences of published numbers give away: everything reachable, as linear equations.

Under a rule "show counts from k on" with totals beside them, what is withheld is bounded by linear programs; a table's margins
leave many counts exactly known, and windows that overlap leave their difference. Of a release only the shown base cells are
reachable: every zone, span and total that anything downstream can show is a sum of them, so no equation holds a withheld cell.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import csr_array

from services.privacy import drawing
from services.privacy.attacks.contract import Finding, exactly
from services.privacy.attacks.estimates import Floats
from services.privacy.attacks.ground import PRESENCE, UNSMOOTHED, Ground
from services.privacy.attacks.people import HOURS, Integers, Reports
from services.privacy.attacks.recordings import recorded_trips
from services.privacy.plan import load_plan

_K: Final = 10
_CELLS: Final = 40
_ASKED, _FEW_ASKED = 60, 12
_CONTROL: Final = 0.05
_STEP_S: Final = 900


@dataclass(frozen=True, kw_only=True, slots=True)
class Differencing:
    """Recovers withheld counts of a district of the generated city, under the rule of ten and from a release."""

    name: str = "differencing"

    def run(self, ground: Ground) -> Finding:
        """Solve for withheld cells with margins, then with all sums of a release."""
        city, rng = ground.city, ground.rng(self.name)
        rows = np.argsort(-city.true.sum(axis=1))[len(city.true) // 4 :][:_CELLS]
        true = city.true[rows]
        asked = _FEW_ASKED if ground.short else _ASKED
        ground.tell(0, 3)
        control, wide = _recovered(true, true >= _K, rng, asked, margins_of=true)
        ground.tell(1, 3)
        drawn = drawing.draw(ground.presence, PRESENCE, ground.paid, city.exact)
        values = np.where(drawn.shown, drawn.values[ground.presence.threshold.measure], 0)[rows]
        found, _ = _recovered(values, drawn.shown[rows], rng, asked, margins_of=None)
        what = f"{asked} withheld counts of {_CELLS} cells"
        if ground.trips is not None:
            control, wide, found = _on_trips(ground, ground.trips, rng, asked)
            what = f"{asked} withheld counts of recorded bicycle stations"
        ground.tell(2, 3)
        sliding = _sliding(city.sent, city.town.parent, len(city.town.domain))
        return Finding(
            control=control,
            control_needed=_CONTROL,
            lines=(
                exactly("share of withheld counts recovered", found, 0.0),
                exactly("release plans whose slots overlap", float(_overlapping(ground)), 0.0),
            ),
            explanation=(
                f"{what}. Under the rule of ten with totals {control:.0%} are recovered exactly and "
                f"{wide:.0%} to within three; {sliding:.0%} of neighbouring hours that overlap by 45 minutes expose a count below "
                f"ten. From everything reachable of a release {found:.0%} are recovered: no equation contains them."
            ),
        )


def _on_trips(ground: Ground, path: Path, rng: np.random.Generator, asked: int) -> tuple[float, float, float]:
    """What is recovered of a recorded day: exactly and to within three under the rule of ten, and from a release."""
    hourly, both = recorded_trips(path)
    control, wide = _recovered(hourly, hourly >= _K, rng, asked, margins_of=hourly)
    plan = load_plan("bike_stations")
    decides = plan.threshold.measure
    drawn = drawing.draw(plan, UNSMOOTHED, plan.price(ground.micro_epsilon), {decides: both})
    found, _ = _recovered(np.where(drawn.shown, drawn.values[decides], 0), drawn.shown, rng, asked, margins_of=None)
    return control, wide, found


def _recovered(
    values: Integers,
    visible: NDArray[np.bool_],
    rng: np.random.Generator,
    asked: int,
    *,
    margins_of: Integers | None,
) -> tuple[float, float]:
    """Shares of withheld counts that linear programs pin down exactly, and to within three.

    Args:
        values: what is shown, (cells, hours).
        visible: where.
        rng: chooses which are asked for.
        asked: how many.
        margins_of: counts whose totals by cell, by hour and over all are published too; None when only sums of shown values are.

    """
    hidden = np.flatnonzero(~visible.ravel())
    if not hidden.size:
        return 0.0, 0.0
    column = np.full(values.size, -1)
    column[hidden] = np.arange(hidden.size)
    shape = values.shape
    lines, rests = [], []
    for members in _groups(shape):
        unknown = column[members][column[members] >= 0]
        published = values if margins_of is None else margins_of
        total = (
            published.ravel()[members][visible.ravel()[members]].sum()
            if margins_of is None
            else margins_of.ravel()[members].sum()
        )
        # A sum of a release's cells is a sum of shown values: what is withheld has no part in it.
        lines.append(np.zeros(0, dtype=np.int64) if margins_of is None else unknown)
        rests.append(total - values.ravel()[members][visible.ravel()[members]].sum())
    row = np.repeat(np.arange(len(lines)), [len(line) for line in lines])
    matrix = csr_array((np.ones(len(row)), (row, np.concatenate(lines))), shape=(len(lines), hidden.size))
    most = float(_K - 1) if margins_of is not None else None
    exact = near = 0
    picked = rng.choice(hidden.size, min(asked, hidden.size), replace=False)
    for one in picked:
        ends = _ends(matrix, np.array(rests, dtype=np.float64), int(one), hidden.size, most)
        exact += ends[1] - ends[0] < 0.5
        near += ends[1] - ends[0] < 3
    return exact / len(picked), near / len(picked)


def _groups(shape: tuple[int, ...]) -> list[Integers]:
    """Numbers of the cell-hours in each published total: by cell, by hour, all."""
    number = np.arange(shape[0] * shape[1]).reshape(shape)
    return [*number, *number.T, number.ravel()]


def _ends(matrix: csr_array, rest: Floats, one: int, unknowns: int, most: float | None) -> tuple[float, float]:
    """Between what a withheld count must lie."""
    cost = np.zeros(unknowns)
    cost[one] = 1.0
    ends = []
    for sign in (1.0, -1.0):
        solved = linprog(sign * cost, A_eq=matrix, b_eq=rest, bounds=(0, most), method="highs")
        ends.append(sign * float(solved.fun) if solved.status == 0 else -sign * np.inf)
    return ends[0], ends[1]


def _sliding(sent: Reports, parent: Integers, cells: int) -> float:
    """The share of published pairs of overlapping hours whose difference exposes a quarter with fewer than ten."""
    quarter = sent.second // _STEP_S
    quarters = HOURS * 4
    visits = np.unique((sent.person * cells + parent[sent.place]) * quarters + quarter)
    place = visits % (cells * quarters)
    counts = np.bincount(place, minlength=cells * quarters).reshape(cells, quarters)
    windows = np.lib.stride_tricks.sliding_window_view(counts, 4, axis=1).sum(axis=2)
    both = (windows[:, :-1] >= _K) & (windows[:, 1:] >= _K)
    leaves, enters = counts[:, : both.shape[1]], counts[:, 4 : 4 + both.shape[1]]
    exposed = both & ((leaves < _K) | (enters < _K))
    return float(exposed.sum() / max(both.sum(), 1))


def _overlapping(ground: Ground) -> int:
    grid = ground.presence.grid
    return int(grid.step_minutes < grid.slot_minutes)
