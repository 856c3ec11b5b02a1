"""Code concerned with `/observations`: what sensors observed, raw or rolled up, by page or as a file."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from services.api.deps import (
    Accept,
    ConnectionDep,
    Cursor,
    ExportsDep,
    FormatParam,
    From,
    KindParam,
    Limit,
    Now,
    PoolDep,
    SensorsParam,
    SettingsDep,
    To,
)
from services.api.documents import documented
from services.api.formats import Format, file_meta, file_response, list_response, negotiate
from services.api.lookup import one_kind, require_sensors, split_codes
from services.api.pagination import DEFAULT_LIMIT, Key, cut, decode_cursor, fingerprint
from services.api.schemas import ObservationPage
from services.api.times import parse_range
from services.api.writers import instant
from services.domain import from_us, to_us
from services.errors import InputError
from services.storage import observations
from services.storage.observations import KEY_COLUMNS, Position, Resolution, Row, Window

router = APIRouter(tags=["Observations"])

_MOST_ROWS: Final = {Format.CSV: 1_000_000, Format.PARQUET: 1_000_000, Format.GEOJSON: 100_000}
_HIDDEN: Final = len(KEY_COLUMNS)


@router.get("/observations", responses=documented(ObservationPage), summary="List or export observations")
def list_observations(
    request: Request,
    connection: ConnectionDep,
    pool: PoolDep,
    exports: ExportsDep,
    settings: SettingsDep,
    now: Now,
    sensor: SensorsParam = None,
    kind: KindParam = None,
    from_: From = None,
    to: To = None,
    resolution: Annotated[
        Resolution, Query(description="Single readings, or their means over 15 minutes or an hour.")
    ] = Resolution.RAW,
    order: Annotated[Literal["asc", "desc"], Query(description="desc: newest first.")] = "desc",
    limit: Limit = None,
    cursor: Cursor = None,
    format_: FormatParam = None,
    accept: Accept = None,
) -> Response:
    """Observations of one kind in a half-open time range, by default the last 24 hours.

    JSON comes in pages; CSV, Parquet and GeoJSON hold the whole range unless `limit` asks for a page.
    """
    chosen = negotiate(accept, format_)
    found = require_sensors(connection, split_codes(sensor))
    ahead = timedelta(seconds=settings.ingest_future_tolerance_s)  # ingest lets clocks be that fast
    start, end = parse_range(from_, to, now=now, default_end=now + ahead)
    window = Window(
        kind=one_kind(found, kind),
        start=start,
        end=end,
        sensor_ids=tuple(number for number, _ in found.values()) or None,
        resolution=resolution,
        ascending=order == "asc",
    )
    name = f"arterial-{window.kind}-{resolution}-{start:%Y%m%dT%H%MZ}-{end:%Y%m%dT%H%MZ}"
    meta = {"kind": window.kind, "resolution": resolution, "from": start, "to": end, "order": order}
    if chosen is not Format.JSON and limit is None and cursor is None:
        _require_exportable(observations.count(connection, window, at_most=_MOST_ROWS[chosen] + 1), chosen)
        batches = exports.one_of_few(_stream(pool, window))
        return file_response(chosen, window.columns, batches, name=name, hidden=_HIDDEN, meta=file_meta(meta))

    most = limit or DEFAULT_LIMIT
    question = fingerprint([window])
    rows = observations.page(connection, window, after=_after(cursor, question), limit=most + 1)

    def key(row: tuple[Any, ...]) -> Key:
        place = window.position_of(row)
        return to_us(place.at), place.sensor_id, place.quantity

    page, following = cut(rows, most, key, request, question, {"from": instant(start), "to": instant(end)})
    return list_response(chosen, window.columns, page, name=name, meta=meta, hidden=_HIDDEN, following=following)


def _after(cursor: str | None, question: str) -> Position | None:
    if not cursor:
        return None
    at_us, sensor_id, quantity = decode_cursor(cursor, question, (int, int, str))
    try:
        at = from_us(int(at_us))
    except OverflowError as error:
        message = "this cursor is not one of this API: follow the `next` link as it is"
        raise InputError(message) from error
    return Position(at=at, sensor_id=int(sensor_id), quantity=str(quantity))


def _require_exportable(rows: int, chosen: Format) -> None:
    if rows > _MOST_ROWS[chosen]:
        message = (
            f"this range has more than the {_MOST_ROWS[chosen]:,} rows one {chosen} file may have: "
            "ask for a shorter time, fewer sensors, or resolution=hour"
        )
        raise InputError(message)


def _stream(pool: PoolDep, window: Window) -> Iterator[list[Row]]:
    with pool.connection() as connection:
        yield from observations.stream(connection, window, limit=max(_MOST_ROWS.values()))
