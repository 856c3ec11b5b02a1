"""Code concerned with districts: an exact partition of the city whose borders follow the river and are nowhere straight.

Every point of a fine grid goes to the nearest centre on its own bank, measured in a slightly bent space. The borders
between labels are traced as arcs that two neighbours share, and each arc is smoothed once, so districts neither overlap
nor leave gaps.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from simulators.geometry import inside, signed_area, smooth_arc
from simulators.streams import Floats, Ints, stream
from simulators.terrain import Terrain

_CELL_KM = 0.05
_SMOOTH_VERTICES = 4.0
_KEEP_EVERY = 3

Corner = tuple[int, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class District:
    """One of the city's districts; `ring` is an open ring (n, 2) in km about the centre.

    `homes` and `jobs` weigh how many trips begin and end there; `households` is how many meters it has.
    """

    code: str
    name: str
    character: str
    ring: Floats
    centre: tuple[float, float]
    homes: float
    jobs: float
    households: int

    @property
    def area_km2(self) -> float:
        """Area [km²]."""
        return abs(signed_area(self.ring))


# Name, character, plan radius [km], plan angle [degrees], weight of homes, of jobs, households. The river splits north from south.
_PLAN: tuple[tuple[str, str, float, float, float, float, int], ...] = (
    ("Altstadt", "centre", 0.35, 270, 0.7, 3.2, 84),
    ("Neustadt", "commercial", 1.9, 80, 1.2, 2.3, 108),
    ("Nordhagen", "residential", 4.6, 62, 1.2, 0.6, 112),
    ("Sonnenlehne", "residential", 4.5, 112, 1.1, 0.4, 108),
    ("Weidenau", "residential", 4.3, 160, 1.0, 0.5, 104),
    ("Erlengrund", "garden", 4.9, 20, 0.7, 0.4, 88),
    ("Hafenkante", "industrial", 3.4, 338, 0.5, 1.6, 76),
    ("Mühlfeld", "mixed", 2.3, 225, 1.2, 1.1, 112),
    ("Lindenhag", "mixed", 2.4, 300, 1.2, 1.0, 112),
    ("Kranichsee", "garden", 4.5, 205, 0.8, 0.3, 96),
    ("Steinbrück", "residential", 4.7, 256, 1.1, 0.5, 104),
    ("Eichwerder", "industrial", 4.8, 308, 0.6, 1.4, 96),
)


def make_districts(seed: int, terrain: Terrain) -> tuple[District, ...]:
    """Cut the city's outline into its twelve districts."""
    labels, origin = _labels(seed, terrain)
    rings = _rings(labels)
    districts = []
    for index, (name, character, _, _, homes, jobs, households) in enumerate(_PLAN):
        ring = rings[index] * _CELL_KM + origin
        x, y = ring[:, 0], ring[:, 1]
        cross = x * np.roll(y, -1) - np.roll(x, -1) * y
        centre = np.sum((ring + np.roll(ring, -1, axis=0)) * cross[:, None], axis=0) / (3 * cross.sum())
        districts.append(
            District(
                code=_code(name),
                name=name,
                character=character,
                ring=ring,
                centre=(float(centre[0]), float(centre[1])),
                homes=homes,
                jobs=jobs,
                households=households,
            )
        )
    return tuple(districts)


def district_of(points: Floats, districts: tuple[District, ...]) -> Ints:
    """The index of the district each point (n, 2) lies in, -1 outside the city."""
    found = np.full(len(points), -1, dtype=np.int64)
    for index, district in enumerate(districts):
        found[inside(points, district.ring)] = index
    return found


def _code(name: str) -> str:
    return name.lower().replace("ä", "ae").replace("ö", "oe").replace("ü", "ue").replace("ß", "ss")


def _labels(seed: int, terrain: Terrain) -> tuple[Ints, Floats]:
    """The label of every grid cell (rows, columns), -1 outside, and the position of the grid's lower left corner."""
    rng = stream(seed, "districts")
    origin = np.floor(terrain.outline.min(axis=0)) - _CELL_KM * 2
    shape = np.ceil((terrain.outline.max(axis=0) + 0.5 - origin) / _CELL_KM).astype(int)
    x, y = np.meshgrid(
        origin[0] + (np.arange(shape[0]) + 0.5) * _CELL_KM, origin[1] + (np.arange(shape[1]) + 0.5) * _CELL_KM
    )
    points = np.column_stack([x.ravel(), y.ravel()])
    radius = np.array([entry[2] for entry in _PLAN])
    angle = np.radians([entry[3] for entry in _PLAN]) + rng.normal(0, 0.05, len(_PLAN))
    centres = terrain.warp(radius, angle)
    phase = rng.uniform(0, 2 * np.pi, 4)
    bent = points + 0.16 * np.column_stack(
        [
            np.sin(1.7 * points[:, 1] + phase[0]) + 0.5 * np.sin(4.1 * points[:, 1] + phase[1]),
            np.sin(1.9 * points[:, 0] + phase[2]) + 0.5 * np.sin(3.7 * points[:, 0] + phase[3]),
        ]
    )
    distance = np.linalg.norm(bent[:, None, :] - centres[None], axis=2) + np.where(radius < 1, 0.25, 0.0)
    other_bank = terrain.north_of_river(points)[:, None] != terrain.north_of_river(centres)[None]
    labels = np.argmin(distance + np.where(other_bank, 100.0, 0.0), axis=1)
    labels[~inside(points, terrain.outline)] = -1
    return _one_piece_each(labels.reshape(shape[1], shape[0])), origin


def _one_piece_each(labels: Ints) -> Ints:
    """Give what is cut off from its district to the district around it."""
    loose = np.zeros(labels.shape, dtype=bool)
    for label in range(-1, len(_PLAN)):
        pieces, count = ndimage.label(labels == label)
        if count > 1:
            sizes = np.bincount(pieces.ravel())[1:]
            loose |= (pieces > 0) & (pieces != int(np.argmax(sizes)) + 1)
    nearest = ndimage.distance_transform_edt(loose, return_distances=False, return_indices=True)
    settled: Ints = labels[tuple(nearest)]
    return settled


def _rings(labels: Ints) -> list[Floats]:
    """One ring (n, 2) per label, in grid units, put together from shared and smoothed arcs."""
    neighbours: dict[Corner, list[tuple[Corner, frozenset[int]]]] = defaultdict(list)
    for row, column in np.argwhere(labels[:, 1:] != labels[:, :-1]).tolist():
        sides = frozenset({int(labels[row, column]), int(labels[row, column + 1])})
        _join(neighbours, (column + 1, row), (column + 1, row + 1), sides)
    for row, column in np.argwhere(labels[1:] != labels[:-1]).tolist():
        sides = frozenset({int(labels[row, column]), int(labels[row + 1, column])})
        _join(neighbours, (column, row + 1), (column + 1, row + 1), sides)
    arcs = _arcs(neighbours)
    return [_chain([arc for arc, sides in arcs if label in sides]) for label in range(len(_PLAN))]


def _join(
    neighbours: dict[Corner, list[tuple[Corner, frozenset[int]]]], a: Corner, b: Corner, sides: frozenset[int]
) -> None:
    neighbours[a].append((b, sides))
    neighbours[b].append((a, sides))


def _arcs(
    neighbours: dict[Corner, list[tuple[Corner, frozenset[int]]]],
) -> list[tuple[Floats, frozenset[int]]]:
    """Lines between the corners where three or more districts meet, smoothed with both ends fixed."""
    junctions = sorted(corner for corner, ways in neighbours.items() if len(ways) != 2)
    used: set[tuple[Corner, Corner]] = set()
    arcs = []
    for start in junctions:
        for step, sides in neighbours[start]:
            if (start, step) in used:
                continue
            path = [start, step]
            while len(neighbours[path[-1]]) == 2:
                path.append(next(corner for corner, _ in neighbours[path[-1]] if corner != path[-2]))
            used |= {(path[0], path[1]), (path[-1], path[-2])}
            line = smooth_arc(np.array(path, dtype=np.float64), _SMOOTH_VERTICES)
            kept = np.unique(np.append(np.arange(0, len(line), _KEEP_EVERY), len(line) - 1))
            arcs.append((line[kept], sides))
    return arcs


def _chain(arcs: list[Floats]) -> Floats:
    """Put arcs end to end until the ring closes; of several rings the largest is the district."""
    rings = []
    left = list(arcs)
    while left:
        ring = left.pop()
        while not np.allclose(ring[0], ring[-1]):
            follower = next(
                i for i, arc in enumerate(left) if np.allclose(arc[0], ring[-1]) or np.allclose(arc[-1], ring[-1])
            )
            arc = left.pop(follower)
            ring = np.vstack([ring, arc[1:] if np.allclose(arc[0], ring[-1]) else arc[-2::-1]])
        rings.append(ring[:-1])
    return max(rings, key=lambda ring: abs(signed_area(ring)))
