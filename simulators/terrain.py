"""Code concerned with the ground the synthetic city stands on: its outline, the river, harbour, lakes and greens.

Roads and the outline are laid out on a polar plan (radius [km], angle [rad]) and bent by one smooth warp, so that rings and
radials meet exactly and nothing is straight. The river is a sine-generated curve, the shape real meanders take
(Langbein and Leopold 1966, USGS Professional Paper 422-H).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from simulators.geometry import inside, offset_line, smooth_ring
from simulators.streams import Bools, Floats, stream

_RIVER_STEP_KM = 0.06
_RIVER_WIDTH_KM = 0.13
_RADIALS = 9


@dataclass(frozen=True, kw_only=True, slots=True)
class Warp:
    """A smooth bend of the plan, drawn once per city."""

    phases: Floats

    def __call__(self, radius: Floats, angle: Floats) -> Floats:
        """Kilometres east and north (n, 2) of points on the polar plan."""
        p = self.phases
        twisted = angle + 0.13 * np.sin(0.75 * radius + p[0]) * radius / (radius + 1.5)
        reach = radius * (1 + 0.05 * np.cos(2 * angle + p[1]) + 0.04 * np.cos(3 * angle + p[2]))
        x, y = 1.10 * reach * np.cos(twisted), 0.95 * reach * np.sin(twisted)
        bent_x = x + 0.22 * np.sin(0.95 * y + p[3]) - 0.22 * np.sin(p[3]) + 0.06 * np.sin(2.3 * y + p[5])
        bent_y = y + 0.20 * np.sin(0.80 * x + p[4]) - 0.20 * np.sin(p[4]) + 0.06 * np.sin(2.1 * x + p[6])
        return np.column_stack([bent_x, bent_y])


@dataclass(frozen=True, kw_only=True, slots=True)
class Terrain:
    """Open rings (n, 2) and lines in km about the centre; `radials` are the plan angles of the main roads outwards [rad]."""

    warp: Warp
    radials: Floats
    outline: Floats
    river_line: Floats
    river: Floats
    harbour: Floats
    lakes: tuple[Floats, ...]
    greens: tuple[Floats, ...]

    def wet(self, points: Floats, *, river: bool = True) -> Bools:
        """Which points lie in water."""
        found = inside(points, self.harbour)
        for water in (*self.lakes, *((self.river,) if river else ())):
            found |= inside(points, water)
        return found

    def north_of_river(self, points: Floats) -> Bools:
        """Which points lie on the left bank, north of the river."""
        line = self.river_line
        far = np.array([[line[-1, 0] + 5, line[-1, 1]], [15.0, 30.0], [-15.0, 30.0], [line[0, 0] - 5, line[0, 1]]])
        return inside(points, np.vstack([line, far]))


def make_terrain(seed: int) -> Terrain:
    """The ground of the city of that seed."""
    rng = stream(seed, "terrain")
    warp = Warp(phases=rng.uniform(0, 2 * np.pi, 7))
    angle = np.linspace(0, 2 * np.pi, 360, endpoint=False)
    wobble = rng.uniform(0, 2 * np.pi, 3)
    radius = 6.15 * (
        1
        + 0.055 * np.cos(3 * angle + wobble[0])
        + 0.04 * np.cos(5 * angle + wobble[1])
        + 0.022 * np.cos(8 * angle + wobble[2])
    )
    line = _meander(rng)
    turns = 2 * np.pi / _RADIALS
    radials = np.sort((np.arange(_RADIALS) + rng.uniform(-0.18, 0.18, _RADIALS)) * turns + rng.uniform(0, turns))
    return Terrain(
        warp=warp,
        radials=radials,
        outline=warp(radius, angle),
        river_line=line,
        river=_river(line),
        harbour=_harbour(line, rng),
        lakes=(_lake(rng, warp, radials, 208, 5.1, 0.58), _lake(rng, warp, radials, 30, 3.4, 0.36)),
        greens=tuple(
            _blob(rng, _around(rng, distance), size, float(rng.uniform(0, np.pi)))
            for distance, size in ((1.9, 0.38), (3.4, 0.6), (4.9, 0.8), (5.0, 0.7))
        ),
    )


def _meander(rng: np.random.Generator) -> Floats:
    """The river's middle line from west to east, passing north of the centre."""
    along = np.arange(0, 30, _RIVER_STEP_KM)
    bends = rng.uniform(0, 2 * np.pi, 3)
    course = np.radians(
        -7 + 52 * np.sin(2 * np.pi * along / 6.3 + bends[0]) + 17 * np.sin(2 * np.pi * along / 2.9 + bends[1])
    )
    line = np.cumsum(np.column_stack([np.cos(course), np.sin(course)]) * _RIVER_STEP_KM, axis=0)
    near = np.abs(line[:, 0] - np.interp(len(line) / 2, np.arange(len(line)), line[:, 0])) < 0.8
    line -= [line[len(line) // 2, 0], line[near, 1].mean() - 0.75]
    return line[np.abs(line[:, 0]) < 9.2]


def _river(line: Floats) -> Floats:
    along = np.arange(len(line)) * _RIVER_STEP_KM
    half = _RIVER_WIDTH_KM / 2 * (1 + 0.25 * np.sin(along / 1.7) + 0.02 * along)
    return np.vstack([offset_line(line, half), offset_line(line, -half)[::-1]])


def _harbour(line: Floats, rng: np.random.Generator) -> Floats:
    """A basin dug into the south bank, east of the centre."""
    at = int(np.argmin(np.abs(line[:, 0] - rng.uniform(2.2, 2.8))))
    part = line[at : at + 14]
    back = offset_line(part, np.full(len(part), -0.42))
    return np.vstack([part, back[::-1]])


def _lake(
    rng: np.random.Generator, warp: Warp, radials: Floats, about_degrees: float, radius: float, size_km: float
) -> Floats:
    """A lake half way between the two radials nearest to a direction, clear of main roads and the ring."""
    halfway = (radials + np.append(radials[1:], radials[0] + 2 * np.pi)) / 2
    angle = halfway[np.argmin(np.abs((halfway - np.radians(about_degrees) + np.pi) % (2 * np.pi) - np.pi))]
    x, y = warp(np.array([radius]), np.array([angle]))[0]
    return _blob(rng, (x, y), size_km, turn=float(np.arctan2(y, x)) + np.pi / 2)


def _blob(rng: np.random.Generator, centre: tuple[float, float], size_km: float, turn: float) -> Floats:
    angle = np.linspace(0, 2 * np.pi, 72, endpoint=False)
    radius = np.full_like(angle, size_km)
    for order in (2, 3, 5):
        radius *= 1 + 0.30 / order * np.cos(order * angle + rng.uniform(0, 2 * np.pi))
    ring = np.column_stack([radius * np.cos(angle) * 1.35, radius * np.sin(angle) * 0.8])
    turned = ring @ np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    placed: Floats = smooth_ring(turned, 1.5) + np.array(centre)
    return placed


def _around(rng: np.random.Generator, distance: float) -> tuple[float, float]:
    angle = rng.uniform(0, 2 * np.pi)
    return (1.1 * distance * float(np.cos(angle)), 0.95 * distance * float(np.sin(angle)))
