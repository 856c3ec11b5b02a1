"""Code concerned with presence: distinct vehicles per H3 cell of resolution 8 and local hour."""

from __future__ import annotations

import h3.api.basic_int as h3
import numpy as np
from numpy.typing import NDArray

from services.domain import to_us
from services.privacy import bounding
from services.privacy.days import LocalDay
from services.privacy.plan import Plan
from services.privacy.products.contract import Integers
from services.storage import personal, releases
from services.storage.database import Connection

_RESOLUTION = 8
_MINUTE_US = 60_000_000


class Presence:
    """The product `presence`."""

    def domain(self, connection: Connection) -> Integers:
        """The cells whose centre lies in a district."""
        cells: set[int] = set()
        for _, outline in releases.district_outlines(connection):
            cells.update(h3.geo_to_cells(outline, _RESOLUTION))
        return np.array(sorted(cells), dtype=np.int64)

    def exact(self, connection: Connection, plan: Plan, day: LocalDay, domain: Integers) -> dict[str, Integers]:
        """Bounded counts, shape (cells, hours of the day)."""
        rows = personal.positions(connection, day.day)
        measure = plan.measure_named("vehicles")
        counts = bounding.presence(
            rows.subject,
            rows.cell,
            rows.observed_us,
            domain=domain,
            day_start_us=to_us(day.start),
            slot_us=plan.grid.slot_minutes * _MINUTE_US,
            slots=len(day.slots(plan.grid.slot_minutes)),
            cells_per_subject=measure.cells_per_subject,
        )
        return {"vehicles": counts}

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
        """Store one row per cell and hour; `ci95` stands in the head of the release, it is the same for every cell."""
        del ci95
        counts = values["vehicles"].tolist()
        visible = shown.tolist()
        releases.publish_presence(
            connection,
            release_key,
            (
                (cell, hour, counts[i][j] if visible[i][j] else None)
                for i, cell in enumerate(domain.tolist())
                for j, hour in enumerate(day.slots(plan.grid.slot_minutes))
            ),
        )
