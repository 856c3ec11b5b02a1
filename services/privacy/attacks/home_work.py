"""Code concerned with finding where a person lives from where it works.

Home and work place together single out most people (Golle, Partridge 2009, https://doi.org/10.1007/978-3-642-01516-8_26).
On unprotected days, pseudonyms and all, the person with that work place is looked up and its home is the first cell of the
day. From the release the attacker takes, among the cells of the public grid, the one with the most departures near the work
place: published morning counts times how far people commute. Without a release it does the same with what is publicly known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from services.privacy import drawing
from services.privacy.attacks import people
from services.privacy.attacks.contract import Finding, Line
from services.privacy.attacks.estimates import Floats
from services.privacy.attacks.ground import PRESENCE, Ground
from services.privacy.attacks.people import Integers

_MORNING: Final = slice(6, 9)
_COMMUTE_KM: Final = 6.0
_CONTROL: Final = 0.5
_LIMIT: Final = 0.01


@dataclass(frozen=True, kw_only=True, slots=True)
class HomeFromWork:
    """Guesses the home cell of every worker of the generated city."""

    name: str = "home-work"

    def run(self, ground: Ground) -> Finding:
        """Look homes up in unprotected days, then guess them from a release."""
        city = ground.city
        town = city.town
        rng = ground.rng(self.name)
        drawn = drawing.draw(ground.presence, PRESENCE, ground.paid, city.exact)
        counts = np.where(drawn.shown, drawn.values[ground.presence.threshold.measure], 0)
        others = people.settle(town, rng, len(city.people))
        other_day = people.true_counts(town, people.reports(others, people.drive(others, rng)))
        worker = np.flatnonzero(city.people.worker)
        home, work = town.parent[city.people.home[worker]], town.parent[city.people.work[worker]]
        commute = _commute(ground)
        hit = _guess(counts[:, _MORNING].sum(axis=1) + 1.0, commute)[work] == home
        known = _guess(other_day[:, _MORNING].sum(axis=1) + 1.0, commute)[work] == home
        prior = _guess(town.home_weight.reshape(-1, 7).sum(axis=1), commute)[work] == home
        without = known if known.mean() > prior.mean() else prior
        gain = hit.astype(np.float64) - without
        value = float(gain.mean())
        half = 1.96 * float(gain.std()) / len(gain) ** 0.5
        looked_up = _look_up(city.sent, city.people.home, city.people.work, worker)
        return Finding(
            control=looked_up,
            control_needed=_CONTROL,
            lines=(
                Line(
                    what="share of homes found, above what is publicly known",
                    value=value,
                    low=value - half,
                    high=value + half,
                    limit=_LIMIT,
                    judged=value - (half if ground.short else 0),
                ),
            ),
            explanation=(
                f"{len(worker):,} workers whose work place is known. Unprotected days show home and person of {looked_up:.0%}; the "
                f"release {hit.mean():.2%} of home cells, public knowledge {without.mean():.2%}."
            ),
        )


def _commute(ground: Ground) -> Floats:
    """How likely people live so far from their work place, (work cell, home cell), up to a factor."""
    centres = ground.city.town.km.reshape(-1, 7, 2).mean(axis=1)
    return np.asarray(np.exp(-np.linalg.norm(centres[:, None] - centres[None, :], axis=2) / _COMMUTE_KM))


def _guess(weight: Floats, commute: Floats) -> Integers:
    """For each work cell the likeliest home cell."""
    return np.asarray(np.argmax(weight[None, :] * commute, axis=1))


def _look_up(sent: people.Reports, home: Integers, work: Integers, worker: Integers) -> float:
    """The share of workers with a day whose first report is their home and who are alone with their pair of home and work."""
    order = np.lexsort((sent.second, sent.person))
    persons, begins = np.unique(sent.person[order], return_index=True)
    first = np.full(len(home), -1, dtype=np.int64)
    first[persons] = sent.place[order][begins]
    _, which, sizes = np.unique(home * (work.max() + 1) + work, return_inverse=True, return_counts=True)
    return float(((first == home) & (sizes[which] == 1))[worker].mean())
