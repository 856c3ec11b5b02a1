"""Code concerned with `/energy/forecasts` and `/energy/peaks`: what city and districts will draw, and at most on a day."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from services.api.columns import QUANTILES
from services.api.deps import (
    Accept,
    ConnectionDep,
    Cursor,
    DistrictParam,
    FlatFormatParam,
    IssuedParam,
    Limit,
    Now,
    SettingsDep,
)
from services.api.documents import documented
from services.api.formats import FLAT_FORMATS, Format, list_response, negotiate
from services.api.lookup import require_sensors, split_codes
from services.api.pagination import DEFAULT_LIMIT, cut, decode_cursor, fingerprint
from services.api.schemas import EnergyForecastPage, PeakPage
from services.api.times import parse_time
from services.api.writers import instant
from services.domain import QUANTILE_LEVELS, to_us
from services.local_day import day_of
from services.storage import totals
from services.storage.totals import PeakForecast

router = APIRouter(tags=["Energy"])

_AHEAD: Final = (
    *("scope", "district", "name", "issued_at", "state", "reason", "sensors", "target_at", "summed_kw"),
    *QUANTILES,
)
_PEAKS: Final = (
    *("scope", "sensor", "district", "name", "day", "issued_at", "state"),
    *("limit_kw", "limit_is", "chance_above", "likely_at", "so_far_kw"),
    *QUANTILES,
)
_SCOPES: Final = ("city", "district", "sensor")
_Row = tuple[Any, ...]
_Key = tuple[int, str, int]


@router.get(
    "/energy/forecasts",
    responses=documented(EnergyForecastPage, *FLAT_FORMATS),
    summary="What the city and its districts will draw",
)
def list_energy_forecasts(
    request: Request,
    connection: ConnectionDep,
    now: Now,
    scope: Annotated[Literal["city", "district"] | None, Query(description="Only the city, or only districts.")] = None,
    district: DistrictParam = None,
    issued_at: IssuedParam = None,
    limit: Limit = None,
    cursor: Cursor = None,
    format_: FlatFormatParam = None,
    accept: Accept = None,
) -> Response:
    """The newest totals issued by `issued_at`, the city first, one row for each target time.

    `summed_kw` is the sum of the medians of the feeders as `/forecasts` gives them, so that districts, with feeders outside
    all of them, add up to the city. Quantiles do not add up: they say how the feeders err together.
    """
    chosen = negotiate(accept, format_, FLAT_FORMATS)
    known_by = parse_time(issued_at, parameter="issued_at", now=now) if issued_at else now
    rows: list[_Row] = []
    for one in totals.latest_totals(connection, issued_before=known_by):
        of = "city" if one.district is None else "district"
        if scope in {None, of} and district in {None, one.district}:
            said = (of, one.district, one.name, one.issued_at, str(one.state), one.reason, one.sensors)
            each = zip(one.target_at, one.summed, one.quantiles, strict=True)
            rows += [(*said, at, summed, *quantiles) for at, summed, quantiles in each]
    return _page(
        request,
        rows,
        _AHEAD,
        _total_key,
        asked=["forecasts", scope, district],
        known_by=known_by,
        limit=limit,
        cursor=cursor,
        chosen=chosen,
        name="forecasts",
    )


@router.get(
    "/energy/peaks", responses=documented(PeakPage, *FLAT_FORMATS), summary="The highest load of today and tomorrow"
)
def list_peaks(
    request: Request,
    connection: ConnectionDep,
    settings: SettingsDep,
    now: Now,
    scope: Annotated[
        Literal["city", "district", "sensor"] | None, Query(description="Only the city, districts, or sensors.")
    ] = None,
    sensor: Annotated[
        list[str] | None,
        Query(description="Codes of feeders, repeated or separated by commas.", examples=[["en-001"]]),
    ] = None,
    district: Annotated[
        str | None, Query(max_length=63, description="Only this district and the feeders in it, by its code.")
    ] = None,
    issued_at: IssuedParam = None,
    limit: Limit = None,
    cursor: Cursor = None,
    format_: FlatFormatParam = None,
    accept: Accept = None,
) -> Response:
    """The highest quarter hour of today and tomorrow: its quantiles, its likeliest time, and its chance to lie above a limit.

    The limit of a feeder is what it may carry, that of a sum the most it drew in four weeks. `so_far_kw` counts for today.
    """
    chosen = negotiate(accept, format_, FLAT_FORMATS)
    known_by = parse_time(issued_at, parameter="issued_at", now=now) if issued_at else now
    codes = split_codes(sensor)
    require_sensors(connection, codes)
    found = totals.latest_peaks(
        connection,
        scope=scope,
        sensors=codes or None,
        district=district,
        since=day_of(known_by, settings.zone),
        issued_before=known_by,
    )
    return _page(
        request,
        [_peak_row(one) for one in found],
        _PEAKS,
        _peak_key,
        asked=["peaks", scope, codes, district],
        known_by=known_by,
        limit=limit,
        cursor=cursor,
        chosen=chosen,
        name="peaks",
    )


def _page(
    request: Request,
    rows: list[_Row],
    columns: tuple[str, ...],
    key: Callable[[_Row], _Key],
    *,
    asked: list[Any],
    known_by: datetime,
    limit: int | None,
    cursor: str | None,
    chosen: Format,
    name: str,
) -> Response:
    """One page of rows that are in order of `key`; a file without a limit holds all of them."""
    question = fingerprint([*asked, known_by])
    if cursor:
        after = decode_cursor(cursor, question, (int, str, int))
        rows = [row for row in rows if key(row) > after]
    most = limit or (DEFAULT_LIMIT if chosen is Format.JSON else None)
    page, following = cut(rows, most, key, request, question, {"issued_at": instant(known_by)})
    meta = {"issued_by": known_by, "quantiles": list(QUANTILE_LEVELS)}
    name = f"arterial-energy-{name}-{known_by:%Y%m%dT%H%MZ}"
    return list_response(chosen, columns, page, name=name, meta=meta, following=following)


def _peak_row(one: PeakForecast) -> _Row:
    return (
        *(one.scope, one.sensor, one.district, one.name, one.day, one.issued_at, str(one.state)),
        *(one.limit_kw, one.limit_is, one.chance_above, one.likely_at, one.so_far, *one.quantiles),
    )


def _total_key(row: _Row) -> _Key:
    scope, district = row[:2]
    return _SCOPES.index(scope), district or "", to_us(row[_AHEAD.index("target_at")])


def _peak_key(row: _Row) -> _Key:
    scope, sensor, district, _, day = row[:5]
    return _SCOPES.index(scope), sensor or district or "", day.toordinal()
