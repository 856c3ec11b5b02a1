"""Code concerned with stored covariates: weather and events as they were observed and forecast, added and never changed."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
from numpy.typing import NDArray
from psycopg.rows import class_row

from services.storage.binary import from_stamps, read_array
from services.storage.database import Connection
from services.storage.queries import query

_BLOCK: Final = 50_000  # rows of one statement


@dataclass(frozen=True, kw_only=True, slots=True)
class StoredCourse:
    """All values of one variable in one district, None is everywhere: times and times of issue [µs since 1970 UTC]."""

    variable: str
    district_id: int | None
    valid_us: NDArray[np.int64]
    issued_us: NDArray[np.int64]
    values: NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Summary:
    """What is stored of one variable in one district, None is everywhere."""

    variable: str
    district: str | None
    observations: int
    forecasts: int
    since: datetime
    until: datetime
    newest_issue: datetime


def districts(connection: Connection) -> dict[str, int]:
    """The number of each district by its code."""
    return dict(connection.execute(query("covariates", "districts")).fetchall())


def variables(connection: Connection) -> list[str]:
    """The names of the variables there are."""
    return [str(row[0]) for row in connection.execute(query("covariates", "variables"))]


def add(connection: Connection, course: StoredCourse) -> tuple[int, int]:
    """Add values; committed by the caller.

    Returns:
        How many were new, and how many are there with the same times and another value, which stays.

    """
    new = differing = 0
    for first in range(0, len(course.values), _BLOCK):
        some = slice(first, first + _BLOCK)
        given = {
            "variable": course.variable,
            "district": course.district_id,
            "valid": course.valid_us[some].tolist(),
            "issued": course.issued_us[some].tolist(),
            "values": course.values[some].tolist(),
        }
        row = connection.execute(query("covariates", "differing"), given).fetchone()
        differing += int(row[0]) if row is not None else 0
        new += connection.execute(query("covariates", "add"), given).rowcount
    return new, differing


def known(
    connection: Connection, *, since: datetime, until: datetime, received_by: datetime | None = None
) -> Iterable[StoredCourse]:
    """The values of times in [since, until), those received by a time where one is given."""
    asked = {"since": since, "until": until, "received_by": received_by}
    with connection.cursor(binary=True) as cursor:
        rows = cursor.execute(query("covariates", "known"), asked).fetchall()
    for variable, district, valid, issued, values in rows:
        yield StoredCourse(
            variable=variable,
            district_id=district,
            valid_us=from_stamps(read_array(valid, "i8")),
            issued_us=from_stamps(read_array(issued, "i8")),
            values=read_array(values, "f8"),
        )


def summary(connection: Connection) -> list[Summary]:
    """What is stored, by variable and district."""
    with connection.cursor(row_factory=class_row(Summary)) as cursor:
        return cursor.execute(query("covariates", "summary")).fetchall()


def forget(connection: Connection, *, before: datetime) -> int:
    """Remove what is of times before; how many values that was. Committed by the caller."""
    return connection.execute(query("covariates", "forget"), {"before": before}).rowcount
