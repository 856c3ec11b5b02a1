"""Code concerned with drawing a release: bounded exact numbers become noisy ones, and only those go on.

Pure calculation under a charge that was paid before: noise, correction, threshold, rounding, in that order. The release job
runs it inside its transaction; the red-team suite runs the same lines on generated people.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.privacy.mechanisms.discrete_laplace import DiscreteLaplace
from services.privacy.mechanisms.thinning import scaled
from services.privacy.mechanisms.threshold import noisy_threshold, rounded, shown
from services.privacy.plan import Plan
from services.privacy.products.contract import Integers, Product

_CONFIDENCE: Final = 0.95


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawn:
    """What may be published: everything in it is noisy, or known without the data.

    Attributes:
        values: of each measure, rounded.
        shown: where they are published.
        ci95: half-width of each measure's values: what noise and rounding change stays within it with 95 %.
        noise_scale: b of the deciding count, after correction.
        threshold: the least deciding count that is shown, after correction.
        factor: the correction, at least 1.

    """

    values: dict[str, Integers]
    shown: NDArray[np.bool_]
    ci95: dict[str, float]
    noise_scale: float
    threshold: int
    factor: float


def draw(plan: Plan, product: Product, micro_epsilon: int, exact: dict[str, Integers]) -> Drawn:
    """Add noise worth what was paid, then withhold and round.

    Args:
        plan: the checked plan.
        product: the product of that name.
        micro_epsilon: what was charged for this one draw [micro-ε].
        exact: the bounded vector of each measure of the plan.

    """
    parts = plan.parts(micro_epsilon)
    noise = {m.name: DiscreteLaplace(sensitivity=m.sensitivity, micro_epsilon=parts[m.name]) for m in plan.measure}
    noisy = {name: mechanism.release(exact[name]) for name, mechanism in noise.items()}
    decides, scale = plan.measure_named(plan.threshold.measure), noise[plan.threshold.measure].scale
    factor = product.factor(plan, noisy, noise)
    threshold = noisy_threshold(scale, minimum=plan.threshold.minimum, false_presence=plan.threshold.false_presence)
    visible = shown(noisy[decides.name], threshold)
    noisy[decides.name] = scaled(noisy[decides.name], factor)
    ci95 = {m.name: noise[m.name].half_width(_CONFIDENCE) + m.rounding / 2 for m in plan.measure}
    ci95[decides.name] += noise[decides.name].half_width(_CONFIDENCE) * float(factor - 1)
    return Drawn(
        values={m.name: rounded(noisy[m.name], m.rounding) for m in plan.measure},
        shown=visible,
        ci95=ci95,
        noise_scale=scale * float(factor),
        threshold=math.ceil(threshold * factor),
        factor=float(factor),
    )
