"""Code concerned with household load: what the households of each large district used in each half hour of a local day."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.domain import to_us
from services.privacy import bounding
from services.privacy.days import LocalDay
from services.privacy.mechanisms.contract import Mechanism
from services.privacy.plan import Plan
from services.privacy.products.contract import Integers
from services.storage import personal, releases
from services.storage.database import Connection

LEAST_HOMES: Final = 1_000
"""A district with fewer homes in the public register has no half hours: the noise would be larger than its load."""

_MINUTE_US = 60_000_000
_WH_PER_KWH = 1_000


class DistrictLoad:
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
        """Store the households of each district's day and the energy [kWh] of each of its half hours."""
        codes = releases.district_codes(connection)
        households, energy, visible = values["households"].tolist(), values["energy_wh"].tolist(), shown.tolist()
        half_width = ci95["energy_wh"] / _WH_PER_KWH

        def rows() -> Iterator[tuple[str, str, datetime, str, float | None, float | None]]:
            for i, number in enumerate(domain.tolist()):
                district, known = codes[number], visible[i]
                count = (households[i], ci95["households"]) if known else (None, None)
                yield (district, "", day.start, "households", *count)
                for j, half_hour in enumerate(day.slots(plan.grid.slot_minutes)):
                    used = (energy[i][j] / _WH_PER_KWH, half_width) if known else (None, None)
                    yield (district, "", half_hour, "energy_kwh", *used)

        releases.publish_figures(connection, release_key, rows())
