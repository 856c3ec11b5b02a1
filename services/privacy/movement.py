"""Code concerned with how vehicles moved: trips and speeds of a day, bounded per subject before any noise. Pure numpy.

A trip goes from one stay to the next. A stay is ten minutes or more without leaving a cell of resolution 9; twenty minutes
without a report end a trip as well. What is less than 500 m long, from cell centre to cell centre, is no trip. Every trip
and every speed of a subject is found from its own records only, so each function promises what `bounding` promises.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import h3.api.basic_int as h3
import numpy as np
from numpy.typing import NDArray

from services.privacy.bounding import parent_cells
from services.privacy.subjects import Integers, Subjects, group_starts, mixed, rank_in_group

RESOLUTION: Final = 7
LENGTH_BANDS_KM: Final = (0, 1, 2, 3, 5, 8, 12, 20, 30)
"""Where the bands of trip lengths begin; the last has no end."""
MIDDLE_KMH: Final = 65
"""Speeds are summed as differences from here, so that a clip to 0 to 130 km/h changes a sum by at most 65."""

_MINUTE_US: Final = 60_000_000
_STAY_US: Final = 10 * _MINUTE_US
_GAP_US: Final = 20 * _MINUTE_US
_TRIM_US: Final = 3 * _MINUTE_US
_LEAST_M: Final = 500
_EARTH_M: Final = 6_371_009.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Trips:
    """Trips, subjects together; cells are of resolution 9, the length is from cell centre to cell centre [m]."""

    subject: Subjects
    origin: Integers
    destination: Integers
    start_us: Integers
    metres: Integers


@dataclass(frozen=True, kw_only=True, slots=True)
class _Runs:
    """Rows in order of subject and time, cut where a subject comes into another cell; `first` is each run's first row.

    `apart` says that nothing leads from the run before into this one, `stay` that the subject stayed there.
    """

    order: Integers
    first: Integers
    begin_us: Integers
    end_us: Integers
    apart: NDArray[np.bool_]
    stay: NDArray[np.bool_]


def trips(subject: Subjects, cell: Integers, observed_us: Integers) -> Trips:
    """All trips of a day's positions.

    Args:
        subject: pseudonyms as two numbers each, shape (rows, 2).
        cell: H3 cells of resolution 9, shape (rows,).
        observed_us: when [µs since 1970], shape (rows,).

    """
    runs = _runs(subject, cell, observed_us)
    who, where = subject[runs.order][runs.first], cell[runs.order][runs.first]
    step = np.flatnonzero(~runs.apart)  # into these runs a way leads, from the run before
    begins = runs.apart[step - 1] | runs.stay[step - 1]
    first = np.flatnonzero(begins)
    last = np.append(first[1:], len(step)) - 1 if len(step) else first
    length = _metres(where[step - 1], where[step])
    metres = np.add.reduceat(length, first) if len(step) else length
    real = metres >= _LEAST_M
    start, end = step[first][real] - 1, step[last][real]
    return Trips(
        subject=who[start],
        origin=where[start],
        destination=where[end],
        start_us=runs.end_us[start],
        metres=metres[real],
    )


def origin_destination(found: Trips, *, domain: Integers, trips_per_subject: int) -> Integers:
    """Trips from each public cell of resolution 7 to each, at most so many per subject, drawn without regard to where.

    Args:
        found: the day's trips.
        domain: the public cells of resolution 7, sorted.
        trips_per_subject: the bound; the L1 sensitivity of the counts, each trip being one.

    Returns:
        Counts, shape (cells from, cells to).

    """
    places = domain.size
    if not places:
        return np.zeros((0, 0), dtype=np.int64)
    row, known_row = _places(parent_cells(found.origin, RESOLUTION), domain)
    column, known_column = _places(parent_cells(found.destination, RESOLUTION), domain)
    kept = _quota(found, known_row & known_column, trips_per_subject)
    pair = row[kept] * places + column[kept]
    return np.bincount(pair, minlength=places * places).astype(np.int64).reshape(places, places)


def trip_lengths(found: Trips, *, domain: Integers, trips_per_subject: int) -> Integers:
    """Trips that begin in the city by band of length, at most so many per subject.

    Args:
        found: the day's trips.
        domain: the public cells of resolution 7, sorted.
        trips_per_subject: the bound; the L1 sensitivity of the counts, each trip being one.

    Returns:
        Counts, shape (bands,) as in LENGTH_BANDS_KM.

    """
    bands = len(LENGTH_BANDS_KM)
    if not domain.size:
        return np.zeros(bands, dtype=np.int64)
    _, known = _places(parent_cells(found.origin, RESOLUTION), domain)
    kept = _quota(found, known, trips_per_subject)
    edges = np.array(LENGTH_BANDS_KM, dtype=np.int64) * 1_000
    band = np.searchsorted(edges, found.metres[kept], side="right") - 1
    return np.bincount(band, minlength=bands).astype(np.int64)


def speeds(
    subject: Subjects,
    cell: Integers,
    observed_us: Integers,
    speed_kmh: Integers,
    *,
    domain: Integers,
    day_start_us: int,
    slot_us: int,
    slots: int,
    cells_per_subject: int,
    clip_kmh: int,
) -> tuple[Integers, Integers]:
    """Moving vehicles per cell and slot, and the sum of their mean speeds as differences from MIDDLE_KMH.

    The first and last three minutes of a trip and all stays are left out, because they are where people live and work.

    Args:
        subject: pseudonyms as two numbers each, shape (rows, 2).
        cell: H3 cells of resolution 9, shape (rows,).
        observed_us: when [µs since 1970], shape (rows,).
        speed_kmh: whole km/h, shape (rows,); below zero where none was reported.
        domain: the public cells of resolution 7, sorted.
        day_start_us: when the local day begins [µs since 1970].
        slot_us: length of a slot [µs].
        slots: how many slots the day has.
        cells_per_subject: the bound L0; the L1 sensitivity of the counts.
        clip_kmh: differences are cut to at most this much; times L0 it is the L1 sensitivity of the sums.

    Returns:
        Counts and sums [km/h], each of shape (cells of the domain, slots).

    """
    shape = (domain.size, slots)
    if not domain.size:
        return np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    moving = _under_way(subject, cell, observed_us)
    row, known = _places(parent_cells(cell, RESOLUTION), domain)
    slot = (observed_us - day_start_us) // slot_us
    used = moving & known & (slot >= 0) & (slot < slots) & (speed_kmh >= 0)
    who, place = subject[used], (row * slots + slot)[used]
    order = np.lexsort((place, who[:, 1], who[:, 0]))
    who, place = who[order], place[order]
    new = group_starts(who)
    new[1:] |= place[1:] != place[:-1]
    first = np.flatnonzero(new)
    fast = np.clip(speed_kmh[used][order], 0, 2 * MIDDLE_KMH)
    total = np.add.reduceat(fast, first) if first.size else fast
    reports = np.diff(np.append(first, len(fast)))
    mean = (2 * total + reports) // (2 * np.maximum(reports, 1))
    who, place = who[first], place[first]
    kept = rank_in_group(who, mixed(who, place)) < cells_per_subject
    counts = np.bincount(place[kept], minlength=domain.size * slots).astype(np.int64)
    sums = np.zeros(domain.size * slots, dtype=np.int64)
    np.add.at(sums, place[kept], np.clip(mean[kept] - MIDDLE_KMH, -clip_kmh, clip_kmh))
    return counts.reshape(shape), sums.reshape(shape)


def _runs(subject: Subjects, cell: Integers, observed_us: Integers) -> _Runs:
    order = np.lexsort((cell, observed_us, subject[:, 1], subject[:, 0]))
    who, where, when = subject[order], cell[order], observed_us[order]
    another = group_starts(who)
    new = another.copy()
    new[1:] |= where[1:] != where[:-1]
    first = np.flatnonzero(new)
    begin_us, end_us = when[first], when[np.append(first[1:], len(when)) - 1] if first.size else when
    apart = another[first]
    apart[1:] |= begin_us[1:] - end_us[:-1] > _GAP_US
    return _Runs(
        order=order, first=first, begin_us=begin_us, end_us=end_us, apart=apart, stay=end_us - begin_us >= _STAY_US
    )


def _under_way(subject: Subjects, cell: Integers, observed_us: Integers) -> NDArray[np.bool_]:
    """Which rows belong to the middle of a way, not to a stay nor to the first or last minutes of the way."""
    runs = _runs(subject, cell, observed_us)
    begins = runs.apart | runs.stay
    begins[1:] |= runs.stay[:-1]
    way = np.cumsum(begins) - 1
    first = np.flatnonzero(begins)
    last = np.append(first[1:], len(way)) - 1 if first.size else first
    run = np.repeat(np.arange(len(runs.first)), np.diff(np.append(runs.first, len(runs.order))))
    when = observed_us[runs.order]
    middle = (when - runs.begin_us[first][way[run]] >= _TRIM_US) & (runs.end_us[last][way[run]] - when >= _TRIM_US)
    found = np.zeros(len(subject), dtype=np.bool_)
    found[runs.order] = middle & ~runs.stay[run]
    return found


def _quota(found: Trips, wanted: NDArray[np.bool_], most: int) -> Integers:
    """The numbers of wanted trips, at most so many per subject, those with the smallest hash of pseudonym and start."""
    number = np.flatnonzero(wanted)
    who = found.subject[number]
    return number[rank_in_group(who, mixed(who, found.start_us[number])) < most]


def _places(cells: Integers, domain: Integers) -> tuple[Integers, NDArray[np.bool_]]:
    """The place of each cell in the domain, and whether it is there at all."""
    place = np.minimum(np.searchsorted(domain, cells), domain.size - 1)
    return place, domain[place] == cells


def _metres(one: Integers, other: Integers) -> Integers:
    """The distance between the centres of cells on a sphere, to the metre; cells that are none are nowhere: 0 m."""
    known, back = np.unique(np.concatenate((one, other)), return_inverse=True)
    centre = np.radians([h3.cell_to_latlng(c) if c > 0 and h3.is_valid_cell(c) else (0.0, 0.0) for c in known.tolist()])
    lat, lon = centre.reshape(-1, 2).T
    a, b = back[: len(one)], back[len(one) :]
    haversine = (
        np.sin((lat[b] - lat[a]) / 2) ** 2 + np.cos(lat[a]) * np.cos(lat[b]) * np.sin((lon[b] - lon[a]) / 2) ** 2
    )
    metres: Integers = np.rint(2 * _EARTH_M * np.arcsin(np.sqrt(np.minimum(haversine, 1)))).astype(np.int64)
    return metres
