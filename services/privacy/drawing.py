"""Code concerned with drawing a release: bounded exact numbers become noisy ones, and only those go on.

Pure calculation under a charge that was paid before: noise, smoothing, threshold, rounding, in that order. The release job
runs it inside its transaction; the red-team suite runs the same lines on generated people.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.privacy.mechanisms.catalogue import mechanism_of
from services.privacy.mechanisms.contract import Mechanism
from services.privacy.mechanisms.threshold import noisy_threshold, rounded, shown
from services.privacy.plan import Plan
from services.privacy.products.contract import Integers, Product
from services.storage.ledger import MICRO

_CONFIDENCE: Final = 0.95
_TOLERANCE: Final = Fraction(1, 10_000)
"""By how much of the charge the noise may be dearer to hide than it has to be: shares and scales are rounded."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawn:
    """What may be published: everything in it is noisy, or known without the data.

    Attributes:
        noisy: of each measure, before anything was smoothed, rounded or withheld: for days to come, not for publication.
        values: of each measure, rounded.
        shown: where they are published.
        ci95: half-width of each measure's values: what noise and rounding change stays within it with 95 %; products that
            smooth bring values nearer than that.
        noise_scale: how wide the noise of the deciding count is: b of Laplace noise, σ of Gaussian.
        threshold: the least deciding count that is shown.

    """

    noisy: dict[str, Integers]
    values: dict[str, Integers]
    shown: NDArray[np.bool_]
    ci95: dict[str, float]
    noise_scale: float
    threshold: int


def draw(
    plan: Plan,
    product: Product,
    micro_epsilon: int,
    exact: dict[str, Integers],
    earlier: Mapping[str, Integers] = MappingProxyType({}),
) -> Drawn:
    """Add noise worth what was paid, then withhold and round.

    Args:
        plan: the checked plan.
        product: the product of that name.
        micro_epsilon: what was charged for this one draw [micro-ε].
        exact: the bounded vector of each measure of the plan.
        earlier: what was drawn for other days of that kind, by measure, days first.

    Raises:
        ArithmeticError: the noise costs more than was charged, or less than that by more than rounding; none was drawn.

    """
    parts = plan.parts(micro_epsilon)
    noise = {m.name: mechanism_of(m, parts[m.name]) for m in plan.measure}
    _require_loss_as_charged(noise, micro_epsilon)
    noisy = {name: mechanism.release(exact[name]) for name, mechanism in noise.items()}
    refined = product.refined(noisy, noise, earlier)
    decides = plan.threshold.measure
    threshold = noisy_threshold(
        noise[decides], minimum=plan.threshold.minimum, false_presence=plan.threshold.false_presence
    )
    ci95 = {m.name: noise[m.name].half_width(_CONFIDENCE) + m.rounding / 2 for m in plan.measure}
    return Drawn(
        noisy=noisy,
        values={m.name: rounded(refined[m.name], m.rounding, signed=m.signed) for m in plan.measure},
        shown=shown(refined[decides], threshold),
        ci95=ci95,
        noise_scale=noise[decides].scale,
        threshold=threshold,
    )


def _require_loss_as_charged(noise: Mapping[str, Mechanism], micro_epsilon: int) -> None:
    """Derive the privacy loss again, from the measurements that will draw, and hold it against the ledger's charge."""
    loss = sum((each.price(each.scale) for each in noise.values()), Fraction(0))
    charge = Fraction(micro_epsilon, MICRO)
    rounded_away = Fraction(len(noise), MICRO)  # each part of a charge is a whole number of micro-ε
    if not charge * (1 - _TOLERANCE) - rounded_away <= loss <= charge:
        message = f"the noise loses epsilon {float(loss)}, charged were {float(charge)}: nothing was drawn"
        raise ArithmeticError(message)
