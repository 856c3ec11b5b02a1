"""Code concerned with an attacker who fills an empty cell with made-up devices until the target alone decides what is shown.

Under a rule "show from k on" k - 1 false devices leave the last place to the target, and the count appears exactly when the
target does. The false devices are subjects of their own: they cannot change how much of the target counts.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from services.privacy.attacks.contract import Finding, Line
from services.privacy.attacks.estimates import Floats, auc, auc_error, epsilon_lower
from services.privacy.attacks.ground import Ground
from services.storage.ledger import MICRO

_RUNS, _FEW_RUNS = 5_000, 600
_K: Final = 10
_CONTROL: Final = 0.95


@dataclass(frozen=True, kw_only=True, slots=True)
class SybilIsolation:
    """False devices fill all cells that may count for the target, to one below k or to one below the threshold."""

    name: str = "sybil-isolation"

    def run(self, ground: Ground) -> Finding:
        """Attack the rule of ten, then the release."""
        runs = _FEW_RUNS if ground.short else _RUNS
        cells = ground.presence.measure_named(ground.presence.threshold.measure).cells_per_subject
        _, _, threshold = ground.published(np.zeros((1, 1), dtype=np.int64))
        control = auc(*(np.full(runs, float(_K - 1 + present >= _K)) for present in (1, 0)))
        epsilon = ground.paid / MICRO
        bound = math.exp(epsilon) / (1 + math.exp(epsilon))
        found = []
        for done, level in enumerate((_K - 1, threshold - 1)):
            ground.tell(done, 2)
            inside, outside = (_scores(ground, runs, cells, level + present, level) for present in (1, 0))
            hat, _ = epsilon_lower(inside, outside, delta=float(ground.presence.delta), confidence=ground.confidence)
            area = auc(inside, outside)
            found.append((area, hat, level))
        worst, _, level = max(found)
        error = (4.5 if ground.short else 1.96) * auc_error(worst, runs, runs)
        line = Line(
            what="area under the curve above 0.5",
            value=worst - 0.5,
            low=worst - error - 0.5,
            high=worst + error - 0.5,
            limit=bound - 0.5,
            judged=worst - error - 0.5,
        )
        return Finding(
            control=control,
            control_needed=_CONTROL,
            lines=(line,),
            epsilon_hat=max(hat for _, hat, _ in found),
            epsilon_claimed=epsilon,
            explanation=(
                f"False devices in {cells} empty cells, {_K - 1} or {threshold - 1} in each. Under the rule of ten the target's "
                f"coming shows every time; in {2 * runs:,} releases its area under the curve is {worst:.3f} at {level} devices, "
                f"where at most {bound:.3f} is possible."
            ),
        )


def _scores(ground: Ground, runs: int, cells: int, level: int, without: int) -> Floats:
    counts, visible, threshold = ground.published(np.full((runs, cells), level))
    excess = np.where(visible, np.clip(counts - without, 0, 2), np.minimum(0, threshold - 1 - without - 1))
    score: Floats = excess.sum(axis=1).astype(np.float64)
    return score
