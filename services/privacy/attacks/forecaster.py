"""Code concerned with whether a forecast remembers a person: membership inference through models trained on releases.

Models see fixed sensors and released data, never personal rows, so whatever they say about a person is post-processing. The
attacker knows the model, its history and everybody else's counts of the last day, and compares the forecast with the one
that would have been made without the target.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import numpy as np

from models.catalogue import forecaster
from models.contract import Forecaster
from models.panel import Panel
from services.privacy.attacks.contract import Finding, Line
from services.privacy.attacks.estimates import Floats, auc, auc_error
from services.privacy.attacks.ground import Ground
from services.privacy.attacks.membership_product import Target, choose
from services.privacy.attacks.people import HOURS, Integers
from services.storage.ledger import MICRO

_DAYS: Final = 15
_START_US: Final = 1_767_571_200_000_000  # a Monday, 2026-01-05
_TARGETS, _TRIALS = 6, 150
_FEW_TARGETS, _FEW_TRIALS = 2, 40
_MODELS: Final = ("seasonal_naive_24h", "profile")
_CONTROL: Final = 0.95


@dataclass(frozen=True, kw_only=True, slots=True)
class MembershipThroughForecasts:
    """Trains models on days of the target's cells, with and without the target on the last day, and asks the next day."""

    name: str = "membership-forecaster"

    def run(self, ground: Ground) -> Finding:
        """Attack models trained on exact counts, then models trained on releases."""
        trials = _FEW_TRIALS if ground.short else _TRIALS
        targets = choose(ground, 0, _FEW_TARGETS) if ground.short else choose(ground, _TARGETS - 2, 2)
        rng = ground.rng(self.name)
        models = [forecaster(name) for name in (_MODELS[:1] if ground.short else _MODELS)]
        control, worst, where = 0.0, 0.0, ""
        for done, target in enumerate(targets):
            ground.tell(done, len(targets))
            released = _released(ground, target, rng, trials)
            for model in models:
                control = max(control, auc(*_exact(target, model, rng, trials)))
                inside, outside = (_score(target, model, known, target.others) for known in released)
                area = auc(inside, outside)
                if area > worst:
                    worst, where = area, model.name
        epsilon = ground.paid / MICRO
        bound = math.exp(epsilon) / (1 + math.exp(epsilon))
        error = (4.5 if ground.short else 1.96) * auc_error(worst, trials, trials)
        return Finding(
            control=control,
            control_needed=_CONTROL,
            lines=(
                Line(
                    what="area under the curve of the worst target above 0.5",
                    value=worst - 0.5,
                    low=worst - error - 0.5,
                    high=worst + error - 0.5,
                    limit=bound - 0.5,
                    judged=worst - error - 0.5,
                ),
            ),
            explanation=(
                f"{len(targets)} people, {', '.join(model.name for model in models)}, {_DAYS} days of history, {2 * trials} trainings "
                f"each. A model of exact counts shows who drove on the last day with {control:.2f}, a model of releases with "
                f"{worst:.3f} ({where}); no forecast of a release can show more than {bound:.3f}."
            ),
        )


def _exact(target: Target, model: Forecaster, rng: np.random.Generator, trials: int) -> tuple[Floats, Floats]:
    """Scores when models learn from exact, unbounded counts."""
    few = max(trials // 10, 2)
    history = _history(target.true_others, rng, few)
    inside, outside = history.copy(), history
    inside[:, :, -1] += 1
    with_, without = (
        _score(target, model, counts.astype(np.float64), target.true_others) for counts in (inside, outside)
    )
    return with_, without


def _released(ground: Ground, target: Target, rng: np.random.Generator, trials: int) -> list[Floats]:
    """Released histories with the target on the last day and without, each day drawn apart, what is withheld unknown."""
    history = _history(target.others, rng, trials)
    inside = history.copy()
    inside[:, :, -1] += target.parts[rng.integers(0, len(target.parts), trials)]
    found = []
    for counts in (inside, history):
        values, visible, _ = ground.published(counts.reshape(trials, -1))
        found.append(np.where(visible, values, np.nan).reshape(counts.shape))
    return found


def _history(others: Integers, rng: np.random.Generator, trials: int) -> Integers:
    """Counts of everybody else in the target's cell-hours, (trials, cells, days): as usual, and as known on the last day."""
    counts = rng.poisson(np.maximum(others, 1)[None, :, None], (trials, len(others), _DAYS)).astype(np.int64)
    counts[:, :, -1] = others
    return counts


def _score(target: Target, model: Forecaster, known: Floats, others: Integers) -> Floats:
    """How much more than everybody else the forecasts of the next day show in the target's cell-hours, (trials,)."""
    trials, cells, days = known.shape
    values = np.zeros((trials * cells, days, HOURS))
    hour = np.tile(target.cells % HOURS, trials)
    row = np.arange(trials * cells)
    values[row, :, hour] = known.reshape(trials * cells, days)
    panel = Panel(
        names=tuple(str(number) for number in row),
        values=values.reshape(trials * cells, days * HOURS),
        start_us=_START_US,
        step_seconds=3_600,
        nonnegative=True,
    )
    forecast = model.fit(panel, HOURS).forecast(panel, HOURS)[row, hour].reshape(trials, cells)
    excess = np.nan_to_num(forecast - others, nan=0.0)
    return np.asarray(np.clip(excess, -1, 2).sum(axis=1))
