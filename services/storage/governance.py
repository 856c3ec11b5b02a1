"""Code concerned with what governance documents are made from: counts and figures of what is public, and past audits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, TypeVar

from psycopg.rows import class_row
from psycopg.types.json import Jsonb

from services.storage.database import Connection
from services.storage.queries import query

_Row = TypeVar("_Row")


@dataclass(frozen=True, kw_only=True, slots=True)
class Destruction:
    """Proof that the personal rows and the key of a local day, and of all days before it, are gone."""

    purpose: str
    day: date
    destroyed_at: datetime


@dataclass(frozen=True, kw_only=True, slots=True)
class Served:
    """What one model serves in the newest round: how many series, in which states, and what it was learnt from.

    `reasons` are up to three sentences that say why a series is not normal.
    """

    model: str
    kind: str
    quantity: str
    series: int
    normal: int
    degraded: int
    stale: int
    trained_from: datetime | None
    trained_to: datetime | None
    issued_at: datetime
    reasons: list[str] | None


@dataclass(frozen=True, kw_only=True, slots=True)
class ModelScore:
    """How the sensors did that a model served: at one lead time over all districts, or in one district over all leads.

    A row with neither is that of the sensors without a district.
    """

    model: str
    kind: str
    quantity: str
    lead_minutes: int | None
    district: str | None
    sensors: int
    n: int
    mae: float
    wape: float | None
    skill: float | None
    coverage_80: float


@dataclass(frozen=True, kw_only=True, slots=True)
class SensorScore:
    """Sums over all scored forecasts of one quantity of one sensor.

    `signed_error` is the sum of forecast minus observed over `signed_n` of the `n` pairs; the others were scored before it was kept.
    """

    kind: str
    quantity: str
    sensor: str
    district: str
    n: int
    absolute_error: float
    signed_error: float | None
    signed_n: int | None
    observed_sum: float
    inside_80: int
    inside_90: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Withheld:
    """How many of a place's `published` values of one day are withheld; `district` is None where the place is an H3 cell."""

    plan: str
    place: str
    district: str | None
    day: date
    published: int
    withheld: int


@dataclass(frozen=True, kw_only=True, slots=True)
class FairnessResult:
    """One fairness audit: when it was stored, whether every gate held, and the document that was printed."""

    audited_at: datetime
    passed: bool
    result: dict[str, Any]


def sensor_counts(connection: Connection) -> dict[str, int]:
    """The number of fixed sensors by kind."""
    return dict(connection.execute(query("governance", "sensor_counts")).fetchall())


def destructions(connection: Connection, *, most: int) -> list[Destruction]:
    """The newest proofs of destruction, newest first."""
    return _rows(connection, Destruction, "destructions", most=most)


def served(connection: Connection, *, since: datetime) -> list[Served]:
    """What each model serves in the newest round issued after `since`."""
    return _rows(connection, Served, "served", since=since)


def model_scores(connection: Connection, *, since: date, until: date) -> list[ModelScore]:
    """Scores of a range of UTC days by the model that served each sensor in the first round of the day."""
    return _rows(connection, ModelScore, "model_scores", since=since, until=until)


def sensor_scores(connection: Connection, *, since: date, until: date) -> list[SensorScore]:
    """Scores of a range of UTC days by sensor and quantity; sensors outside of all districts are left out."""
    return _rows(connection, SensorScore, "sensor_scores", since=since, until=until)


def withheld(connection: Connection, *, since: date, until: date) -> list[Withheld]:
    """Every public place of every plan over a range of local days, by plan, place and day."""
    return _rows(connection, Withheld, "withheld", since=since, until=until)


def store_fairness(connection: Connection, result: Mapping[str, Any]) -> None:
    """Keep the document of one audit, which says in `passed` how it ended; of role jobs."""
    connection.execute(
        query("governance", "store_fairness"), {"passed": bool(result["passed"]), "result": Jsonb(dict(result))}
    )


def last_fairness(connection: Connection) -> FairnessResult | None:
    """The newest audit, None when none was made on this database."""
    return next(iter(_rows(connection, FairnessResult, "last_fairness")), None)


def _rows(connection: Connection, kind: type[_Row], name: str, **parameters: object) -> list[_Row]:
    with connection.cursor(row_factory=class_row(kind)) as cursor:
        return cursor.execute(query("governance", name), parameters).fetchall()
