"""Code concerned with refusing release plans that would not protect as they say, before anything is read or spent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from services.errors import InputError
from services.privacy.plan import Measure, Plan, day_cap
from services.settings import Settings

_LEAST_THRESHOLD: Final = 10
_MOST_FALSE_PRESENCE: Final = 0.01
_MECHANISMS: Final = ("discrete_laplace",)


@dataclass(frozen=True, kw_only=True, slots=True)
class Product:
    """What every plan of one name has to be; the names of its measures in their order, the deciding count first.

    Each product has one base partition and one length of slot: two that do not nest could be subtracted.
    """

    domain: str
    partition: str
    slot_minutes: int
    measures: tuple[str, ...]
    most_cells_per_subject: int


PRODUCTS: Final = {
    "presence": Product(
        domain="mobility",
        partition="h3-r8",
        slot_minutes=60,
        measures=("vehicles", "cell_hours"),
        most_cells_per_subject=64,
    ),
    "district_energy": Product(
        domain="household",
        partition="district",
        slot_minutes=1440,
        measures=("households", "energy_wh"),
        most_cells_per_subject=1,
    ),
}


def check(plans: Sequence[Plan], settings: Settings) -> None:
    """Refuse plans with the reasons.

    Args:
        plans: all plans that run together; those of one domain share its daily budget.
        settings: the daily budget and how long personal rows are kept.

    Raises:
        InputError: with every reason, plan by plan.

    """
    reasons = [f"{plan.name}: {reason}" for plan in plans for reason in _reasons(plan, settings)]
    for name, times in Counter(plan.name for plan in plans).items():
        if times > 1:
            reasons.append(f"{name}: there are {times} plans of this name")
    for domain in sorted({plan.domain for plan in plans}):
        shares = [plan.epsilon_share for plan in plans if plan.domain == domain and plan.epsilon_share.is_finite()]
        if sum(shares) > 1:
            reasons.append(
                f"domain {domain}: the plans ask for {sum(shares)} times the day's budget of epsilon "
                f"{settings.privacy_epsilon_day:g}; their epsilon_shares may add up to 1"
            )
    if reasons:
        message = f"release plans refused: {'; '.join(reasons)}"
        raise InputError(message)


def _reasons(plan: Plan, settings: Settings) -> Iterator[str]:
    product = PRODUCTS.get(plan.name)
    if product is None:
        yield f"there is no product of this name, only {', '.join(PRODUCTS)}"
        return
    yield from _about_grid(plan, product)
    for measure in plan.measure:
        yield from (f"{measure.name}: {reason}" for reason in _about_measure(measure, product, day_cap(settings)))
    yield from _about_threshold(plan, product)
    if settings.personal_retention_hours > plan.raw_hours:
        yield (
            f"personal rows are kept {settings.personal_retention_hours} h, the plan promises at most "
            f"{plan.raw_hours} h: lower ARTERIAL_PERSONAL_RETENTION_HOURS"
        )


def _about_grid(plan: Plan, product: Product) -> Iterator[str]:
    grid = plan.grid
    if plan.domain != product.domain:
        yield f"unknown domain {plan.domain!r} for this product, it is {product.domain}"
    if grid.partition != product.partition:
        yield f"unknown zones {grid.partition!r}: the one base partition of this product is {product.partition}"
    if grid.step_minutes < grid.slot_minutes:
        yield (
            f"slots of {grid.slot_minutes} minutes every {grid.step_minutes} minutes overlap, and overlapping slots "
            "reveal their difference: make step_minutes equal to slot_minutes"
        )
    elif (grid.slot_minutes, grid.step_minutes) != (product.slot_minutes, product.slot_minutes):
        yield f"slot_minutes and step_minutes of this product are {product.slot_minutes}"
    names = tuple(measure.name for measure in plan.measure)
    if names != product.measures:
        yield f"its measures are {', '.join(product.measures)}, not {', '.join(names) or 'none'}"


def _about_measure(measure: Measure, product: Product, cap: int) -> Iterator[str]:
    if measure.mechanism not in _MECHANISMS:
        yield f"unknown mechanism {measure.mechanism!r}, only {', '.join(_MECHANISMS)}"
    if not 1 <= measure.cells_per_subject <= product.most_cells_per_subject:
        yield f"cells_per_subject {measure.cells_per_subject} must lie in 1 to {product.most_cells_per_subject}"
    if measure.per_cell < 1:
        yield f"per_cell {measure.per_cell} must be at least 1: without a bound the sensitivity is not known"
    if measure.name == product.measures[0] and measure.per_cell != 1:
        yield f"per_cell {measure.per_cell} must be 1: a subject counts once"
    if not measure.epsilon_share.is_finite() or measure.epsilon_share <= 0:
        yield f"epsilon_share {measure.epsilon_share} must be a number above 0"
    elif measure.epsilon_share * cap < 1:
        yield f"epsilon_share {measure.epsilon_share} is less than a millionth of epsilon"
    if measure.rounding < 1:
        yield f"rounding {measure.rounding} must be at least 1"


def _about_threshold(plan: Plan, product: Product) -> Iterator[str]:
    threshold = plan.threshold
    if threshold.measure != product.measures[0]:
        yield f"the noisy {product.measures[0]} must decide what is shown, not {threshold.measure!r}"
    if threshold.minimum < _LEAST_THRESHOLD:
        yield f"threshold minimum {threshold.minimum} must be at least {_LEAST_THRESHOLD}"
    if not 0 < threshold.false_presence <= _MOST_FALSE_PRESENCE:
        yield f"false_presence {threshold.false_presence} must lie above 0 and up to {_MOST_FALSE_PRESENCE}"
