"""Quality flags by their published scale and precedence."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ingest.quality import energy_flags, quantity_flags, traffic_flags
from services.domain import Flag

NAN = math.nan


@pytest.mark.parametrize(
    ("flow", "speed", "occupancy", "flag"),
    [
        (820, 43.5, 0.12, Flag.GOOD),
        (0, NAN, 0, Flag.GOOD),
        (NAN, 50, NAN, Flag.GOOD),
        (NAN, NAN, NAN, Flag.MISSING),
        (820, 0, 0.12, Flag.SUSPECT),
        (820, 43, 0, Flag.SUSPECT),
        (100, 43, 0, Flag.GOOD),
        (0, NAN, 0.9, Flag.SUSPECT),
        (500, 200, 0.1, Flag.SUSPECT),
        (500, 300, 0.1, Flag.BAD),
        (25_000, 50, 0.1, Flag.BAD),
        (25_000, 0, 0.1, Flag.BAD),
    ],
)
def test_traffic(flow: float, speed: float, occupancy: float, flag: Flag) -> None:
    assert traffic_flags(np.array([flow]), np.array([speed]), np.array([occupancy])).tolist() == [flag]


def test_energy() -> None:
    power = np.array([12.5, -3.0, 2e6, NAN, NAN])
    register = np.array([NAN, 10.0, 10.0, -1.0, NAN])
    expected = [Flag.GOOD, Flag.GOOD, Flag.BAD, Flag.SUSPECT, Flag.MISSING]
    assert energy_flags(power, register).tolist() == expected


def test_quantities_have_limits_or_are_not_evaluated() -> None:
    assert quantity_flags("temperature_c", np.array([20.0, 85.0])).tolist() == [Flag.GOOD, Flag.BAD]
    assert quantity_flags("luck", np.array([20.0])).tolist() == [Flag.NOT_EVALUATED]
