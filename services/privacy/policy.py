"""Code concerned with refusing release plans that would not protect as they say, before anything is read or spent."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from services.errors import InputError
from services.privacy.mechanisms.catalogue import GAUSSIAN, LAPLACE, MECHANISMS
from services.privacy.plan import Measure, Plan, day_cap
from services.settings import Settings

_LEAST_THRESHOLD: Final = 10
_MOST_FALSE_PRESENCE: Final = 0.01
_MOST_EARLIER_DAYS: Final = 366
MOST_DELTA: Final = Decimal("1e-6")
"""The greatest δ of all that is released about one subject's day in one domain."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Product:
    """What every plan of one name has to be; the names of its measures in their order, the deciding count first.

    Each product has one partition and one length of slot, and the partitions of a domain are whole cells of one base: two
    that do not nest could be subtracted. Of a product with `one_quota` all measures count the same cells of a subject. The
    measures in `gaussian` are bounded by an L2 norm, all others by L1: the other noise would not hide them. Those in
    `clipped` are scaled down to their norm; the norm of others follows from how many cells of a subject count. Only what is
    `smoothed` has a use for days before.
    """

    domain: str
    partition: str
    slot_minutes: int
    measures: tuple[str, ...]
    most_cells_per_subject: int
    least_cells_per_subject: int = 1
    one_quota: bool = False
    gaussian: tuple[str, ...] = ()
    clipped: tuple[str, ...] = ()
    smoothed: bool = False


PRODUCTS: Final = {
    "presence": Product(
        domain="mobility",
        partition="h3-r8",
        slot_minutes=60,
        measures=("vehicles",),
        gaussian=("vehicles",),
        most_cells_per_subject=64,
        smoothed=True,
    ),
    "origin_destination": Product(
        domain="mobility", partition="h3-r7", slot_minutes=1440, measures=("trips",), most_cells_per_subject=16
    ),
    "speeds": Product(
        domain="mobility",
        partition="h3-r7",
        slot_minutes=60,
        measures=("vehicles", "speed_sum_kmh"),
        most_cells_per_subject=64,
        one_quota=True,
    ),
    "trip_lengths": Product(
        domain="mobility", partition="h3-r7", slot_minutes=1440, measures=("trips",), most_cells_per_subject=16
    ),
    "bike_stations": Product(
        domain="bike",
        partition="station",
        slot_minutes=1440,
        measures=("trips",),
        least_cells_per_subject=2,
        most_cells_per_subject=2,
    ),
    "charging": Product(
        domain="charging",
        partition="district",
        slot_minutes=1440,
        measures=("sessions", "energy_wh"),
        most_cells_per_subject=1,
    ),
    "district_energy": Product(
        domain="household",
        partition="district",
        slot_minutes=1440,
        measures=("households", "energy_wh"),
        most_cells_per_subject=1,
    ),
    "district_load": Product(
        domain="household",
        partition="district",
        slot_minutes=30,
        measures=("households", "energy_wh"),
        most_cells_per_subject=50,
        gaussian=("energy_wh",),
        clipped=("energy_wh",),
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
        reasons += _about_domain(domain, [plan for plan in plans if plan.domain == domain], settings)
    if reasons:
        message = f"release plans refused: {'; '.join(reasons)}"
        raise InputError(message)


def _about_domain(domain: str, plans: Sequence[Plan], settings: Settings) -> Iterator[str]:
    """What is wrong with plans together, that all spend the one budget of a subject's day."""
    shares = [plan.epsilon_share for plan in plans if plan.epsilon_share.is_finite()]
    if sum(shares) > 1:
        yield (
            f"domain {domain}: the plans ask for {sum(shares)} times the day's budget of epsilon "
            f"{settings.privacy_epsilon_day:g}; their epsilon_shares may add up to 1"
        )
    deltas = [plan.delta for plan in plans if plan.delta.is_finite()]
    if sum(deltas) > MOST_DELTA:
        yield f"domain {domain}: the deltas of the plans add up to {sum(deltas)}, more than {MOST_DELTA}"
    bases = sorted({_base(plan.grid.partition) for plan in plans})
    if len(bases) > 1:
        yield (
            f"domain {domain}: the plans use the base partitions {' and '.join(bases)}, and what lies between the borders "
            "of one and the other could be told by subtraction: use one"
        )


def _base(partition: str) -> str:
    """What the cells of a partition are whole unions of: H3 cells of all resolutions nest by their number."""
    return "h3" if partition in {"h3-r7", "h3-r8"} else partition


def _reasons(plan: Plan, settings: Settings) -> Iterator[str]:
    product = PRODUCTS.get(plan.name)
    if product is None:
        yield f"there is no product of this name, only {', '.join(PRODUCTS)}"
        return
    yield from _about_grid(plan, product)
    for measure in plan.measure:
        yield from (f"{measure.name}: {reason}" for reason in _about_measure(measure, product, day_cap(settings)))
    yield from _about_threshold(plan, product)
    most = _MOST_EARLIER_DAYS if product.smoothed else 0
    if not 0 <= plan.earlier_days <= most:
        yield f"earlier_days {plan.earlier_days} must lie in 0 to {most}"
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
    if product.one_quota and len({measure.cells_per_subject for measure in plan.measure}) > 1:
        yield "cells_per_subject must be the same for all its measures, which count the same cells"
    names = tuple(measure.name for measure in plan.measure)
    if names != product.measures:
        yield f"its measures are {', '.join(product.measures)}, not {', '.join(names) or 'none'}"


def _about_measure(measure: Measure, product: Product, cap: int) -> Iterator[str]:
    wanted = GAUSSIAN if measure.name in product.gaussian else LAPLACE
    if measure.mechanism not in MECHANISMS:
        yield f"unknown mechanism {measure.mechanism!r}, only {', '.join(MECHANISMS)}"
    elif measure.mechanism != wanted:
        yield f"mechanism {measure.mechanism} does not hide it: what is bounded here needs {wanted}"
    yield from _about_noise(measure)
    norm, follows = measure.norm_per_subject, measure.name not in product.clipped
    if norm is not None and follows and norm**2 < measure.cells_per_subject * measure.per_cell**2:
        yield (
            f"norm_per_subject {norm} is too low: {measure.cells_per_subject} cells of at most {measure.per_cell} have a norm "
            f"of up to {math.sqrt(measure.cells_per_subject) * measure.per_cell:g}"
        )
    if measure.stated_sensitivity not in {None, measure.sensitivity}:
        yield (
            f"stated_sensitivity {measure.stated_sensitivity} is wrong: by its bounds one subject changes the vector by up to "
            f"{measure.sensitivity}"
        )
    least, most = product.least_cells_per_subject, product.most_cells_per_subject
    if not least <= measure.cells_per_subject <= most:
        yield f"cells_per_subject {measure.cells_per_subject} must lie in {least} to {most}"
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


def _about_noise(measure: Measure) -> Iterator[str]:
    if measure.mechanism == GAUSSIAN:
        if measure.norm_per_subject is None or measure.norm_per_subject < 1:
            yield f"norm_per_subject {measure.norm_per_subject} must be at least 1: Gaussian noise hides a bounded L2 norm"
        if not measure.delta.is_finite() or not 0 < measure.delta <= MOST_DELTA:
            yield f"delta {measure.delta} must lie above 0 and up to {MOST_DELTA}"
    elif measure.norm_per_subject is not None or measure.delta != 0:
        yield f"norm_per_subject and delta belong to {GAUSSIAN}, not to {measure.mechanism}"


def _about_threshold(plan: Plan, product: Product) -> Iterator[str]:
    threshold = plan.threshold
    if threshold.measure != product.measures[0]:
        yield f"the noisy {product.measures[0]} must decide what is shown, not {threshold.measure!r}"
    if threshold.minimum < _LEAST_THRESHOLD:
        yield f"threshold minimum {threshold.minimum} must be at least {_LEAST_THRESHOLD}"
    if not 0 < threshold.false_presence <= _MOST_FALSE_PRESENCE:
        yield f"false_presence {threshold.false_presence} must lie above 0 and up to {_MOST_FALSE_PRESENCE}"
