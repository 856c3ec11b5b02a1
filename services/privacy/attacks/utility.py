"""Code concerned with how much of a city survives the release of presence: measured on generated people whose days are known.

The truth is every distinct vehicle in every cell and hour, before anything is bounded; what the bounds leave out counts as
error. The generated city's parameters stand in `attacks.people` and were fixed before they were measured. A day is measured as
the first that is ever released, and as released after four weeks, on whose working days the same people drove anew.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from services.privacy import drawing
from services.privacy.attacks import people
from services.privacy.attacks.ground import PRESENCE
from services.privacy.attacks.people import Integers, Town
from services.privacy.plan import Plan
from services.storage.ledger import MICRO
from services.storage.personal import Positions

PEOPLE: Final = 50_000
CELLS: Final = 680
EPSILONS: Final = (0.5, 1.0, 2.0)
WORKING_DAYS: Final = 20
"""How many days like the measured one four weeks have."""
LEAST_KEPT: Final = 0.75
MOST_ERROR: Final = 0.05
MOST_SECONDS: Final = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Utility:
    """What one ε leaves, as means over several releases of one day.

    Attributes:
        epsilon: of the whole release.
        earlier_days: how many days like it were released before.
        kept: share of all cell-hours of vehicles that lie where something is shown.
        weighted_error: sum of absolute errors of the shown counts over the sum of their true values.
        covered: share of shown counts whose true value lies within the published interval.
        shown: how many cell-hours are shown.
        false_presence: how many of these were empty.
        empty: how many cell-hours were empty.
        seconds: from positions in memory to published numbers, the fastest of the releases [s].

    """

    epsilon: float
    earlier_days: int
    kept: float
    weighted_error: float
    covered: float
    shown: float
    false_presence: float
    empty: int
    seconds: float


def measure(
    plan: Plan,
    *,
    seed: int = 1,
    releases: int = 3,
    many: int = PEOPLE,
    cells: int = CELLS,
    earlier_days: Sequence[int] = (0, WORKING_DAYS),
) -> list[Utility]:
    """Release a generated day of the plan's product at each ε, after so many earlier days.

    Args:
        plan: of presence.
        seed: of the city.
        releases: how many draws the figures are means of.
        many: people.
        cells: of resolution 8.
        earlier_days: how many days were released before, each measured.

    """
    rng = np.random.default_rng([seed, 2])
    town = people.build_town(seed, cells)
    inhabitants = people.settle(town, rng, many)
    sent = people.reports(inhabitants, people.drive(inhabitants, rng))
    truth = people.true_counts(town, sent)
    rows = [people.as_rows(town, sent, people.pseudonyms(rng, many)) for _ in range(releases)]
    before = []
    for _ in range(max(earlier_days)):
        then = people.reports(inhabitants, people.drive(inhabitants, rng))
        that_day = people.as_rows(town, then, people.pseudonyms(rng, many))
        before.append(PRESENCE.bound(that_day, plan, people.the_day(), town.domain))
    found = []
    for epsilon in EPSILONS:
        paid = int(epsilon * MICRO)
        drawn = [drawing.draw(plan, PRESENCE, paid, exact).noisy for exact in before]
        for days in earlier_days:
            known = {name: np.stack([one[name] for one in drawn[:days]]) for name in (drawn[0] if days else ())}
            rounds = [_released(plan, town, positions, paid, known, truth) for positions in rows]
            means = np.array(rounds, dtype=np.float64).mean(axis=0)
            found.append(
                Utility(
                    epsilon=epsilon,
                    earlier_days=days,
                    kept=float(means[0]),
                    weighted_error=float(means[1]),
                    covered=float(means[2]),
                    shown=float(means[3]),
                    false_presence=float(means[4]),
                    empty=int((truth == 0).sum()),
                    seconds=min(one[5] for one in rounds),
                )
            )
    return found


def _released(
    plan: Plan, town: Town, rows: Positions, paid: int, earlier: dict[str, Integers], truth: Integers
) -> tuple[float, float, float, int, int, float]:
    """One release: volume kept, weighted error, share covered, cell-hours shown and falsely shown, and its time [s]."""
    decides = plan.threshold.measure
    began = time.perf_counter()
    exact = PRESENCE.bound(rows, plan, people.the_day(), town.domain)
    drawn = drawing.draw(plan, PRESENCE, paid, exact, earlier)
    seconds = time.perf_counter() - began
    seen = drawn.shown
    wrong = np.abs(drawn.values[decides] - truth)[seen]
    return (
        float(truth[seen].sum() / truth.sum()),
        float(wrong.sum() / max(truth[seen].sum(), 1)),
        float((wrong <= drawn.ci95[decides]).mean()) if seen.any() else 1.0,
        int(seen.sum()),
        int((seen & (truth == 0)).sum()),
        seconds,
    )
