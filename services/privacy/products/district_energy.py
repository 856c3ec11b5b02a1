"""Code concerned with household energy: what the households of each district used on one local day."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from services.privacy import bounding
from services.privacy.days import LocalDay
from services.privacy.plan import Plan
from services.privacy.products.contract import Integers, Numbers, Product
from services.storage import personal, releases
from services.storage.database import Connection

_WH_PER_KWH = 1_000


class DistrictEnergyOfDay(Product):
    """The product `district_energy`."""

    def domain(self, connection: Connection) -> Integers:
        """The numbers of all districts."""
        return np.array([number for number, _ in releases.district_outlines(connection)], dtype=np.int64)

    def exact(self, connection: Connection, plan: Plan, day: LocalDay, domain: Integers) -> dict[str, Integers]:
        """Bounded households and energy [Wh], shape (districts,)."""
        return self.bound(personal.households(connection, day.day), plan, day, domain)

    def bound(self, rows: personal.Loads, plan: Plan, day: LocalDay, domain: Integers) -> dict[str, Integers]:
        """The same of readings at hand, in any order."""
        del day
        households, energy_wh = bounding.household_energy(
            rows.subject,
            rows.district_id,
            rows.energy_wh,
            domain=domain,
            most_wh=plan.measure_named("energy_wh").per_cell,
        )
        return {"households": households, "energy_wh": energy_wh}

    def publish(self, connection: Connection, numbers: Numbers) -> None:
        """Store one row per district, energy in kWh."""

        def districts() -> Iterator[tuple[int, float | None, int | None, float | None]]:
            for i, district in enumerate(numbers.domain.tolist()):
                energy, half_width = numbers.said("energy_wh", i, unit=_WH_PER_KWH)
                households = None if energy is None else int(numbers.values["households"][i])
                yield (district, energy, households, half_width)

        releases.publish_district_energy(connection, numbers.release_key, numbers.day.day, districts())
