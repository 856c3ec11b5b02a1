"""Code concerned with release plans as a person reads them: what is published, what hides whom, and what it costs."""

from __future__ import annotations

from services.privacy.mechanisms.catalogue import mechanism_of
from services.privacy.plan import Measure, Plan
from services.storage.ledger import MICRO

_CONFIDENCE = 0.95
_PARTITIONS = {
    "h3-r7": "hexagons of about 5 km² (H3 resolution 7)",
    "h3-r8": "hexagons of about 0.7 km² (H3 resolution 8)",
    "district": "the city's districts",
    "station": "the stations of the register",
}


def sentences(plan: Plan, cap: int, *, on: bool = True) -> list[str]:
    """The plan in plain lines.

    Args:
        plan: the checked plan.
        cap: the budget of one subject's local day [micro-ε].
        on: whether it runs.

    """
    grid, parts = plan.grid, plan.parts(plan.price(cap))
    but = f", but for a chance of {plan.delta:.0e}" if plan.delta else ""
    return [
        f"{plan.name} version {plan.version} ({plan.domain}){'' if on else ', off'}, hash {plan.hash}",
        f"  {plan.purpose}",
        f"  guarantee  {plan.subject} changes the odds of anything published by at most e^{plan.price(cap) / MICRO:g}{but}",
        f"  grid       {_PARTITIONS.get(grid.partition, grid.partition)}, {_slot(grid.slot_minutes)}",
        *(
            f"  {'bounds' if not n else '':<10} {_bounds(each, parts[each.name])}"
            for n, each in enumerate(plan.measure)
        ),
        f"  shown      where noisy {plan.threshold.measure} are at least {plan.threshold.minimum} and stand out of the noise",
        f"             (an empty place is shown once in {round(1 / plan.threshold.false_presence):,})",
        f"  retention  personal rows are destroyed within {plan.raw_hours} hours; what is published stays",
    ]


def _slot(minutes: int) -> str:
    return "the whole local day" if minutes == 1440 else f"each {minutes} minutes of the local day, one after the other"


def _bounds(measure: Measure, micro_epsilon: int) -> str:
    noise = mechanism_of(measure, micro_epsilon)
    cells = "one cell" if measure.cells_per_subject == 1 else f"{measure.cells_per_subject} cells"
    bound = (
        f"of one subject {cells} with at most {measure.per_cell:,}{' each' if measure.cells_per_subject > 1 else ''}"
    )
    if measure.norm_per_subject is not None:
        bound += f", together of a norm of at most {measure.norm_per_subject:,}"
    return (
        f"{measure.name}: {bound}; {measure.mechanism.replace('_', ' ')} noise at epsilon {micro_epsilon / MICRO:g}, within "
        f"± {noise.half_width(_CONFIDENCE):,} in 95 of 100 cases; rounded to {measure.rounding:,}"
    )
