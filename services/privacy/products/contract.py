"""Code concerned with what a product is: the part of a release that differs from product to product."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from services.privacy.days import LocalDay
from services.privacy.mechanisms.contract import Mechanism
from services.privacy.plan import Plan
from services.storage.database import Connection

Integers = NDArray[np.int64]


class Product(Protocol):
    """Reads and bounds one day, and stores its noisy numbers. Stateless."""

    def domain(self, connection: Connection) -> Integers:
        """The public cells, sorted; from geography, never from data. Empty while the city has no districts."""

    def exact(self, connection: Connection, plan: Plan, day: LocalDay, domain: Integers) -> dict[str, Integers]:
        """The bounded vector of each measure over the whole domain; never leaves the release transaction.

        Vectors that are shown are of one shape: cells of the domain first.
        """

    def refined(self, plan: Plan, noisy: dict[str, Integers], noise: dict[str, Mechanism]) -> dict[str, Integers]:
        """The noisy vectors as they decide what is shown and are published; made from noisy numbers alone."""

    def publish(
        self,
        connection: Connection,
        *,
        release_key: str,
        plan: Plan,
        day: LocalDay,
        domain: Integers,
        values: dict[str, Integers],
        shown: NDArray[np.bool_],
        ci95: dict[str, float],
    ) -> None:
        """Store rounded noisy values; where `shown` is false nothing but the cell's existence."""
