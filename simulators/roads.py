"""Code concerned with the road network: a ring, an inner ring, radials, collectors and the streets between them.

Main roads are strands on the polar plan, so they meet in shared nodes. Streets are the relaxed relative neighbourhood graph
(Toussaint 1980, https://doi.org/10.1016/0031-3203(80)90066-7) of points that follow a grid of their own in each district,
the way blocks were laid out one suburb at a time. Streets cross no water; main roads do, on bridges.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from scipy.sparse import coo_array, csr_array
from scipy.sparse.csgraph import connected_components, dijkstra
from scipy.spatial import Delaunay, cKDTree

from simulators.districts import District, district_of
from simulators.geometry import crossing, inside
from simulators.streams import Bools, Floats, Ints, stream
from simulators.terrain import Terrain

CLASSES = ("ring", "arterial", "collector", "street")
_FREE_FLOW_KMH = (80.0, 55.0, 48.0, 32.0)
_LANES = (3, 2, 1, 1)
_CAPACITY_PER_LANE_VPH = (1_900.0, 950.0, 850.0, 500.0)

_INNER_KM, _MIDDLE_KM, _RING_KM, _OUTER_KM, _END_KM = 1.15, 2.65, 4.25, 5.45, 7.6
_STREET_LONGEST_KM = 0.8
_STEPS = np.linspace(0, 1, 5)
_TOWARDS = (
    "Nordhagener",
    "Sonnenlehner",
    "Weidenauer",
    "Kranichseer",
    "Mühlfelder",
    "Steinbrücker",
    "Eichwerder",
    "Hafener",
    "Erlengrunder",
)
_KINDS_OF_ROAD = ("Allee", "Chaussee", "Landstraße", "Straße", "Damm", "Allee", "Straße", "Chaussee", "Weg")


@dataclass(frozen=True, kw_only=True, slots=True)
class Roads:
    """The network as arrays over edges; every edge can be driven both ways, with these values for each way.

    `nodes` (n, 2) [km]; `ends` (m, 2) node indices, on radials the first is nearer the centre; `line` (m, 5, 2)
    its course from the first end to the second [km]; `kind` indexes CLASSES.
    """

    nodes: Floats
    ends: Ints
    line: Floats
    kind: Ints
    name: tuple[str, ...]
    length_km: Floats
    free_flow_kmh: Floats
    lanes: Ints
    capacity_vph: Floats

    @property
    def minutes(self) -> Floats:
        """Free-flow travel time of each edge [min], with what crossings and signals cost."""
        lost: Floats = np.array([0.02, 0.22, 0.25, 0.20])[self.kind]
        return self.length_km / self.free_flow_kmh * 60 + lost

    def matrix(self) -> csr_array:
        """Symmetric sparse matrix of free-flow minutes between neighbouring nodes."""
        a, b = self.ends.T
        size = len(self.nodes)
        both = np.concatenate([a, b]), np.concatenate([b, a])
        return coo_array((np.tile(self.minutes, 2), both), shape=(size, size)).tocsr()

    def shortest_paths(self) -> tuple[Floats, Ints]:
        """Minutes (n, n) between all nodes, and the node before the last on each way (Dijkstra)."""
        minutes, before = dijkstra(self.matrix(), return_predecessors=True)
        return minutes, before.astype(np.int64)


@dataclass(frozen=True, kw_only=True, slots=True)
class _Strand:
    kind: int
    name: str
    plan: tuple[tuple[float, float], ...]


def make_roads(seed: int, terrain: Terrain, districts: tuple[District, ...]) -> Roads:
    """Lay out all roads and keep the part that hangs together."""
    rng = stream(seed, "roads")
    strands = _strands(rng, terrain.radials)
    keys: dict[tuple[float, float], int] = {}
    ends: list[tuple[int, int]] = []
    kind: list[int] = []
    names: list[str] = []
    for strand in strands:
        numbers = [
            keys.setdefault((round(r, 4), round(a % (2 * np.pi), 4) if r > 0 else 0.0), len(keys))
            for r, a in strand.plan
        ]
        for edge in pairwise(numbers):
            ends.append(edge)
            kind.append(strand.kind)
            names.append(strand.name)
    plan = np.array(list(keys))
    main = terrain.warp(plan[:, 0], plan[:, 1])
    main_ends = np.array(ends)
    lines = _curved(terrain, plan, main_ends)
    within = inside(main, terrain.outline)
    dry = ~terrain.wet(main, river=False)
    # A road may leave the city by one edge, and skirts lakes.
    keep = (within[main_ends].any(axis=1)) & dry[main_ends].all(axis=1)
    main_ends, kind_kept, lines = main_ends[keep], np.array(kind)[keep], lines[keep]
    names = [name for name, kept in zip(names, keep, strict=True) if kept]
    streets, street_ends = _streets(rng, terrain, districts, main[np.unique(main_ends)], main, main_ends)
    nodes = np.vstack([main, streets])
    all_ends = np.vstack([main_ends, street_ends])
    all_kind = np.append(kind_kept, np.full(len(street_ends), CLASSES.index("street")))
    names += [""] * len(street_ends)
    straight = nodes[street_ends[:, :1]] + _STEPS[:, None] * (nodes[street_ends[:, 1:]] - nodes[street_ends[:, :1]])
    return _largest_piece(nodes, all_ends, np.concatenate([lines, straight]), all_kind, names)


def _curved(terrain: Terrain, plan: Floats, ends: Ints) -> Floats:
    """The course (m, 5, 2) of main roads: straight on the plan, bent on the ground."""
    start, end = plan[ends[:, 0]], plan[ends[:, 1]]
    start = np.where(start[:, :1] == 0, np.column_stack([start[:, 0], end[:, 1]]), start)  # the centre has no angle
    turn = (end[:, 1] - start[:, 1] + np.pi) % (2 * np.pi) - np.pi
    radius = start[:, :1] + _STEPS * (end[:, :1] - start[:, :1])
    angle = start[:, 1:] + _STEPS * turn[:, None]
    return terrain.warp(radius.ravel(), angle.ravel()).reshape(len(ends), len(_STEPS), 2)


def _strands(rng: np.random.Generator, angles: Floats) -> list[_Strand]:
    between = (angles + np.append(angles[1:], angles[0] + 2 * np.pi)) / 2
    compass = _named_by_direction(angles)
    strands = [
        _Strand(kind=0, name="Stadtring", plan=_circle(_RING_KM, angles, between, 4)),
        _Strand(kind=1, name="Wallring", plan=_circle(_INNER_KM, angles, between, 1)),
    ]
    for angle, name in zip(angles, compass, strict=True):
        strands.append(_Strand(kind=1, name=name, plan=_ray(angle, _INNER_KM, _END_KM)))
    strands += [
        _Strand(kind=1, name="Marktachse", plan=tuple((r, angle) for r in (0.0, 0.55, _INNER_KM)))
        for angle in angles[::2]
    ]
    for number, angle in enumerate(between):
        if number % 3 != 1:
            strands.append(_Strand(kind=2, name=f"{_TOWARDS[number]} Querweg", plan=_ray(angle, _INNER_KM, _OUTER_KM)))
    for radius, name in ((_MIDDLE_KM, "Gürtelstraße"), (_OUTER_KM, "Randstraße")):
        around = _circle(radius, angles, between, 2 if radius < _RING_KM else 4)
        left_out = rng.integers(0, len(around) - 8)
        strands.append(_Strand(kind=2, name=name, plan=around[left_out + 7 :]))
        strands.append(_Strand(kind=2, name=name, plan=around[: left_out + 1]))
    return strands


def _named_by_direction(angles: Floats) -> list[str]:
    """Each radial is called after the part of the city it leads to."""
    order = np.argsort((angles - np.radians(60)) % (2 * np.pi))
    names = [""] * len(angles)
    for place, index in enumerate(order):
        names[index] = f"{_TOWARDS[place]} {_KINDS_OF_ROAD[place]}"
    return names


def _ray(angle: float, start: float, end: float) -> tuple[tuple[float, float], ...]:
    """From the centre outwards, through the crossings with every ring."""
    fixed = [r for r in (_INNER_KM, _MIDDLE_KM, _RING_KM, _OUTER_KM, _END_KM) if start <= r <= end]
    radii = [fixed[0]]
    for a, b in pairwise(fixed):
        steps = max(1, round((b - a) / 0.42))
        radii += [a + (b - a) * (k + 1) / steps for k in range(steps)]
    return tuple((r, angle) for r in radii)


def _circle(radius: float, angles: Floats, between: Floats, parts: int) -> tuple[tuple[float, float], ...]:
    """Once around, through the crossings with radials and the roads between them, `parts` edges from one to the next."""
    corners = np.sort(np.concatenate([angles, between]) % (2 * np.pi))
    corners = np.append(corners, corners[0] + 2 * np.pi)
    plan = [(radius, float(corners[0]))]
    for a, b in pairwise(corners):
        plan += [(radius, float(a + (b - a) * (k + 1) / parts)) for k in range(parts)]
    return tuple(plan)


def _streets(
    rng: np.random.Generator,
    terrain: Terrain,
    districts: tuple[District, ...],
    joints: Floats,
    main: Floats,
    main_ends: Ints,
) -> tuple[Floats, Ints]:
    """Points of the streets, and edges as indices into main roads' nodes followed by these points."""
    points = np.vstack([_blocks(rng, district, terrain, joints) for district in districts])
    where = district_of(points, districts)
    points = points[where >= 0]
    nodes = np.vstack([main, points])
    used = np.append(np.unique(main_ends), np.arange(len(main), len(nodes)))
    corners = used[Delaunay(nodes[used]).simplices]
    edges = np.unique(np.sort(np.vstack([corners[:, [0, 1]], corners[:, [1, 2]], corners[:, [0, 2]]]), axis=1), axis=0)
    edges = edges[edges[:, 1] >= len(main)]
    edges = edges[np.linalg.norm(nodes[edges[:, 0]] - nodes[edges[:, 1]], axis=1) < _STREET_LONGEST_KM]
    edges = edges[_relative_neighbours(nodes, used, edges)]
    a, b = nodes[edges[:, 0]], nodes[edges[:, 1]]
    blocked = crossing(a, b, main[main_ends[:, 0]], main[main_ends[:, 1]])
    for water in (terrain.river, terrain.harbour, *terrain.lakes):
        blocked |= crossing(a, b, water, np.roll(water, -1, axis=0))
    return points, edges[~blocked]


def _blocks(rng: np.random.Generator, district: District, terrain: Terrain, joints: Floats) -> Floats:
    """A jittered grid of its own direction over one district, without water, greens and the ground of main roads."""
    outwards = np.hypot(*district.centre)
    spacing = 0.19 + 0.030 * outwards + (0.14 if district.character == "industrial" else 0.0)
    turn = np.arctan2(district.centre[1], district.centre[0]) + rng.normal(0, 0.25)
    reach = np.arange(-4.0, 4.0, spacing)
    u, v = np.meshgrid(reach, reach * rng.uniform(1.0, 1.3))
    grid = np.column_stack([u.ravel(), v.ravel()]) + rng.normal(0, 0.06 * spacing, (u.size, 2))
    grid[:, 1] += 0.12 * np.sin(1.3 * grid[:, 0] + rng.uniform(0, 6))
    rotation = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    points = grid @ rotation + np.array(district.centre)
    points = points[inside(points, district.ring) & ~terrain.wet(points)]
    for green in terrain.greens:
        points = points[~inside(points, green)]
    clear: Floats = points[cKDTree(joints).query(points)[0] > 0.45 * spacing]
    return clear


def _relative_neighbours(nodes: Floats, used: Ints, edges: Ints, slack: float = 0.97) -> Bools:
    """Which edges have no third node much nearer to both ends than the ends are to each other."""
    a, b = nodes[edges[:, 0]], nodes[edges[:, 1]]
    length = np.linalg.norm(a - b, axis=1)
    tree = cKDTree(nodes[used])
    _, near = tree.query((a + b) / 2, k=16)  # whatever lies between the ends is among the nearest to their middle
    others = nodes[used][near]
    to_a, to_b = np.linalg.norm(others - a[:, None], axis=2), np.linalg.norm(others - b[:, None], axis=2)
    nearest_of_both = np.maximum(to_a, to_b).min(axis=1)
    kept: Bools = nearest_of_both >= slack * length
    return kept


def _largest_piece(nodes: Floats, ends: Ints, line: Floats, kind: Ints, names: list[str]) -> Roads:
    size = len(nodes)
    graph = coo_array((np.ones(len(ends)), (ends[:, 0], ends[:, 1])), shape=(size, size))
    _, piece = connected_components(graph, directed=False)
    largest = np.argmax(np.bincount(piece))
    keep = piece[ends[:, 0]] == largest
    ends, line, kind = ends[keep], line[keep], kind[keep]
    used, renumbered = np.unique(ends, return_inverse=True)
    nodes, ends = nodes[used], renumbered.reshape(ends.shape)
    lanes = np.array(_LANES)[kind]
    return Roads(
        nodes=nodes,
        ends=ends,
        line=line,
        kind=kind,
        name=tuple(name for name, kept in zip(names, keep, strict=True) if kept),
        length_km=np.linalg.norm(np.diff(line, axis=1), axis=2).sum(axis=1),
        free_flow_kmh=np.array(_FREE_FLOW_KMH)[kind],
        lanes=lanes,
        capacity_vph=np.array(_CAPACITY_PER_LANE_VPH)[kind] * lanes,
    )
