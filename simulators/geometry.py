"""Code concerned with plane geometry of the synthetic city: kilometres east and north of its centre, and WGS 84."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from simulators.streams import Bools, Floats, Ints

_KM_PER_DEGREE = 111.195


@dataclass(frozen=True, kw_only=True, slots=True)
class Frame:
    """An equirectangular projection about a centre; its error over 10 km is far below a street's width."""

    lon: float
    lat: float

    def to_degrees(self, km: Floats) -> Floats:
        """Longitude and latitude [degrees] of points (n, 2) given in km; seven decimals, about a centimetre."""
        east = self.lon + km[:, 0] / (_KM_PER_DEGREE * np.cos(np.radians(self.lat)))
        north = self.lat + km[:, 1] / _KM_PER_DEGREE
        return np.round(np.column_stack([east, north]), 7)

    def ring(self, km: Floats) -> list[Any]:
        """A closed GeoJSON ring, counter-clockwise as RFC 7946 asks."""
        if signed_area(km) < 0:
            km = km[::-1]
        closed: list[Any] = self.to_degrees(np.vstack([km, km[:1]])).tolist()
        return closed


def signed_area(ring: Floats) -> float:
    """Area [km²] of an open ring (n, 2), positive when counter-clockwise (the shoelace formula)."""
    x, y = ring[:, 0], ring[:, 1]
    return float(np.sum(x * np.roll(y, -1) - np.roll(x, -1) * y) / 2)


def inside(points: Floats, ring: Floats) -> Bools:
    """Which points (n, 2) lie inside an open ring (m, 2): the even-odd rule, each edge against the points at its height."""
    order = np.argsort(points[:, 1])
    x, y = points[order, 0], points[order, 1]
    odd = np.zeros(len(points), dtype=bool)
    ends = np.roll(ring, -1, axis=0)
    first = np.searchsorted(y, np.minimum(ring[:, 1], ends[:, 1]))
    last = np.searchsorted(y, np.maximum(ring[:, 1], ends[:, 1]))
    for (ax, ay), (bx, by), low, high in zip(ring, ends, first, last, strict=True):
        if low < high:
            odd[low:high] ^= x[low:high] < ax + (y[low:high] - ay) / (by - ay) * (bx - ax)
    found = np.empty_like(odd)
    found[order] = odd
    return found


def crossing(starts: Floats, ends: Floats, others_start: Floats, others_end: Floats) -> Bools:
    """Which segments (n) properly cross any of the other segments (m)."""
    a, b = starts[:, None, :], ends[:, None, :]
    c, d = others_start[None, :, :], others_end[None, :, :]
    crossed: Bools = np.any((_side(a, b, c) * _side(a, b, d) < 0) & (_side(c, d, a) * _side(c, d, b) < 0), axis=1)
    return crossed


def _side(a: Floats, b: Floats, point: Floats) -> Floats:
    side: Floats = np.sign(
        (b[..., 0] - a[..., 0]) * (point[..., 1] - a[..., 1]) - (b[..., 1] - a[..., 1]) * (point[..., 0] - a[..., 0])
    )
    return side


def smooth_ring(ring: Floats, sigma: float) -> Floats:
    """A closed ring smoothed by a Gaussian of `sigma` vertices."""
    offsets = np.arange(-int(3 * sigma), int(3 * sigma) + 1)
    weights = np.exp(-0.5 * (offsets / sigma) ** 2)
    index: Ints = (np.arange(len(ring))[:, None] + offsets) % len(ring)
    smoothed: Floats = np.einsum("nkc,k->nc", ring[index], weights / weights.sum())
    return smoothed


def smooth_arc(arc: Floats, sigma: float) -> Floats:
    """An open line smoothed by a Gaussian of `sigma` vertices that leaves both ends where they are."""
    sigma = min(sigma, (len(arc) - 1) / 3)  # else the reflections below would not balance at the ends
    reach = int(3 * sigma)
    offsets = np.arange(-reach, reach + 1)
    weights = np.exp(-0.5 * (offsets / sigma) ** 2)
    weights /= weights.sum()
    # Point reflection at the ends keeps them in place.
    before = 2 * arc[0] - arc[np.clip(np.arange(reach, 0, -1), 0, len(arc) - 1)]
    after = 2 * arc[-1] - arc[np.clip(len(arc) - 2 - np.arange(reach), 0, len(arc) - 1)]
    padded = np.vstack([before, arc, after])
    return np.column_stack([np.convolve(padded[:, axis], weights, mode="valid") for axis in (0, 1)])


def offset_line(line: Floats, distance: Floats) -> Floats:
    """The line (n, 2) moved to its left by `distance` (n) [km]."""
    tangent = np.gradient(line, axis=0)
    tangent /= np.linalg.norm(tangent, axis=1, keepdims=True)
    return line + np.column_stack([-tangent[:, 1], tangent[:, 0]]) * distance[:, None]


def feature(geometry: str, coordinates: Any, **properties: Any) -> dict[str, Any]:
    """One GeoJSON Feature."""
    return {"type": "Feature", "geometry": {"type": geometry, "coordinates": coordinates}, "properties": properties}


def collection(features: list[dict[str, Any]]) -> dict[str, Any]:
    """A GeoJSON FeatureCollection."""
    return {"type": "FeatureCollection", "features": features}
