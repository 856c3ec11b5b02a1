"""Code concerned with recovering single people's days from counts per cell and hour alone.

After Xu et al. (WWW 2017, arXiv:1702.06270), one day: the counts of an hour become as many tokens; tokens of consecutive
hours are matched by the Hungarian method, at night by distance, by day by distance from where the token was plus distance from
where it spent the night, for people come home (matching where it would be if it went on as before, as published, gains half of
that). What comes out is matched to the true days as well as possible, and the share of correct cell-hours is the accuracy. An attacker without any release does the same with the counts of other people of the same city, drawn from
what is publicly known of it; what is gained over that is the advantage.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

from services.privacy import drawing
from services.privacy.attacks import people
from services.privacy.attacks.contract import Finding, Line
from services.privacy.attacks.estimates import Floats, mean_interval
from services.privacy.attacks.ground import PRESENCE, Ground
from services.privacy.attacks.people import HOURS, Integers, People, Town

_SEEDS, _FEW_SEEDS = 20, 4
_PEOPLE, _FEW_PEOPLE = 300, 150
_SPARSE_CELLS, _DENSE_CELLS = 61, 7
_NIGHT_HOURS: Final = 6
_CONTROL: Final = 0.05
_LIMIT: Final = 0.02


@dataclass(frozen=True, kw_only=True, slots=True)
class TrajectoryRecovery:
    """Attacks towns of vehicles that report every hour, parked or not: a spread-out one and a crowded one."""

    name: str = "trajectory-recovery"

    def run(self, ground: Ground) -> Finding:
        """Recover days from exact counts, then from releases."""
        seeds = _FEW_SEEDS if ground.short else _SEEDS
        lines, control, told = [], 0.0, []
        for place, cells in enumerate((_SPARSE_CELLS, _DENSE_CELLS)):
            gained = []
            for seed in range(seeds):
                ground.tell(place * seeds + seed, 2 * seeds)
                gained.append(_one_town(ground, cells, seed))
            raw, released, shown = (np.array(column) for column in zip(*gained, strict=True))
            mean, low, high = mean_interval(released)
            control = max(control, float(raw.mean()))
            kind = "spread-out" if cells == _SPARSE_CELLS else "crowded"
            lines.append(
                Line(
                    what=f"gained accuracy in a {kind} town",
                    value=mean,
                    low=low,
                    high=high,
                    limit=_LIMIT,
                    judged=mean if ground.short else high,
                )
            )
            told.append(
                f"{kind} (a share of {shown.mean():.2f} is shown): exact {raw.mean():+.3f}, release {mean:+.3f}"
            )
        lines.sort(key=lambda line: -line.judged)
        return Finding(
            control=control,
            control_needed=_CONTROL,
            lines=tuple(lines),
            explanation=(
                f"{seeds} towns of {_FEW_PEOPLE if ground.short else _PEOPLE} vehicles each, days rebuilt from hourly counts and "
                f"compared with guesses from other people of the same town. Accuracy gained: {'; '.join(told)}."
            ),
        )


def _one_town(ground: Ground, cells: int, seed: int) -> tuple[float, float, float]:
    """Accuracy gained by exact counts and by a release over a guess, and the share of people in shown cell-hours."""
    many = _FEW_PEOPLE if ground.short else _PEOPLE
    rng = ground.rng(f"trajectory-{cells}-{seed}")
    town = people.build_town(ground.seed + seed, cells)
    truth, sent = _day(town, people.settle(town, rng, many), rng)
    guess, _ = _day(town, people.settle(town, rng, many), rng)
    expected = _counts(guess, cells)
    drawn = drawing.draw(ground.presence, PRESENCE, ground.paid, ground.bound(town, sent, rng, many))
    released = np.where(
        drawn.shown, drawn.values[ground.presence.threshold.measure], np.minimum(expected, drawn.threshold)
    )
    centres = town.km.reshape(cells, 7, 2).mean(axis=1)
    baseline = _accuracy(_recover(expected, centres, many), truth)
    exact = _accuracy(_recover(_counts(truth, cells), centres, many), truth)
    noisy = _accuracy(_recover(released, centres, many), truth)
    true = _counts(truth, cells)
    return exact - baseline, noisy - baseline, float(true[drawn.shown].sum() / true.sum())


def _day(town: Town, inhabitants: People, rng: np.random.Generator) -> tuple[Integers, people.Reports]:
    """The cell of each person in each hour, (people, 24), and the reports that say so."""
    where = people.whereabouts(inhabitants, people.drive(inhabitants, rng))
    return town.parent[where], people.parked(where)


def _counts(where: Integers, cells: int) -> Integers:
    return np.stack([np.bincount(where[:, hour], minlength=cells) for hour in range(HOURS)], axis=1)


def _recover(counts: Integers, centres: Floats, many: int) -> Integers:
    """The days of `many` tokens from counts (cells, 24), as cells (tokens, 24)."""
    tokens = np.stack([_spread(counts[:, hour], many) for hour in range(HOURS)])
    path = np.empty((many, HOURS), dtype=np.int64)
    path[:, 0] = tokens[0]
    home = centres[path[:, 0]]
    for hour in range(1, HOURS):
        there = centres[tokens[hour]]
        apart = cdist(centres[path[:, hour - 1]], there)
        _, chosen = linear_sum_assignment(apart if hour < _NIGHT_HOURS else apart + cdist(home, there))
        path[:, hour] = tokens[hour][chosen]
    return path


def _spread(counts: Integers, many: int) -> Integers:
    """Cells of `many` tokens in proportion to counts, by largest remainder; evenly where nothing is known."""
    weight = np.maximum(counts, 0).astype(np.float64)
    share = (weight if weight.any() else np.ones(len(counts))) / max(
        weight.sum(), 1e-12 if weight.any() else len(counts)
    )
    whole = np.floor(share * many).astype(np.int64)
    rest = share * many - whole
    whole[np.argsort(-rest, kind="stable")[: many - whole.sum()]] += 1
    return np.repeat(np.arange(len(counts)), whole)


def _accuracy(path: Integers, truth: Integers) -> float:
    """The share of correct cell-hours when recovered days are matched to true ones as well as possible."""
    right = np.zeros((len(path), len(truth)))
    for hour in range(HOURS):
        right += path[:, hour][:, None] == truth[:, hour][None, :]
    rows, columns = linear_sum_assignment(-right)
    return float(right[rows, columns].sum() / truth.size)
