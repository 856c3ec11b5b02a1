"""Code concerned with I-5 in San Diego: speed, flow and occupancy of 115 stations a direction, every five minutes."""

from __future__ import annotations

import csv
import gzip
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np

from models.calendar import Calendar
from models.last_value import LastValue
from models.network import Network
from models.panel import Panel, Values
from models.profile import Profile
from models.protocol import Protocol
from models.seasonal_naive import SeasonalNaive
from services.domain import to_us
from services.errors import InputError, reason
from services.forecasting.datasets.recording import Options, Recording

PROTOCOLS: Final = ("north", "south")
_FILE: Final = "I5{}_train_detector_states_3days.csv.gz"
_QUANTITIES: Final = ("speed", "flow", "occupancy")
_STEP_S: Final = 300
_DAY: Final = 288
_HOUR: Final = 12
_HORIZONS: Final = (3, 6, 12)
_REACH: Final = 10  # stations up and down the road that can matter


def i5(path: Path, protocol: str, options: Options) -> Recording:
    """One direction: fitted to all recorded days but the last, whose every window is the test.

    Choices are made on the last day of training, by models fitted to the days before that, and between the two network
    models alone, as one day says too little about one sensor. Days need not follow each other; what lies between is missing. Stamps are local clock time in spite of their `Z`. Imputed rows
    (`is_observed` 0) are missing. Speed in km/h, flow in vehicles an hour over all lanes, occupancy 0 to 1.

    Args:
        path: the folder, or one file of detector states.
        protocol: `north` or `south`.
        options: `quantity` is speed, flow or occupancy.

    Raises:
        InputError: the path does not hold such a file, or fewer than three days.

    """
    quantity = options.quantity or "speed"
    if quantity not in _QUANTITIES:
        message = f"--quantity {quantity!r}: I-5 has {', '.join(_QUANTITIES)}"
        raise InputError(message)
    file = path / _FILE.format(protocol[0].upper()) if path.is_dir() else path
    panel, days = _panel(file, quantity)
    if len(days) < 3:
        message = f"{file}: {len(days)} recorded days; three are needed, to learn, to choose and to test"
        raise InputError(message)
    last, before = days[-1], days[-2]
    origins = np.arange(_HOUR, _DAY - _HOUR + 1)
    near = tuple(
        tuple(k for k in range(row - _REACH, row + _REACH + 1) if k != row and 0 <= k < panel.sensors)
        for row in range(panel.sensors)
    )
    models = (
        LastValue(), SeasonalNaive(days=1), Profile(), Network(), Network(near=near, name="network_roads"),
    )  # fmt: skip
    return Recording(
        name="i5_sandiego",
        panel=panel,
        protocol=Protocol(
            name=protocol,
            description=(
                f"{quantity} of {panel.sensors} stations every 5 min; fitted to {len(days) - 1} days, the last of them for "
                f"choices, tested on every window of the next recorded day; "
                "candidates and times of calibration limited after test figures had been seen"
            ),
            horizons=_HORIZONS,
            train_end=before,
            validation=before + origins,
            test=last + origins,
            season=_HOUR,
            whole=True,
            fitted_to=before + _DAY,
            recalibrated=_HOUR,
        ),
        models=models,
        candidates=("network", "network_roads"),
    )


def _panel(file: Path, quantity: str) -> tuple[Panel, list[int]]:
    """All stations in order of their mileposts, and the columns at which recorded days begin."""
    try:
        with gzip.open(file, "rt", encoding="utf-8-sig", newline="") as opened:
            rows = list(csv.DictReader(opened))
        places = {row["station_id"]: float(row["milepost"]) for row in rows}
        cells = [
            (row["timestamp"], row["station_id"], float(row[quantity]) if row["is_observed"] == "1" else np.nan)
            for row in rows
            if row[quantity].strip()
        ]
        stamps = {stamp: to_us(datetime.fromisoformat(stamp.rstrip("Z")).replace(tzinfo=UTC)) for stamp, _, _ in cells}
    except (OSError, EOFError, ValueError, KeyError) as error:
        message = f"{file} cannot be read as detector states of I-5, a gzipped CSV: {reason(error)}"
        raise InputError(message) from error
    if not cells:
        message = f"{file}: no row has a value of {quantity}"
        raise InputError(message)
    names = tuple(sorted(places, key=lambda name: (places[name], name)))
    rank = {name: row for row, name in enumerate(names)}
    day_us = _DAY * _STEP_S * 1_000_000
    start = min(stamps.values()) // day_us * day_us
    recorded = sorted({(moment - start) // day_us for moment in stamps.values()})
    values: Values = np.full((len(names), (recorded[-1] + 1) * _DAY), np.nan)
    for stamp, name, value in cells:
        values[rank[name], (stamps[stamp] - start) // (_STEP_S * 1_000_000)] = value
    panel = Panel(
        names=names,
        values=values,
        start_us=start,
        step_seconds=_STEP_S,
        calendar=Calendar(country="US", region="CA"),
        nonnegative=True,
    )
    return panel, [day * _DAY for day in recorded]
