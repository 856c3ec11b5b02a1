"""Code concerned with the shapes of JSON answers as OpenAPI shows them; a test holds every answer against them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from services.api.columns import COLUMNS, Type

_PYTHON: dict[Type, Any] = {"text": str, "time": datetime, "date": str, "number": float, "whole": int, "truth": bool}


class _Answer(BaseModel):
    """Answers have exactly the fields they are documented with."""

    model_config = ConfigDict(extra="forbid")


def _row(name: str, required: str, optional: str) -> type[BaseModel]:
    """A model of rows whose fields are columns; a required one is never null, an optional one may be absent or null."""
    fields: dict[str, Any] = {}
    for column in required.split():
        fields[column] = (_PYTHON[COLUMNS[column].type], Field(description=COLUMNS[column].meaning))
    for column in optional.split():
        fields[column] = (_PYTHON[COLUMNS[column].type] | None, Field(None, description=COLUMNS[column].meaning))
    return create_model(name, __base__=_Answer, **fields)


class ProblemDocument(_Answer):
    """What went wrong, after RFC 9457."""

    type: str = Field(description="Names the type of problem; the address explains it.", examples=["/problems/input"])
    title: str
    status: int
    detail: str = Field(description="What was wrong this time, and what to do.")
    instance: str
    errors: list[dict[str, str]] | None = Field(None, description="Each parameter that was wrong, and why.")
    request_id: str | None = Field(None, description="Stands in the server's log too.")


Observation = _row(
    "Observation",
    "sensor kind observed_at",
    "received_at flow_vph speed_kmh occupancy power_kw peak_kw energy_kwh quantity value lowest highest quality rows good",
)
SensorRow = _row(
    "Sensor",
    "sensor kind described registered_at silence_limit_seconds silent",
    "name lon lat unit district road free_flow_kmh capacity_vph limit_kw step_seconds online status_at "
    "latest_observed_at age_seconds",
)


class SensorDetail(SensorRow):  # type: ignore[misc, valid-type]  # made by create_model
    """One sensor with its newest reading."""

    latest: Observation | None = None  # type: ignore[valid-type]  # made by create_model


class Count(_Answer):
    """What is said about a page."""

    count: int = Field(description="Rows on this page.")


class SensorPage(_Answer):
    """One page of sensors."""

    data: list[SensorRow]  # type: ignore[valid-type]  # made by create_model
    next: str | None = Field(description="The next page, or null on the last one.")
    meta: Count


class ObservationMeta(Count):
    """What was asked for, and the units."""

    model_config = ConfigDict(populate_by_name=True)

    kind: str
    resolution: str
    from_: datetime = Field(alias="from")
    to: datetime
    order: str
    units: dict[str, str]


class ObservationPage(_Answer):
    """One page of observations."""

    data: list[Observation]  # type: ignore[valid-type]  # made by create_model
    next: str | None = Field(description="The next page, or null on the last one.")
    meta: ObservationMeta
