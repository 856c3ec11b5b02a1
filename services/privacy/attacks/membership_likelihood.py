"""Code concerned with how much the noise of each plan really hides: thousands of releases with and without one subject.

The strongest attacker knows everything but whether the subject was there, and the best test compares likelihoods: for
Laplace noise its statistic is the excess cut to between nothing and the subject's part (two thresholds, arXiv:2412.20456),
for Gaussian noise the excess itself. What such a test gives away bounds ε from below; the bound must not exceed the charge.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np

from services.privacy import drawing
from services.privacy.attacks.contract import Finding, Line, exactly
from services.privacy.attacks.estimates import Floats, epsilon_lower
from services.privacy.attacks.ground import UNSMOOTHED, Ground
from services.privacy.mechanisms.catalogue import GAUSSIAN
from services.privacy.plan import Measure, Plan, load_plans
from services.storage.ledger import MICRO

_RUNS: Final = 50_000
_FEW_RUNS: Final = 4_000
_CONTROL: Final = 3.0
_Z95: Final = 1.96


@dataclass(frozen=True, kw_only=True, slots=True)
class MembershipByLikelihood:
    """Audits every plan: one number changed by all that a subject may change, in every measure at once."""

    name: str = "membership-likelihood"

    def run(self, ground: Ground) -> Finding:
        """Attack exact numbers, then every plan's release."""
        runs = _FEW_RUNS if ground.short else _RUNS
        without, with_ = np.zeros(runs), np.ones(runs)
        control, _ = epsilon_lower(with_, without, delta=0.0, confidence=0.95)
        plans = sorted(load_plans(), key=lambda plan: plan.name != ground.presence.name)
        found = []
        for done, plan in enumerate(plans):
            ground.tell(done, len(plans))
            paid = plan.price(ground.micro_epsilon)
            inside, outside = (_scores(plan, paid, runs, present=present) for present in (True, False))
            bound, advantage = epsilon_lower(inside, outside, delta=float(plan.delta), confidence=ground.confidence)
            found.append(_Audit(plan=plan, epsilon=paid / MICRO, bound=bound, advantage=abs(advantage)))
        nearest = max(found, key=lambda one: one.bound / one.epsilon)
        figures = ", ".join(f"{one.plan.name} {one.bound:.3f} of {one.epsilon:g}" for one in found)
        deviation = math.sqrt(0.5 / (runs / 2))  # of the difference of two shares, at most
        sure = NormalDist().inv_cdf((1 + ground.confidence) / 2) * deviation
        return Finding(
            control=control,
            control_needed=_CONTROL,
            lines=(
                *(one.advantage_line(_Z95 * deviation, sure) for one in found),
                *(
                    exactly(f"epsilon that {one.plan.name} gives away at least", one.bound, one.epsilon)
                    for one in found
                ),
            ),
            epsilon_hat=nearest.bound,
            epsilon_claimed=nearest.epsilon,
            explanation=(
                f"{runs:,} releases of each plan with one subject and as many without, told apart by the best test there is. "
                f"What the releases give away at least: {figures}; Gaussian noise gives its epsilon away in events of chance "
                f"delta only, so less of it can be seen. Exact numbers give away at least {control:.1f}. Nearest to its claim: "
                f"{nearest.plan.name}."
            ),
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Audit:
    """What one plan was found to give away."""

    plan: Plan
    epsilon: float
    bound: float
    advantage: float

    def advantage_line(self, half: float, sure: float) -> Line:
        """The advantage of the best test; chance may lift the estimate above the limit, but not by more than `sure`.

        Where ε is small the true advantage lies just below the limit (trip lengths: 0.049 of 0.050), so an audit judged at 95 %
        fails one sound plan in thirty-five runs; the short one, which runs with every test, is judged as its bound is.
        """
        return Line(
            what=f"advantage on {self.plan.name}",
            value=self.advantage,
            low=self.advantage - half,
            high=self.advantage + half,
            limit=math.tanh(self.epsilon / 2) + float(self.plan.delta),
            judged=self.advantage - sure,
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
