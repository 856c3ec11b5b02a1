"""Code concerned with any table that has times down and sensors across."""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Final
from zoneinfo import available_timezones

import holidays
import numpy as np
from numpy.typing import NDArray

from models import catalogue
from models.calendar import DAY_S, Calendar
from models.panel import Panel, Values
from models.protocol import rolling
from services.errors import InputError, reason
from services.forecasting.cells import measured, time_us
from services.forecasting.datasets.recording import Options, Recording

_MISSING: Final = frozenset({"", "na", "nan", "null", "none", "-"})
_FREQUENCY: Final = re.compile(r"^(\d*)\s*(s|min|h|d)$")
_UNIT_S: Final = {"s": 1, "min": 60, "h": 3600, "d": DAY_S}
_YEARS: Final = range(1900, 2200)
_LONGEST_STEPS: Final = 5_000_000
_MOST_ORIGINS: Final = 4_000
_TRAIN_OF_REST: Final = 0.875  # the other eighth is validation


def wide_csv(path: Path, protocol: str = "rolling", options: Options | None = None) -> Recording:
    """Any table: the first column is time, every other column one sensor. Its step says which models are tried.

    Args:
        path: a CSV file with a header; commas, semicolons, tabs or spaces between the fields; where it is no comma,
            numbers may have a decimal comma.
        protocol: `rolling` is the only one.
        options: `freq` is the step, such as `15min` or `1h`, else the commonest distance between times; `horizon` the
            furthest step ahead, else a day; `season` the period of MASE in steps, else a week, or a day where the
            recording is short; `country` ISO 3166, with a region after a hyphen where wanted (`DE-BE`), for public
            holidays; `zone` the IANA time zone in whose local days the profile is taken (times without an offset are UTC);
            `test_share` the last part of the recording that is measured.

    Raises:
        InputError: what is wrong, in which row and column.

    """
    asked = options or Options()
    calendar = _calendar(asked.zone, asked.country)
    names, times, cells = _table(path)
    step = _step(asked.freq, times, path)
    columns = (times - times.min()) // (step * 1_000_000)
    start = int(times.min()) // (step * 1_000_000) * step * 1_000_000
    length = int(columns.max()) + 1
    if length > _LONGEST_STEPS:
        message = f"{path}: steps of {step} s from first to last time are {length} rows; is one of the times wrong?"
        raise InputError(message)
    total, count = np.zeros((length, len(names))), np.zeros((length, len(names)))
    known = np.isfinite(cells)
    np.add.at(total, columns, np.where(known, cells, 0.0))
    np.add.at(count, columns, known)
    values = np.where(count > 0, total / np.maximum(count, 1), np.nan)
    panel = Panel(
        names=names,
        values=np.ascontiguousarray(values.T),
        start_us=start,
        step_seconds=step,
        calendar=calendar,
        nonnegative=bool(np.nanmin(values, initial=0.0) >= 0),
    )
    tested = panel.values[:, length - max(1, round(length * asked.test_share)) :]
    if not np.isfinite(tested).any():
        message = (
            f"{path}: the last {asked.test_share:.0%} of the time, which is measured, holds no value: see --test-share"
        )
        raise InputError(message)
    day = panel.steps_per_day
    furthest = asked.horizon if asked.horizon is not None else day
    hours = (max(1, hour * 3600 // step) for hour in (1, 3, 6, 12, 24))
    horizons = tuple(sorted({1, furthest, *(lead for lead in hours if lead < furthest)}))
    period = asked.season if asked.season is not None else (7 * day if length >= 28 * day else day)
    train = (1 - asked.test_share) * _TRAIN_OF_REST
    models = catalogue.for_steps(step)
    return Recording(
        name=path.stem,
        panel=panel,
        protocol=rolling(
            length,
            horizons,
            period,
            description=(
                f"{panel.sensors} series of {length} steps of {step} s; "
                f"{train:.0%} training, last {asked.test_share:.0%} test; masked; MASE period {period}"
            ),
            name=protocol,
            train=train,
            test=asked.test_share,
            stride=stride(panel, round(length * asked.test_share)),
        ),
        models=models,
        candidates=tuple(one.name for one in models),
    )


def stride(panel: Panel, test_steps: int) -> int:
    """1, or what keeps the origins of a long recording below 4,000; never a divisor of the day, so all hours count."""
    wanted = max(1, -(-test_steps // _MOST_ORIGINS))
    while wanted > 1 and panel.steps_per_day % wanted == 0:
        wanted += 1
    return wanted


def _calendar(zone: str, country: str | None) -> Calendar:
    if zone not in available_timezones():
        message = f"--zone {zone!r} is not an IANA time zone such as Europe/Berlin"
        raise InputError(message)
    if country is None:
        return Calendar(zone=zone)
    code, _, region = country.partition("-")
    try:
        holidays.country_holidays(code, subdiv=region or None, years=[2024])
    except NotImplementedError as error:
        message = f"--country {country!r}: {error}; write ISO 3166 such as DE or DE-BE"
        raise InputError(message) from error
    return Calendar(zone=zone, country=code, region=region or None)


def _table(path: Path) -> tuple[tuple[str, ...], NDArray[np.int64], Values]:
    """Names, times [µs since 1970] and values (rows x sensors) of a file."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        message = f"{path} cannot be read as UTF-8 text: {reason(error)}"
        raise InputError(message) from error
    lines = text.splitlines()
    separator = _separator([line for line in lines if line.strip()][:2])
    reader = csv.reader(lines, delimiter=separator)
    rows = [(reader.line_num, row) for row in reader if row]
    names = tuple(name.strip() for name in rows[0][1][1:]) if rows else ()
    if not names or len(rows) < 3:
        message = f"{path}: a header with a time column and at least one sensor, and two rows, are needed"
        raise InputError(message)
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        message = f"{path}: two columns are named {twice!r}"
        raise InputError(message)
    times = np.empty(len(rows) - 1, dtype=np.int64)
    cells = np.empty((len(rows) - 1, len(names)))
    decimal = "." if separator == "," else ","
    for k, (number, row) in enumerate(rows[1:]):
        if len(row) != len(names) + 1:
            message = f"{path}, row {number}: {len(row)} fields where the header has {len(names) + 1}"
            raise InputError(message)
        times[k] = _time(row[0], path, number)
        cells[k] = [
            _value(cell.replace(decimal, ".", 1), path, number, name) for cell, name in zip(row[1:], names, strict=True)
        ]
    if not np.isfinite(cells).any():
        message = f"{path}: no column holds any value"
        raise InputError(message)
    return names, times, cells


def _separator(lines: list[str]) -> str:
    """What stands between the fields: most often in the header, if the row below has as many fields; a space comes last.

    Names of sensors may hold spaces and commas, and times a space.
    """
    fields = {mark: [len(row) for row in csv.reader(lines, delimiter=mark)] for mark in ",;\t "}
    for marks in (",;\t", " "):
        agreed = [mark for mark in marks if len(set(fields[mark])) == 1 and fields[mark][0] > 1]
        if agreed:
            return max(agreed, key=lambda mark: fields[mark][0])
    return max(fields, key=lambda mark: max(fields[mark][:1], default=0))


def _time(text: str, path: Path, row: int) -> int:
    try:
        return time_us(text, _YEARS)
    except ValueError as error:
        message = f"{path}, row {row}, column 1: {error}"
        raise InputError(message) from error


def _value(text: str, path: Path, row: int, name: str) -> float:
    if text.strip().lower() in _MISSING:
        return float("nan")
    try:
        return measured(text)
    except ValueError as error:
        message = f"{path}, row {row}, column {name!r}: {error}; leave missing values empty"
        raise InputError(message) from error


def _step(freq: str | None, times: NDArray[np.int64], path: Path) -> int:
    """The step in seconds, asked for or the commonest distance."""
    if freq is None:
        gaps = np.diff(np.unique(times)) // 1_000_000
        if not len(gaps):
            message = f"{path}: all rows have the same time"
            raise InputError(message)
        found, often = np.unique(gaps, return_counts=True)
        step = int(found[np.argmax(often)])
    else:
        match = _FREQUENCY.match(freq.strip().lower())
        if match is None:
            message = f"--freq {freq!r}: write a step such as 5min, 15min, 1h or 1d"
            raise InputError(message)
        step = int(match[1] or 1) * _UNIT_S[match[2]]
    if step <= 0 or DAY_S % step:
        message = f"{path}: a step of {step} s does not divide a day; give one that does with --freq, such as 15min"
        raise InputError(message)
    return step
