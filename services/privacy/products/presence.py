"""Code concerned with presence: distinct vehicles per H3 cell of resolution 8 and local hour."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from services.domain import to_us
from services.privacy import bounding
from services.privacy.days import LocalDay
from services.privacy.mechanisms.contract import Mechanism
from services.privacy.mechanisms.smoothing import smoothed
from services.privacy.plan import Plan
from services.privacy.products.contract import Integers, Numbers, Product
from services.privacy.products.geography import city_cells
from services.storage import personal, releases
from services.storage.database import Connection

_MINUTE_US: Final = 60_000_000
_Z95: Final = 1.96
_REACH: Final = 0.99


class Presence(Product):
    """The product `presence`."""

    def domain(self, connection: Connection) -> Integers:
        """The cells whose centre lies in a district."""
        return city_cells(connection)

    def exact(self, connection: Connection, plan: Plan, day: LocalDay, domain: Integers) -> dict[str, Integers]:
        """Bounded counts, shape (cells, hours of the day)."""
        return self.bound(personal.positions(connection, day.day), plan, day, domain)

    def bound(self, rows: personal.Positions, plan: Plan, day: LocalDay, domain: Integers) -> dict[str, Integers]:
        """The same of positions at hand, in any order."""
        counts = bounding.presence(
            rows.subject,
            rows.cell,
            rows.observed_us,
            domain=domain,
            day_start_us=to_us(day.start),
            slot_us=plan.grid.slot_minutes * _MINUTE_US,
            slots=len(day.slots(plan.grid.slot_minutes)),
            cells_per_subject=plan.measure_named("vehicles").cells_per_subject,
        )
        return {"vehicles": counts}

    def refined(
        self, noisy: dict[str, Integers], noise: dict[str, Mechanism], earlier: Mapping[str, Integers]
    ) -> dict[str, Integers]:
        """Counts with less noise, after the pattern that cells, hours and days have in common."""
        vehicles = noise["vehicles"]
        return {
            "vehicles": smoothed(
                noisy["vehicles"],
                deviation=vehicles.half_width(0.95) / _Z95,
                reach=vehicles.half_width(_REACH),
                earlier=earlier.get("vehicles"),
            )
        }

    def publish(self, connection: Connection, numbers: Numbers) -> None:
        """Store one row per cell and hour; `ci95` stands in the head of the release, it is the same for every cell."""
        counts, visible = numbers.values["vehicles"].tolist(), numbers.shown.tolist()
        releases.publish_presence(
            connection,
            numbers.release_key,
            (
                (cell, hour, counts[i][j] if visible[i][j] else None)
                for i, cell in enumerate(numbers.domain.tolist())
                for j, hour in enumerate(numbers.day.slots(numbers.plan.grid.slot_minutes))
            ),
        )
