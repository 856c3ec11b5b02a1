"""Code concerned with registers as CSV files: what goes in, and what may be published of it."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any, Final

from services.errors import InputError, reason
from services.privacy.rules.suppression import Protected
from services.privacy.rules.table import Cell

_NEEDED: Final = ("row", "count")
COLUMNS: Final = ("row", "column", "count", "value", "suppressed")


def read_register(path: Path) -> list[Cell]:
    """Cells from a CSV file with the columns row and count, and column, value, top1, top2 … where there are such.

    Args:
        path: UTF-8, one header row. The counts are those of a register, not of readings.

    Raises:
        InputError: it is not such a file; the message names the line.

    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            header = reader.fieldnames or []
            missing = [name for name in _NEEDED if name not in header]
            if missing:
                message = f"{path} has no column {' and '.join(missing)}: a register has row, count, and column, value, top1 … if known"
                raise InputError(message)
            tops = [name for name in (f"top{n}" for n in range(1, 10)) if name in header]
            return [_cell(line, tops, f"{path}, line {reader.line_num}") for line in reader]
    except (OSError, UnicodeDecodeError) as error:
        message = f"{path} cannot be read: {reason(error)}"
        raise InputError(message) from error


def read_withheld(path: Path) -> set[tuple[str, str]]:
    """Row and column of what a file of an earlier period withholds, as `write_published` wrote it.

    Raises:
        InputError: it is not such a file.

    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            if tuple(reader.fieldnames or ()) != COLUMNS:
                message = f"{path} is not a file that `arterial privacy rules --out` wrote: its columns are {', '.join(COLUMNS)}"
                raise InputError(message)
            return {(line["row"], line["column"]) for line in reader if line["suppressed"] == "true"}
    except (OSError, UnicodeDecodeError) as error:
        message = f"{path} cannot be read: {reason(error)}"
        raise InputError(message) from error


def published(protected: Protected) -> list[dict[str, Any]]:
    """What may be published: every cell and margin, the withheld ones all alike, without their reason."""
    rows = []
    for number, cell in enumerate(protected.table.cells):
        hidden = number in protected.reasons
        rows.append(
            {
                "row": cell.row,
                "column": cell.column,
                "count": None if hidden else cell.count,
                "value": None if hidden else cell.value,
                "suppressed": hidden,
            }
        )
    return rows


def write_published(protected: Protected, path: Path) -> None:
    """The same as a CSV file, withheld numbers empty.

    Raises:
        InputError: the file cannot be written.

    """
    try:
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, COLUMNS)
            writer.writeheader()
            writer.writerows(row | {"suppressed": str(row["suppressed"]).lower()} for row in published(protected))
    except OSError as error:
        message = f"{path} cannot be written: {reason(error)}"
        raise InputError(message) from error


def _cell(line: dict[str, str | None], tops: list[str], where: str) -> Cell:
    try:
        count, value = int(line["count"] or ""), float(line.get("value") or 0)
        largest = sorted((float(text) for name in tops if (text := line[name])), reverse=True)
    except ValueError as error:
        given = ", ".join(
            f"{name} {line.get(name)!r}" for name in ("count", "value", *tops) if line.get(name) is not None
        )
        message = f"{where}: count must be a whole number, the others numbers or empty, not {given}"
        raise InputError(message) from error
    if not (0 <= count < 2**53 and 0 <= value < 1e15) or any(not 0 <= one <= value * (1 + 1e-9) for one in largest):
        message = f"{where}: count and value must not be negative, nor a contribution larger than the value"
        raise InputError(message)
    if not count and value:
        message = f"{where}: a value of {value:g} without contributors"
        raise InputError(message)
    return Cell(
        row=line["row"] or "", column=line.get("column") or "", count=count, value=value, largest=tuple(largest)
    )
