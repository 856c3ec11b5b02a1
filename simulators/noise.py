"""Code concerned with wandering values that history and live compute alike: noise over time as a function of time.

Both kinds have mean 0 and about unit variance. `ar1` is a first-order autoregression cut into UTC days: a day starts from
the noise of the day before it, whose memory has faded by then. `smooth_noise` is a cubic B-spline over independent nodes.
"""

from __future__ import annotations

import numpy as np
from scipy.signal import lfilter
from scipy.special import ndtri

from simulators.streams import Floats, Ints, hashed, stream

_SPLINE_SD = 0.602  # square root of the mean over a node interval of the sum of squared cubic B-spline weights


def ar1(seed: int, name: str, day: int, steps: int, width: int, phi: float) -> Floats:
    """An autoregression x[t] = phi x[t-1] + e[t], (steps, width), over one UTC day (days since 1970)."""
    white = np.concatenate(
        [stream(seed, name, one).standard_normal((steps, width), dtype=np.float32) for one in (day - 1, day)]
    )
    filtered: Floats = lfilter([np.sqrt(1 - phi * phi)], [1.0, -phi], white, axis=0)
    return filtered[steps:]


def smooth_noise(seed: int, name: str, times_us: Ints, node_hours: float) -> Floats:
    """A smooth wander (n) whose memory is about two node distances."""
    position = times_us / (node_hours * 3.6e9)
    node = np.floor(position).astype(np.int64)
    t = position - node
    weights = ((1 - t) ** 3 / 6, (3 * t**3 - 6 * t**2 + 4) / 6, (-3 * t**3 + 3 * t**2 + 3 * t + 1) / 6, t**3 / 6)
    heights = [ndtri(np.clip(hashed(seed, name, node + offset), 1e-9, 1 - 1e-9)) for offset in (-1, 0, 1, 2)]
    wander: Floats = np.sum([weight * height for weight, height in zip(weights, heights, strict=True)], axis=0)
    return wander / _SPLINE_SD
