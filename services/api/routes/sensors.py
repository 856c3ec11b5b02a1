"""Code concerned with `/sensors`: what sensors there are, where, and whether they are silent."""

from __future__ import annotations

from dataclasses import asdict, fields
from datetime import timedelta
from operator import attrgetter
from typing import Annotated, Final

from fastapi import APIRouter, Path, Query
from starlette.requests import Request
from starlette.responses import Response

from services.api.deps import Accept, ConnectionDep, Cursor, DistrictParam, FormatParam, KindParam, Limit, Now
from services.api.documents import documented
from services.api.formats import Format, json_response, list_response, negotiate, records
from services.api.lookup import require_sensors
from services.api.pagination import DEFAULT_LIMIT, cut, decode_cursor, fingerprint
from services.api.schemas import SensorDetail, SensorPage
from services.storage import observations, sensor_health, sensors
from services.storage.observations import Window
from services.storage.sensors import Sensor

router = APIRouter(tags=["Sensors"])
SENSOR_COLUMNS: Final = tuple(field.name for field in fields(Sensor))
_as_row: Final = attrgetter(*SENSOR_COLUMNS)
_DIAGNOSIS: Final = (
    *("diagnosis", "since", "judged_at", "detail"),
    *("heard_at", "expected_at", "missing_since", "skipped", "delay_s"),
)
_MOST_EXPORTED: Final = 100_000


@router.get("/sensors", responses=documented(SensorPage), summary="List sensors")
def list_sensors(
    request: Request,
    connection: ConnectionDep,
    now: Now,
    kind: KindParam = None,
    district: DistrictParam = None,
    described: Annotated[
        bool | None, Query(description="Only sensors whose meta message has (true) or has not (false) arrived.")
    ] = None,
    q: Annotated[
        str | None, Query(max_length=100, description="Only sensors with this text in code, name or road.")
    ] = None,
    limit: Limit = None,
    cursor: Cursor = None,
    format_: FormatParam = None,
    accept: Accept = None,
) -> Response:
    """Sensors in order of their code, each with the time of its newest observation and whether it is silent."""
    chosen = negotiate(accept, format_)
    question = fingerprint(["sensors", kind, district, described, q])
    most = limit or (DEFAULT_LIMIT if chosen is Format.JSON else _MOST_EXPORTED)
    found = sensors.list_sensors(
        connection,
        kind=kind,
        district=district or None,
        described=described,
        words=q or None,
        after=str(decode_cursor(cursor, question, (str,))[0]) if cursor else "",
        limit=most + 1,
    )
    page, following = cut(found, most, lambda one: (one.sensor,), request, question)
    rows = [_as_row(one) for one in page]
    name = f"arterial-sensors-{now:%Y%m%dT%H%MZ}"
    return list_response(chosen, SENSOR_COLUMNS, rows, name=name, meta={}, following=following)


@router.get("/sensors/{sensor:path}", responses=documented(SensorDetail, Format.JSON), summary="One sensor")
def read_sensor(
    connection: ConnectionDep,
    sensor: Annotated[str, Path(max_length=128, description="The sensor's code.", examples=["tr-001a"])],
) -> Response:
    """One sensor with its diagnosis and its newest reading; `health` is null before it was judged, `latest` without readings."""
    number, kind = require_sensors(connection, [sensor])[sensor]
    found = sensors.find_sensor(connection, sensor)
    document = {} if found is None else asdict(found)
    judged = sensor_health.list_health(connection, code=sensor, limit=1)
    document["health"] = {name: getattr(judged[0], name) for name in _DIAGNOSIS} if judged else None
    document["latest"] = None
    if found is not None and found.latest_observed_at is not None:
        start = found.latest_observed_at
        window = Window(kind=kind, start=start, end=start + timedelta(seconds=1), sensor_ids=(number,))
        latest = observations.page(connection, window, limit=1)
        document["latest"] = records(window.columns, latest, hidden=len(observations.KEY_COLUMNS))[0]
    return json_response(document)
