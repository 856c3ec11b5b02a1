"""Code concerned with chance that repeats: every random number comes from the seed, a name and, where it has one, a day.

A value drawn for a day depends on nothing but (seed, name, day), so history and live agree without keeping any state.
"""

from __future__ import annotations

from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

_WORD = 0xFFFFFFFF
_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


def stream(seed: int, name: str, *numbers: int) -> np.random.Generator:
    """The generator of the substream `name`, with further numbers such as a day; negative numbers are allowed."""
    return np.random.default_rng([seed & _WORD, crc32(name.encode()), *(number & _WORD for number in numbers)])


def hashed(seed: int, name: str, *keys: NDArray[Any]) -> Floats:
    """Uniform numbers in [0, 1), one per key tuple, independent of order and of what else is drawn.

    The mixing function is SplitMix64 (Steele, Lea and Flood 2014, https://doi.org/10.1145/2660193.2660195).
    """
    state = np.uint64(((seed & _WORD) << 32) | crc32(name.encode()))
    with np.errstate(over="ignore"):
        mixed = np.broadcast_to(state, np.broadcast_shapes(*(key.shape for key in keys))).copy()
        for key in keys:
            mixed = _mix(mixed + key.astype(np.int64).view(np.uint64) * _GOLDEN)
    return (mixed >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _mix(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    words = words + _GOLDEN
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))
