"""Code concerned with the load of Great Britain's grid, half-hourly, 2011 to 2016, forecast day-ahead from midnight."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from models.calendar import Calendar
from models.calendar_ridge import CalendarRidge
from models.load_ridge import LoadRidge
from models.panel import Panel
from models.profile import Profile
from models.protocol import Protocol, Span
from models.seasonal_naive import SeasonalNaive
from services.errors import InputError, reason
from services.forecasting.covariate_files import Key, Said
from services.forecasting.datasets.recording import Options, Recording
from services.forecasting.evaluation import informed

GB_FILE: Final = "gb_load.parquet"
_STEP_S: Final = 1800
_DAY: Final = 48
_TEST_DAYS: Final = 365
_VALIDATION_DAYS: Final = 364
_EARLY_US: Final = 3_600_000_000  # the file's stamps are an hour before true UTC
_KNOWN_BEFORE_US: Final = 5 * 86_400_000_000
_PLAIN, _OBSERVED = "day-ahead", "observed-temperature"
_TEMPERATURE: Final = {
    _PLAIN: "without temperature",
    _OBSERVED: "with the temperature measured by then",
    "known-temperature": "with the temperature of the day itself, which nobody can know",
}
PROTOCOLS: Final = tuple(_TEMPERATURE)
_MODELS: Final = (SeasonalNaive(days=1), SeasonalNaive(days=7), Profile(), CalendarRidge(), LoadRidge())


def gb_load(path: Path, protocol: str, options: Options) -> Recording:
    """Load in MW; public holidays and some weeks are not in the file and are missing here.

    Every local midnight of the last 365 days is an origin of 48 half-hours. By protocol the temperature of the file is not
    used (`day-ahead`), known half an hour after it was measured (`observed-temperature`), or known days before, as no
    forecast of the weather could (`known-temperature`): what weather can bring at most.

    Raises:
        InputError: the path does not hold such a file.

    """
    del options
    file = path / GB_FILE if path.is_dir() else path
    try:
        table = pq.read_table(file, columns=["time_utc", "load_mw", *([] if protocol == _PLAIN else ["temperature_c"])])
        times = table["time_utc"].to_numpy().astype("datetime64[us]").astype(np.int64) + _EARLY_US
        load = table["load_mw"].to_numpy().astype(np.float64)
    except (OSError, pa.ArrowException, KeyError) as error:
        message = f"{file} cannot be read as a table of time_utc and load_mw: {reason(error)}"
        raise InputError(message) from error
    said: dict[Key, Said] = {}
    if protocol != _PLAIN:
        degrees = table["temperature_c"].to_numpy().astype(np.float64)
        known = np.isfinite(degrees)
        after = _STEP_S * 1_000_000 if protocol == _OBSERVED else -_KNOWN_BEFORE_US
        said["temperature_c", None] = Said(valid_us=times[known], issued_us=times[known] + after, values=degrees[known])
    start = int(times.min()) // (_STEP_S * 1_000_000) * _STEP_S * 1_000_000
    columns = (times - start) // (_STEP_S * 1_000_000)
    values = np.full((1, int(columns.max()) + 1), np.nan)
    values[0, columns] = load
    panel = Panel(
        names=("GB",),
        values=values,
        start_us=start,
        step_seconds=_STEP_S,
        calendar=Calendar(zone="Europe/London", country="GB", region="ENG"),
        nonnegative=True,
    )
    _, slots = panel.local(0, panel.length)
    midnights = np.flatnonzero(slots == 0)
    midnights = midnights[midnights + _DAY <= panel.length]
    if len(midnights) < 2 * _TEST_DAYS + _VALIDATION_DAYS:
        message = f"{file}: {len(midnights)} whole days are too few; at least three years are needed"
        raise InputError(message)
    validation = midnights[-_TEST_DAYS - _VALIDATION_DAYS : -_TEST_DAYS]
    recording = Recording(
        name="gb_load",
        panel=panel,
        protocol=Protocol(
            name=protocol,
            description=(
                f"24 h from each local midnight of the last {_TEST_DAYS} days, {_TEMPERATURE[protocol]}; "
                f"chosen on the {_VALIDATION_DAYS} days before; fitted anew every 28 days"
            ),
            horizons=(_DAY,),
            train_end=int(validation[0]),
            validation=validation,
            test=midnights[-_TEST_DAYS:],
            season=7 * _DAY,
            span=Span.THROUGH,
            whole=True,
            refit=28 * _DAY,
            headline="mape",
        ),
        models=_MODELS,
        candidates=tuple(one.name for one in _MODELS),
    )
    return informed(recording, said) if said else recording
