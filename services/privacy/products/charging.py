"""Code concerned with charging: sessions and their energy by district and local day."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from services.privacy import bounding
from services.privacy.days import LocalDay
from services.privacy.plan import Plan
from services.privacy.products.contract import Figure, Integers, Numbers, Product
from services.storage import personal, releases
from services.storage.database import Connection

_WH_PER_KWH = 1_000


class Charging(Product):
    """The product `charging`."""

    def domain(self, connection: Connection) -> Integers:
        """The numbers of all districts."""
        return np.array(sorted(releases.district_codes(connection)), dtype=np.int64)

    def exact(self, connection: Connection, plan: Plan, day: LocalDay, domain: Integers) -> dict[str, Integers]:
        """Bounded sessions and energy [Wh], shape (districts,)."""
        return self.bound(personal.charging(connection, day.day), plan, day, domain)

    def bound(self, rows: personal.Loads, plan: Plan, day: LocalDay, domain: Integers) -> dict[str, Integers]:
        """The same of sessions at hand, in any order."""
        del day
        sessions, energy_wh = bounding.charging_energy(
            rows.subject,
            rows.district_id,
            rows.energy_wh,
            domain=domain,
            most_wh=plan.measure_named("energy_wh").per_cell,
        )
        return {"sessions": sessions, "energy_wh": energy_wh}

    def publish(self, connection: Connection, numbers: Numbers) -> None:
        """Store sessions and energy [kWh] of every district."""
        codes, start = releases.district_codes(connection), numbers.day.start

        def figures() -> Iterator[Figure]:
            for i, district in enumerate(numbers.domain.tolist()):
                yield (codes[district], "", start, "sessions", *numbers.said("sessions", i))
                yield (codes[district], "", start, "energy_kwh", *numbers.said("energy_wh", i, unit=_WH_PER_KWH))

        releases.publish_figures(connection, numbers.release_key, figures())
