"""Code concerned with model cards: what each forecaster is, what it was learnt from, how it did and where it fails.

What a model assumes is taken from its own docstring, everything else from the database: figures are those of the sensors it
served, and a failure is where it lost to the value of a week before, or could not be used.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from typing import Any, Final

from models import weighing
from models.catalogue import CANDIDATES, FORECASTERS, SPECIAL
from models.contract import Forecaster
from services.governance.documents.document import Document, Shape, Text
from services.governance.documents.facts import Facts
from services.storage.governance import ModelScore, Served

TIER: Final = (
    "public: readings of fixed sensors and the calendar; no personal row and no release is read (`make check`)"
)
_WORSE: Final = 1.25
_BLENDED: Final = "+"  # between the names of models of one series
_ENOUGH: Final = 96
_ASSUMES: Final = re.compile(r"Assumes [^.]*\.")


class Window(Shape):
    """What a model learnt from, for one quantity."""

    quantity: Text
    series: int
    trained_from: Text
    trained_to: Text
    issued_at: Text


class Lead(Shape):
    """How it did at one lead time."""

    quantity: Text
    lead_minutes: int
    n: int
    mae: float
    wape: float | None
    skill: float | None
    coverage_80: float


class District(Shape):
    """How it did in one district, all lead times together."""

    quantity: Text
    district: Text
    sensors: int
    n: int
    mae: float
    wape: float | None
    coverage_80: float


class Card(Shape):
    """One model."""

    name: Text
    role: Text
    description: Text
    privacy_tier_of_inputs: Text
    training_windows: list[Window]
    by_lead_time: list[Lead]
    by_district: list[District]
    known_failure_modes: list[Text]


class Cards(Shape):
    """All models, those that serve first."""

    scored_from: Text
    scored_to: Text
    cards: list[Card]


def model_cards(facts: Facts) -> Document:
    """One card per model of the catalogue, and per blend of models that serves."""
    known = {model.name: model for model in (*FORECASTERS, *SPECIAL)}
    serving = {one.model for one in facts.served} | {row.model for row in facts.scores}
    names = [*sorted(serving), *(name for name in known if name not in serving)]
    return Document(
        kind="cards",
        title=f"Model cards: {facts.settings.city_name}",
        standard="Model Cards for Model Reporting (Mitchell et al. 2019, doi:10.1145/3287560.3287596)",
        judged_by="our own model of the sections of that article, which has no schema",
        made_at=facts.at,
        shape=Cards,
        content={
            "scored_from": facts.scored_since.isoformat(),
            "scored_to": facts.today.isoformat(),
            "cards": [_card(facts, name, known) for name in names],
        },
    )


def _card(facts: Facts, name: str, known: dict[str, Forecaster]) -> dict[str, Any]:
    served = [one for one in facts.served if one.model == name]
    scores = [row for row in facts.scores if row.model == name]
    return {
        "name": name,
        "role": _role(name, served),
        "description": _description(name, known),
        "privacy_tier_of_inputs": TIER,
        "training_windows": [
            {
                "quantity": one.quantity,
                "series": one.series,
                "trained_from": f"{one.trained_from:%Y-%m-%d %H:%M} UTC" if one.trained_from else "nothing was learnt",
                "trained_to": f"{one.trained_to:%Y-%m-%d %H:%M} UTC" if one.trained_to else "nothing was learnt",
                "issued_at": f"{one.issued_at:%Y-%m-%d %H:%M} UTC",
            }
            for one in served
        ],
        "by_lead_time": [
            {
                "quantity": row.quantity,
                "lead_minutes": row.lead_minutes,
                "n": row.n,
                "mae": row.mae,
                "wape": row.wape,
                "skill": row.skill,
                "coverage_80": row.coverage_80,
            }
            for row in scores
            if row.lead_minutes is not None
        ],
        "by_district": [
            {
                "quantity": row.quantity,
                "district": row.district,
                "sensors": row.sensors,
                "n": row.n,
                "mae": row.mae,
                "wape": row.wape,
                "coverage_80": row.coverage_80,
            }
            for row in scores
            if row.district is not None
        ],
        "known_failure_modes": [*_assumed(name, known), *failures(served, scores)],
    }


def _role(name: str, served: Sequence[Served]) -> str:
    if served:
        return f"Serves {sum(one.series for one in served)} series in the newest round"
    if name in {model.name for model in CANDIDATES}:
        return "A candidate of the selection; serves no series now"
    return "Measured in backtests; serves no series now"


def _description(name: str, known: dict[str, Forecaster]) -> str:
    """What the model's own code says of it; of a blend, how it is made and the parts."""
    parts = name.split(_BLENDED)
    texts = [inspect.getdoc(type(known[part])) or part for part in parts if part in known]
    if len(parts) > 1 and texts:
        texts.insert(0, inspect.getdoc(weighing) or "")
    return "\n\n".join(texts) or "Not of this version's catalogue: forecasts of an earlier version"


def _assumed(name: str, known: dict[str, Forecaster]) -> list[str]:
    """What the model's own code says it assumes: it fails where that does not hold."""
    text = " ".join(_description(name, known).split())
    return [f"Where this does not hold: {sentence}" for sentence in _ASSUMES.findall(text)]


def failures(served: Sequence[Served], scores: Sequence[ModelScore]) -> list[str]:
    """Where the model lost, is worse than elsewhere, holds too little in its intervals, or cannot be used as it is."""
    if not served and not scores:
        return ["Served nothing in the week, so none was measured here"]
    found = []
    for row in scores:
        if row.lead_minutes is not None and row.skill is not None and row.skill < 0:
            found.append(
                f"{row.quantity}, {row.lead_minutes} min ahead: {100 * -row.skill:.0f} % worse than the value of a week before"
            )
        if row.lead_minutes is not None and row.n >= _ENOUGH and row.coverage_80 < 0.75:
            found.append(
                f"{row.quantity}, {row.lead_minutes} min ahead: 80 % intervals held {100 * row.coverage_80:.0f} % only"
            )
    for quantity in sorted({row.quantity for row in scores}):
        found += _worse_districts([row for row in scores if row.quantity == quantity and row.district is not None])
    for one in served:
        if one.degraded or one.stale:
            reasons = "; ".join(one.reasons or [])
            found.append(
                f"{one.quantity}: {one.degraded} series degraded and {one.stale} stale of {one.series}: {reasons or 'no reason given'}"
            )
    return found or [
        "None was seen: nothing served was degraded, and no score of the week lost to the value of a week before"
    ]


def _worse_districts(rows: Sequence[ModelScore]) -> list[str]:
    n = sum(row.n for row in rows if row.wape is not None)
    if not n:
        return []
    mean = sum((row.wape or 0.0) * row.n for row in rows) / n
    return [
        f"{row.quantity} in {row.district}: relative error {row.wape / mean:.2g} times the mean of the districts"
        for row in rows
        if row.wape is not None and mean > 0 and row.wape > _WORSE * mean and row.n >= _ENOUGH
    ]
