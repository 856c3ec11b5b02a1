"""Code concerned with the lengths of trips: how many of each band of lengths began in the city on one local day."""

from __future__ import annotations

from services.privacy import movement
from services.privacy.days import LocalDay
from services.privacy.plan import Plan
from services.privacy.products.contract import Integers, Numbers, Product
from services.privacy.products.geography import city_cells
from services.storage import personal, releases
from services.storage.database import Connection


class TripLengths(Product):
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

    def publish(self, connection: Connection, numbers: Numbers) -> None:
        """Store one row per band, such as `02-03 km`; the last is `30- km`."""
        edges = [f"{edge:02d}" for edge in movement.LENGTH_BANDS_KM]
        bands = [f"{low}-{high} km" for low, high in zip(edges, [*edges[1:], ""], strict=True)]
        releases.publish_figures(
            connection,
            numbers.release_key,
            (("city", band, numbers.day.start, "trips", *numbers.said("trips", i)) for i, band in enumerate(bands)),
        )
