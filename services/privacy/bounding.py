"""Code concerned with bounding what one subject's day can change, before any noise. Pure numpy, integers throughout.

Each function promises: for any two streams that differ in all records of one subject, the vectors differ by at most the
plan's sensitivity in L1. The promise holds because a subject's part depends on its own records only, whatever they are
and in whatever order they came: late, repeated, from two devices, or with a wrong clock.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from services.privacy.subjects import Integers, Subjects, distinct, group_starts, mixed, rank_in_group

_FINE: Final = 9
_COARSE: Final = 8
_RESOLUTION_SHIFT: Final = 52
_DIGIT_BITS: Final = 3
_FINEST: Final = 15


def parent_cells(cells: Integers, resolution: int = _COARSE) -> Integers:
    """The parents, of a coarser resolution, of H3 cells of resolution 9."""
    return parent_of(cells, _FINE, resolution)


def parent_of(cells: Integers, fine: int, coarse: int) -> Integers:
    """The parents of H3 cells, from one resolution to a coarser one.

    An H3 index holds its resolution in bits 52 to 55 and one digit of three bits per resolution; unused digits are 7.
    """
    unused = (1 << _DIGIT_BITS * (fine - coarse)) - 1 << _DIGIT_BITS * (_FINEST - fine)
    without = cells & ~np.int64(0xF << _RESOLUTION_SHIFT)
    return without | np.int64(coarse << _RESOLUTION_SHIFT) | np.int64(unused)


def presence(
    subject: Subjects,
    cell: Integers,
    observed_us: Integers,
    *,
    domain: Integers,
    day_start_us: int,
    slot_us: int,
    slots: int,
    cells_per_subject: int,
) -> Integers:
    """Distinct subjects per cell and slot, each counted in at most `cells_per_subject` of them.

    Of a subject with more cell-slots, those with the smallest hash of pseudonym, cell and slot are kept. Pseudonyms are
    random, so every cell-slot of a subject is equally likely to be kept, whether it was its first or its last.

    Args:
        subject: pseudonyms as two numbers each, shape (rows, 2).
        cell: H3 cells of resolution 9, shape (rows,).
        observed_us: when [µs since 1970], shape (rows,).
        domain: the public cells of resolution 8, sorted.
        day_start_us: when the local day begins [µs since 1970].
        slot_us: length of a slot [µs].
        slots: how many slots the day has.
        cells_per_subject: the bound L0; the L1 sensitivity of the counts, since no cell-slot counts a subject twice, and
            the square of the L2 sensitivity.

    Returns:
        Counts, shape (cells of the domain, slots); records outside the domain or the day count nowhere.

    """
    if not domain.size:
        return np.zeros((0, slots), dtype=np.int64)
    parent = parent_cells(cell)
    row = np.minimum(np.searchsorted(domain, parent), domain.size - 1)
    slot = (observed_us - day_start_us) // slot_us
    inside = (domain[row] == parent) & (slot >= 0) & (slot < slots)
    place = (row * slots + slot)[inside]
    who, place = distinct(subject[inside], place)
    starts = group_starts(who)
    sizes = np.diff(np.append(np.flatnonzero(starts), len(who)))
    many = np.repeat(sizes > cells_per_subject, sizes)
    kept = ~many
    kept[many] = rank_in_group(who[many], mixed(who[many], place[many])) < cells_per_subject
    counts = np.bincount(place[kept], minlength=domain.size * slots).astype(np.int64)
    return counts.reshape(domain.size, slots)


def household_energy(
    subject: Subjects, district_id: Integers, energy_wh: Integers, *, domain: Integers, most_wh: int
) -> tuple[Integers, Integers]:
    """Households and their energy per district; each household counts once, with at most `most_wh`.

    A household that names several districts of the domain counts, with all its energy, in the one with the lowest number.

    Args:
        subject: pseudonyms as two numbers each, shape (rows, 2).
        district_id: shape (rows,).
        energy_wh: at least 0 [Wh], shape (rows,).
        domain: the public district numbers, sorted.
        most_wh: the bound Linf on one household's day [Wh].

    Returns:
        Households (L1 sensitivity 1) and energy [Wh] (L1 sensitivity `most_wh`), each of shape (districts,).

    """
    known = np.isin(district_id, domain)
    who, district = subject[known], district_id[known]
    order = np.lexsort((district, who[:, 1], who[:, 0]))
    who, district = who[order], district[order]
    used = np.clip(energy_wh[known][order], 0, most_wh)
    first = np.flatnonzero(group_starts(who))
    total = np.minimum(np.add.reduceat(used, first), most_wh) if first.size else used
    where = np.searchsorted(domain, district[first])
    households = np.bincount(where, minlength=domain.size).astype(np.int64)
    energy = np.zeros(domain.size, dtype=np.int64)
    np.add.at(energy, where, total)
    return households, energy


def household_load(
    subject: Subjects,
    district_id: Integers,
    observed_us: Integers,
    energy_wh: Integers,
    *,
    domain: Integers,
    day_start_us: int,
    slot_us: int,
    slots: int,
    most_norm_wh: int,
) -> tuple[Integers, Integers]:
    """Households per district and their energy per slot; each household's whole day is scaled down to an L2 norm.

    A household that names several districts of the domain counts, with all its energy, in the one with the lowest number.

    Args:
        subject: pseudonyms as two numbers each, shape (rows, 2).
        district_id: shape (rows,).
        observed_us: when the interval began [µs since 1970], shape (rows,).
        energy_wh: at least 0 [Wh], shape (rows,).
        domain: the public district numbers, sorted.
        day_start_us: when the local day begins [µs since 1970].
        slot_us: length of a slot [µs].
        slots: how many slots the day has.
        most_norm_wh: the bound on the root of the sum of squares of one household's slots [Wh]: the L2 sensitivity.

    Returns:
        Households (districts,), of L1 sensitivity 1, and energy [Wh] (districts, slots).

    """
    slot = (observed_us - day_start_us) // slot_us
    known = np.isin(district_id, domain) & (slot >= 0) & (slot < slots)
    who, district, slot = subject[known], district_id[known], slot[known]
    used = np.clip(energy_wh[known], 0, most_norm_wh)
    order = np.lexsort((district, who[:, 1], who[:, 0]))
    who, district, slot, used = who[order], district[order], slot[order], used[order]
    starts = group_starts(who)
    home = np.cumsum(starts) - 1
    days = np.zeros((int(starts.sum()), slots), dtype=np.int64)
    np.add.at(days, (home, slot), used)
    days = np.minimum(days, most_norm_wh)
    norm = _root_above((days * days).sum(axis=1))
    days = days * np.minimum(most_norm_wh, norm)[:, None] // np.maximum(norm, 1)[:, None]
    where = np.searchsorted(domain, district[starts])
    households = np.bincount(where, minlength=domain.size).astype(np.int64)
    energy = np.zeros((domain.size, slots), dtype=np.int64)
    np.add.at(energy, where, days)
    return households, energy


def station_use(subject: Subjects, origin: Integers, destination: Integers, *, domain: Integers) -> Integers:
    """Trips that began and that ended at each station; each trip counts once in both.

    A trip that came with several stations counts with the lowest numbers; a station outside the domain counts nowhere.

    Args:
        subject: pseudonyms as two numbers each, shape (rows, 2).
        origin: numbers of stations, shape (rows,).
        destination: the same.
        domain: the public stations, sorted.

    Returns:
        Departures and arrivals, shape (stations, 2), of L1 sensitivity 2.

    """
    if not domain.size:
        return np.zeros((0, 2), dtype=np.int64)
    order = np.lexsort((destination, origin, subject[:, 1], subject[:, 0]))
    first = order[group_starts(subject[order])]
    found = []
    for station in (origin[first], destination[first]):
        place = np.minimum(np.searchsorted(domain, station), domain.size - 1)
        known = domain[place] == station
        found.append(np.bincount(place[known], minlength=domain.size).astype(np.int64))
    return np.column_stack(found)


def charging_energy(
    subject: Subjects, district_id: Integers, energy_wh: Integers, *, domain: Integers, most_wh: int
) -> tuple[Integers, Integers]:
    """Sessions and their energy per district; of several reports of a session the highest counts, with at most `most_wh`.

    A session that names several districts of the domain counts in the one with the lowest number.

    Args:
        subject: pseudonyms as two numbers each, shape (rows, 2).
        district_id: shape (rows,).
        energy_wh: drawn since the session began, at least 0 [Wh], shape (rows,).
        domain: the public district numbers, sorted.
        most_wh: the bound Linf on one session [Wh].

    Returns:
        Sessions (L1 sensitivity 1) and energy [Wh] (L1 sensitivity `most_wh`), each of shape (districts,).

    """
    known = np.isin(district_id, domain)
    who, district = subject[known], district_id[known]
    order = np.lexsort((district, who[:, 1], who[:, 0]))
    who, district = who[order], district[order]
    drawn = np.clip(energy_wh[known][order], 0, most_wh)
    first = np.flatnonzero(group_starts(who))
    most = np.maximum.reduceat(drawn, first) if first.size else drawn
    where = np.searchsorted(domain, district[first])
    energy = np.zeros(domain.size, dtype=np.int64)
    np.add.at(energy, where, most)
    return np.bincount(where, minlength=domain.size).astype(np.int64), energy


def _root_above(squares: Integers) -> Integers:
    """The least whole numbers whose squares are not below these; exact."""
    root = np.sqrt(squares.astype(np.float64)).astype(np.int64)
    root = np.where(root * root > squares, root - 1, root)
    return np.where(root * root < squares, root + 1, root)
