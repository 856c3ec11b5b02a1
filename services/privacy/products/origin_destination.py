"""Code concerned with origins and destinations: trips between H3 cells of resolution 7 on one local day."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.privacy import movement
from services.privacy.days import LocalDay
from services.privacy.mechanisms.contract import Mechanism
from services.privacy.plan import Plan
from services.privacy.products.contract import Integers
from services.privacy.products.geography import city_cells
from services.storage import personal, releases
from services.storage.database import Connection


class OriginDestination:
    """The product `origin_destination`."""

    def domain(self, connection: Connection) -> Integers:
        """The parents of the city's cells."""
        return city_cells(connection, movement.RESOLUTION)

    def exact(self, connection: Connection, plan: Plan, day: LocalDay, domain: Integers) -> dict[str, Integers]:
        """Bounded trips, shape (cells from, cells to)."""
        return self.bound(personal.positions(connection, day.day), plan, day, domain)

    def bound(self, rows: personal.Positions, plan: Plan, day: LocalDay, domain: Integers) -> dict[str, Integers]:
        """The same of positions at hand, in any order."""
        del day
        found = movement.trips(rows.subject, rows.cell, rows.observed_us)
        most = plan.measure_named("trips").cells_per_subject
        return {"trips": movement.origin_destination(found, domain=domain, trips_per_subject=most)}

    def refined(self, plan: Plan, noisy: dict[str, Integers], noise: dict[str, Mechanism]) -> dict[str, Integers]:
        """As they are."""
        del plan, noise
        return noisy

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
        """Store one row per pair of cells; most pairs of a city are withheld."""
        del plan
        cells = [f"{cell:x}" for cell in domain.tolist()]
        counts, visible, half_width = values["trips"].tolist(), shown.tolist(), ci95["trips"]
        releases.publish_figures(
            connection,
            release_key,
            (
                (one, other, day.start, "trips", *((counts[i][j], half_width) if visible[i][j] else (None, None)))
                for i, one in enumerate(cells)
                for j, other in enumerate(cells)
            ),
        )
