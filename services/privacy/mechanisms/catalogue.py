"""Code concerned with which mechanism a measure of a plan has. A new mechanism is one file and one line here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from services.privacy.mechanisms.contract import Mechanism
from services.privacy.mechanisms.discrete_gaussian import DiscreteGaussian
from services.privacy.mechanisms.discrete_laplace import DiscreteLaplace
from services.privacy.plan import Measure

LAPLACE: Final = "discrete_laplace"
GAUSSIAN: Final = "discrete_gaussian"


def _laplace(measure: Measure, micro_epsilon: int) -> Mechanism:
    return DiscreteLaplace(sensitivity=measure.sensitivity, micro_epsilon=micro_epsilon)


def _gaussian(measure: Measure, micro_epsilon: int) -> Mechanism:
    return DiscreteGaussian(sensitivity=measure.sensitivity, micro_epsilon=micro_epsilon, delta=float(measure.delta))


MECHANISMS: Final[dict[str, Callable[[Measure, int], Mechanism]]] = {LAPLACE: _laplace, GAUSSIAN: _gaussian}


def mechanism_of(measure: Measure, micro_epsilon: int) -> Mechanism:
    """The noise of a measure whose part of the charge is `micro_epsilon`."""
    return MECHANISMS[measure.mechanism](measure, micro_epsilon)
