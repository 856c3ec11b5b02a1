"""Code concerned with measuring the chances of congestion on a recording and saying so, to a program and to a person."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any, Final

from models.congestion import LIMITS, Congestion
from models.congestion_backtest import ClassScore, Trial, measure
from models.panel import Panel
from services.errors import InputError
from services.forecasting.datasets.recording import Recording

_HISTORY_DAYS: Final = 56  # that the service keeps where nothing else is set
_REFIT_DAYS: Final = 1  # as often as in service
_STRIDE: Final = 5  # steps; shares no factor with a day or a week of hours, so that all of them occur
_NAMES: Final = tuple(one.name.lower() for one in Congestion)


def evaluate(recording: Recording, flow: Panel, progress: Callable[[int, int], None]) -> list[ClassScore]:
    """Score the chances of congestion on the test part, learnt from the history a service would hold.

    Raises:
        InputError: the recording is too short.

    """
    speed, protocol = recording.panel, recording.protocol
    try:
        protocol.check(speed.length)
    except ValueError as error:
        message = f"{recording.name}: {error}"
        raise InputError(message) from error
    trial = Trial(
        begin=int(protocol.test[0]),
        end=speed.length,
        horizons=protocol.horizons,
        stride=_STRIDE,
        refit=_REFIT_DAYS * speed.steps_per_day,
        history=_HISTORY_DAYS * speed.steps_per_day,
    )
    chosen = [model for model in recording.models if model.name in recording.candidates]
    return measure(speed, flow, trial, chosen, progress)


def document(recording: Recording, scores: Sequence[ClassScore]) -> dict[str, Any]:
    """The scores as one JSON document."""
    return {
        "dataset": recording.name,
        "protocol": f"{recording.protocol.name}: {_described(recording)}",
        "selected_on": "validation origins of the 56 days before each daily learning, per sensor and lead times",
        "classes": dict(zip(_NAMES, LIMITS, strict=False)) | {_NAMES[-1]: None},
        "results": [
            {
                "model": one.model,
                "horizon": one.horizon,
                "metrics": {"rps": one.rps, "brier": one.brier, "unreliability": one.unreliability},
                "coverage": {},
                "reliability": [list(part) for part in one.bins],
                "cases": one.cases,
            }
            for one in scores
        ],
        "published": [asdict(one) for one in recording.published],
    }


def table(recording: Recording, scores: Sequence[ClassScore]) -> list[str]:
    """The scores as lines: a block per horizon, best first."""
    lines = [f"{recording.name}: {_described(recording)}"]
    for horizon in recording.protocol.horizons:
        ahead = horizon * recording.panel.step_seconds / 3600
        rows = sorted((one for one in scores if one.horizon == horizon), key=lambda one: one.rps)
        lines += ["", f"{f'+{ahead:g} h':<24}{'RPS':>9}{'Brier':>9}{'off by':>9}{'cases':>9}"]
        lines += [
            f"  {one.model:<22}{one.rps:>9.4f}{one.brier:>9.4f}{one.unreliability:>9.2%}{one.cases:>9}" for one in rows
        ]
    for one in scores:
        if one.model == "selected":
            ahead = one.horizon * recording.panel.step_seconds / 3600
            lines += ["", f"Chance of congestion at +{ahead:g} h: said, came, cases"]
            lines += [f"  {said:>8.1%}{came:>8.1%}{count:>8}" for said, came, count in one.bins]
    return lines


def _described(recording: Recording) -> str:
    return (
        f"chances of the classes of speed ratio below {', '.join(map(str, LIMITS))}, confirmed by flow; "
        f"{recording.panel.sensors} sections, test part of 70/10/20, an origin every {_STRIDE} steps, learnt anew every "
        f"day on {_HISTORY_DAYS} days"
    )
