"""Code concerned with reading what others know about times to come: weather and events in long form, as CSV."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.calendar import DAY_S, Calendar
from models.covariates import Course, Covariates
from services.domain import from_us
from services.errors import InputError, reason
from services.forecasting.cells import measured, time_us

OBSERVED_AFTER: Final = timedelta(hours=1)
"""A value without a time of issue is an observation, and known so long after the time it is of."""
MOST_VARIABLES: Final = 16
SCHOOL_BREAK: Final = "school_break"
"""The variable that school holidays make."""

_REQUIRED: Final = frozenset({"variable", "valid_at", "value"})
_COLUMNS: Final = _REQUIRED | {"issued_at", "district"}
_LARGEST_FILE: Final = 500_000_000
_MOST_ROWS: Final = 5_000_000
_MOST_DISTRICTS: Final = 500
_NAME: Final = re.compile(r"^[a-z][a-z0-9_]{0,39}$")
_YEARS: Final = range(1970, 2101)
_DAY_US: Final = 86_400_000_000
_HOUR_US: Final = 3_600_000_000
_AHEAD_US: Final = 400 * _DAY_US
_AROUND_DAYS: Final = 60

Key = tuple[str, str | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """All values of one variable in one district, None is everywhere: times and times of issue [µs since 1970 UTC]."""

    valid_us: NDArray[np.int64]
    issued_us: NDArray[np.int64]
    values: NDArray[np.float64]

    @property
    def forecasts(self) -> int:
        """How many were issued before the time they are of."""
        return int((self.issued_us < self.valid_us).sum())


def read_covariates(file: Path) -> dict[Key, Said]:
    """The values of a file by variable and district.

    Args:
        file: CSV with a header of `variable`, `valid_at`, `value` and if wanted `issued_at` and `district`, in any order.
            A row whose issue is before the time it is of is a forecast; one without is an observation.

    Raises:
        InputError: what is wrong, in which line.

    """
    rows: dict[Key, tuple[list[int], list[int], list[float]]] = {}
    names: set[str] = set()
    for number, told in _rows(file):
        variable, district = told["variable"], told.get("district") or None
        if (variable, district) not in rows:
            names.add(variable)
            _check_key(variable, names, len(rows), file, number)
        valid = _time(told["valid_at"], "valid_at", file, number)
        issue = told.get("issued_at")
        issued = (
            _time(issue, "issued_at", file, number) if issue else valid + OBSERVED_AFTER // timedelta(microseconds=1)
        )
        if valid - issued > _AHEAD_US:
            message = f"{file}, line {number}: issued more than 400 days before {told['valid_at']}; is one of the times wrong?"
            raise InputError(message)
        valids, issues, values = rows.setdefault((variable, district), ([], [], []))
        valids.append(valid)
        issues.append(issued)
        values.append(_value(told["value"], file, number))
    if not rows:
        message = f"{file} has no rows below its header"
        raise InputError(message)
    return {key: _sorted(key, *lists, file) for key, lists in rows.items()}


def covariates_of(said: Mapping[Key, Said], districts: Sequence[str | None]) -> Covariates | None:
    """What was said as models take it, for sensors in these districts; None where nothing was.

    What was said of a sensor's district goes before what was said of everywhere.
    """
    names = tuple(sorted({variable for variable, _ in said}))
    if not names:
        return None
    special = {district for _, district in said if district is not None}
    places: list[str | None] = [None, *sorted(special & {one for one in districts if one is not None})]
    courses = {key: Course.of(one.valid_us, one.issued_us, one.values) for key, one in said.items()}
    return Covariates(
        names=names,
        courses=tuple(
            tuple(courses.get((name, place), courses.get((name, None))) for name in names) for place in places
        ),
        places=np.array([places.index(one) if one in special else 0 for one in districts], dtype=np.int64),
    )


def with_schools(said: Mapping[Key, Said], calendar: Calendar) -> dict[Key, Said]:
    """Besides, whether schools are closed on a working day, for every hour around the calendar's school holidays.

    It is known more than a year before. Without school holidays nothing is added.
    """
    if not calendar.school_breaks:
        return dict(said)
    first, last = calendar.school_breaks[0][0] - _AROUND_DAYS, calendar.school_breaks[-1][1] + _AROUND_DAYS
    times = np.arange(first * _DAY_US, last * _DAY_US, _HOUR_US)
    closed = calendar.school_breaks_at(calendar.local_seconds(times) // DAY_S)
    told = Said(valid_us=times, issued_us=times - _AHEAD_US, values=closed.astype(np.float64))
    return {**said, (SCHOOL_BREAK, None): told}


def described(said: Mapping[Key, Said]) -> list[dict[str, object]]:
    """What there is of each variable, for a program."""
    return [
        {
            "variable": variable,
            "district": district,
            "observations": len(one.values) - one.forecasts,
            "forecasts": one.forecasts,
            "from": from_us(int(one.valid_us.min())),
            "to": from_us(int(one.valid_us.max())),
        }
        for (variable, district), one in said.items()
    ]


def in_words(said: Mapping[Key, Said]) -> Iterator[str]:
    """The same for a person, and what it means where there are no forecasts."""
    for (variable, district), one in said.items():
        where = "" if district is None else f" in {district}"
        seen = len(one.values) - one.forecasts
        span = f"{from_us(int(one.valid_us.min())):%Y-%m-%d} to {from_us(int(one.valid_us.max())):%Y-%m-%d}"
        yield f"{variable}{where}: {seen:,} observations, {one.forecasts:,} forecasts, {span}."
        if not one.forecasts:
            yield f"  No forecast of {variable}: the same time of the newest day stands in, as it could be known then."


def _rows(file: Path) -> Iterator[tuple[int, dict[str, str]]]:
    try:
        if file.stat().st_size > _LARGEST_FILE:
            message = f"{file} is larger than {_LARGEST_FILE:,} bytes; divide it, each part with the header"
            raise InputError(message)
        with file.open(encoding="utf-8-sig", newline="") as lines:
            table = csv.reader(lines)
            names = [name.strip().lower() for name in next(table, [])]
            if not _REQUIRED <= set(names) <= _COLUMNS or len(set(names)) != len(names):
                message = (
                    f"{file}, line 1: the header must be variable,valid_at,value and if wanted issued_at,district, "
                    f"not {','.join(names)!r}"
                )
                raise InputError(message)
            for count, row in enumerate(table):
                if not row:
                    continue
                if len(row) != len(names):
                    message = f"{file}, line {table.line_num}: {len(row)} fields where the header has {len(names)}"
                    raise InputError(message)
                if count >= _MOST_ROWS:
                    message = f"{file} has more than {_MOST_ROWS:,} rows; divide it, each part with the header"
                    raise InputError(message)
                yield table.line_num, dict(zip(names, (cell.strip() for cell in row), strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        message = f"{file} cannot be read as CSV in UTF-8: {reason(error)}"
        raise InputError(message) from error


def _check_key(variable: str, names: set[str], keys: int, file: Path, line: int) -> None:
    if not _NAME.match(variable) or variable == SCHOOL_BREAK:
        message = (
            f"{file}, line {line}: {variable!r} is no name of a variable; write small letters, digits and _, "
            f"with the unit at the end, such as temperature_c ({SCHOOL_BREAK} comes from the list of school holidays)"
        )
        raise InputError(message)
    if len(names) > MOST_VARIABLES:
        message = f"{file}, line {line}: {variable!r} is one more than {MOST_VARIABLES} variables; leave out what matters least"
        raise InputError(message)
    if keys >= MOST_VARIABLES * _MOST_DISTRICTS:
        message = f"{file}, line {line}: more than {_MOST_DISTRICTS} districts"
        raise InputError(message)


def _time(text: str, column: str, file: Path, line: int) -> int:
    try:
        return time_us(text, _YEARS)
    except ValueError as error:
        message = f"{file}, line {line}, {column}: {error}"
        raise InputError(message) from error


def _value(text: str, file: Path, line: int) -> float:
    try:
        return measured(text)
    except ValueError as error:
        message = f"{file}, line {line}, value: {error}; leave out rows whose value is not known"
        raise InputError(message) from error


def _sorted(key: Key, valids: list[int], issues: list[int], values: list[float], file: Path) -> Said:
    """In order of time and issue, each pair once."""
    valid, issued, value = np.array(valids), np.array(issues), np.array(values)
    order = np.lexsort((issued, valid))
    valid, issued, value = valid[order], issued[order], value[order]
    again = np.flatnonzero((np.diff(valid) == 0) & (np.diff(issued) == 0))
    other = again[value[again] != value[again + 1]]
    if len(other):
        k = int(other[0])
        message = (
            f"{file}: {key[0]} at {from_us(int(valid[k])):%Y-%m-%dT%H:%MZ} is both {value[k]:g} and {value[k + 1]:g} as issued "
            f"at {from_us(int(issued[k])):%Y-%m-%dT%H:%MZ}; give what is right a later issued_at"
        )
        raise InputError(message)
    kept = np.ones(len(valid), dtype=np.bool_)
    kept[again] = False
    return Said(valid_us=valid[kept], issued_us=issued[kept], values=value[kept])
