"""Code concerned with the public grid: which cells a city has, from its districts and never from data."""

from __future__ import annotations

import h3.api.basic_int as h3
import numpy as np

from services.privacy.bounding import parent_of
from services.privacy.subjects import Integers
from services.storage import releases
from services.storage.database import Connection

BASE_RESOLUTION = 8


def city_cells(connection: Connection, resolution: int = BASE_RESOLUTION) -> Integers:
    """The cells of resolution 8 whose centre lies in a district, or their parents of a coarser resolution; sorted.

    Every grid of the mobility domain is made of whole cells of resolution 8, so that no two of them cut each other.
    """
    cells: set[int] = set()
    for _, outline in releases.district_outlines(connection):
        cells.update(h3.geo_to_cells(outline, BASE_RESOLUTION))
    base = np.array(sorted(cells), dtype=np.int64)
    return base if resolution == BASE_RESOLUTION else np.unique(parent_of(base, BASE_RESOLUTION, resolution))
