"""Power from registers is never negative, and adds up to what was counted."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.registers import counted_kwh, mean_power_kw

HOUR_US = 3_600_000_000
NAN = float("nan")


def counted(start: float, end: float, width: float = NAN) -> float:
    return float(counted_kwh(np.array([start]), np.array([end]), np.array([width]))[0])


def power(start_us: int, start: float, end_us: int, end: float, width: float = NAN) -> float:
    moments = (np.array([start_us]), np.array([start]), np.array([end_us]), np.array([end]))
    return float(mean_power_kw(moments[0], moments[1], moments[2], moments[3], np.array([width]))[0])


@pytest.mark.parametrize(
    ("start", "end", "width", "expected"),
    [
        (100.0, 100.5, NAN, 0.5),
        (100.0, 100.0, NAN, 0.0),
        (0.0, 0.25, NAN, 0.25),
        (100.0, 0.5, NAN, 0.5),  # began again from zero
        (100.0, 89.9, NAN, 89.9),  # below nine tenths: again from zero
        (100.0, 90.0, NAN, NAN),  # jitter, not a reset
        (100.0, 99.9, NAN, NAN),
        (99_999.8, 0.3, 100_000.0, 0.5),  # ran over
        (4_294_967.2, 0.096, 4_294_967.296, 0.192),  # 2^32 Wh
        (50_000.0, 0.3, 100_000.0, 0.3),  # far from the end: a reset
        (99_999.8, 20_000.0, 100_000.0, 20_000.0),  # not just past zero: a reset
        (100_500.0, 0.3, 100_000.0, 0.3),  # the width is wrong: a reset
        (-1.0, 0.5, NAN, NAN),
        (1.0, -0.5, NAN, NAN),
        (1.0, NAN, NAN, NAN),
    ],
)
def test_what_was_counted_between_two_registers(start: float, end: float, width: float, expected: float) -> None:
    assert counted(start, end, width) == pytest.approx(expected, nan_ok=True, abs=1e-9)


def test_the_mean_power_is_energy_by_time() -> None:
    assert power(0, 1073.079, HOUR_US // 4, 1073.329) == pytest.approx(1.0)
    assert power(0, 5.0, HOUR_US, 5.0) == 0.0


def test_a_gap_of_more_than_two_hours_has_no_power() -> None:
    assert power(0, 5.0, 2 * HOUR_US, 7.0) == 1.0
    assert np.isnan(power(0, 5.0, 2 * HOUR_US + 1, 7.0))


def test_equal_or_earlier_stamps_have_no_power() -> None:
    assert np.isnan(power(5, 5.0, 5, 7.0))
    assert np.isnan(power(5, 5.0, 4, 7.0))


def test_more_than_a_city_uses_is_not_believed() -> None:
    assert np.isnan(power(0, 5.0, 1_000_000, 1e6))


@given(
    steps=st.lists(st.tuples(st.integers(1, 2 * HOUR_US), st.floats(0, 50) | st.just(None)), min_size=1, max_size=40)
)
def test_power_adds_up_to_what_was_counted_whatever_is_reset(steps: list[tuple[int, float | None]]) -> None:
    """The meter counts increments that are told to it, None is a reset to zero before one of them."""
    stamps, registers, sent = [0], [20.0], 0.0
    for length_us, increment in steps:
        stamps.append(stamps[-1] + length_us)
        if increment is None and registers[-1] > 0:
            registers.append(registers[-1] / 4)
            sent += registers[-1]
        else:
            registers.append(registers[-1] + (increment or 0.0))
            sent += increment or 0.0
    at, read = np.array(stamps, dtype=np.int64), np.array(registers)
    found = mean_power_kw(at[:-1], read[:-1], at[1:], read[1:], np.full(len(steps), np.nan))
    too_much = np.isnan(found)
    assert (found[~too_much] >= 0).all()
    hours = np.diff(at) / HOUR_US
    energy = np.where(too_much, counted_kwh(read[:-1], read[1:], np.full(len(steps), np.nan)), found * hours)
    assert energy.sum() == pytest.approx(sent, abs=1e-6)
