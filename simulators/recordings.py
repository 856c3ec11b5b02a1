"""Code concerned with what a recording is: sensors with their values over common times, and which file holds what."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from services.domain import Kind
from services.errors import InputError
from simulators.clock import local_midnight_us
from simulators.streams import Floats, Ints


@dataclass(frozen=True, kw_only=True, slots=True)
class RecordedSensor:
    """One sensor: what its meta message says, and its values by field (n), NaN where there is none."""

    code: str
    kind: Kind
    meta: Mapping[str, Any]
    values: Mapping[str, Floats]


@dataclass(frozen=True, kw_only=True, slots=True)
class Recording:
    """Sensors over common times `times_us` (n) [µs since 1970 UTC], ascending; `zone` is where it was recorded."""

    name: str
    zone: ZoneInfo
    times_us: Ints
    step_s: int
    sensors: tuple[RecordedSensor, ...]

    def between(self, first: date, last: date) -> Recording:
        """The part of these local days, both included.

        Raises:
            InputError: the recording has nothing then.

        """
        start_us = local_midnight_us(first, self.zone)
        end_us = local_midnight_us(last + timedelta(days=1), self.zone)
        part = slice(*np.searchsorted(self.times_us, [start_us, end_us]).tolist())
        if part.start >= part.stop:
            days = [str(np.datetime64(int(moment), "us"))[:10] for moment in (self.times_us[0], self.times_us[-1])]
            message = f"{self.name} has nothing from {first} to {last}: it reaches from {days[0]} to {days[1]}"
            raise InputError(message)
        return self._of(self.times_us[part], part)

    def at(self, times_us: Ints) -> Recording:
        """The same values at other times (n); where two fall together the first is kept."""
        kept, first = np.unique(times_us, return_index=True)
        return self._of(kept, first)

    def _of(self, times_us: Ints, part: slice | Ints) -> Recording:
        sensors = tuple(
            replace(sensor, values={name: values[part] for name, values in sensor.values.items()})
            for sensor in self.sensors
        )
        return replace(self, times_us=times_us, sensors=sensors)


def read_recording(path: Path, zone: ZoneInfo) -> Recording:
    """The recording at a path: a folder of the Berlin detectors, or a wide CSV file.

    Args:
        path: what to read.
        zone: the time zone of stamps without one.

    Raises:
        InputError: there is nothing, or it cannot be read; the message says what and where.

    """
    from simulators.berlin_mq import ARCHIVE, read_berlin
    from simulators.wide_csv import read_wide_csv

    if path.is_dir():
        if not (path / ARCHIVE).is_file():
            message = f"the folder {path} has no {ARCHIVE}: give such a folder, or a .csv file"
            raise InputError(message)
        return read_berlin(path)
    if not path.exists():
        message = f"there is no file {path}"
        raise InputError(message)
    if path.suffix.lower() != ".csv":
        message = f"{path.name} is neither a folder of the Berlin detectors nor a .csv file"
        raise InputError(message)
    return read_wide_csv(path, zone)
