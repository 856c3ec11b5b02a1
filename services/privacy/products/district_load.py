"""Code concerned with household load: what the households of each large district used in each half hour of a local day."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from services.domain import to_us
from services.privacy import bounding
from services.privacy.days import LocalDay
from services.privacy.plan import Plan
from services.privacy.products.contract import Figure, Integers, Numbers, Product
from services.storage import personal, releases
from services.storage.database import Connection

LEAST_HOMES: Final = 1_000
"""A district with fewer homes in the public register has no half hours: the noise would be larger than its load."""

_MINUTE_US = 60_000_000
_WH_PER_KWH = 1_000


class DistrictLoad(Product):
    """The product `district_load`."""

    def domain(self, connection: Connection) -> Integers:
        """The numbers of the districts with enough homes; a count of the register, not of readings."""
        return np.array(releases.large_districts(connection, LEAST_HOMES), dtype=np.int64)

    def exact(self, connection: Connection, plan: Plan, day: LocalDay, domain: Integers) -> dict[str, Integers]:
        """Bounded households, shape (districts,), and energy [Wh], shape (districts, half hours of the day)."""
        return self.bound(personal.timed_households(connection, day.day), plan, day, domain)

    def bound(self, rows: personal.TimedLoads, plan: Plan, day: LocalDay, domain: Integers) -> dict[str, Integers]:
        """The same of readings at hand, in any order."""
        households, energy_wh = bounding.household_load(
            rows.subject,
            rows.district_id,
            rows.observed_us,
            rows.energy_wh,
            domain=domain,
            day_start_us=to_us(day.start),
            slot_us=plan.grid.slot_minutes * _MINUTE_US,
            slots=len(day.slots(plan.grid.slot_minutes)),
            most_norm_wh=plan.measure_named("energy_wh").sensitivity,
        )
        return {"households": households, "energy_wh": energy_wh}

    def publish(self, connection: Connection, numbers: Numbers) -> None:
        """Store the households of each district's day and the energy [kWh] of each of its half hours."""
        codes, day = releases.district_codes(connection), numbers.day

        def figures() -> Iterator[Figure]:
            for i, number in enumerate(numbers.domain.tolist()):
                district = codes[number]
                yield (district, "", day.start, "households", *numbers.said("households", i))
                for j, half_hour in enumerate(day.slots(numbers.plan.grid.slot_minutes)):
                    yield (district, "", half_hour, "energy_kwh", *numbers.said("energy_wh", i, j, unit=_WH_PER_KWH))

        releases.publish_figures(connection, numbers.release_key, figures())
