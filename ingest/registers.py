"""Code concerned with power from registers: meters that tell how many kWh they have counted, and never the power.

The power of a register's row is the mean from its stamp to that of the sensor's next register, the energy counted between
divided by the time. It is worked out in the database's own transaction from the registers that are stored, so it depends on
them alone: not on the order in which they came, on how often, on which process wrote them, or on what it remembered. A
register that arrives late divides its interval anew. Rows with a reported power take no part and are never changed.

A register that falls below nine tenths began again from zero (the rule of Home Assistant's `total_increasing`), or, near
the end of a known width, ran over; one that falls less has jittered, and that interval has no power. Nor has one longer than
`LONGEST`, or one in which more was counted than a city uses.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Final

import numpy as np
import numpy.typing as npt

from ingest.quality import MOST_POWER_KW
from ingest.rows import HOUR_US, Rows
from services.storage import readings
from services.storage.database import Connection

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]

LONGEST: Final = timedelta(hours=2)
"""Registers further apart say nothing about any one hour."""
_RESET_BELOW: Final = 0.9
_NEAR_THE_END: Final = 0.9
_PLACES: Final = 9
"""Decimals of a counted kWh: what binary fractions add to the digits of a meter is taken off."""


def counted_kwh(start_kwh: Floats, end_kwh: Floats, width_kwh: Floats) -> Floats:
    """Energy counted between two registers [kWh, n]; NaN where they do not tell.

    Args:
        start_kwh: the register [n].
        end_kwh: the next one [n].
        width_kwh: where the register starts again from zero [n]; NaN where that is unknown.

    """
    with np.errstate(invalid="ignore"):
        counted = np.where(end_kwh >= start_kwh, end_kwh - start_kwh, np.nan)
        counted = np.where(end_kwh < _RESET_BELOW * start_kwh, end_kwh, counted)
        ran_over = (
            (start_kwh <= width_kwh)
            & (start_kwh >= _NEAR_THE_END * width_kwh)
            & (end_kwh <= (1 - _NEAR_THE_END) * width_kwh)
        )
        counted = np.where(ran_over, end_kwh + width_kwh - start_kwh, counted)
        counted = np.where((start_kwh >= 0) & (end_kwh >= 0), counted, np.nan)
    return np.asarray(np.round(counted, _PLACES))


def mean_power_kw(
    start_us: Integers, start_kwh: Floats, end_us: Integers, end_kwh: Floats, width_kwh: Floats
) -> Floats:
    """Mean power between two registers [kW, n], never negative; NaN where they do not tell.

    Args:
        start_us: when the register was read [µs, n].
        start_kwh: the register [n].
        end_us: when the next one was read, later [µs, n].
        end_kwh: the next one; NaN where there is none [n].
        width_kwh: where the register starts again from zero; NaN where that is unknown [n].

    """
    length_us = end_us - start_us
    with np.errstate(invalid="ignore", divide="ignore"):
        power = counted_kwh(start_kwh, end_kwh, width_kwh) * HOUR_US / length_us
        known = (length_us > 0) & (length_us <= LONGEST // timedelta(microseconds=1)) & (power <= MOST_POWER_KW)
    return np.where(known, power, np.nan)


def derive(connection: Connection, touched: Rows) -> tuple[Integers, Integers]:
    """Bring the power of the registers around these rows, which are in the table, up to date in the same transaction.

    Args:
        connection: in a transaction.
        touched: rows of table `energy` that were written or completed.

    Returns:
        Sensors and times [µs since 1970 UTC] of the rows whose power changed.

    """
    steps = readings.register_steps(connection, touched.sensor_id.tolist(), touched.observed_us.tolist(), LONGEST)
    if not steps:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    columns = list(zip(*steps, strict=True))
    sensors, start_us = (np.array(column, dtype=np.int64) for column in columns[:2])
    known, start_kwh, end_kwh, width_kwh = (np.array(columns[place], dtype=np.float64) for place in (2, 3, 5, 6))
    end_us = np.array([us if us is not None else 0 for us in columns[4]], dtype=np.int64)
    power = mean_power_kw(start_us, start_kwh, end_us, end_kwh, width_kwh).astype(np.float32).astype(np.float64)
    changed = np.flatnonzero(~((power == known) | (np.isnan(power) & np.isnan(known))))
    if len(changed):
        readings.set_register_power(
            connection,
            sensors[changed].tolist(),
            start_us[changed].tolist(),
            [None if np.isnan(kw) else kw for kw in power[changed].tolist()],
            [columns[7][place] for place in changed.tolist()],
        )
    return sensors[changed], start_us[changed]
