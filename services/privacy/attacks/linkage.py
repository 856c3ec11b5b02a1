"""Code concerned with following a person from one day to the next.

Unprotected days carry one row per subject: those of two days are matched by the cells they share (the most similar
histogram), whatever the pseudonyms are. Of a release nothing but counts is left: the attacker knows the days of several
candidates from the day before, one of whom drove again, and picks the one whose cells the counts favour most.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from services.privacy.attacks import people
from services.privacy.attacks.contract import Finding, Line
from services.privacy.attacks.estimates import share_interval
from services.privacy.attacks.ground import Ground
from services.privacy.attacks.membership_product import Target, choose, excess_of
from services.privacy.attacks.people import Integers

_CANDIDATES, _FEW_CANDIDATES = 20, 5
_COURIERS: Final = 4
_TRIALS, _FEW_TRIALS = 2_000, 300
_MATCHED: Final = 400
_CONTROL: Final = 0.5
_LIMIT: Final = 0.05


@dataclass(frozen=True, kw_only=True, slots=True)
class DayToDayLinkage:
    """Links days of people with habits, first rows to rows, then rows to a release."""

    name: str = "day-to-day-linkage"

    def run(self, ground: Ground) -> Finding:
        """Match unprotected days, then pick the person behind a release."""
        candidates = _FEW_CANDIDATES if ground.short else _CANDIDATES
        trials = _FEW_TRIALS if ground.short else _TRIALS
        control = _rows_to_rows(ground)
        targets = choose(ground, candidates - (0 if ground.short else _COURIERS), 0 if ground.short else _COURIERS)
        hits = 0
        for done in range(candidates):
            ground.tell(done, candidates)
            hits += _rows_to_release(ground, targets, done, trials // candidates)
        runs = trials // candidates * candidates
        rate, prior = hits / runs, 1 / candidates
        low, high = share_interval(hits, runs, ground.confidence)
        return Finding(
            control=control,
            control_needed=_CONTROL,
            lines=(
                Line(
                    what="share of right picks above chance",
                    value=rate - prior,
                    low=low - prior,
                    high=high - prior,
                    limit=_LIMIT,
                    judged=(low if ground.short else rate) - prior,
                ),
            ),
            explanation=(
                f"{_MATCHED} people whose habits repeat: unprotected days are linked for {control:.0%}. Behind a release the one "
                f"of {candidates} known people who drove again is picked in {rate:.1%} of {runs:,} cases, by chance in {prior:.1%}."
            ),
        )


def _rows_to_rows(ground: Ground) -> float:
    """The share of people whose next day is the most similar of all."""
    city, rng = ground.city, ground.rng("linkage-days")
    days = [people.reports(city.people, people.drive(city.people, rng)) for _ in range(2)]
    drove = np.intersect1d(days[0].person, days[1].person)
    picked = rng.choice(drove, min(_MATCHED, len(drove)), replace=False)
    first, second = (_histograms(day, picked, len(city.town.cells)) for day in days)
    return float((np.argmax(first @ second.T, axis=1) == np.arange(len(picked))).mean())


def _histograms(day: people.Reports, picked: Integers, places: int) -> people.Floats:
    """Shares of places, of unit length, (picked, places)."""
    row = np.full(int(max(day.person.max(), picked.max())) + 1, -1)
    row[picked] = np.arange(len(picked))
    kept = row[day.person] >= 0
    counts = np.bincount(row[day.person[kept]] * places + day.place[kept], minlength=len(picked) * places)
    rooted = np.sqrt(counts.reshape(len(picked), places))
    return np.asarray(rooted / np.maximum(np.linalg.norm(rooted, axis=1, keepdims=True), 1e-12))


def _rows_to_release(ground: Ground, targets: list[Target], member: int, trials: int) -> int:
    """How often the candidate who drove again is picked, from releases of all candidates' cells."""
    rng = ground.rng(f"linkage-{member}")
    cells = np.unique(np.concatenate([target.cells for target in targets]))
    where = [np.searchsorted(cells, target.cells) for target in targets]
    others = np.zeros(len(cells), dtype=np.int64)
    for target, at in zip(targets, where, strict=True):
        others[at] = target.others
    counts = np.repeat(others[None, :], trials, axis=0)
    parts = targets[member].parts
    counts[:, where[member]] += parts[rng.integers(0, len(parts), trials)]
    published, visible, threshold = ground.published(counts)
    excess = np.clip(excess_of(published, visible, others, threshold), -1, 2) - 0.5
    scores = np.stack([excess[:, at].sum(axis=1) / np.sqrt(len(at)) for at in where], axis=1)
    return int((scores.argmax(axis=1) == member).sum())
