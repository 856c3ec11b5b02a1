"""Code concerned with what a product is: the part of a release that differs from product to product."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from services.privacy.days import LocalDay
from services.privacy.mechanisms.contract import Mechanism
from services.privacy.plan import Plan
from services.storage.database import Connection

Integers = NDArray[np.int64]


Figure = tuple[str, str, datetime, str, float | None, float | None]
"""One published number: place, part, slot, measure, value and half-width of its interval, both None where withheld."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Numbers:
    """What is published of one plan and local day: rounded noisy vectors over the domain, and which cells are shown."""

    release_key: str
    plan: Plan
    day: LocalDay
    domain: Integers
    values: dict[str, Integers]
    shown: NDArray[np.bool_]
    ci95: dict[str, float]

    def said(self, measure: str, *cell: int, unit: int = 1) -> tuple[float, float] | tuple[None, None]:
        """A cell's value and half-width in multiples of `unit`, or nothing where the cell is withheld."""
        place = cell[: self.shown.ndim]
        if not self.shown[place]:
            return None, None
        value = int(self.values[measure][cell])
        return (value if unit == 1 else value / unit), self.ci95[measure] / unit


class Product(Protocol):
    """Reads and bounds one day, and stores its noisy numbers. Stateless."""

    def domain(self, connection: Connection) -> Integers:
        """The public cells, sorted; from geography, never from data. Empty while the city has no districts."""

    def exact(self, connection: Connection, plan: Plan, day: LocalDay, domain: Integers) -> dict[str, Integers]:
        """The bounded vector of each measure over the whole domain; never leaves the release transaction.

        Vectors that are shown are of one shape: cells of the domain first.
        """

    def refined(
        self, noisy: dict[str, Integers], noise: dict[str, Mechanism], earlier: Mapping[str, Integers]
    ) -> dict[str, Integers]:
        """The noisy vectors as they decide what is shown and are published, made from noisy numbers alone; here as they are.

        Args:
            noisy: of the day.
            noise: of each measure.
            earlier: noisy vectors of each measure on other days of that kind, days first; none of a measure without any.

        """
        del noise, earlier
        return noisy

    def publish(self, connection: Connection, numbers: Numbers) -> None:
        """Store the numbers; where `shown` is false nothing but the cell's existence."""
