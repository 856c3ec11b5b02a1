"""Code concerned with bike stations: trips that began and ended at each station on one local day."""

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
from services.storage import personal, releases, stations
from services.storage.database import Connection

_PARTS = ("departures", "arrivals")


class BikeStations:
    """The product `bike_stations`."""

    def domain(self, connection: Connection) -> Integers:
        """The numbers of all bike stations of the register."""
        return np.array(sorted(stations.codes(connection, "bike")), dtype=np.int64)

    def exact(self, connection: Connection, plan: Plan, day: LocalDay, domain: Integers) -> dict[str, Integers]:
        """Bounded trips, shape (stations, 2): departures and arrivals."""
        return self.bound(personal.bike_trips(connection, day.day), plan, day, domain)

    def bound(self, rows: personal.BikeTrips, plan: Plan, day: LocalDay, domain: Integers) -> dict[str, Integers]:
        """The same of trips at hand, in any order."""
        del plan, day
        return {"trips": bounding.station_use(rows.subject, rows.origin, rows.destination, domain=domain)}

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
        """Store departures and arrivals of every station."""
        del plan
        names = stations.codes(connection, "bike")
        counts, visible, half_width = values["trips"].tolist(), shown.tolist(), ci95["trips"]

        def rows() -> Iterator[tuple[str, str, datetime, str, float | None, float | None]]:
            for i, number in enumerate(domain.tolist()):
                for j, part in enumerate(_PARTS):
                    said = (counts[i][j], half_width) if visible[i][j] else (None, None)
                    yield (names[number], part, day.start, "trips", *said)

        releases.publish_figures(connection, release_key, rows())
