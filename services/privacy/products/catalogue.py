"""Code concerned with which products there are, by the name of their plan."""

from __future__ import annotations

from typing import Final

from services.privacy.products.contract import Product
from services.privacy.products.district_energy import DistrictEnergyOfDay
from services.privacy.products.presence import Presence

CATALOGUE: Final[dict[str, Product]] = {"presence": Presence(), "district_energy": DistrictEnergyOfDay()}
