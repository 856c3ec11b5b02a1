"""Code concerned with what an attack is: it breaks unprotected data, and then tries the same on what we publish.

An attack that does not work on unprotected data says nothing about protected data: its positive control failed and the
whole attack counts as failed. What it achieves on a release is scored as advantage over an attacker who has no release.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from services.privacy.attacks.ground import Ground


@dataclass(frozen=True, kw_only=True, slots=True)
class Line:
    """One figure with its pass line.

    Attributes:
        what: what was measured.
        value: the estimate.
        low: lower end of its 95 % interval.
        high: upper end of it.
        limit: the pass line.
        judged: the end of the interval, or the estimate, that must not be above the limit.

    """

    what: str
    value: float
    low: float
    high: float
    limit: float
    judged: float

    @property
    def passed(self) -> bool:
        """Whether the judged number is not above the limit."""
        return bool(self.judged <= self.limit)


def exactly(what: str, value: float, limit: float) -> Line:
    """A figure without chance."""
    return Line(what=what, value=value, low=value, high=value, limit=limit, judged=value)


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """What an attack found.

    Attributes:
        control: what it achieved on unprotected data.
        control_needed: what it must achieve there.
        lines: what it achieved on the release; the first is its advantage over no release.
        epsilon_hat: lower bound on the ε that the release shows (95 %), None where the attack measures none.
        epsilon_claimed: the ε that was paid for what was audited.
        explanation: what was done and what came out, for a reader who knows no cryptography.

    """

    control: float
    control_needed: float
    lines: tuple[Line, ...]
    explanation: str
    epsilon_hat: float | None = None
    epsilon_claimed: float | None = None

    @property
    def control_passed(self) -> bool:
        """Whether the attack works on unprotected data."""
        return self.control >= self.control_needed

    @property
    def passed(self) -> bool:
        """Whether the control worked and every figure stays below its line."""
        audited = self.epsilon_hat is None or self.epsilon_claimed is None or self.epsilon_hat <= self.epsilon_claimed
        return self.control_passed and audited and all(line.passed for line in self.lines)


class Attack(Protocol):
    """One way to learn about a person from what is published. Stateless."""

    @property
    def name(self) -> str:
        """The name under which it is run and printed."""

    def run(self, ground: Ground) -> Finding:
        """Attack unprotected data, then the release."""
