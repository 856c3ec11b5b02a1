"""Code concerned with covariates: what is known from elsewhere about times to come, such as weather and events.

Every value has a time it is valid at and a time it was issued at. A forecast is issued before it is valid, an observation
after, and of several values for one time the one issued last by the time of asking counts. So what is looked up is always
what was known then: in training, too, the forecast that stood at that lead time with its own error, not what came true.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

_SECOND_US: Final = 1_000_000
_DAY_US: Final = 86_400 * _SECOND_US
_STEPS_US: Final = tuple(_SECOND_US * seconds for seconds in (900, 1800, 3600, 10_800, 21_600, 43_200, 86_400))
_DAYS_BACK: Final = 7
_NEVER: Final = 2**62

Times = NDArray[np.int64]
Values = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Course:
    """What has been said about one variable at one place.

    A value holds from its time on for `step_us`, the usual distance between times. Entries are in order of `keys`: the
    number of the step times `span_s`, plus the second of issue since `first_s`.
    """

    keys: Times
    values: Values
    step_us: int
    phase_us: int
    first_s: int
    span_s: int

    @classmethod
    def of(cls, valid_us: Times, issued_us: Times, values: Values) -> Course:
        """Keep values with their times in any order, finite and at least one [µs since 1970 UTC]."""
        gaps = np.diff(np.unique(valid_us))
        usual = int(np.median(gaps)) if len(gaps) else _DAY_US
        step = next((one for one in _STEPS_US if one >= usual), _STEPS_US[-1])
        rests, often = np.unique(valid_us % step, return_counts=True)
        phase = int(rests[np.argmax(often)])
        issued = -(-issued_us // _SECOND_US)
        first, span = int(issued.min()), int(np.ptp(issued)) + 2
        keys = (valid_us - phase) // step * span + issued - first
        order = np.lexsort((valid_us, keys))
        return cls(keys=keys[order], values=values[order], step_us=step, phase_us=phase, first_s=first, span_s=span)

    def said(self, targets_us: Times, by_us: Times) -> Values:
        """The value said last about each target by each time, NaN where nothing was."""
        by = np.clip(by_us // _SECOND_US - self.first_s, -1, self.span_s - 2)
        step = (targets_us - self.phase_us) // self.step_us
        place = np.searchsorted(self.keys, step * self.span_s + by, side="right") - 1
        there = np.maximum(place, 0)
        known = (place >= 0) & (by >= 0) & (self.keys[there] // self.span_s == step)
        return np.where(known, self.values[there], np.nan)


@dataclass(frozen=True, kw_only=True, slots=True)
class Covariates:
    """Variables by place, and the place of each sensor of a panel; nothing issued after `until_us` is ever told.

    `courses` has for each place a course per name, None where nothing is known of it there.
    """

    names: tuple[str, ...]
    courses: tuple[tuple[Course | None, ...], ...]
    places: Times
    until_us: int = field(default=_NEVER)

    def cut(self, until_us: int) -> Covariates:
        """What had been said by then."""
        return replace(self, until_us=min(until_us, self.until_us))

    def rows(self, which: NDArray[np.bool_]) -> Covariates:
        """For some of the sensors."""
        return replace(self, places=self.places[which])

    def digest(self) -> bytes:
        """A digest of all that was said, and of what."""
        digest = hashlib.sha256(f"{self.names} {self.places.tolist()} {self.until_us}".encode())
        for course in (one for courses in self.courses for one in courses if one is not None):
            digest.update(np.ascontiguousarray(course.keys).data)
            digest.update(np.ascontiguousarray(course.values).data)
        return digest.digest()

    def known(self, place: int, variable: int, targets_us: Times, by_us: Times) -> tuple[Values, NDArray[np.bool_]]:
        """What was expected of a variable at each target by each time, and where it had been said.

        Elsewhere the value of the same time of day up to seven days before stands in; NaN where there is none either.
        """
        targets, by = np.broadcast_arrays(targets_us, np.minimum(by_us, self.until_us))
        course = self.courses[place][variable]
        if course is None:
            return np.full(targets.shape, np.nan), np.zeros(targets.shape, dtype=np.bool_)
        values = course.said(targets, by)
        said = np.isfinite(values)
        for back in range(1, _DAYS_BACK + 1):
            lacking = np.isnan(values)
            if not lacking.any():
                break
            values[lacking] = course.said(targets[lacking] - back * _DAY_US, by[lacking])
        return values, said
