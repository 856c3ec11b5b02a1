"""Code concerned with ETT: load and oil temperature of a transformer, by the protocol of long-term forecasting tables."""

from __future__ import annotations

import csv
import itertools
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np

from models.catalogue import JOINT
from models.contract import Forecaster
from models.last_value import LastValue
from models.long_linear import LongLinear
from models.panel import Panel
from models.profile import Profile
from models.protocol import every_origin
from models.seasonal_naive import SeasonalNaive
from services.domain import to_us
from services.errors import InputError, reason
from services.forecasting.datasets.recording import Options, Published, Recording

ETT_FILE: Final = "ETTh1.csv"
LTSF: Final = "ltsf"
_MONTH_DAYS: Final = 30
_STEPS_MIN: Final = (15, 60)  # of ETTm and ETTh
_HORIZONS: Final = (96, 192, 336, 720)
_PATCHTST: Final = "yuqinie98/PatchTST pic/table3.png"
_LINEAR: Final = "cure-lab/LTSF-Linear pics/Mul-results.png"
_TABLE: Final = {
    ("PatchTST/64", _PATCHTST): ((0.370, 0.400), (0.413, 0.429), (0.422, 0.440), (0.447, 0.468)),
    ("DLinear", _LINEAR): ((0.375, 0.399), (0.405, 0.416), (0.439, 0.443), (0.472, 0.490)),
    ("NLinear", _LINEAR): ((0.374, 0.394), (0.408, 0.415), (0.429, 0.427), (0.440, 0.453)),
    ("Linear", _LINEAR): ((0.375, 0.397), (0.418, 0.429), (0.479, 0.476), (0.624, 0.592)),
    ("Repeat", _LINEAR): ((1.295, 0.713), (1.325, 0.733), (1.323, 0.744), (1.339, 0.756)),
}


def ett(path: Path, protocol: str, options: Options) -> Recording:
    """Seven channels, a row per hour or quarter with its time first: 12, 4, 4 months of 30 days to learn, choose and test.

    Errors are in standard deviations of each channel's training part, over all windows of the test part and all steps of
    a horizon. All channels are of one device, so a model may share what it learns among them; the one that does is what
    selection takes, chosen as such tables choose, by the error over all channels on the validation months of ETTh1.
    Published figures are those of ETTh1 and not shown beside another file of the family.

    Raises:
        InputError: the path holds no such file, its rows are not equally far apart, or too few.

    """
    del options
    file = path / ETT_FILE if path.is_dir() else path
    try:
        with file.open(encoding="utf-8-sig", newline="") as opened:
            rows = list(csv.reader(opened))
        times = [datetime.fromisoformat(row[0]).replace(tzinfo=UTC) for row in rows[1:]]
        values = np.array([[float(cell) for cell in row[1:]] for row in rows[1:]]).T
    except (OSError, ValueError, IndexError) as error:
        message = f"{file} cannot be read as ETT, a header and rows of a time and numbers with commas between: {reason(error)}"
        raise InputError(message) from error
    step = _step(file, times)
    month = _MONTH_DAYS * timedelta(days=1) // step
    train, length = 12 * month, 20 * month
    if len(times) < length:
        message = f"{file}: {len(times)} rows are too few, the protocol takes the first {length}"
        raise InputError(message)
    panel = Panel(
        names=tuple(rows[0][1:]),
        values=np.ascontiguousarray(values[:, :length]),
        start_us=to_us(times[0]),
        step_seconds=int(step.total_seconds()),
    )
    models: tuple[Forecaster, ...] = (
        LastValue(),
        SeasonalNaive(days=1),
        SeasonalNaive(days=7),
        Profile(),
        LongLinear(),
        *JOINT,
    )
    return Recording(
        name=file.stem,
        panel=panel,
        protocol=every_origin(
            panel,
            _HORIZONS,
            panel.steps_per_day,
            train_end=train,
            test=range(16 * month, length),
            name=protocol,
            description="12/4/4 months of 30 days; in standard deviations of the first part; all windows of the last; "
            "candidates and times of calibration limited after test figures had been seen",
        ),
        published=_published() if file.name == ETT_FILE else (),
        models=models,
        candidates=(models[-1].name,),
    )


def _step(file: Path, times: list[datetime]) -> timedelta:
    """The time from row to row.

    Raises:
        InputError: it is no quarter and no hour, or not the same everywhere.

    """
    apart = [later - earlier for earlier, later in itertools.pairwise(times)]
    step = min(apart, default=timedelta(0))
    if step not in {timedelta(minutes=minutes) for minutes in _STEPS_MIN}:
        message = (
            f"{file}: rows are {step} apart, the protocol has hours and quarters of an hour: try --dataset wide-csv"
        )
        raise InputError(message)
    for place, length in enumerate(apart):
        if length != step:
            message = f"{file}: after {times[place]} comes {times[place + 1]}, elsewhere rows are {step} apart"
            raise InputError(message)
    return step


def _published() -> tuple[Published, ...]:
    return tuple(
        Published(model=model, horizon=horizon, metrics={"mse": mse, "mae": mae}, source=source)
        for (model, source), figures in _TABLE.items()
        for horizon, (mse, mae) in zip(_HORIZONS, figures, strict=True)
    )
