"""Code concerned with which products there are, by the name of their plan."""

from __future__ import annotations

from typing import Final

from services.privacy.products.bike_stations import BikeStations
from services.privacy.products.charging import Charging
from services.privacy.products.contract import Product
from services.privacy.products.district_energy import DistrictEnergyOfDay
from services.privacy.products.district_load import DistrictLoad
from services.privacy.products.origin_destination import OriginDestination
from services.privacy.products.presence import Presence
from services.privacy.products.speeds import Speeds
from services.privacy.products.trip_lengths import TripLengths

CATALOGUE: Final[dict[str, Product]] = {
    "presence": Presence(),
    "origin_destination": OriginDestination(),
    "speeds": Speeds(),
    "trip_lengths": TripLengths(),
    "district_energy": DistrictEnergyOfDay(),
    "district_load": DistrictLoad(),
    "bike_stations": BikeStations(),
    "charging": Charging(),
}
