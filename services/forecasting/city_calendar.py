"""Code concerned with the city's calendar, and with reading the file that says when its schools are closed."""

from __future__ import annotations

import csv
from datetime import date
from pathlib import Path
from typing import Final

from models.calendar import Calendar, school_breaks_of
from services.errors import InputError, reason
from services.settings import Settings

_LARGEST_FILE: Final = 1_000_000
_LONGEST_DAYS: Final = 120
_YEARS: Final = range(1970, 2101)
_COLUMNS: Final = frozenset({"start", "end", "region", "name"})


def city_calendar(settings: Settings) -> Calendar:
    """Zone, public holidays and school holidays as the settings say.

    Raises:
        InputError: the file of school holidays cannot be used.

    """
    plain = Calendar(zone=settings.city_timezone, country=settings.city_country, region=settings.city_region)
    return plain if settings.school_holidays is None else with_school_holidays(plain, settings.school_holidays)


def with_school_holidays(calendar: Calendar, file: Path) -> Calendar:
    """A calendar that knows the periods of a CSV file, those of other regions left out.

    Args:
        calendar: whose region counts; with none, all periods do.
        file: a header with `start` and `end`, if wanted `region` (as in ISO 3166-2 without the country) and `name`; then a
            period a line, first and last day as 2026-07-09, both included.

    Raises:
        InputError: what is wrong, in which line.

    """
    periods = [
        (start, end)
        for start, end, region in _periods(file)
        if not region or calendar.region is None or region == calendar.region
    ]
    if not periods:
        message = (
            f"{file}: no period is of region {calendar.region}; write that into the region column, or leave it empty"
        )
        raise InputError(message)
    return Calendar(
        zone=calendar.zone,
        country=calendar.country,
        region=calendar.region,
        school_breaks=school_breaks_of(periods),
    )


def _periods(file: Path) -> list[tuple[date, date, str]]:
    try:
        if file.stat().st_size > _LARGEST_FILE:
            message = f"{file} is larger than {_LARGEST_FILE} bytes, too large for a list of school holidays"
            raise InputError(message)
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        message = f"the school holidays in {file} cannot be read as UTF-8 text: {reason(error)}"
        raise InputError(message) from error
    names = [name.strip().lower() for name in next(csv.reader(lines[:1]), [])]
    if not {"start", "end"} <= set(names) <= _COLUMNS or len(set(names)) != len(names):
        message = f"{file}, line 1: the header must be start,end and if wanted region,name, not {','.join(names)!r}"
        raise InputError(message)
    found = []
    for number, row in enumerate(csv.reader(lines[1:]), start=2):
        if not any(cell.strip() for cell in row):
            continue
        if len(row) != len(names):
            message = f"{file}, line {number}: {len(row)} fields where the header has {len(names)}"
            raise InputError(message)
        told = dict(zip(names, (cell.strip() for cell in row), strict=True))
        start, end = (_day(told[end], file, number) for end in ("start", "end"))
        if not 0 <= (end - start).days < _LONGEST_DAYS:
            message = f"{file}, line {number}: from {start} to {end} is no period of 1 to {_LONGEST_DAYS} days; correct the dates"
            raise InputError(message)
        found.append((start, end, told.get("region", "").upper()))
    if not found:
        message = f"{file} has no period; write a line such as 2026-07-09,2026-08-22, or leave the setting empty"
        raise InputError(message)
    return found


def _day(text: str, file: Path, line: int) -> date:
    try:
        found = date.fromisoformat(text)
    except ValueError as error:
        message = f"{file}, line {line}: {text!r} is not a day; write it like 2026-07-09"
        raise InputError(message) from error
    if found.year not in _YEARS:
        message = f"{file}, line {line}: {text!r} is not between {_YEARS[0]} and {_YEARS[-1]}; correct the year"
        raise InputError(message)
    return found
