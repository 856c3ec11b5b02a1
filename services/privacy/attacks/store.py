"""Code concerned with what attackers can ask of a running platform: its public API, and everything stored outside `personal`.

The platform is a throw-away one with generated people in it; whoever runs the suite brings it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, kw_only=True, slots=True)
class Answer:
    """What the API said: HTTP status, body, and how long it took [s]."""

    status: int
    body: bytes
    seconds: float


class Store(Protocol):
    """One platform with two released days: a full one, and the day after it, on which nobody drove.

    Attributes:
        start: when the full day begins; the empty one begins 24 hours later.
        marks: texts of which each stands for one person or place that may be in no row outside `personal`.

    """

    start: datetime
    marks: tuple[bytes, ...]

    def ask(self, path: str) -> Answer:
        """GET of a path with its parameters, as anybody may send it."""

    def outside(self) -> Iterator[tuple[str, bytes]]:
        """Name and text of every table outside schema `personal`."""

    def personal(self) -> bytes:
        """The text of the tables of schema `personal`, for the positive control."""
