"""Code concerned with where the city's bicycles are rented and its cars are charged: places for the public register of stations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from simulators.districts import District, district_of
from simulators.roads import Roads
from simulators.sensors import spread
from simulators.streams import Floats, Ints, stream

PARTY: Final = "ARV"
"""The invented operator of all charging points, as OCPI names one."""

_DOCKS: Final = 3
_CHARGERS: Final = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Places:
    """Places of one purpose; arrays over places.

    `code` is how the register calls them, `homes` and `jobs` weigh how much of what people do at home and at work happens there.
    """

    code: tuple[str, ...]
    name: tuple[str, ...]
    position: Floats
    district: Ints
    homes: Floats
    jobs: Floats


def place_docks(seed: int, roads: Roads, districts: tuple[District, ...]) -> Places:
    """Three stations for rented bicycles in each district, on crossings far from each other."""
    return _placed(seed, "docks", roads, districts, _DOCKS, "dock-{:02d}", "{} {}")


def place_chargers(seed: int, roads: Roads, districts: tuple[District, ...], country: str) -> Places:
    """Five locations with charging points in each district; the register has them under their names in OCPI."""
    code = f"ocpi-{country}:{PARTY}:LOC{{:03d}}"
    return _placed(seed, "chargers", roads, districts, _CHARGERS, code, "{}, charging {}")


def _placed(
    seed: int, name: str, roads: Roads, districts: tuple[District, ...], each: int, code: str, called: str
) -> Places:
    rng = stream(seed, name)
    stands_in = district_of(roads.nodes, districts)
    nodes = []
    for index in range(len(districts)):
        within = np.flatnonzero(stands_in == index)
        nodes.append(within[spread(rng, roads.nodes[within], np.ones(len(within)), each)])
    district = np.repeat(np.arange(len(districts)), each)
    return Places(
        code=tuple(code.format(number + 1) for number in range(len(district))),
        name=tuple(called.format(districts[d].name, number % each + 1) for number, d in enumerate(district)),
        position=roads.nodes[np.concatenate(nodes)],
        district=district,
        homes=np.array([one.homes for one in districts])[district],
        jobs=np.array([one.jobs for one in districts])[district],
    )
