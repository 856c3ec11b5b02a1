"""Code concerned with how much the noise of each plan really hides: thousands of releases with and without one subject.

The strongest attacker knows everything but whether the subject was there, and the best test compares likelihoods: for
Laplace noise its statistic is the excess cut to between nothing and the subject's part (two thresholds, arXiv:2412.20456),
for Gaussian noise the excess itself. What such a test gives away bounds ε from below; the bound must not exceed the charge.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from services.privacy import drawing
from services.privacy.attacks.contract import Finding, Line
from services.privacy.attacks.estimates import Floats, epsilon_lower
from services.privacy.attacks.ground import UNSMOOTHED, Ground
from services.privacy.mechanisms.catalogue import GAUSSIAN
from services.privacy.plan import Measure, Plan, load_plans
from services.storage.ledger import MICRO

_RUNS: Final = 50_000
_FEW_RUNS: Final = 4_000
_CONTROL: Final = 3.0


@dataclass(frozen=True, kw_only=True, slots=True)
class MembershipByLikelihood:
    """Audits every plan: one number changed by all that a subject may change, in every measure at once."""

    name: str = "membership-likelihood"

    def run(self, ground: Ground) -> Finding:
        """Attack exact numbers, then every plan's release."""
        runs = _FEW_RUNS if ground.short else _RUNS
        without, with_ = np.zeros(runs), np.ones(runs)
        control, _ = epsilon_lower(with_, without, delta=0.0, confidence=0.95)
        found = []
        for done, plan in enumerate(load_plans()):
            ground.tell(done, len(load_plans()))
            paid = plan.price(ground.micro_epsilon)
            inside, outside = (_scores(plan, paid, runs, present=present) for present in (True, False))
            bound, advantage = epsilon_lower(inside, outside, delta=float(plan.delta), confidence=ground.confidence)
            found.append((bound - paid / MICRO, bound, paid / MICRO, advantage, plan))
        _, bound, claimed, _, plan = max(found, key=lambda one: one[0])
        lines = []
        for _, _, epsilon, advantage, each in sorted(found, key=lambda one: -one[0]):
            half = 1.96 * math.sqrt(0.5 / (runs / 2))
            limit = math.tanh(epsilon / 2) + float(each.delta)
            lines.append(
                Line(
                    what=f"advantage on {each.name}",
                    value=abs(advantage),
                    low=abs(advantage) - half,
                    high=abs(advantage) + half,
                    limit=limit,
                    judged=abs(advantage) - half,
                )
            )
        figures = ", ".join(f"{each.name} {bound:.3f} of {epsilon:g}" for _, bound, epsilon, _, each in found)
        return Finding(
            control=control,
            control_needed=_CONTROL,
            lines=tuple(lines),
            epsilon_hat=bound,
            epsilon_claimed=claimed,
            explanation=(
                f"{runs:,} releases of each plan with one subject and as many without, told apart by the best test there is. "
                f"What the releases give away at least: {figures}. Exact numbers give away at least {control:.1f}. "
                f"Nearest to its limit: {plan.name}."
            ),
        )


def _scores(plan: Plan, paid: int, runs: int, *, present: bool) -> Floats:
    """The test's statistic of independent releases of one number per measure, far above the threshold."""
    parts = plan.parts(paid)
    exact = {m.name: np.full(runs, _background(m) + present * m.sensitivity, dtype=np.int64) for m in plan.measure}
    drawn = drawing.draw(plan, UNSMOOTHED, paid, exact)
    score = np.zeros(runs)
    for m in plan.measure:
        excess = (drawn.values[m.name] - _background(m)) / m.sensitivity
        score += parts[m.name] * (excess if m.mechanism == GAUSSIAN else np.clip(excess, 0, 1))
    return score


def _background(measure: Measure) -> int:
    """What others add to the number: so much that noise neither withholds it nor meets zero."""
    return 1_000 * measure.sensitivity * measure.rounding
