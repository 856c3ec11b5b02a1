"""Code concerned with telling from the published counts whether a known person drove that day: a matched filter on its cells.

The attacker knows in which cells and hours the target would be seen, and everybody else's counts. It compares each published
count with what it would be without the target and adds up the differences, where a difference beyond what noise explains
counts no more (Knock Knock, Who's There?, NDSS 2018, with the exact aggregate of the reference group instead of samples).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.privacy.attacks import people
from services.privacy.attacks.contract import Finding, Line, exactly
from services.privacy.attacks.estimates import Floats, auc, auc_error, epsilon_lower, mean_interval, tpr_at
from services.privacy.attacks.ground import City, Ground
from services.privacy.attacks.people import HOURS, Integers
from services.storage.ledger import MICRO

_TARGETS, _COURIERS, _TRIALS = 16, 4, 1_000
_FEW_TARGETS, _FEW_COURIERS, _FEW_TRIALS = 4, 2, 250
_VARIANTS: Final = 8
_EVERYWHERE_CELLS: Final = 91
_EVERYWHERE_TRIALS, _FEW_EVERYWHERE_TRIALS = 150, 20
_CONTROL: Final = 0.95
_MEAN_LIMIT: Final = 0.60
_Z95: Final = 1.96


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """One person, and the city without it.

    Attributes:
        cells: the cell-hours in which it was seen, as rows of the flattened counts, (cells,).
        others: bounded counts of everybody else there, (cells,).
        parts: what it adds under several pseudonyms, since which of its cells count depends on that, (variants, cells).
        true_others: unbounded counts of everybody else there, (cells,).

    """

    cells: Integers
    others: Integers
    parts: Integers
    true_others: Integers


@dataclass(frozen=True, kw_only=True, slots=True)
class MembershipInPresence:
    """Attacks the presence of the generated city: ordinary people, couriers that drive all day, a device that is everywhere."""

    name: str = "membership-reference-group"

    def run(self, ground: Ground) -> Finding:
        """Attack exact counts and counts of at least ten, then the release."""
        short = ground.short
        trials = _FEW_TRIALS if short else _TRIALS
        targets = choose(ground, *((_FEW_TARGETS, _FEW_COURIERS) if short else (_TARGETS, _COURIERS)))
        rng = ground.rng(self.name)
        raw, suppressed, areas, errors, rates, scores = [], [], [], [], [], []
        for done, target in enumerate(targets):
            ground.tell(done, len(targets))
            inside, outside = attack(ground, target, trials, rng)
            scores.append((inside, outside))
            areas.append(auc(inside, outside))
            errors.append(auc_error(areas[-1], trials, trials))
            rates.append(tpr_at(inside, outside, 0.01))
            raw.append(_on_exact(target, least=0))
            suppressed.append(_on_exact(target, least=10))
        few = _FEW_EVERYWHERE_TRIALS if short else _EVERYWHERE_TRIALS
        device = everywhere(ground)
        scores.append(attack(ground, device, few, rng))
        areas.append(auc(*scores[-1]))
        errors.append(auc_error(areas[-1], few, few))
        epsilon = ground.paid / MICRO
        bound = math.exp(epsilon) / (1 + math.exp(epsilon))
        mean, low, high = mean_interval(np.array(areas))
        worst, deviation = max(zip(areas, errors, strict=True))
        error = _Z95 * deviation
        rate, rate_low, rate_high = mean_interval(np.array(rates))
        inside, outside = max(scores, key=lambda pair: auc(*pair))
        epsilon_hat, _ = epsilon_lower(
            inside, outside, delta=float(ground.presence.delta), confidence=ground.confidence
        )
        slack = 4 * float(np.std(areas) / math.sqrt(len(areas))) if short else 0.0
        lines = (
            Line(
                what="mean area under the curve above 0.5",
                value=mean - 0.5,
                low=low - 0.5,
                high=high - 0.5,
                limit=_MEAN_LIMIT - 0.5,
                judged=mean - 0.5 - slack,
            ),
            Line(
                what="area under the curve of the worst target",
                value=worst,
                low=worst - error,
                high=worst + error,
                limit=bound,
                judged=worst - error * (2 if short else 1),
            ),
            Line(
                what="share of members found at 1 % false alarms",
                value=rate,
                low=rate_low,
                high=rate_high,
                limit=math.exp(epsilon) / 100,
                judged=rate_low if short else rate,
            ),
            exactly(
                "cell-hours that a device from everywhere changes",
                float(np.abs(device.parts).sum(axis=1).max()),
                float(ground.presence.measure_named(ground.presence.threshold.measure).cells_per_subject),
            ),
        )
        return Finding(
            control=max(raw),
            control_needed=_CONTROL,
            lines=lines,
            epsilon_hat=epsilon_hat,
            epsilon_claimed=epsilon,
            explanation=(
                f"{len(targets)} known people and a device that reports from everywhere, {2 * trials:,} releases each (the device "
                f"{2 * few:,}), half of them with the person. Exact counts give "
                f"the worst-off away with {max(raw):.2f} (0.5 is guessing, 1 is certainty), counts of at least ten with "
                f"{max(suppressed):.2f}, the release with {worst:.3f} and on average {mean:.3f}; no test can exceed {bound:.3f}."
            ),
        )


def choose(ground: Ground, ordinary: int, couriers: int) -> list[Target]:
    """Some people who drove that day, and some couriers."""
    city, rng = ground.city, ground.rng("targets")
    drove = np.unique(city.sent.person)
    first_courier = len(city.people) - city.people.couriers
    usual, unusual = drove[drove < first_courier], drove[drove >= first_courier]
    picked = [*rng.choice(usual, ordinary, replace=False), *rng.choice(unusual, couriers, replace=False)]
    return [_target(ground, city, int(person), rng) for person in picked]


def everywhere(ground: Ground) -> Target:
    """A device that claims to be in many cells in every hour, as if many vehicles shared one name; nobody else is there."""
    city, rng = ground.city, ground.rng("everywhere")
    cells = rng.choice(len(city.town.domain), min(_EVERYWHERE_CELLS, len(city.town.domain)), replace=False)
    place = np.repeat(np.sort(cells), HOURS)
    hour = np.tile(np.arange(HOURS), len(cells))
    sent = people.Reports(person=np.zeros(len(place), dtype=np.int64), place=place * 7, second=hour * 3_600 + 60)
    seen = place * HOURS + hour
    _, _, threshold = ground.published(np.zeros((1, 1), dtype=np.int64))
    crowd = np.full(len(seen), 2 * threshold)  # where all is shown, which helps the attacker
    return Target(cells=seen, others=crowd, parts=_parts(ground, city, sent, seen, rng), true_others=crowd)


def attack(ground: Ground, target: Target, trials: int, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Scores of releases with the target and without, (trials,) each; the better of two ways to add up."""
    with_ = target.others + target.parts[rng.integers(0, len(target.parts), trials)]
    without = np.repeat(target.others[None, :], trials, axis=0)
    counts, visible, threshold = ground.published(np.vstack([with_, without]))
    excess = excess_of(counts, visible, target.others, threshold)
    ways = (excess.sum(axis=1), np.clip(excess, -1, 2).sum(axis=1))
    pairs = [(way[:trials], way[trials:]) for way in ways]
    return max(pairs, key=lambda pair: auc(*pair))


def excess_of(counts: Integers, visible: NDArray[np.bool_], others: Integers, threshold: int) -> Integers:
    """How much more was published than there would be without the target; of what is withheld, that it was."""
    return np.where(visible, counts, np.minimum(others, threshold) - 1) - others


def _target(ground: Ground, city: City, person: int, rng: np.random.Generator) -> Target:
    own = city.sent.person == person
    sent = people.Reports(
        person=np.zeros(int(own.sum()), dtype=np.int64), place=city.sent.place[own], second=city.sent.second[own]
    )
    seen = np.unique(city.town.parent[sent.place] * HOURS + sent.second // 3_600)
    decides = ground.presence.threshold.measure
    parts = _parts(ground, city, sent, seen, rng)
    # What this person adds in the city under its pseudonym there is unknown to the attacker; leaving out one of the
    # variants instead changes the counts of others by at most one.
    others = np.maximum(city.exact[decides].ravel()[seen] - parts[0], 0)
    return Target(cells=seen, others=others, parts=parts, true_others=city.true.ravel()[seen] - 1)


def _parts(ground: Ground, city: City, sent: people.Reports, seen: Integers, rng: np.random.Generator) -> Integers:
    """What one subject's reports add to the bounded counts of those cell-hours, under several pseudonyms."""
    decides = ground.presence.threshold.measure
    return np.array(
        [ground.bound(city.town, sent, rng, 1)[decides].ravel()[seen] for _ in range(_VARIANTS)], dtype=np.int64
    )


def _on_exact(target: Target, *, least: int) -> float:
    """The area under the curve when counts of at least `least` are published as they are: no chance is left in it."""
    with_, without = ((np.where(c >= max(least, 1), c, 0)) for c in (target.true_others + 1, target.true_others))
    return 1.0 if (with_ != without).any() else 0.5
