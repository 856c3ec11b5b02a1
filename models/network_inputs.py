"""Code concerned with what the network model learns from: differences from the usual day, and whose can be believed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.calendar import DAY_S
from models.panel import Panel, Values

OWN_LAGS: Final = (0, 1, 2, 3, 5, 8, 11)
_LAGS: Final = (0, 1, 2)  # of a neighbour
_HELD: Final = 6  # steps for which a difference fades before it is forgotten
_FADE: Final = 0.9
_STUCK: Final = 6  # equal values in a row after which a neighbour is not believed
REACH: Final = OWN_LAGS[-1] + max(_HELD, _STUCK) + 1  # columns back that a forecast looks at
_SLOPES: Final = 5  # places among the leads at which the usual day's course is a feature
_HARMONICS: Final = 3
_TURNING: Final = 2  # harmonics that turn with the newest difference
_TAIL: Final = 0.01
_FAR: Final = 10.0

Features = NDArray[np.float32]
Columns = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Neighbours:
    """The rows of each sensor's neighbours and how their differences correlate with its own (sensors x neighbours).

    A correlation of 0 stands for no neighbour.
    """

    which: NDArray[np.int64]
    alike: Values

    def some(self, sensors: slice) -> Neighbours:
        """Those of some sensors."""
        return Neighbours(which=self.which[sensors], alike=self.alike[sensors])

    def only(self, sensors: NDArray[np.bool_]) -> Neighbours:
        """Neighbours for these sensors alone."""
        return Neighbours(which=self.which, alike=np.where(sensors[:, None], self.alike, 0.0))


@dataclass(frozen=True, kw_only=True, slots=True)
class Inputs:
    """Scaled differences from the usual day, padded at the front by the longest lag.

    Attributes:
        raw: as they are, NaN where missing (sensors x columns, without padding).
        held: what is missing fades from the one before for some steps, then it is zero.
        heard: which of them a neighbour may be told of: neither missing nor stuck.
        usual: the usual day in the same scale, as far ahead as features look (sensors x columns).
        clock: the local time of day of each column and of the one after [rad].

    """

    raw: Values
    held: Values
    heard: NDArray[np.bool_]
    usual: Values
    clock: Values

    @classmethod
    def of(cls, panel: Panel, values: Values, usual: Values, scale: Values) -> Inputs:
        """From believable values (sensors x columns) and the usual day from the same column on."""
        raw = (values - usual[:, : values.shape[1]]) / scale[:, None]
        pad = ((0, 0), (OWN_LAGS[-1], 0))
        slots = panel.local(0, panel.length + 1)[1]
        return cls(
            raw=raw,
            held=np.pad(_held(raw), pad),
            heard=np.pad(np.isfinite(raw) & ~_stuck(values), pad),
            usual=usual / scale[:, None],
            clock=2 * np.pi * slots * panel.step_seconds / DAY_S,
        )

    def features(self, origins: Columns, sensors: slice, neighbours: Neighbours, leads: int) -> Features:
        """What could be known before each origin: sensors x features x origins, those of neighbours last."""
        held, expected, now = self.held[sensors], self.usual[sensors], origins - 1 + OWN_LAGS[-1]
        count = own_features(leads)
        made = np.empty((len(held), count + len(_LAGS) * neighbours.which.shape[1], len(origins)), dtype=np.float32)
        k = 0
        for lag in OWN_LAGS:
            made[:, k] = held[:, now - lag]
            k += 1
        waves = [wave(m * self.clock[origins]) for m in range(1, _HARMONICS + 1) for wave in (np.sin, np.cos)]
        for wave in waves[: 2 * _TURNING]:
            made[:, k] = held[:, now] * wave
            k += 1
        for lead in _slopes(leads):
            made[:, k] = expected[:, origins - 1 + lead] - expected[:, origins - 1]
            k += 1
        for wave in waves:
            made[:, k] = wave
            k += 1
        made[:, k] = 1.0
        for place, other in enumerate(neighbours.which.T):
            alike = neighbours.alike[:, place, None]
            for number, lag in enumerate(_LAGS):
                told = np.where(
                    self.heard[other][:, now - lag], self.held[other][:, now - lag], alike * held[:, now - lag]
                )
                made[:, count + len(_LAGS) * place + number] = np.where(alike > 0, told, 0.0)
        return made

    def targets(self, origins: Columns, sensors: slice, leads: int) -> tuple[Features, NDArray[np.bool_]]:
        """The differences at each lead after each origin (sensors x leads x origins), zero where unknown, and which are known."""
        found = self.raw[sensors][:, origins + np.arange(leads)[:, None]]
        known = np.isfinite(found)
        return np.where(known, found, 0.0).astype(np.float32), known


def own_features(leads: int) -> int:
    """How many features are a sensor's own; the last of them is constant."""
    return len(OWN_LAGS) + 2 * _TURNING + len(_slopes(leads)) + 2 * _HARMONICS + 1


def plausible(values: Values) -> tuple[Values, Values]:
    """Bounds of what can be a measurement: ten times the range from 1 % to 99 % beyond it, without end where that is 0."""
    ordered = np.sort(values, axis=1)
    last = np.maximum(np.isfinite(values).sum(axis=1) - 1, 0)
    if values.shape[1] == 0:
        return np.full(len(values), -np.inf), np.full(len(values), np.inf)
    rows = np.arange(len(values))
    low = ordered[rows, np.floor(last * _TAIL).astype(np.int64)]
    high = ordered[rows, np.ceil(last * (1 - _TAIL)).astype(np.int64)]
    room = np.where(high > low, _FAR * (high - low), np.inf)
    return np.nan_to_num(low - room, nan=-np.inf), np.nan_to_num(high + room, nan=np.inf)


def believed(values: Values, bounds: tuple[Values, Values]) -> Values:
    """The values without those out of bounds, which are missing."""
    low, high = bounds
    return np.where((values >= low[:, None]) & (values <= high[:, None]), values, np.nan)


def _slopes(leads: int) -> list[int]:
    return sorted({round(lead) for lead in np.linspace(1, leads, _SLOPES)})


def _held(raw: Values) -> Values:
    known = np.isfinite(raw)
    columns = np.arange(raw.shape[1])
    newest = np.maximum.accumulate(np.where(known, columns, -1), axis=1)
    age = columns - newest
    there = (newest >= 0) & (age <= _HELD)
    kept = np.take_along_axis(raw, np.maximum(newest, 0), axis=1)
    return np.where(there, kept * _FADE ** np.minimum(age, _HELD), 0.0)


def _stuck(values: Values) -> NDArray[np.bool_]:
    """Where a value has come for the sixth time in a row or more."""
    columns = np.arange(values.shape[1])
    changed = np.ones(values.shape, dtype=np.bool_)
    changed[:, 1:] = values[:, 1:] != values[:, :-1]
    since = np.maximum.accumulate(np.where(changed, columns, 0), axis=1)
    result: NDArray[np.bool_] = columns - since >= _STUCK - 1
    return result
