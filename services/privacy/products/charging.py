"""Code concerned with charging: sessions and their energy by district and local day."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

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


class Charging:
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
        """Store sessions and energy [kWh] of every district."""
        del plan
        codes = releases.district_codes(connection)
        sessions, energy, visible = values["sessions"].tolist(), values["energy_wh"].tolist(), shown.tolist()

        def rows() -> Iterator[tuple[str, str, datetime, str, float | None, float | None]]:
            for i, number in enumerate(domain.tolist()):
                count = (sessions[i], ci95["sessions"]) if visible[i] else (None, None)
                drawn = (energy[i] / _WH_PER_KWH, ci95["energy_wh"] / _WH_PER_KWH) if visible[i] else (None, None)
                yield (codes[number], "", day.start, "sessions", *count)
                yield (codes[number], "", day.start, "energy_kwh", *drawn)

        releases.publish_figures(connection, release_key, rows())
