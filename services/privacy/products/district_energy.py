"""Code concerned with household energy: what the households of each district used on one local day."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from services.privacy import bounding
from services.privacy.days import LocalDay
from services.privacy.mechanisms.contract import Mechanism
from services.privacy.plan import Plan
from services.privacy.products.contract import Integers
from services.storage import personal, releases
from services.storage.database import Connection

_WH_PER_KWH = 1_000


class DistrictEnergyOfDay:
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
        """Store one row per district, energy in kWh."""
        del plan
        half_width = ci95["energy_wh"] / _WH_PER_KWH
        releases.publish_district_energy(
            connection,
            release_key,
            day.day,
            (
                (district, energy / _WH_PER_KWH, count, half_width) if visible else (district, None, None, None)
                for district, energy, count, visible in zip(
                    domain.tolist(),
                    values["energy_wh"].tolist(),
                    values["households"].tolist(),
                    shown.tolist(),
                    strict=True,
                )
            ),
        )
