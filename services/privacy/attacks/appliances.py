"""Code concerned with households whose appliances are known: when each was switched on and off, and how much it drew.

Cars, heat pumps and ovens are those that half-hours can show; a kettle's 0.1 kWh drowns in its own household's. They run for whole
half-hours, which makes them easier to see than in life: an edge between two half-hours is never smeared over both.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from services.privacy.attacks.estimates import Floats
from services.privacy.attacks.people import Integers
from services.privacy.attacks.recordings import DAYS, SLOTS

Flags = NDArray[np.bool_]
WEEK: Final = DAYS * SLOTS
CAR: Final = 0
"""Its place among the appliances."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """One habit: from which to which half-hour of a day it may begin, how many it lasts, and on which share of days."""

    first: int
    last: int
    shortest: int
    longest: int
    chance: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Appliance:
    """What draws from `least_kw` to `most_kw` in the `share` of homes that have it."""

    share: float
    least_kw: float
    most_kw: float
    runs: tuple[Run, ...]


APPLIANCES: Final = (
    Appliance(  # a car
        share=0.4,
        least_kw=3.7,
        most_kw=11.0,
        runs=(Run(first=34, last=46, shortest=4, longest=9, chance=0.45),),
    ),
    Appliance(  # a heat pump
        share=0.4,
        least_kw=2.0,
        most_kw=4.0,
        runs=(
            Run(first=8, last=15, shortest=4, longest=9, chance=0.9),
            Run(first=30, last=38, shortest=4, longest=9, chance=0.9),
        ),
    ),
    Appliance(  # an oven
        share=1.0,
        least_kw=1.8,
        most_kw=2.8,
        runs=(
            Run(first=22, last=26, shortest=1, longest=2, chance=0.3),
            Run(first=34, last=39, shortest=1, longest=3, chance=0.6),
        ),
    ),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Households:
    """Homes with a week of their lives.

    Attributes:
        kwh: what each used in each half-hour [kWh], (homes, 7, 48).
        kw: what its appliances draw [kW], 0 for those it does not have, (homes, appliances).
        running: whether an appliance runs in a half-hour, (homes, appliances, 336).

    """

    kwh: Floats
    kw: Floats
    running: Flags

    @property
    def equipped(self) -> Integers:
        """The numbers of the homes that have every appliance."""
        return np.flatnonzero((self.kw > 0).all(axis=1))


def equip(rng: np.random.Generator, kwh: Floats) -> Households:
    """Give appliances to homes whose other use is (homes, 7, 48) [kWh]."""
    homes = len(kwh)
    kw = np.stack([_powers(rng, each, homes) for each in APPLIANCES], axis=1)
    running = np.stack([_runs(rng, each, homes) for each in APPLIANCES], axis=1) & (kw > 0)[:, :, None]
    drawn = (running * (kw / 2)[:, :, None]).sum(axis=1)
    return Households(kwh=kwh + drawn.reshape(homes, DAYS, SLOTS), kw=kw, running=running)


def events(running: Flags) -> Flags:
    """Where each appliance is switched on, then where each is switched off: (homes, 2 x appliances, 335)."""
    change = np.diff(running.astype(np.int8), axis=2)
    return np.concatenate([change == 1, change == -1], axis=1)


def _powers(rng: np.random.Generator, appliance: Appliance, homes: int) -> Floats:
    return np.asarray(rng.uniform(appliance.least_kw, appliance.most_kw, homes) * (rng.random(homes) < appliance.share))


def _runs(rng: np.random.Generator, appliance: Appliance, homes: int) -> Flags:
    slot = np.arange(WEEK)
    running = np.zeros((homes, WEEK), dtype=np.bool_)
    for run in appliance.runs:
        for day in range(DAYS):
            begins = day * SLOTS + rng.integers(run.first, run.last + 1, homes)
            ends = begins + rng.integers(run.shortest, run.longest + 1, homes)
            takes = rng.random(homes) < run.chance
            running |= takes[:, None] & (slot >= begins[:, None]) & (slot < ends[:, None])
    return running
