"""What one subject's day can change is bounded, for any stream whatever."""

from __future__ import annotations

import h3.api.basic_int as h3
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.privacy import bounding

DISC = sorted(h3.grid_disk(h3.latlng_to_cell(52.5, 13.4, 8), 2))
DOMAIN = np.array(DISC[:-3], dtype=np.int64)  # three neighbours lie outside the city
FINE = [child for cell in DISC for child in sorted(h3.cell_to_children(cell, 9))[:3]] + [0, -1, 2**62]
SLOT_US = 3_600_000_000
SLOTS = 24
L0 = 8

# Every time of the day and beyond it on both sides: clocks of devices are wrong by days.
visits = st.tuples(
    st.integers(0, 5),
    st.sampled_from(FINE),
    st.integers(-3 * SLOT_US, (SLOTS + 3) * SLOT_US) | st.sampled_from([0, SLOT_US - 1, SLOTS * SLOT_US, -(2**50)]),
)
# One subject that is everywhere, so that its quota is always exceeded.
tireless = st.lists(st.tuples(st.just(0), st.sampled_from(FINE), st.integers(0, SLOTS * SLOT_US - 1)), max_size=60)


def pseudonyms(numbers: list[int]) -> bounding.Subjects:
    """Two random-looking numbers for each subject; neighbours share one of them, as an adversary would choose."""
    return np.array(
        [(number // 2 * 0x9E3779B97F4A7C15 % 2**64, number) for number in numbers], dtype=np.uint64
    ).reshape(-1, 2)


def presence(rows: list[tuple[int, int, int]]) -> bounding.Integers:
    return bounding.presence(
        pseudonyms([row[0] for row in rows]),
        np.array([row[1] for row in rows], dtype=np.int64),
        np.array([row[2] for row in rows], dtype=np.int64),
        domain=DOMAIN,
        day_start_us=0,
        slot_us=SLOT_US,
        slots=SLOTS,
        cells_per_subject=L0,
    )


@given(st.lists(visits, max_size=80), tireless, st.integers(0, 5), st.randoms(use_true_random=False))
def test_removing_a_subject_changes_presence_by_at_most_its_quota(
    rows: list[tuple[int, int, int]], more: list[tuple[int, int, int]], gone: int, random: object
) -> None:
    stream = rows + more + rows[:10]  # some messages come twice
    random.shuffle(stream)  # type: ignore[attr-defined]  # hypothesis draws the order
    neighbour = [row for row in stream if row[0] != gone]
    difference = presence(stream) - presence(neighbour)
    assert difference.min() >= 0
    assert difference.max() <= 1
    assert difference.sum() <= L0


@given(st.lists(visits, max_size=60), tireless, st.randoms(use_true_random=False))
def test_presence_depends_neither_on_order_nor_on_repetition(
    rows: list[tuple[int, int, int]], more: list[tuple[int, int, int]], random: object
) -> None:
    stream = rows + more
    again = stream + stream[::2]
    random.shuffle(again)  # type: ignore[attr-defined]  # hypothesis draws the order
    assert (presence(stream) == presence(again)).all()


@given(st.lists(visits, max_size=60))
def test_within_the_quota_presence_is_the_count_of_distinct_subjects(rows: list[tuple[int, int, int]]) -> None:
    distinct: dict[int, set[tuple[int, int]]] = {}
    for number, cell, moment in rows:
        if cell in FINE[:-3] and h3.cell_to_parent(cell, 8) in set(DOMAIN.tolist()) and 0 <= moment < SLOTS * SLOT_US:
            distinct.setdefault(number, set()).add((h3.cell_to_parent(cell, 8), moment // SLOT_US))
    exact = np.zeros((DOMAIN.size, SLOTS), dtype=np.int64)
    for places in distinct.values():
        for cell, slot in places:
            exact[np.searchsorted(DOMAIN, cell), slot] += 1
    counted = presence(rows)
    assert (counted <= exact).all()
    assert counted.sum() == sum(min(L0, len(places)) for places in distinct.values())


def test_thinning_prefers_no_hour() -> None:
    # 4 000 vehicles are seen in each of 24 hours and keep 8 of them: each hour keeps about 4 000 * 8 / 24 = 1 333,
    # standard deviation sqrt(4 000 * 1/3 * 2/3) = 30. A quota filled in order of time would keep hours 0 to 7 only.
    rng = np.random.default_rng(7)
    subject = np.repeat(rng.integers(0, 2**64, size=(4000, 2), dtype=np.uint64), 24, axis=0)
    counts = bounding.presence(
        subject,
        np.full(len(subject), h3.cell_to_children(int(DOMAIN[0]), 9)[0], dtype=np.int64),
        np.tile(np.arange(24, dtype=np.int64) * SLOT_US, 4000),
        domain=DOMAIN,
        day_start_us=0,
        slot_us=SLOT_US,
        slots=SLOTS,
        cells_per_subject=L0,
    )
    assert counts.sum() == 4000 * 8
    assert np.abs(counts[0] - 4000 / 3).max() < 5 * 30


def test_parents_are_those_of_h3() -> None:
    cells = [h3.latlng_to_cell(lat, lon, 9) for lat in np.linspace(-80, 80, 40) for lon in np.linspace(-179, 179, 40)]
    expected = [h3.cell_to_parent(cell, 8) for cell in cells]
    assert bounding.parent_cells(np.array(cells, dtype=np.int64)).tolist() == expected


DISTRICTS = np.array([2, 3, 7], dtype=np.int64)
MOST_WH = 30_000
meters = st.tuples(st.integers(0, 4), st.sampled_from([1, 2, 3, 7, 9]), st.integers(0, 2**31 - 1) | st.integers(0, 500))


def energy(rows: list[tuple[int, int, int]]) -> tuple[bounding.Integers, bounding.Integers]:
    return bounding.household_energy(
        pseudonyms([row[0] for row in rows]),
        np.array([row[1] for row in rows], dtype=np.int64),
        np.array([row[2] for row in rows], dtype=np.int64),
        domain=DISTRICTS,
        most_wh=MOST_WH,
    )


@given(st.lists(meters, max_size=80), st.integers(0, 4), st.randoms(use_true_random=False))
def test_removing_a_household_changes_one_district_by_at_most_its_bound(
    rows: list[tuple[int, int, int]], gone: int, random: object
) -> None:
    stream = rows + rows[:5]
    random.shuffle(stream)  # type: ignore[attr-defined]  # hypothesis draws the order
    counts, used = energy(stream)
    fewer, less = energy([row for row in stream if row[0] != gone])
    assert np.abs(counts - fewer).sum() <= 1
    assert np.abs(used - less).sum() <= MOST_WH
    assert np.count_nonzero(used - less) <= 1


def test_a_household_counts_in_its_first_district_with_all_it_used() -> None:
    counts, used = energy([(1, 7, 400), (1, 3, 100), (2, 7, 50_000), (3, 1, 700), (4, 9, 10), (4, 2, 5)])
    # Household 1 names 7 and 3: it counts in 3, with 500 Wh. Household 2 is clipped. 3 names no district of the city.
    assert counts.tolist() == [1, 1, 1]
    assert used.tolist() == [5, 500, MOST_WH]


@pytest.mark.parametrize("columns", [0, 1])
def test_nothing_stays_nothing(columns: int) -> None:
    assert presence([]).sum() == 0
    assert energy([])[columns].tolist() == [0, 0, 0]
