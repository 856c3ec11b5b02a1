"""Code concerned with bike stations: trips that began and ended at each station on one local day."""

from __future__ import annotations

import numpy as np

from services.privacy import bounding
from services.privacy.days import LocalDay
from services.privacy.plan import Plan
from services.privacy.products.contract import Integers, Numbers, Product
from services.storage import personal, releases, stations
from services.storage.database import Connection

_PARTS = ("departures", "arrivals")


class BikeStations(Product):
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

    def publish(self, connection: Connection, numbers: Numbers) -> None:
        """Store departures and arrivals of every station."""
        names, start = stations.codes(connection, "bike"), numbers.day.start
        releases.publish_figures(
            connection,
            numbers.release_key,
            (
                (names[station], part, start, "trips", *numbers.said("trips", i, j))
                for i, station in enumerate(numbers.domain.tolist())
                for j, part in enumerate(_PARTS)
            ),
        )
