"""Code concerned with groups of people by where they live: districts, and the income group the city gives each of them."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import h3

from services.errors import ConfigurationError, reason
from services.storage.overview import District

COLUMNS = ("district", "income_group")


def income_groups(file: Path) -> dict[str, str]:
    """The income group of each district, from the CSV file of the city.

    Raises:
        ConfigurationError: it cannot be read, lacks a column, or names a district twice.

    """
    try:
        with file.open(encoding="utf-8-sig", newline="") as lines:
            reader = csv.DictReader(lines)
            absent = [name for name in COLUMNS if name not in (reader.fieldnames or [])]
            rows = list(reader)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        message = f"ARTERIAL_GOVERNANCE_INCOME_GROUPS names {file}, which cannot be read: {reason(error)}"
        raise ConfigurationError(message) from error
    if absent:
        message = f"{file} has no column {' and '.join(absent)}: its first line must be {','.join(COLUMNS)}"
        raise ConfigurationError(message)
    found: dict[str, str] = {}
    for number, row in enumerate(rows, start=2):
        district, group = ((row[name] or "").strip() for name in COLUMNS)
        if not district or not group:
            message = f"{file}, line {number}: district and income_group must both be there"
            raise ConfigurationError(message)
        if district in found:
            message = f"{file}, line {number}: district {district} is there twice"
            raise ConfigurationError(message)
        found[district] = group
    return found


def district_of_cells(cells: Sequence[str], districts: Sequence[District]) -> Mapping[str, str]:
    """The code of the district that holds the centre of each H3 cell; cells outside of all are absent."""
    wanted = set(cells)
    found: dict[str, str] = {}
    for resolution in sorted({h3.get_resolution(cell) for cell in wanted}):
        for district in districts:
            for cell in h3.geo_to_cells(district.outline, resolution):
                if cell in wanted:
                    found.setdefault(cell, district.code)
    return found
