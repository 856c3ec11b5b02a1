"""Code concerned with what attacks stand on: a generated city, the product's own release path, and seeded chance.

The attacked lines are the product's: bounding as `products.presence` does it, noise, correction, threshold and rounding as
`drawing.draw` does. Attacks that need thousands of releases draw only the cells they look at, thousands of times over: noise is
independent from cell to cell, so the rest of the city would tell them nothing; they see the counts before smoothing, which is
made of these and can tell no more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Final
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from services.errors import ConfigurationError
from services.privacy import drawing
from services.privacy.attacks import people
from services.privacy.attacks.people import Integers, People, Reports, Town
from services.privacy.attacks.store import Store
from services.privacy.mechanisms.contract import Mechanism
from services.privacy.plan import Plan, load_plan
from services.privacy.products.presence import Presence
from services.storage.ledger import MICRO

_PEOPLE, _CELLS, _COURIERS = 50_000, 680, 20
_FEW_PEOPLE, _FEW_CELLS = 5_000, 91
PRESENCE: Final = Presence()


@dataclass(frozen=True, kw_only=True, slots=True)
class City:
    """A generated city on one day, and what the release job makes of it before noise.

    Attributes:
        sent: what the vehicles reported.
        true: distinct vehicles per cell and hour, (cells, 24).
        exact: the product's bounded vectors.

    """

    town: Town
    people: People
    sent: Reports
    true: Integers
    exact: dict[str, Integers]


@dataclass(frozen=True, kw_only=True)
class Ground:
    """What an attack may use.

    Attributes:
        seed: of everything that is generated; the noise of releases is not seeded, it comes from the system.
        short: whether a smaller city and fewer trials are enough.
        micro_epsilon: the daily budget [micro-ε].
        meters: recorded half-hourly loads to attack instead of generated ones, a parquet file.
        trips: recorded bike trips to attack instead of generated ones, a parquet file.
        store: a throw-away platform with generated people, for the attacks that ask it.
        tell: hears how much of an attack is done, and of how much.

    """

    seed: int = 1
    short: bool = False
    micro_epsilon: int = MICRO
    meters: Path | None = None
    trips: Path | None = None
    store: Store | None = None
    tell: Callable[[int, int], None] = field(default=lambda _done, _all: None)

    @cached_property
    def presence(self) -> Plan:
        """The plan under which presence is published."""
        return load_plan("presence")

    @property
    def platform(self) -> Store:
        """The throw-away platform.

        Raises:
            ConfigurationError: this run has none.

        """
        if self.store is None:
            message = "this attack asks a running platform: run it with `arterial privacy attack`, which starts one"
            raise ConfigurationError(message)
        return self.store

    @property
    def paid(self) -> int:
        """What a release of presence costs [micro-ε]."""
        return self.presence.price(self.micro_epsilon)

    @property
    def confidence(self) -> float:
        """Of the bounds on ε: 95 %, and in the short version so much that chance never fails it."""
        return 0.99999 if self.short else 0.95

    def rng(self, name: str) -> np.random.Generator:
        """Generated chance of an attack."""
        return np.random.default_rng([self.seed, crc32(name.encode())])

    @cached_property
    def city(self) -> City:
        """50,000 people in 680 cells, of whom 20 drive all day; in the short version 5,000 in 91."""
        many, cells = (_FEW_PEOPLE, _FEW_CELLS) if self.short else (_PEOPLE, _CELLS)
        rng = self.rng("city")
        town = people.build_town(self.seed, cells)
        inhabitants = people.settle(town, rng, many, couriers=_COURIERS)
        sent = people.reports(inhabitants, people.drive(inhabitants, rng))
        exact = self.bound(town, sent, rng, many)
        return City(
            town=town,
            people=inhabitants,
            sent=sent,
            true=people.true_counts(town, sent),
            exact=exact,
        )

    def bound(self, town: Town, sent: Reports, rng: np.random.Generator, many: int) -> dict[str, Integers]:
        """The product's bounded vectors of reports, under fresh pseudonyms."""
        rows = people.as_rows(town, sent, people.pseudonyms(rng, many))
        return PRESENCE.bound(rows, self.presence, people.the_day(), town.domain)

    def published(self, counts: Integers) -> tuple[Integers, NDArray[np.bool_], int]:
        """Releases of bounded counts of presence, each row one release: values, where they are shown, and the threshold."""
        exact = {measure.name: np.zeros(1, dtype=np.int64) for measure in self.presence.measure}
        decides = self.presence.threshold.measure
        exact[decides] = np.ascontiguousarray(counts, dtype=np.int64)
        drawn = drawing.draw(self.presence, UNSMOOTHED, self.paid, exact)
        return drawn.values[decides], drawn.shown, drawn.threshold


class _Unsmoothed(Presence):
    """Any product without its smoothing: for releases of a few cells or numbers, thousands at a time."""

    def refined(
        self, noisy: dict[str, Integers], noise: dict[str, Mechanism], earlier: Mapping[str, Integers]
    ) -> dict[str, Integers]:
        """As they are."""
        del noise, earlier
        return noisy


UNSMOOTHED: Final = _Unsmoothed()
