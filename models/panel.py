"""Code concerned with the panel: many sensors on one regular grid of times, the only thing a model ever sees."""

from __future__ import annotations

from dataclasses import InitVar, dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.calendar import DAY_S, Calendar
from models.covariates import Covariates

Values = NDArray[np.float64]
LARGEST: Final = 1e12
"""Beyond this a value is no measurement; whoever fills a panel makes it NaN."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Panel:
    """Values of sensors (rows) at regular times (columns), NaN where missing; read-only.

    Column t is about the interval [start + t*step, start + (t+1)*step). A panel cut at an issue time holds nothing
    later, and that is how look-ahead is made impossible: models are handed cut panels and nothing else. The calendar
    is known for any time, also beyond the end; of covariates, where there are any, what had been said by the end.

    Invariants: values are float64, NaN or at most `LARGEST` in size; names are unique; the step divides a day and the
    start is a multiple of it.
    """

    names: tuple[str, ...]
    values: Values
    start_us: int
    step_seconds: int
    calendar: Calendar = field(default_factory=Calendar)
    nonnegative: bool = False
    covariates: Covariates | None = None
    part_of_checked: InitVar[bool] = False

    def __post_init__(self, part_of_checked: bool) -> None:
        """Check the invariants and close the values against writing.

        Raises:
            ValueError: an invariant does not hold.

        """
        if self.values.ndim != 2 or self.values.dtype != np.float64 or self.values.shape[0] != len(self.names):
            message = f"a panel of {len(self.names)} names needs as many rows of float64, not {self.values.dtype} {self.values.shape}"
            raise ValueError(message)
        if len(set(self.names)) != len(self.names):
            message = "two rows of a panel have the same name"
            raise ValueError(message)
        if self.step_seconds <= 0 or DAY_S % self.step_seconds or self.start_us % (self.step_seconds * 1_000_000):
            message = f"a step of {self.step_seconds} s must divide a day, and the start must be a multiple of it"
            raise ValueError(message)
        if self.covariates is not None and len(self.covariates.places) != len(self.names):
            message = f"covariates for {len(self.covariates.places)} sensors do not fit a panel of {len(self.names)}"
            raise ValueError(message)
        if not part_of_checked and np.nanmax(np.abs(self.values), initial=0.0) > LARGEST:
            message = f"a panel holds a value beyond {LARGEST:g}: make it NaN first"
            raise ValueError(message)
        closed = self.values.view()
        closed.flags.writeable = False
        object.__setattr__(self, "values", closed)

    @property
    def sensors(self) -> int:
        """How many rows."""
        return len(self.names)

    @property
    def length(self) -> int:
        """How many columns."""
        return int(self.values.shape[1])

    @property
    def steps_per_day(self) -> int:
        """How many steps a day of 24 hours has."""
        return DAY_S // self.step_seconds

    @property
    def step_us(self) -> int:
        """The step in microseconds."""
        return self.step_seconds * 1_000_000

    @property
    def end_us(self) -> int:
        """Where the last column's interval ends: the issue time of a forecast from this panel [µs since 1970 UTC]."""
        return self.start_us + self.length * self.step_us

    def times_us(self, first: int, count: int) -> NDArray[np.int64]:
        """Interval starts of `count` columns from `first` on, also beyond the end [µs since 1970 UTC]."""
        return self.start_us + np.arange(first, first + count, dtype=np.int64) * self.step_us

    def cut(self, end: int) -> Panel:
        """What was known before column `end`: the first `end` columns, on the same memory."""
        covariates = self.covariates
        if covariates is not None:
            covariates = covariates.cut(self.start_us + min(end, self.length) * self.step_us)
        return replace(self, values=self.values[:, :end], covariates=covariates, part_of_checked=True)

    def since(self, first: int) -> Panel:
        """The columns from `first` on, on the same memory."""
        return replace(
            self,
            values=self.values[:, first:],
            start_us=self.start_us + first * self.step_us,
            part_of_checked=True,
        )

    def rows(self, which: NDArray[np.bool_]) -> Panel:
        """Some of the sensors."""
        return replace(
            self,
            names=tuple(name for name, kept in zip(self.names, which, strict=True) if kept),
            values=self.values[which],
            covariates=None if self.covariates is None else self.covariates.rows(which),
            part_of_checked=True,
        )

    def local(self, first: int, count: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The local day since 1970 and the slot within it (0 to `steps_per_day` - 1) of each of `count` columns."""
        seconds = self.calendar.local_seconds(self.times_us(first, count))
        return seconds // DAY_S, seconds % DAY_S // self.step_seconds
