"""Code concerned with what a release says beside its numbers: how many rows, which statuses, how large, how long, and when.

A day on which nobody drove must look like any other until a noisy number says otherwise: the same rows, the same words for
what is withheld, the same time to draw, and publication times that the clock decides and not the amount of data.
"""

from __future__ import annotations

import json
import re
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

import numpy as np

from services.privacy import drawing
from services.privacy.attacks import people
from services.privacy.attacks.contract import Finding, Line, exactly
from services.privacy.attacks.estimates import Floats, auc, auc_error
from services.privacy.attacks.ground import PRESENCE, Ground
from services.privacy.attacks.people import Integers
from services.privacy.attacks.store import Store

_DRAWS, _FEW_DRAWS = 120, 24
_CELLS: Final = 40
_CONTROL: Final = 0.95
_LIMIT: Final = 0.10
_OWN: Final = frozenset(
    {"cell", "hour", "release_key", "threshold", "ci95"}
)  # known beforehand, or made of noisy numbers


@dataclass(frozen=True, kw_only=True, slots=True)
class SideChannels:
    """Compares a full day with an empty one."""

    name: str = "side-channels"

    def run(self, ground: Ground) -> Finding:
        """Tell days apart by the time their bounding takes, then by everything about their releases but the numbers."""
        store = ground.platform
        draws = _FEW_DRAWS if ground.short else _DRAWS
        full = {name: vector[:_CELLS] for name, vector in ground.city.exact.items()}
        empty = {name: np.zeros_like(vector) for name, vector in full.items()}
        control = _bounding_times(ground)
        times = _draw_times(ground, full, empty, draws)
        area = auc(*times)
        error = (4.5 if ground.short else 1.96) * auc_error(max(area, 1 - area), draws, draws)
        distance = abs(area - 0.5)
        shapes = [_shape(store, day) for day in (0, 1)]
        different = sum(shapes[0][part] != shapes[1][part] for part in shapes[0])
        return Finding(
            control=control,
            control_needed=_CONTROL,
            lines=(
                Line(
                    what="area under the curve by time to draw, away from 0.5",
                    value=distance,
                    low=max(0.0, distance - error),
                    high=distance + error,
                    limit=_LIMIT,
                    judged=max(0.0, distance - error),
                ),
                exactly(
                    "differences between a full and an empty day in status, rows, cells and words",
                    float(different),
                    0.0,
                ),
                exactly("publication times finer than the hour", float(_fine_times(store)), 0.0),
            ),
            explanation=(
                f"The time that unprotected counting takes tells a full day from an empty one with {control:.2f}; the time to draw "
                f"{draws} releases of each with {area:.3f}. Both days come with {shapes[0]['rows']} rows, withheld ones alike in every word."
            ),
        )


def _bounding_times(ground: Ground) -> float:
    """The area under the curve by the time that counting takes, for the generated day and one with half of its people."""
    city, rng = ground.city, ground.rng("side-channels")
    few = city.sent.person < len(city.people) // 8
    some = people.Reports(person=city.sent.person[few], place=city.sent.place[few], second=city.sent.second[few])
    times: list[list[float]] = [[], []]
    for _ in range(5):
        for which, sent in enumerate((city.sent, some)):
            began = time.perf_counter()
            ground.bound(city.town, sent, rng, len(city.people))
            times[which].append(time.perf_counter() - began)
    return auc(np.array(times[0]), np.array(times[1]))


def _draw_times(
    ground: Ground, full: dict[str, Integers], empty: dict[str, Integers], draws: int
) -> tuple[Floats, Floats]:
    """How long releases of a full and of an empty day take to draw, taken in turns [s]."""
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(draws):
        ground.tell(number, draws)
        for which, exact in enumerate((full, empty)) if number % 2 else ((1, empty), (0, full)):
            began = time.perf_counter()
            drawing.draw(ground.presence, PRESENCE, ground.paid, exact)
            times[which].append(time.perf_counter() - began)
    return np.array(times[0]), np.array(times[1])


def _shape(store: Store, day: int) -> dict[str, Any]:
    """All that is said about a day but its numbers."""
    start = store.start + timedelta(days=day)
    answer = store.ask(
        f"/api/v1/mobility?from={start:%Y-%m-%dT%H:%MZ}&to={start + timedelta(days=1):%Y-%m-%dT%H:%MZ}&limit=10000"
    )
    rows = json.loads(answer.body)["data"]
    words = {_words(row) for row in rows if row["vehicles"] is None}
    return {
        "status": answer.status,
        "rows": len(rows),
        "cells": sorted({row["cell"] for row in rows}),
        "words": sorted(words),
    }


def _words(row: dict[str, Any]) -> str:
    """What is said of a withheld cell, without the threshold, which follows from noisy numbers."""
    return re.sub(
        r"\d+", "", json.dumps({name: value for name, value in row.items() if name not in _OWN}, sort_keys=True)
    )


def _fine_times(store: Store) -> int:
    """How many public stamps of releases and charges tell more than the hour."""
    rows = json.loads(store.ask("/api/v1/privacy/ledger?first_day=2000-01-01").body)["data"]
    stamps = [str(value) for row in rows for name, value in row.items() if name.endswith("_at")]
    return sum(
        not stamp.rstrip("Z").split("+")[0].split("T")[1].startswith(stamp[11:13] + ":00:00") for stamp in stamps
    )
