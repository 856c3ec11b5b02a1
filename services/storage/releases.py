"""Code concerned with what was released: the only form in which anything personal is ever read.

The reading verbs are for everyone; publishing needs the release role and a committed charge of the same key.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray
from psycopg.rows import class_row

from services.storage.database import Connection
from services.storage.queries import query


@dataclass(frozen=True, kw_only=True, slots=True)
class ReleaseHead:
    """What is known of a release before it is stored; the numbers are those of the count that decides what is shown.

    Counts, `noise_scale`, `threshold` and `ci95` are in what is published, after the correction by `factor` for subjects
    that were counted in some of their cells only. `ci95` is the half-width of the 95 % interval that noise and rounding
    leave around a count; the chance of which cells were kept is not in it.
    """

    release_key: str
    plan: str
    plan_version: str
    plan_hash: str
    day: date
    epsilon: float
    delta: float
    mechanism: str
    noise_scale: float
    threshold: int
    rounding: int
    ci95: float
    factor: float = 1.0
    cells: int
    suppressed: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Release(ReleaseHead):
    """One plan on one local day, as published. `suppressed` of its `cells` values are withheld."""

    released_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class PresenceCell:
    """Distinct vehicles of one H3 cell (resolution 8, as integer) in the hour from `hour`; None is withheld."""

    release_key: str
    cell: int
    hour: datetime
    vehicles: int | None

    @property
    def cell_id(self) -> str:
        """The cell's H3 index as text, such as 881f1d4887fffff."""
        return f"{self.cell:x}"


@dataclass(frozen=True, kw_only=True, slots=True)
class DistrictEnergy:
    """What the households of one district used on one local day; None is withheld.

    `ci95_kwh` is the half-width of the 95 % interval of `energy_kwh` [kWh].
    """

    release_key: str
    district: str
    name: str
    day: date
    energy_kwh: float | None
    households: int | None
    ci95_kwh: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Figure:
    """One published number of a place and slot; None is withheld. `ci95` is the half-width of its 95 % interval.

    `place` is an H3 cell, the code of a district or station, or `city`; `part` divides it further where something does.
    """

    release_key: str
    place: str
    part: str
    slot: datetime
    measure: str
    value: float | None
    ci95: float | None


def find_release(connection: Connection, release_key: str) -> Release | None:
    """The release of that key, if it was published."""
    with connection.cursor(row_factory=class_row(Release)) as cursor:
        return cursor.execute(query("releases", "find_release"), {"release_key": release_key}).fetchone()


def releases(connection: Connection, *, first_day: date, last_day: date, plan: str | None = None) -> list[Release]:
    """The releases of an inclusive range of local days, newest first."""
    facts = {"first_day": first_day, "last_day": last_day, "plan": plan}
    with connection.cursor(row_factory=class_row(Release)) as cursor:
        return cursor.execute(query("releases", "releases"), facts).fetchall()


def presence(connection: Connection, *, start: datetime, end: datetime) -> list[PresenceCell]:
    """All published cells of the hours in [start, end), by hour and cell; withheld ones have no number.

    A city day has cells x hours rows, about ten thousand: ask for a day or so at a time.
    """
    with connection.cursor(row_factory=class_row(PresenceCell)) as cursor:
        return cursor.execute(query("releases", "presence"), {"start": start, "end": end}).fetchall()


def refusal(connection: Connection, plan: str, day: date) -> str | None:
    """Why the ledger refused to pay for a plan's release of a local day, None where it did not."""
    row = connection.execute(query("releases", "refusal"), {"plan": plan, "day": day}).fetchone()
    return None if row is None else str(row[0])


def presence_hours(connection: Connection) -> tuple[datetime, datetime] | None:
    """Start and end of the time that presence releases cover, or None before the first."""
    row = connection.execute(query("releases", "presence_hours")).fetchone()
    return None if row is None or row[0] is None else (row[0], row[1])


def district_energy(connection: Connection, *, first_day: date, last_day: date) -> list[DistrictEnergy]:
    """Published energy of every district for an inclusive range of local days, by day and district code."""
    facts = {"first_day": first_day, "last_day": last_day}
    with connection.cursor(row_factory=class_row(DistrictEnergy)) as cursor:
        return cursor.execute(query("releases", "district_energy"), facts).fetchall()


def figures(
    connection: Connection,
    *,
    first_day: date,
    last_day: date,
    limit: int,
    plan: str | None = None,
    after: tuple[datetime, tuple[str, str, str, str]] | None = None,
) -> list[Figure]:
    """Published numbers of an inclusive range of local days, of one plan or of all, by slot, plan, place, part and measure.

    Args:
        connection: as any role but ingest.
        first_day: of the range.
        last_day: of the range.
        limit: most rows.
        plan: whose.
        after: slot, and plan, place, part and measure, of the row after which to begin.

    """
    slot, key = after or (None, ("", "", "", ""))
    facts = {"plan": plan, "first_day": first_day, "last_day": last_day, "limit": limit, "slot": slot}
    names = ("after_plan", "after_place", "after_part", "after_measure")
    with connection.cursor(row_factory=class_row(Figure)) as cursor:
        return cursor.execute(query("releases", "figures"), facts | dict(zip(names, key, strict=True))).fetchall()


def large_districts(connection: Connection, least_homes: int) -> list[int]:
    """The numbers of the districts in which the public register counts at least so many homes."""
    rows = connection.execute(query("releases", "large_districts"), {"least_homes": least_homes}).fetchall()
    return [number for (number,) in rows]


def district_codes(connection: Connection) -> dict[int, str]:
    """Code of each district by its number."""
    return dict(connection.execute(query("releases", "district_codes")).fetchall())


def publish_figures(
    connection: Connection,
    release_key: str,
    rows: Iterable[tuple[str, str, datetime, str, float | None, float | None]],
) -> None:
    """Store the numbers of a release: place, part, slot, measure, value and half-width, both None where withheld."""
    with connection.cursor() as cursor, cursor.copy(query("releases", "publish_figures")) as copy:
        for row in rows:
            copy.write_row((release_key, *row))


def district_outlines(connection: Connection) -> list[tuple[int, dict[str, Any]]]:
    """Number and GeoJSON outline of every district, in the order of the numbers."""
    rows: list[tuple[int, dict[str, Any]]] = connection.execute(query("releases", "district_outlines")).fetchall()
    return rows


def publish_release(connection: Connection, head: ReleaseHead) -> Release:
    """Store the head of a release, inside the caller's release transaction."""
    with connection.cursor(row_factory=class_row(Release)) as cursor:
        stored = cursor.execute(query("releases", "publish_release"), asdict(head)).fetchone()
    assert stored is not None  # noqa: S101 - INSERT … RETURNING of one row returns it
    return stored


def keep_drawn(
    connection: Connection, release_key: str, cells: NDArray[np.int64], drawn: Mapping[str, NDArray[np.int64]]
) -> None:
    """Keep the noisy numbers of a release for days to come: of each measure, cells first."""
    with connection.cursor() as cursor:
        cursor.executemany(
            query("releases", "keep_drawn"),
            [
                {
                    "release_key": release_key,
                    "measure": measure,
                    "cells": cells.tolist(),
                    "counts": counts.ravel().tolist(),
                }
                for measure, counts in drawn.items()
            ],
        )


def earlier_drawn(
    connection: Connection,
    *,
    plan_hash: str,
    epsilon: float,
    cells: NDArray[np.int64],
    first_day: date,
    before: date,
) -> list[tuple[date, str, NDArray[np.int64]]]:
    """What was drawn under the same plan, ε and domain for days from `first_day` on: day, measure and numbers, cells first."""
    facts = {
        "plan_hash": plan_hash,
        "epsilon": epsilon,
        "cells": cells.tolist(),
        "first_day": first_day,
        "before": before,
    }
    rows = connection.execute(query("releases", "earlier_drawn"), facts).fetchall()
    return [(day, measure, np.array(counts, dtype=np.int64).reshape(len(cells), -1)) for day, measure, counts in rows]


def forget_drawn(connection: Connection, *, plan: str, before: date) -> None:
    """Destroy what was kept of a plan's days before that one."""
    connection.execute(query("releases", "forget_drawn"), {"plan": plan, "before": before})


def publish_presence(
    connection: Connection, release_key: str, cells: Iterable[tuple[int, datetime, int | None]]
) -> None:
    """Store the cells of a presence release: H3 cell, start of the hour, vehicles or None."""
    with connection.cursor() as cursor, cursor.copy(query("releases", "publish_presence")) as copy:
        for cell, hour, vehicles in cells:
            copy.write_row((release_key, cell, hour, vehicles))


def publish_district_energy(
    connection: Connection,
    release_key: str,
    day: date,
    districts: Iterable[tuple[int, float | None, int | None, float | None]],
) -> None:
    """Store the districts of an energy release: number, energy [kWh], households, half-width [kWh]."""
    with connection.cursor() as cursor, cursor.copy(query("releases", "publish_district_energy")) as copy:
        for district_id, energy_kwh, households, ci95_kwh in districts:
            copy.write_row((release_key, district_id, day, energy_kwh, households, ci95_kwh))
