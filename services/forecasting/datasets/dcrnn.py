"""Code concerned with METR-LA and PEMS-BAY: road speeds in the files of DCRNN, by the protocol that papers share."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from models.calendar import DAY_S, Calendar
from models.last_value import LastValue
from models.network import Network
from models.panel import LARGEST, Panel, Values
from models.protocol import Protocol, validation_origins
from models.seasonal_naive import SeasonalNaive
from services.errors import InputError, reason
from services.forecasting.datasets.recording import Options, Published, Recording

MASKED: Final = "masked"
_STEP_S: Final = 300
_HOUR: Final = 12  # steps of input and of output
_HORIZONS: Final = (3, 6, 12)
_SPARSEST: Final = 10  # times as many five minutes as rows
_Table = dict[tuple[str, str], tuple[tuple[float, float, float], ...]]
"""MAE, RMSE and MAPE [%] at each horizon, by model and source."""
_TRAIN, _TEST = 0.7, 0.2
_D2STGNN: Final = "zezhishao/D2STGNN@82c2d38 figures/TheTable.png"
_STD_MAE: Final = "Jimmy-7664/STD-MAE@29fba76 results"
_METR_LA: Final[_Table] = {
    ("VAR", _D2STGNN): ((4.42, 7.80, 13.0), (5.41, 9.13, 12.7), (6.52, 10.11, 15.8)),
    ("FC-LSTM", _D2STGNN): ((3.44, 6.30, 9.6), (3.77, 7.23, 10.09), (4.37, 8.69, 14.0)),
    ("DCRNN", "liyaguang/DCRNN README.md"): ((2.67, 5.17, 6.84), (3.08, 6.30, 8.38), (3.56, 7.52, 10.30)),
    ("Graph WaveNet", _D2STGNN): ((2.69, 5.15, 6.90), (3.07, 6.22, 8.37), (3.53, 7.37, 10.01)),
    ("D2STGNN", _D2STGNN): ((2.56, 4.88, 6.48), (2.90, 5.89, 7.78), (3.35, 7.03, 9.40)),
    ("STD-MAE", _STD_MAE): ((2.62, 5.02, 6.70), (2.99, 6.07, 8.04), (3.40, 7.07, 9.59)),
}
_PEMS_BAY: Final[_Table] = {
    ("VAR", _D2STGNN): ((1.74, 3.16, 3.6), (2.32, 4.25, 5.0), (2.93, 5.44, 6.5)),
    ("FC-LSTM", _D2STGNN): ((2.05, 4.19, 4.8), (2.20, 4.55, 5.2), (2.37, 4.96, 5.7)),
    ("DCRNN", "liyaguang/DCRNN README.md"): ((1.31, 2.76, 2.74), (1.66, 3.78, 3.76), (1.98, 4.62, 4.74)),
    ("Graph WaveNet", _D2STGNN): ((1.30, 2.74, 2.73), (1.63, 3.70, 3.67), (1.95, 4.52, 4.63)),
    ("D2STGNN", _D2STGNN): ((1.24, 2.60, 2.58), (1.55, 3.52, 3.49), (1.85, 4.30, 4.37)),
    ("STD-MAE", _STD_MAE): ((1.23, 2.62, 2.56), (1.53, 3.53, 3.42), (1.77, 4.20, 4.17)),
}


def metr_la(path: Path, protocol: str, options: Options) -> Recording:
    """METR-LA, `metr-la.h5` or its folder."""
    del options
    return _recording("metr_la", path, "metr-la.h5", protocol, _METR_LA)


def pems_bay(path: Path, protocol: str, options: Options) -> Recording:
    """PEMS-BAY, `pems-bay.h5` or its folder."""
    del options
    return _recording("pems_bay", path, "pems-bay.h5", protocol, _PEMS_BAY)


def _recording(name: str, path: Path, usual: str, protocol: str, table: _Table) -> Recording:
    """Speeds [mph] every five minutes; a zero is a missing value, as in all published tables.

    Windows of an hour in and an hour out, the first 70 % to learn, the last 20 % to test, counted as DCRNN counts them
    except that a gap between the file's times is a gap here; errors at the last step of a horizon, masked.

    Raises:
        InputError: h5py is not installed, or the path does not hold such a file.

    """
    panel = _panel(path / usual if path.is_dir() else path)
    windows = panel.length - 2 * _HOUR + 1
    learnt, tested = round(_TRAIN * windows), round(_TEST * windows)
    models = (LastValue(), SeasonalNaive(days=1), SeasonalNaive(days=7), Network())
    return Recording(
        name=name,
        panel=panel,
        protocol=Protocol(
            name=protocol,
            description=(
                f"speed [mph] of {panel.sensors} sensors every 5 min, zeros are missing; 70/10/20 by windows, at the last "
                f"step of a horizon"
            ),
            horizons=_HORIZONS,
            train_end=learnt + _HOUR,
            validation=validation_origins(learnt + _HOUR, windows - tested + _HOUR),
            test=np.arange(windows - tested + _HOUR, windows + _HOUR),
            season=_HOUR,
            whole=True,
            fitted_to=learnt + 2 * _HOUR - 1,
            recalibrated=DAY_S // _STEP_S,
        ),
        published=tuple(
            Published(model=model, horizon=horizon, metrics=_figures(figures), source=source)
            for (model, source), by_horizon in table.items()
            for horizon, figures in zip(_HORIZONS, by_horizon, strict=True)
        ),
        models=models,
        candidates=tuple(one.name for one in models),
    )


def _figures(printed: tuple[float, float, float]) -> dict[str, float]:
    """As printed, with MAPE as a share instead of per cent."""
    mae, rmse, mape = printed
    return {"mae": mae, "rmse": rmse, "mape": mape / 100}


def _panel(file: Path) -> Panel:
    """A table that pandas wrote in its fixed format: names, times and one block of numbers."""
    try:
        import h5py
    except ImportError as error:
        message = f"{file} is HDF5: install its reader with `pip install h5py`, or the extra `arterial[h5]`"
        raise InputError(message) from error
    try:
        with h5py.File(file, "r") as opened:
            table: Any = opened[next(iter(opened))]
            names = tuple(one.decode() if isinstance(one, bytes) else str(one) for one in table["axis0"][:])
            times = _microseconds(table["axis1"])
            values = np.asarray(table["block0_values"][:], dtype=np.float64)
    except (OSError, KeyError, StopIteration, TypeError, ValueError) as error:
        message = f"{file} cannot be read as a table of speeds that pandas wrote to HDF5: {reason(error)}"
        raise InputError(message) from error
    step_us = _STEP_S * 1_000_000
    if values.shape != (len(times), len(names)) or len(times) < 4 * _HOUR or (times % step_us).any():
        message = f"{file}: {values.shape} numbers for {len(times)} times on five minutes and {len(names)} sensors"
        raise InputError(message)
    wrong = _wrong(names, times, values)
    if wrong is not None:
        message = f"{file}: {wrong}"
        raise InputError(message)
    columns = (times - times[0]) // step_us
    grid = np.full((len(names), int(columns[-1]) + 1), np.nan)
    grid[:, columns] = np.where(values == 0, np.nan, values).T
    return Panel(
        names=names,
        values=grid,
        start_us=int(times[0]),
        step_seconds=_STEP_S,
        calendar=Calendar(country="US", region="CA"),
        nonnegative=True,
    )


def _wrong(names: tuple[str, ...], times: NDArray[np.int64], values: Values) -> str | None:
    """What keeps a table from being measured, None where nothing does."""
    if len(set(names)) < len(names):
        return "two sensors have the same name"
    if (np.diff(times) <= 0).any():
        return "its times are not in ascending order"
    if times[-1] - times[0] > _SPARSEST * len(times) * _STEP_S * 1_000_000:
        return "hardly any of its five minutes have a row; is one of the times wrong?"
    if np.isinf(values).any() or np.nanmax(np.abs(values), initial=0.0) > LARGEST:
        return "it holds a number that is no speed"
    if not (np.isfinite(values) & (values != 0)).any():
        return "it holds no speed at all, only zeros and missing values"
    return None


def _microseconds(axis: Any) -> NDArray[np.int64]:
    """Times since 1970 in microseconds; pandas names the unit beside them, and means nanoseconds where it names none."""
    kind = axis.attrs.get("kind", "")
    text = kind.decode() if isinstance(kind, bytes) else str(kind)
    unit = text.partition("[")[2].partition("]")[0] or "ns"
    stamps = np.asarray(axis[:], dtype=np.int64).view(f"datetime64[{unit}]")
    return np.asarray(stamps.astype("datetime64[us]").astype(np.int64))
