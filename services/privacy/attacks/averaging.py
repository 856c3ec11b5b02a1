"""Code concerned with asking the same question over and over in other words, so that the noise averages out.

Noise drawn for each query, or made from the query's text, is gone after a few hundred questions (arXiv:1804.06752,
arXiv:1902.06414). A release is drawn once and stored: however it is asked for, the same bytes come back and nothing is spent.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Final
from urllib.parse import urlencode

import numpy as np

from services.privacy.attacks.contract import Finding, exactly
from services.privacy.attacks.ground import Ground
from services.privacy.attacks.store import Store

_QUESTIONS, _FEW_QUESTIONS = 10_000, 150
_CONTROL_QUESTIONS: Final = 40_000
_COUNT: Final = 137
_CONTROL: Final = 0.9


@dataclass(frozen=True, kw_only=True, slots=True)
class Averaging:
    """Asks the API for one hour of presence in thousands of spellings, spans and unions."""

    name: str = "averaging"

    def run(self, ground: Ground) -> Finding:
        """Average answers that are noisy anew each time, then the API's."""
        store = ground.platform
        questions = _FEW_QUESTIONS if ground.short else _QUESTIONS
        fresh, _, _ = ground.published(np.full((_CONTROL_QUESTIONS, 3), _COUNT))
        control = float((np.abs(fresh.mean(axis=0) - _COUNT) < 0.5).mean())
        ledger = store.ask("/api/v1/privacy/ledger?first_day=2000-01-01").body
        answers: set[tuple[tuple[str, int | None], ...]] = set()
        asked = 0
        for path in _spellings(store, ground.rng(self.name), questions):
            ground.tell(asked, questions)
            answer = store.ask(path)
            if answer.status == 200:
                answers.add(_of_the_hour(answer.body, store.start + timedelta(hours=8)))
                asked += 1
        spent = int(store.ask("/api/v1/privacy/ledger?first_day=2000-01-01").body != ledger)
        return Finding(
            control=control,
            control_needed=_CONTROL,
            lines=(
                exactly("different answers to one question, beyond the first", float(len(answers) - 1), 0.0),
                exactly("questions without an answer", float(questions - asked), 0.0),
                exactly("changes of the ledger", float(spent), 0.0),
            ),
            explanation=(
                f"{asked:,} questions for one hour, in other spans, time zones, spellings, page sizes and unions, gave {len(answers)} "
                f"answer. Were the noise drawn for each, the mean would give {control:.0%} of the counts away exactly."
            ),
        )


def _spellings(store: Store, rng: np.random.Generator, questions: int) -> Iterator[str]:
    """Paths that all contain the hour from 08:00 local time of the full day."""
    hour = store.start + timedelta(hours=8)
    for _ in range(questions):
        zone = timezone(timedelta(minutes=int(rng.choice([-570, -300, 0, 60, 330, 720]))))
        first = hour - timedelta(hours=int(rng.integers(0, 2)), minutes=0)
        last = hour + timedelta(hours=1 + int(rng.integers(0, 2)))
        parameters = [
            ("from", _written(first, zone, rng)),
            ("to", _written(last, zone, rng)),
            ("limit", str(rng.integers(2_000, 9_999))),
        ]
        rng.shuffle(parameters)
        yield "/api/v1/mobility?" + urlencode(parameters)


def _written(moment: datetime, zone: timezone, rng: np.random.Generator) -> str:
    local = moment.astimezone(zone)
    style = rng.integers(0, 3)
    if style == 0:
        return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    return local.isoformat(timespec="milliseconds" if style == 1 else "seconds")


def _of_the_hour(body: bytes, hour: datetime) -> tuple[tuple[str, int | None], ...]:
    rows = json.loads(body)["data"]
    return tuple(sorted((row["cell"], row["vehicles"]) for row in rows if datetime.fromisoformat(row["hour"]) == hour))
