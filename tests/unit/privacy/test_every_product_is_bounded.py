"""Removing one subject's day changes the numbers of every product, before noise, by at most what its plan says."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import date
from itertools import pairwise
from typing import Any

import h3.api.basic_int as h3
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from services.domain import to_us
from services.privacy import bounding, movement
from services.privacy.days import LocalDay, local_day
from services.privacy.mechanisms.catalogue import GAUSSIAN
from services.privacy.plan import Plan, load_plan, load_plans
from services.privacy.products.catalogue import CATALOGUE
from services.privacy.subjects import Integers
from services.settings import Settings
from services.storage import personal

DAY = local_day(date(2026, 10, 25), Settings(city_timezone="Europe/Berlin"))  # the longest day: 25 hours
START_US = to_us(DAY.start)
MINUTE_US = 60_000_000
CENTRE = h3.latlng_to_cell(52.5, 13.4, 9)
# About fifty places over some kilometres, and two that are none; the last of them lie outside the city.
CELLS = [*sorted(h3.grid_disk(CENTRE, 25))[::37], 0, -1]
CITY = np.unique(bounding.parent_cells(np.array(CELLS[:-8], dtype=np.int64)))
LARGE = np.unique(bounding.parent_cells(np.array(CELLS[:-8], dtype=np.int64), 7))
DISTRICTS = np.array([2, 3, 7], dtype=np.int64)
STATIONS = np.array([4, 5, 9], dtype=np.int64)

Row = tuple[int, int, int, int]
Rows = list[Row]

clocks = st.integers(-200, 1_700) | st.sampled_from([0, 1_499, 1_500, -(2**20)])  # minutes: late, early, wrong by years
places = st.integers(0, len(CELLS) - 1)
amounts = st.integers(-1, 300) | st.sampled_from([0, 2**31 - 1])
anybody = st.lists(st.tuples(st.integers(0, 4), places, clocks, amounts), max_size=60)


@st.composite
def drivers(draw: st.DrawFn) -> Rows:
    """One subject that is always on the way, so that its quotas are exceeded; its second device reports somewhere else."""
    who, step, pause = draw(st.integers(0, 4)), draw(st.sampled_from([1, 2, 7])), draw(st.sampled_from([0, 12]))
    count = draw(st.integers(0, 60))
    rows = [(who, (n * step) % (len(CELLS) - 2), 60 + (7 + pause) * n, 30 + n) for n in range(count)]
    rows += [(who, place, minute + pause, much) for who, place, minute, much in rows if pause]  # it stays there a while
    return rows + [(who, (n * 5) % 7, 60 + 7 * n, 200) for n in range(count) if draw(st.booleans())]


def pseudonyms(rows: Rows) -> personal.Subjects:
    # Neighbours share one of the two numbers, as an adversary would choose.
    return np.array([(row[0] // 2 * 0x9E3779B97F4A7C15 % 2**64, row[0]) for row in rows], dtype=np.uint64).reshape(
        -1, 2
    )


def column(rows: Rows, number: int) -> Integers:
    return np.array([row[number] for row in rows], dtype=np.int64)


def positions(rows: Rows) -> dict[str, Any]:
    cell = np.array([CELLS[row[1]] for row in rows], dtype=np.int64)
    return {"subject": pseudonyms(rows), "cell": cell, "observed_us": START_US + column(rows, 2) * MINUTE_US}


def loads(rows: Rows) -> dict[str, Any]:
    used = np.clip(column(rows, 3), 0, None)
    return {"subject": pseudonyms(rows), "district_id": column(rows, 1) % 9, "energy_wh": used}


def presence(rows: Rows, plan: Plan, day: LocalDay) -> dict[str, Integers]:
    return CATALOGUE["presence"].bound(personal.Positions(**positions(rows)), plan, day, CITY)


def origin_destination(rows: Rows, plan: Plan, day: LocalDay) -> dict[str, Integers]:
    return CATALOGUE["origin_destination"].bound(personal.Positions(**positions(rows)), plan, day, LARGE)


def trip_lengths(rows: Rows, plan: Plan, day: LocalDay) -> dict[str, Integers]:
    return CATALOGUE["trip_lengths"].bound(personal.Positions(**positions(rows)), plan, day, LARGE)


def speeds(rows: Rows, plan: Plan, day: LocalDay) -> dict[str, Integers]:
    moved = personal.Movements(**positions(rows), speed_kmh=column(rows, 3))
    return CATALOGUE["speeds"].bound(moved, plan, day, LARGE)


def district_energy(rows: Rows, plan: Plan, day: LocalDay) -> dict[str, Integers]:
    return CATALOGUE["district_energy"].bound(personal.Loads(**loads(rows)), plan, day, DISTRICTS)


def district_load(rows: Rows, plan: Plan, day: LocalDay) -> dict[str, Integers]:
    timed = personal.TimedLoads(**loads(rows), observed_us=START_US + column(rows, 2) * MINUTE_US)
    return CATALOGUE["district_load"].bound(timed, plan, day, DISTRICTS)


def bike_stations(rows: Rows, plan: Plan, day: LocalDay) -> dict[str, Integers]:
    went = personal.BikeTrips(subject=pseudonyms(rows), origin=column(rows, 1) % 11, destination=column(rows, 3) % 11)
    return CATALOGUE["bike_stations"].bound(went, plan, day, STATIONS)


def charging(rows: Rows, plan: Plan, day: LocalDay) -> dict[str, Integers]:
    return CATALOGUE["charging"].bound(personal.Loads(**loads(rows)), plan, day, DISTRICTS)


VECTORS: dict[str, Callable[[Rows, Plan, LocalDay], dict[str, Integers]]] = {
    "presence": presence,
    "origin_destination": origin_destination,
    "trip_lengths": trip_lengths,
    "speeds": speeds,
    "district_energy": district_energy,
    "district_load": district_load,
    "bike_stations": bike_stations,
    "charging": charging,
}


def test_no_product_is_left_out() -> None:
    assert set(CATALOGUE) == {plan.name for plan in load_plans()}, (
        "a plan in plans/ and a line in products/catalogue.py"
    )
    assert set(VECTORS) == set(CATALOGUE), "say in VECTORS above what a product makes of the rows of neighbours"


@pytest.mark.parametrize("name", list(VECTORS))
@settings(max_examples=60)
@given(rows=anybody, busy=drivers(), gone=st.integers(0, 4), random=st.randoms(use_true_random=False))
def test_one_subject_day_changes_no_vector_by_more_than_its_plan_says(
    name: str, rows: Rows, busy: Rows, gone: int, random: Any
) -> None:
    plan = load_plan(name)
    stream = rows + busy + rows[:9]  # some messages come twice
    random.shuffle(stream)
    whole = VECTORS[name](stream, plan, DAY)
    without = VECTORS[name]([row for row in stream if row[0] != gone], plan, DAY)
    for measure in plan.measure:
        difference = (whole[measure.name] - without[measure.name]).astype(object)  # exact however large
        if measure.mechanism == GAUSSIAN:
            assert (difference**2).sum() <= measure.sensitivity**2
        else:
            assert np.abs(difference).sum() <= measure.sensitivity


@pytest.mark.parametrize("name", list(VECTORS))
@settings(max_examples=15)
@given(rows=anybody, busy=drivers(), random=st.randoms(use_true_random=False))
def test_no_vector_depends_on_the_order_of_arrival(name: str, rows: Rows, busy: Rows, random: Any) -> None:
    # What comes twice is stored once: a row's key is its subject and time, so a repeat never reaches a product.
    plan = load_plan(name)
    stream = rows + busy
    again = stream.copy()
    random.shuffle(again)
    one, other = VECTORS[name](stream, plan, DAY), VECTORS[name](again, plan, DAY)
    for measure in plan.measure:
        assert (one[measure.name] == other[measure.name]).all()


@pytest.mark.parametrize("name", [name for name in VECTORS if name != "bike_stations"])  # its bound is in the code
def test_the_bound_is_what_keeps_the_change_small(name: str) -> None:
    # The control: the same stream under a plan with a hundredfold bound changes by more than the real plan allows.
    plan = load_plan(name)
    measure = plan.measure[-1] if name != "presence" else plan.measure[0]
    loose = replace(
        measure,
        cells_per_subject=100 * measure.cells_per_subject,
        per_cell=100 * measure.per_cell,
        norm_per_subject=measure.norm_per_subject and 100 * measure.norm_per_subject,
    )
    plan = replace(plan, measure=tuple(loose if one.name == measure.name else one for one in plan.measure))
    if plan.domain in {"household", "charging"}:
        rows = [(1, 2, n, 70_000) for n in range(0, 1_400, 30)]
    else:
        trips = [(30 * n, (n * 7) % (len(CELLS) - 10)) for n in range(35)]
        rows = [(1, place, 40 + minute + wait, 130) for minute, place in trips for wait in (0, 5, 10, 15)]
        rows += (
            [(1, (n // 4 * 3) % (len(CELLS) - 10), 60 + n * 6, 0) for n in range(230)]
            if name in {"speeds", "presence"}
            else []
        )
    change = VECTORS[name](rows, plan, DAY)[measure.name].astype(object)
    size = math.isqrt(int((change**2).sum())) if measure.mechanism == GAUSSIAN else np.abs(change).sum()
    assert size > measure.sensitivity


def test_trips_go_from_stay_to_stay() -> None:
    way = h3.grid_path_cells(CENTRE, h3.grid_ring(CENTRE, 12)[0])
    stay = [(way[0], minute) for minute in range(0, 30, 5)]
    drive = [(cell, 30 + n) for n, cell in enumerate(way)]
    arrived = [(way[-1], 45 + minute) for minute in range(0, 20, 5)]
    back = [(cell, 70 + n) for n, cell in enumerate(reversed(way))]
    rows = stay + drive + arrived + back
    found = movement.trips(
        np.tile(np.array([[1, 2]], dtype=np.uint64), (len(rows), 1)),
        np.array([cell for cell, _ in rows], dtype=np.int64),
        np.array([minute * MINUTE_US for _, minute in rows], dtype=np.int64),
    )
    assert list(zip(found.origin.tolist(), found.destination.tolist(), strict=True)) == [
        (way[0], way[-1]),
        (way[-1], way[0]),
    ]
    steps = [h3.great_circle_distance(h3.cell_to_latlng(a), h3.cell_to_latlng(b), unit="m") for a, b in pairwise(way)]
    assert found.metres[0] == pytest.approx(sum(steps), rel=0.01)


def test_a_gap_ends_a_trip_and_trembling_at_home_is_none() -> None:
    near = sorted(h3.grid_ring(CENTRE, 1))
    trembling = [((CENTRE, near[0])[n % 2], 3 * n) for n in range(2)]
    far = h3.grid_ring(CENTRE, 20)[0]
    rows = [*trembling, (far, 300), (far, 303)]
    found = movement.trips(
        np.tile(np.array([[1, 2]], dtype=np.uint64), (len(rows), 1)),
        np.array([cell for cell, _ in rows], dtype=np.int64),
        np.array([minute * MINUTE_US for _, minute in rows], dtype=np.int64),
    )
    assert len(found.metres) == 0


def test_speeds_leave_out_where_trips_begin_and_end() -> None:
    way = h3.grid_path_cells(CENTRE, h3.grid_ring(CENTRE, 12)[0])
    rows = [(cell, n) for n, cell in enumerate(way)]
    city = np.unique(bounding.parent_cells(np.array(way, dtype=np.int64), 7))
    counts, sums = movement.speeds(
        np.tile(np.array([[1, 2]], dtype=np.uint64), (len(rows), 1)),
        np.array([cell for cell, _ in rows], dtype=np.int64),
        np.array([minute * MINUTE_US for _, minute in rows], dtype=np.int64),
        np.full(len(rows), 50, dtype=np.int64),
        domain=city,
        day_start_us=0,
        slot_us=60 * MINUTE_US,
        slots=24,
        cells_per_subject=8,
        clip_kmh=65,
    )
    used = {h3.cell_to_parent(cell, 7) for cell, minute in rows if 3 <= minute <= len(way) - 4}
    assert {int(cell) for cell in city[counts[:, 0] > 0]} == used
    assert sums.sum() == (50 - 65) * counts.sum()


def test_an_empty_day_has_empty_vectors() -> None:
    for name, vector in VECTORS.items():
        assert all((numbers == 0).all() for numbers in vector([], load_plan(name), DAY).values()), name
