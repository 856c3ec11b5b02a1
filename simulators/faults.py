"""Code concerned with what real devices do wrong: gaps, one detector that is stuck and one that has fallen silent."""

from __future__ import annotations

import numpy as np

from simulators.city import City
from simulators.streams import Bools, stream

_GAP_A_DAY = 0.02
_LOST_ONE_BY_ONE = 0.003


def stuck_detector(city: City) -> int:
    """The detector whose counter hangs: it repeats the first values of each UTC day all day long."""
    return int(stream(city.seed, "stuck").integers(len(city.detectors.code)))


def silent_detector(city: City) -> int:
    """The detector that has stopped reporting; history says since when, live it never speaks."""
    count = len(city.detectors.code)
    return int((stuck_detector(city) + 1 + stream(city.seed, "silent").integers(count - 1)) % count)


def reported(city: City, kind: str, day: int, steps: int, width: int) -> Bools:
    """Which readings of one UTC day the devices managed to send, (steps, devices): now and then hours are missing."""
    rng = stream(city.seed, f"gaps-{kind}", day)
    sent = rng.random((steps, width)) >= _LOST_ONE_BY_ONE
    for device in np.flatnonzero(rng.random(width) < _GAP_A_DAY):
        start = int(rng.integers(steps))
        sent[start : start + max(1, int(rng.uniform(0.02, 0.25) * steps)), device] = False
    return sent
