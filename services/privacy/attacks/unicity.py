"""Code concerned with singling people out by a few points of their day, and with whether any record is left to single out.

Four points of place and hour single out nearly everybody in any table of rows per person, however coarse (PMC7961185). So no such
row may exist outside schema `personal`: no pseudonym, no device name, no cell of resolution 9, in any spelling, in any column of
any table, in the backup that operators are told to make, or in what the processes log. A pseudonym logged on purpose must be found.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import chain
from typing import Final

import numpy as np

from services.privacy.attacks.contract import Finding, exactly
from services.privacy.attacks.ground import Ground
from services.privacy.attacks.people import HOURS
from services.privacy.attacks.traces import found

_POINTS: Final = 4
_ASKED, _FEW_ASKED = 2_000, 200
_CONTROL: Final = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class Unicity:
    """Counts who is unique by four points, then searches tables, backup and logs for anything that stands for one person."""

    name: str = "unicity"

    def run(self, ground: Ground) -> Finding:
        """Single out people in unprotected days, then search what is stored."""
        store = ground.platform
        alone = _alone(ground, _FEW_ASKED if ground.short else _ASKED)
        known = found(store.marks, store.personal()) / len(store.marks)
        traces = 0
        names: list[str] = []
        guilty: list[str] = []
        for name, text in chain(store.outside(), [("the backup", store.backup())], store.logs()):
            ground.tell(min(len(names), 99), 100)
            names.append(name)
            here = found(store.marks, text)
            traces += here
            guilty += [name] * (here > 0)
        lines = [found(store.marks, line) > 0 for _, line in store.planted()]
        return Finding(
            control=min(alone, known, float(all(lines))),
            control_needed=_CONTROL,
            lines=(exactly("traces of single people outside schema personal", float(traces), 0.0),),
            explanation=(
                f"Four points of cell and hour single out {alone:.0%} of people in unprotected days. {len(store.marks)} pseudonyms, "
                f"devices and fine cells, {known:.0%} of which are in schema personal, were searched in {len(names)} places: all other "
                f"tables, the backup and the logs, where {sum(lines)} of {len(lines)} lines planted with a pseudonym were found: "
                f"{'traces are in ' + ', '.join(guilty) if guilty else 'none was there'}."
            ),
        )


def _alone(ground: Ground, asked: int) -> float:
    """The share of people whom four random points of their day (cell of resolution 8, hour) fit alone."""
    city, rng = ground.city, ground.rng("unicity-points")
    width = len(city.town.domain) * HOURS
    visits = np.unique(city.sent.person * width + city.town.parent[city.sent.place] * HOURS + city.sent.second // 3_600)
    person, place = visits // width, visits % width
    by_place = np.argsort(place, kind="stable")
    starts = np.searchsorted(place[by_place], np.arange(width + 1))
    begins = np.searchsorted(person, np.arange(len(city.people) + 1))
    several = np.flatnonzero(np.diff(begins) >= _POINTS)
    alone = 0
    picked = rng.choice(several, min(asked, len(several)), replace=False)
    for one in picked:
        points = rng.choice(place[begins[one] : begins[one + 1]], _POINTS, replace=False)
        who = person[by_place[starts[points[0]] : starts[points[0] + 1]]]
        for point in points[1:]:
            who = np.intersect1d(who, person[by_place[starts[point] : starts[point + 1]]], assume_unique=True)
        alone += len(who) == 1
    return alone / len(picked)
