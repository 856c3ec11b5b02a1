"""Code concerned with origins and destinations: trips between H3 cells of resolution 7 on one local day."""

from __future__ import annotations

from services.privacy import movement
from services.privacy.days import LocalDay
from services.privacy.plan import Plan
from services.privacy.products.contract import Integers, Numbers, Product
from services.privacy.products.geography import city_cells
from services.storage import personal, releases
from services.storage.database import Connection


class OriginDestination(Product):
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

    def publish(self, connection: Connection, numbers: Numbers) -> None:
        """Store one row per pair of cells; most pairs of a city are withheld."""
        cells, start = [f"{cell:x}" for cell in numbers.domain.tolist()], numbers.day.start
        releases.publish_figures(
            connection,
            numbers.release_key,
            (
                (one, other, start, "trips", *numbers.said("trips", i, j))
                for i, one in enumerate(cells)
                for j, other in enumerate(cells)
            ),
        )
