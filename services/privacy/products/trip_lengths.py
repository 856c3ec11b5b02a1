"""Code concerned with the lengths of trips: how many of each band of lengths began in the city on one local day."""

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


class TripLengths:
    """The product `trip_lengths`."""

    def domain(self, connection: Connection) -> Integers:
        """The parents of the city's cells, in which a trip has to begin."""
        return city_cells(connection, movement.RESOLUTION)

    def exact(self, connection: Connection, plan: Plan, day: LocalDay, domain: Integers) -> dict[str, Integers]:
        """Bounded trips, shape (bands,)."""
        return self.bound(personal.positions(connection, day.day), plan, day, domain)

    def bound(self, rows: personal.Positions, plan: Plan, day: LocalDay, domain: Integers) -> dict[str, Integers]:
        """The same of positions at hand, in any order."""
        del day
        found = movement.trips(rows.subject, rows.cell, rows.observed_us)
        most = plan.measure_named("trips").cells_per_subject
        return {"trips": movement.trip_lengths(found, domain=domain, trips_per_subject=most)}

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
        """Store one row per band, such as `02-03 km`; the last is `30- km`."""
        del plan, domain
        edges = [f"{edge:02d}" for edge in movement.LENGTH_BANDS_KM]
        bands = [f"{low}-{high} km" for low, high in zip(edges, [*edges[1:], ""], strict=True)]
        releases.publish_figures(
            connection,
            release_key,
            (
                ("city", band, day.start, "trips", *((count, ci95["trips"]) if visible else (None, None)))
                for band, count, visible in zip(bands, values["trips"].tolist(), shown.tolist(), strict=True)
            ),
        )
