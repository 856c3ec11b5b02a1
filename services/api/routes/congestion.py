"""Code concerned with `/forecasts/congestion`: how likely each class of congestion is, per detector and for whole areas."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Annotated, Any, Final, Literal

import numpy as np
from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from models.congestion import index_quantiles, joint_ratio
from services.api.columns import QUANTILES
from services.api.deps import (
    Accept,
    ConnectionDep,
    Cursor,
    DistrictParam,
    FlatFormatParam,
    FormatParam,
    From,
    IssuedParam,
    Limit,
    Now,
    SensorsParam,
    To,
)
from services.api.documents import documented
from services.api.formats import FLAT_FORMATS, Format, list_response, negotiate
from services.api.lookup import require_sensors, split_codes
from services.api.pagination import DEFAULT_LIMIT, cut, decode_cursor, fingerprint
from services.api.schemas import AreaCongestionPage, CongestionPage
from services.api.times import parse_range, parse_time
from services.api.writers import instant
from services.domain import QUANTILE_LEVELS, Kind, to_us
from services.storage import congestion, sensors
from services.storage.congestion import CLASSES, CongestionForecast
from services.storage.database import Connection

router = APIRouter(tags=["Forecasts"])

_COLUMNS: Final = (
    "lon",
    "lat",
    *("sensor", "district", "issued_at", "model", "state", "reason", "target_at", "congestion"),
    *(f"{name}_chance" for name in CLASSES),
    *("free_flow_kmh", "free_flow_estimated", "saturation"),
    *(f"speed_ratio_{level}" for level in QUANTILES),
    *(f"travel_time_index_{level}" for level in QUANTILES),
)
_HIDDEN: Final = 2
_SENSORS_AT_ONCE: Final = 50
_AREA_COLUMNS: Final = (
    *("district", "target_at", "sensors", "speed_ratio", "travel_time_index"),
    *(f"{name}_share" for name in CLASSES),
)
_AREA_SPAN: Final = timedelta(hours=3)
_MEDIAN: Final = QUANTILE_LEVELS.index(0.5)
_QUARTER_S: Final = 900
_Places = dict[str, tuple[float | None, float | None]]


@router.get(
    "/forecasts/congestion", responses=documented(CongestionPage), summary="How likely each class of congestion is"
)
def list_congestion(
    request: Request,
    connection: ConnectionDep,
    now: Now,
    sensor: SensorsParam = None,
    district: DistrictParam = None,
    issued_at: IssuedParam = None,
    from_: From = None,
    to: To = None,
    limit: Limit = None,
    cursor: Cursor = None,
    format_: FormatParam = None,
    accept: Accept = None,
) -> Response:
    """For each detector the newest forecast issued by `issued_at`, one row per target time of the range, by default all.

    The chances of a row sum to 1. They come from speed and flow together: few slow vehicles at an hour that is usually
    quiet are no congestion.
    """
    chosen = negotiate(accept, format_)
    found = require_sensors(connection, split_codes(sensor))
    known_by = parse_time(issued_at, parameter="issued_at", now=now) if issued_at else now
    start = parse_time(from_, parameter="from", now=now) if from_ else None
    stop = parse_time(to, parameter="to", now=now) if to else None
    places = sensors.places(connection, Kind.TRAFFIC)
    codes = sorted(set(places) & set(found) if found else places)
    question = fingerprint([codes if found else None, district, known_by, start, stop])
    after: tuple[Any, ...] | None = None
    if cursor:
        after = decode_cursor(cursor, question, (str, int))
        codes = [code for code in codes if code >= str(after[0])]
    rows: Iterable[tuple[Any, ...]] = _rows(connection, codes, places, district, known_by, start, stop)
    if after is not None:
        rows = (row for row in rows if _key(row) > after)
    everything = chosen is not Format.JSON and limit is None and cursor is None
    most = None if everything else limit or DEFAULT_LIMIT
    found_rows = list(islice(rows, None if most is None else most + 1))
    page, following = cut(found_rows, most, _key, request, question, {"issued_at": instant(known_by)})
    meta = {"issued_by": known_by, "quantiles": list(QUANTILE_LEVELS), "classes": list(CLASSES)}
    name = f"arterial-congestion-{known_by:%Y%m%dT%H%MZ}"
    return list_response(chosen, _COLUMNS, page, name=name, meta=meta, hidden=_HIDDEN, following=following)


@router.get(
    "/forecasts/congestion/areas",
    responses=documented(AreaCongestionPage, *FLAT_FORMATS),
    summary="Congestion of districts, or of the whole city",
)
def list_areas(
    connection: ConnectionDep,
    now: Now,
    by: Annotated[
        Literal["district", "city"], Query(description="What is taken together.", examples=["city"])
    ] = "district",
    issued_at: IssuedParam = None,
    from_: From = None,
    to: To = None,
    format_: FlatFormatParam = None,
    accept: Accept = None,
) -> Response:
    """Ratios of sums over all vehicles, never means of ratios; by default the three hours from `issued_at` on.

    The speed ratio is travel time at free flow over travel time as driven, from median speeds and flows, where each
    detector stands for the same length of road; the shares are those of vehicles expected in each class.
    """
    chosen = negotiate(accept, format_, FLAT_FORMATS)
    known_by = parse_time(issued_at, parameter="issued_at", now=now) if issued_at else now
    start, stop = parse_range(from_, to, now=now, default_end=known_by + _AREA_SPAN, span=_AREA_SPAN)
    told = congestion.latest(connection, issued_before=known_by, target_from=start, target_to=stop)
    areas: dict[str | None, list[CongestionForecast]] = {}
    for one in told:
        areas.setdefault(one.district if by == "district" else None, []).append(one)
    ordered = sorted(areas.items(), key=lambda pair: pair[0] or "")
    rows = [row for code, some in ordered for row in _area_rows(code, some, start, stop)]
    meta = {"issued_by": known_by, "from": start, "to": stop, "by": by}
    name = f"arterial-congestion-areas-{known_by:%Y%m%dT%H%MZ}"
    return list_response(chosen, _AREA_COLUMNS, rows, name=name, meta=meta)


def _rows(
    connection: Connection,
    codes: list[str],
    places: _Places,
    district: str | None,
    known_by: datetime,
    start: datetime | None,
    stop: datetime | None,
) -> Iterator[tuple[Any, ...]]:
    for first in range(0, len(codes), _SENSORS_AT_ONCE):
        found = congestion.latest(
            connection,
            sensors=codes[first : first + _SENSORS_AT_ONCE],
            district=district,
            issued_before=known_by,
            target_from=start,
            target_to=stop,
        )
        for one in found:
            yield from _sensor_rows(one, places.get(one.sensor, (None, None)))


def _sensor_rows(one: CongestionForecast, place: tuple[float | None, float | None]) -> Iterator[tuple[Any, ...]]:
    said = (one.sensor, one.district, one.issued_at, one.model, str(one.state), one.reason)
    ratios = np.array(one.speeds) / one.free_flow_kmh
    indices = index_quantiles(ratios.T).T
    for k, target_at in enumerate(one.target_at):
        chances, flow = one.chances[k], one.flows[k]
        saturation = None if flow is None or one.capacity_vph is None else flow / one.capacity_vph
        likeliest = CLASSES[int(np.argmax(chances))]
        road = (one.free_flow_kmh, one.free_flow_estimated, saturation)
        yield (*place, *said, target_at, likeliest, *chances, *road, *ratios[k].tolist(), *indices[k].tolist())


def _key(row: tuple[Any, ...]) -> tuple[str, int]:
    return row[_COLUMNS.index("sensor")], to_us(row[_COLUMNS.index("target_at")])


def _area_rows(
    code: str | None, some: list[CongestionForecast], start: datetime, stop: datetime
) -> Iterator[tuple[Any, ...]]:
    """One row for each quarter hour of [start, stop) in which any of the detectors is forecast."""
    first = to_us(start) // (_QUARTER_S * 1_000_000)
    count = -(-to_us(stop) // (_QUARTER_S * 1_000_000)) - first
    speed, flow = np.full((2, len(some), count), np.nan)
    chances = np.full((len(CLASSES), len(some), count), np.nan)
    for row, one in enumerate(some):
        width = max(1, one.step_seconds // _QUARTER_S)
        for k, target_at in enumerate(one.target_at):
            place = to_us(target_at) // (_QUARTER_S * 1_000_000) - first
            here = slice(max(0, place), max(0, place + width))
            speed[row, here] = one.speeds[k][_MEDIAN]
            flow[row, here] = np.nan if one.flows[k] is None else one.flows[k]
            chances[:, row, here] = np.array(one.chances[k])[:, None]
    ratio = joint_ratio(speed, np.array([one.free_flow_kmh for one in some]), flow)
    known = np.isfinite(speed)
    vehicles = np.where(known, np.maximum(np.nan_to_num(flow), 1.0), 0.0)
    expected = (np.nan_to_num(chances) * vehicles).sum(axis=1)
    for k in np.flatnonzero(known.any(axis=0)).tolist():
        at = datetime.fromtimestamp((first + k) * _QUARTER_S, start.tzinfo)
        shares = expected[:, k] / vehicles[:, k].sum()
        yield (code, at, int(known[:, k].sum()), float(ratio[k]), float(1 / ratio[k]), *shares.tolist())
