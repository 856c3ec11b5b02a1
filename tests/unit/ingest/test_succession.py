"""What a reading says beside the one before it, whatever batches the readings came in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest import succession
from ingest.rows import Arrivals, Rows, energy_rows, quantity_rows, traffic_rows
from ingest.succession import Memory, judge
from services.domain import EnergyReading, Flag, QuantityReading, TrafficReading

NAN = math.nan
MINUTE = 60_000_000
START = 1_795_000_000_000_000


def at(received: Sequence[int]) -> Arrivals:
    return Arrivals(received_us=np.array(received), delay_us=None)


def traffic(
    minutes: Sequence[float],
    *,
    flow: Sequence[float] | None = None,
    speed: Sequence[float] | None = None,
    seq: Sequence[int] | None = None,
    sensor: Sequence[int] | None = None,
    late_s: float = 2,
) -> Rows:
    """Rows stamped so many minutes after the start; values that differ from row to row unless they are given."""
    n = len(minutes)
    readings = [
        TrafficReading(
            sensor="x",
            observed_us=START + round(minute * MINUTE),
            seq=None if seq is None else seq[place],
            flow_vph=400 + minute / 10 if flow is None else flow[place],
            speed_kmh=50 if speed is None else speed[place],
            occupancy=0.1,
        )
        for place, minute in enumerate(minutes)
    ]
    received = [reading.observed_us + round(late_s * 1e6) for reading in readings]
    return traffic_rows(readings, [1] * n if sensor is None else list(sensor), list(range(n)), at(received))


def flags_of(rows: Rows, memory: Memory | None = None) -> list[int]:
    memory = memory or Memory()
    flags, news = judge(rows, memory)
    memory.learn(news)
    return [int(flag) for flag in flags]


def test_a_jump_is_suspect() -> None:
    assert flags_of(traffic([0, 5, 10], speed=[20, 130, 20])) == [1, 3, 3]
    assert flags_of(traffic([0, 5, 10], speed=[130, 20, 25])) == [1, 3, 1]
    assert flags_of(traffic([0, 5, 10], flow=[100, 5_200, 300])) == [1, 3, 1]
    assert flags_of(traffic([0, 61], speed=[130, 20])) == [1, 1]  # too far apart to be a jump


def test_a_bad_value_is_no_neighbour() -> None:
    assert flags_of(traffic([0, 5, 10], speed=[130, 300, 130])) == [1, 4, 1]
    assert flags_of(traffic([0, 5, 10], speed=[10, 200, 200])) == [1, 3, 3]  # unlikely by itself, and a jump


def test_what_does_not_change_for_fifty_intervals_is_stuck() -> None:
    minutes = [5.0 * n for n in range(53)]
    assert flags_of(traffic(minutes, flow=[500] * 53)) == [1] * 50 + [3] * 3
    assert flags_of(traffic(minutes, flow=[500] * 40 + [501] * 13)) == [1] * 53
    with_a_gap = [*minutes[:40], *(minute + 120 for minute in minutes[40:])]
    assert flags_of(traffic(with_a_gap, flow=[500] * 53)) == [1] * 53


def test_an_empty_road_is_not_stuck() -> None:
    n = 60
    readings = [
        TrafficReading(sensor="x", observed_us=START + 5 * k * MINUTE, flow_vph=0, occupancy=0) for k in range(n)
    ]
    rows = traffic_rows(readings, [1] * n, list(range(n)), at([reading.observed_us for reading in readings]))
    assert flags_of(rows) == [1] * n


def test_a_register_that_runs_backwards_and_a_power_that_stands_for_a_day() -> None:
    n = 100
    readings = [
        EnergyReading(
            sensor="x",
            observed_us=START + 15 * k * MINUTE,
            power_kw=7.5 if k < 98 else 8.0,
            energy_kwh=1000 + k if k < 99 else 3.0,
        )
        for k in range(n)
    ]
    rows = energy_rows(readings, [1] * n, list(range(n)), at([reading.observed_us for reading in readings]))
    assert flags_of(rows) == [1] * 96 + [3, 3, 1, 3]


def test_each_quantity_has_a_series_and_a_pace_of_its_own() -> None:
    said = [
        ("temperature_c", 0, 20.0),
        ("humidity_percent", 0, 50.0),
        ("temperature_c", 1, 24.0),
        ("humidity_percent", 1, 54.0),
        ("temperature_c", 11, 44.0),
        ("luck", 11, 1.0),
        ("luck", 12, 1e9),
    ]
    readings = [
        QuantityReading(sensor="x", observed_us=START + minute * MINUTE, quantity=name, value=value)
        for name, minute, value in said
    ]
    rows = quantity_rows(readings, [1] * len(said), list(range(len(said))), at([START] * len(said)))
    assert flags_of(rows) == [1, 1, 3, 1, 1, 2, 2]


def test_lost_readings_are_counted_by_sensor_and_flag_nothing() -> None:
    memory = Memory()
    assert flags_of(traffic([0, 5, 5, 15], seq=[1, 2, 7, 4], sensor=[1, 1, 2, 1]), memory) == [1] * 4
    assert flags_of(traffic([20, 25, 30], seq=[9, 1, 2]), memory) == [1] * 3  # lost 5 to 8, then began anew
    assert memory.lost("traffic") == {1: 1 + 4}
    assert memory.lost("energy") == {}


def test_the_clock_of_a_sensor_is_estimated_from_its_promptest_reading() -> None:
    memory = Memory()
    flags_of(traffic([0, 5], late_s=400), memory)
    flags_of(traffic([10], late_s=-30), memory)
    flags_of(traffic([15], late_s=300), memory)
    assert memory.skew_us("traffic") == {1: -30_000_000}
    flags_of(traffic([24 * 60 + 30], late_s=-10), memory)  # a new day: the clock was set
    assert memory.skew_us("traffic") == {1: -10_000_000}


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(succession, "MOST_SERIES", 10)
    memory = Memory()
    for start in range(0, 40, 4):
        flags_of(traffic([0] * 4, seq=[1] * 4, sensor=range(start, start + 4)), memory)
    assert len(memory.skew_us("traffic")) <= 10


def test_judging_does_not_teach() -> None:
    memory = Memory()
    flags_of(traffic([0], speed=[130]), memory)
    for _ in range(3):
        assert judge(traffic([5, 10], speed=[20, 25]), memory)[0].tolist() == [3, 1]


@given(
    st.lists(
        st.tuples(
            st.integers(1, 3),
            st.integers(0, 70),
            st.sampled_from([0.0, 500.0, 500.0, 500.0, 9_000.0, 25_000.0, NAN]),
            st.integers(-1, 30),
        ),
        min_size=1,
        max_size=60,
    ),
    st.sets(st.integers(1, 59)),
    st.sampled_from([5.0, 40.0]),
)
def test_flags_depend_on_the_order_of_readings_not_on_batches(
    said: list[tuple[int, int, float, int]], cuts: set[int], step: float
) -> None:
    rows = traffic(
        [step * k for _, k, _, _ in said],
        flow=[flow for _, _, flow, _ in said],
        speed=[0.0 if math.isnan(flow) else 50.0 for _, _, flow, _ in said],
        seq=[seq for *_, seq in said],
        sensor=[sensor for sensor, *_ in said],
    )
    whole, parts = Memory(), Memory()
    at_once = flags_of(rows, whole)
    edges = [0, *sorted(cut for cut in cuts if cut < len(said)), len(said)]
    in_parts = [flag for start, end in pairwise(edges) for flag in flags_of(rows.take(np.arange(start, end)), parts)]

    assert at_once == in_parts == one_by_one(rows)
    assert whole.lost("traffic") == parts.lost("traffic")
    assert whole.skew_us("traffic") == parts.skew_us("traffic")


def one_by_one(rows: Rows) -> list[int]:
    """The same rules told plainly, a reading at a time."""
    flags = [int(flag) for flag in rows.flags()]
    newest: dict[int, tuple[int, list[float], int]] = {}
    for place, sensor in enumerate(rows.sensor_id.tolist()):
        observed, values = int(rows.observed_us[place]), rows.values[place].tolist()
        known = newest.get(sensor)
        if known is not None and observed <= known[0]:
            continue
        if flags[place] >= Flag.BAD:
            values = [NAN] * 3
        since = observed
        if known is not None and observed - known[0] <= 60 * MINUTE:
            if np.array_equal(values, known[1], equal_nan=True) and any(value > 0 for value in values):
                since = known[2]
            jumped = abs(values[0] - known[1][0]) > 5_000 or abs(values[1] - known[1][1]) > 100
            if (jumped or observed - since >= 250 * MINUTE) and flags[place] < Flag.SUSPECT:
                flags[place] = int(Flag.SUSPECT)
        newest[sensor] = (observed, values, since)
    return flags


def test_a_member_of_a_group_sees_a_part_and_counts_nothing_as_lost_or_stuck() -> None:
    minutes = list(range(0, 300, 10))
    rows = traffic(minutes, flow=[300] * 30, seq=list(range(0, 60, 2)))
    whole, part = Memory(), Memory(partial=True)
    assert (flags_of(rows, whole)[-1], sum(whole.lost("traffic").values())) == (3, 29)
    assert (set(flags_of(rows, part)), part.lost("traffic")) == ({1}, {})
    assert flags_of(traffic([300, 310], speed=[130, 20]), part) == [1, 3]


def test_a_batch_without_new_rows_teaches_nothing_and_the_next_is_judged() -> None:
    """After a reconnection the first batch may hold repeats only."""
    memory = Memory()
    rows = traffic([0, 5])
    flags, learned = judge(rows.take(np.zeros(2, dtype=bool)), memory)
    assert len(flags) == 0
    memory.learn(learned)
    flags, _ = judge(rows, memory)
    assert flags.tolist() == [Flag.GOOD, Flag.GOOD]
