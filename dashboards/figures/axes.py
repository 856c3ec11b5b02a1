"""Code concerned with time on an axis: the city's clock, gaps that stay gaps, at most two thousand points."""

from __future__ import annotations

from typing import Any, Final
from zoneinfo import ZoneInfo

import numpy as np
import numpy.typing as npt
from tsdownsample import MinMaxLTTBDownsampler

from services.domain import from_us

MOST_POINTS: Final = 2_000
_GAP: Final = 2.6
"""Readings further apart than this many usual steps are not joined by a line."""

Moments = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.float64]


def on_the_clock(moments_us: Moments, zone: ZoneInfo) -> npt.NDArray[np.datetime64]:
    """Microseconds since 1970 UTC as what the city's clock showed, which is what Plotly draws."""
    local = [from_us(int(moment)).astimezone(zone).replace(tzinfo=None) for moment in moments_us]
    return np.array(local, dtype="datetime64[ms]")


def curve(moments_us: Moments, values: Numbers, zone: ZoneInfo) -> dict[str, Any]:
    """The `x` and `y` of a line: downsampled by shape, broken where readings are missing."""
    known = np.isfinite(values)
    moments_us, values = moments_us[known], values[known]
    room = MOST_POINTS * 9 // 10  # the rest is for the breaks
    if len(values) > room:
        kept = _downsample(moments_us, values, room // 4 * 4)
        moments_us, values = moments_us[kept], values[kept]
    moments_us, values = _broken(moments_us, values)
    return {"x": on_the_clock(moments_us, zone), "y": values}


def _downsample(moments_us: Moments, values: Numbers, count: int) -> Moments:
    """The indices of the points that keep the shape: MinMaxLTTB."""
    sampler = MinMaxLTTBDownsampler()  # type: ignore[no-untyped-call]  # the library ships no types
    kept: Moments = sampler.downsample(moments_us, values, n_out=count).astype(np.int64)
    return kept


def _broken(moments_us: Moments, values: Numbers) -> tuple[Moments, Numbers]:
    """Insert a NaN in each gap, in at most a tenth of `MOST_POINTS` places."""
    if len(moments_us) < 3:
        return moments_us, values
    steps = np.diff(moments_us)
    gaps = np.flatnonzero(steps > _GAP * np.median(steps))
    if len(gaps) > MOST_POINTS // 10:
        gaps = gaps[np.argsort(-steps[gaps])[: MOST_POINTS // 10]]
        gaps.sort()
    middle = moments_us[gaps] + steps[gaps] // 2
    return np.insert(moments_us, gaps + 1, middle), np.insert(values, gaps + 1, np.nan)
