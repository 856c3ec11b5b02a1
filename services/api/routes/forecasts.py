"""Code concerned with `/forecasts`: the newest, or those of an earlier time as they were issued, and how they did."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import fields
from datetime import date, datetime
from itertools import islice
from operator import attrgetter
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from services.api.columns import COLUMNS, QUANTILES, units_of
from services.api.deps import (
    Accept,
    ConnectionDep,
    Cursor,
    DistrictParam,
    ExportsDep,
    FlatFormatParam,
    FormatParam,
    IssuedParam,
    KindParam,
    Limit,
    Now,
    PoolDep,
    SensorsParam,
)
from services.api.documents import documented
from services.api.formats import FLAT_FORMATS, Format, file_meta, file_response, list_response, negotiate
from services.api.lookup import one_kind, require_sensors, split_codes
from services.api.pagination import DEFAULT_LIMIT, cut, decode_cursor, fingerprint
from services.api.schemas import ForecastPage, ScorePage
from services.api.times import parse_time
from services.api.writers import instant
from services.domain import QUANTILE_LEVELS, to_us
from services.storage import forecasts, sensors
from services.storage.database import Connection
from services.storage.forecasts import SeriesForecast
from services.storage.scorecard import Dimension, ScoreRow, What, scorecard

router = APIRouter(tags=["Forecasts"])

_COLUMNS: Final = (
    "lon",
    "lat",
    *("sensor", "kind", "quantity", "issued_at", "model", "state", "reason", "target_at"),
    *QUANTILES,
)
_HIDDEN: Final = 2
_QUANTITY: Final = _COLUMNS.index("quantity")
_SENSORS_AT_ONCE: Final = 25
_FILE_ROWS: Final = 5_000
_FORECAST: Final[dict[str, What]] = {"sensors": "sensor", "totals": "total", "peaks": "peak"}
_SCORE_COLUMNS: Final = tuple(field.name for field in fields(ScoreRow))
_Places = dict[str, tuple[float | None, float | None]]
_Key = tuple[str, str, int]

QuantityParam = Annotated[
    str | None,
    Query(max_length=63, description="Only this quantity: flow_vph, speed_kmh, power_kw …", examples=["flow_vph"]),
]


@router.get("/forecasts", responses=documented(ForecastPage), summary="List or export forecasts")
def list_forecasts(
    request: Request,
    connection: ConnectionDep,
    pool: PoolDep,
    exports: ExportsDep,
    now: Now,
    sensor: SensorsParam = None,
    kind: KindParam = None,
    quantity: QuantityParam = None,
    issued_at: IssuedParam = None,
    limit: Limit = None,
    cursor: Cursor = None,
    format_: FormatParam = None,
    accept: Accept = None,
) -> Response:
    """For each sensor and quantity the newest forecast issued by `issued_at`, one row for each target time.

    Nothing is ever overwritten: the same `issued_at` in the past gives the same answer for ever.
    """
    chosen = negotiate(accept, format_)
    found = require_sensors(connection, split_codes(sensor))
    if found and kind:
        one_kind(found, kind)
    known_by = parse_time(issued_at, parameter="issued_at", now=now) if issued_at else now
    places = sensors.places(connection, kind)
    codes = sorted(found or places)
    meta: dict[str, Any] = {"issued_by": known_by, "quantiles": list(QUANTILE_LEVELS)}
    name = f"arterial-forecasts-{known_by:%Y%m%dT%H%MZ}"
    if chosen is not Format.JSON and limit is None and cursor is None:

        def stream() -> Iterator[list[tuple[Any, ...]]]:
            with pool.connection() as reading:
                rows = _rows(reading, codes, places, quantity, known_by)
                while batch := list(islice(rows, _FILE_ROWS)):
                    yield batch

        batches = exports.one_of_few(stream())
        return file_response(chosen, _COLUMNS, batches, name=name, hidden=_HIDDEN, meta=file_meta(meta))

    most = limit or DEFAULT_LIMIT
    question = fingerprint([codes if found else kind, quantity, known_by])
    rows: Iterable[tuple[Any, ...]] = _rows(connection, codes, places, quantity, known_by)
    if cursor:
        after = decode_cursor(cursor, question, (str, str, int))
        left = [code for code in codes if code >= str(after[0])]
        rows = (row for row in _rows(connection, left, places, quantity, known_by) if _key(row) > after)
    page, following = cut(list(islice(rows, most + 1)), most, _key, request, question, {"issued_at": instant(known_by)})
    if chosen is Format.JSON:
        quantities = dict.fromkeys(row[_QUANTITY] for row in page)
        meta["units"] = units_of([one for one in quantities if one in COLUMNS])
    return list_response(chosen, _COLUMNS, page, name=name, meta=meta, hidden=_HIDDEN, following=following)


def _rows(
    connection: Connection, codes: list[str], places: _Places, quantity: str | None, known_by: datetime
) -> Iterator[tuple[Any, ...]]:
    """The rows of `_COLUMNS` in order of `_key`, a few sensors at a time so that a city never stands in memory."""
    for first in range(0, len(codes), _SENSORS_AT_ONCE):
        some = codes[first : first + _SENSORS_AT_ONCE]
        found = forecasts.latest(connection, sensors=some, quantity=quantity, issued_before=known_by)
        for series in sorted(found, key=attrgetter("sensor", "quantity")):
            yield from _series_rows(series, places.get(series.sensor, (None, None)))


def _series_rows(series: SeriesForecast, place: tuple[float | None, float | None]) -> Iterator[tuple[Any, ...]]:
    said = (
        series.sensor,
        series.kind,
        series.quantity,
        series.issued_at,
        series.model,
        str(series.state),
        series.reason,
    )
    for target_at, quantiles in zip(series.target_at, series.quantiles, strict=True):
        yield (*place, *said, target_at, *quantiles)


def _key(row: tuple[Any, ...]) -> _Key:
    return row[_COLUMNS.index("sensor")], row[_COLUMNS.index("quantity")], to_us(row[_COLUMNS.index("target_at")])


@router.get("/forecasts/scorecard", responses=documented(ScorePage, *FLAT_FORMATS), summary="How forecasts did")
def read_scorecard(
    request: Request,
    connection: ConnectionDep,
    now: Now,
    of: Annotated[
        Literal["sensors", "totals", "peaks"],
        Query(
            description="sensors: each sensor's values. totals: load of the city and of districts, as of /energy/forecasts. "
            "peaks: highest quarter hours of local days, as of /energy/peaks, by the time from the issue to the day's end."
        ),
    ] = "sensors",
    sensor: SensorsParam = None,
    kind: KindParam = None,
    quantity: QuantityParam = None,
    district: DistrictParam = None,
    since: Annotated[date | None, Query(description="First UTC day.", examples=["2026-11-01"])] = None,
    until: Annotated[date | None, Query(description="Last UTC day, included.")] = None,
    by: Annotated[
        list[Dimension] | None,
        Query(
            description="Divide further: by district, state, quality, day; may be repeated.", examples=[["district"]]
        ),
    ] = None,
    limit: Limit = None,
    cursor: Cursor = None,
    format_: FlatFormatParam = None,
    accept: Accept = None,
) -> Response:
    """Errors and coverage by kind, quantity and lead time beside those of the value a week before, whoever won.

    Grows every hour by the forecasts about the hour that has closed; of peaks every day by the day that has. Totals and peaks
    are also by scope: the city, its districts, and of peaks its feeders. Their quality is not told apart, nor is a MASE.
    """
    chosen = negotiate(accept, format_, FLAT_FORMATS)
    found = require_sensors(connection, split_codes(sensor))
    divided = sorted(set(by or ()))
    scores = scorecard(
        connection,
        _FORECAST[of],
        kind=kind,
        quantity=quantity,
        sensors=list(found) or None,
        district=district,
        since=since,
        until=until,
        by=divided,
    )
    scores.sort(key=_score_key)
    question = fingerprint([of, list(found), kind, quantity, district, since, until, divided])
    if cursor:
        after = decode_cursor(cursor, question, (str, str, int, str, str, str, str, str))
        scores = [score for score in scores if _score_key(score) > after]
    most = limit or (DEFAULT_LIMIT if cursor or chosen is Format.JSON else None)
    page, following = cut(scores, most, _score_key, request, question)
    rows = list(map(attrgetter(*_SCORE_COLUMNS), page))
    meta = {"of": of, "since": since, "until": until, "by": divided}
    name = f"arterial-scorecard-{now:%Y%m%dT%H%MZ}"
    return list_response(chosen, _SCORE_COLUMNS, rows, name=name, meta=meta, following=following)


def _score_key(score: ScoreRow) -> tuple[str, str, int, str, str, str, str, str]:
    parts = (score.district, score.state, score.observed_quality, score.utc_day and score.utc_day.isoformat())
    district, state, quality, day = (part or "" for part in parts)
    return score.kind, score.quantity, score.lead_minutes, score.scope, district, state, quality, day
