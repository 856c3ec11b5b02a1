"""Code concerned with how much of a city survives the release of presence: measured on generated people whose days are known.

The truth is every distinct vehicle in every cell and hour, before anything is bounded; what the bounds leave out counts as
error. The generated city's parameters stand in `attacks.people` and were fixed before they were measured.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

import numpy as np

from services.privacy import drawing
from services.privacy.attacks import people
from services.privacy.attacks.ground import PRESENCE
from services.privacy.plan import Plan
from services.storage.ledger import MICRO

PEOPLE: Final = 50_000
CELLS: Final = 680
EPSILONS: Final = (0.5, 1.0, 2.0)
LEAST_KEPT: Final = 0.75
MOST_ERROR: Final = 0.05
MOST_SECONDS: Final = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Utility:
    """What one ε leaves, as means over several releases of one day.

    Attributes:
        epsilon: of the whole release.
        kept: share of all cell-hours of vehicles that lie where something is shown.
        weighted_error: sum of absolute errors of the shown counts over the sum of their true values.
        covered: share of shown counts whose true value lies within the published interval.
        shown: how many cell-hours are shown.
        false_presence: how many of these were empty.
        empty: how many cell-hours were empty.
        seconds: from positions in memory to published numbers, the fastest of the releases [s].

    """

    epsilon: float
    kept: float
    weighted_error: float
    covered: float
    shown: float
    false_presence: float
    empty: int
    seconds: float


def measure(plan: Plan, *, seed: int = 1, releases: int = 3, many: int = PEOPLE, cells: int = CELLS) -> list[Utility]:
    """Release a generated day of the plan's product at each ε.

    Args:
        plan: of presence.
        seed: of the city.
        releases: how many draws the figures are means of.
        many: people.
        cells: of resolution 8.

    """
    rng = np.random.default_rng([seed, 2])
    town = people.build_town(seed, cells)
    inhabitants = people.settle(town, rng, many)
    sent = people.reports(inhabitants, people.drive(inhabitants, rng))
    truth = people.true_counts(town, sent)
    decides = plan.threshold.measure
    found = []
    for epsilon in EPSILONS:
        rounds = []
        for _ in range(releases):
            rows = people.as_rows(town, sent, people.pseudonyms(rng, many))
            began = time.perf_counter()
            exact = PRESENCE.bound(rows, plan, people.the_day(), town.domain)
            drawn = drawing.draw(plan, PRESENCE, int(epsilon * MICRO), exact)
            seconds = time.perf_counter() - began
            seen = drawn.shown
            wrong = np.abs(drawn.values[decides] - truth)[seen]
            rounds.append(
                (
                    truth[seen].sum() / truth.sum(),
                    wrong.sum() / max(truth[seen].sum(), 1),
                    (wrong <= drawn.ci95[decides]).mean() if seen.any() else 1.0,
                    seen.sum(),
                    (seen & (truth == 0)).sum(),
                    seconds,
                )
            )
        means = np.array(rounds, dtype=np.float64).mean(axis=0)
        found.append(
            Utility(
                epsilon=epsilon,
                kept=float(means[0]),
                weighted_error=float(means[1]),
                covered=float(means[2]),
                shown=float(means[3]),
                false_presence=float(means[4]),
                empty=int((truth == 0).sum()),
                seconds=min(float(one[5]) for one in rounds),
            )
        )
    return found
