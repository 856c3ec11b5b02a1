"""Code concerned with `/health/sensors`: what is wrong with which sensor, and since when."""

from __future__ import annotations

from dataclasses import fields
from operator import attrgetter
from typing import Annotated, Final

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from services.api.deps import Accept, ConnectionDep, Cursor, DistrictParam, FormatParam, KindParam, Limit, Now
from services.api.documents import documented
from services.api.formats import Format, list_response, negotiate
from services.api.pagination import DEFAULT_LIMIT, cut, decode_cursor, fingerprint
from services.api.schemas import SensorHealthPage
from services.domain import Diagnosis
from services.storage import sensor_health
from services.storage.sensor_health import SensorHealth

router = APIRouter(tags=["Health"])

_COLUMNS: Final = tuple(field.name for field in fields(SensorHealth))
_as_row: Final = attrgetter(*_COLUMNS)
_MOST_EXPORTED: Final = 100_000


@router.get("/health/sensors", responses=documented(SensorHealthPage), summary="What is wrong with the sensors")
def list_sensor_health(
    request: Request,
    connection: ConnectionDep,
    now: Now,
    diagnosis: Annotated[
        Diagnosis | None, Query(description="Only sensors with this diagnosis.", examples=["no_data"])
    ] = None,
    missing: Annotated[
        bool | None, Query(description="Only sensors that should have reported by now; false: only the others.")
    ] = None,
    kind: KindParam = None,
    district: DistrictParam = None,
    limit: Limit = None,
    cursor: Cursor = None,
    format_: FormatParam = None,
    accept: Accept = None,
) -> Response:
    """Sensors in order of their code with their diagnosis, made every five minutes from the last six hours of readings.

    The first diagnosis that holds is given: no_data, insufficient_data, card_off, high_value, intermittent, constant,
    clock_skew; else ok. Whatever the diagnosis, `missing_since` says since when a reading has been due.
    """
    chosen = negotiate(accept, format_)
    question = fingerprint(["health/sensors", diagnosis, missing, kind, district])
    most = limit or (DEFAULT_LIMIT if chosen is Format.JSON else _MOST_EXPORTED)
    found = sensor_health.list_health(
        connection,
        diagnosis=diagnosis,
        missing=missing,
        kind=kind,
        district=district or None,
        after=str(decode_cursor(cursor, question, (str,))[0]) if cursor else "",
        limit=most + 1,
    )
    page, following = cut(found, most, lambda one: (one.sensor,), request, question)
    name = f"arterial-sensor-health-{now:%Y%m%dT%H%MZ}"
    return list_response(chosen, _COLUMNS, [_as_row(one) for one in page], name=name, meta={}, following=following)
