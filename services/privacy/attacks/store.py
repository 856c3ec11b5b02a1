"""Code concerned with what attackers can get at of a running platform: its API, all stored outside `personal`, backup and logs.

The platform is a throw-away one with generated people in it; whoever runs the suite brings it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from services.privacy.attacks.traces import Trace


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
        marks: pseudonyms, devices and fine cells, of which none may be anywhere outside `personal`.

    """

    start: datetime
    marks: tuple[Trace, ...]

    def ask(self, path: str) -> Answer:
        """GET of a path with its parameters, as anybody may send it."""

    def outside(self) -> Iterator[tuple[str, bytes]]:
        """Name and text of every table outside schema `personal`."""

    def backup(self) -> bytes:
        """The backup that the handbook tells operators to make, as readable text."""

    def logs(self) -> Iterator[tuple[str, bytes]]:
        """Name and text of what each process has logged."""

    def planted(self) -> Iterator[tuple[str, bytes]]:
        """The lines that logs get when a pseudonym among the marks is logged, for the positive control; `logs` leaves them out."""

    def personal(self) -> bytes:
        """The text of the tables of schema `personal`, for the positive control."""
