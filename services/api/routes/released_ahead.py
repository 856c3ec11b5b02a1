"""Code concerned with `/releases/forecasts`: what will be released of the next two local days, and how such forecasts did."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from services.api.columns import QUANTILES
from services.api.deps import (
    Accept,
    ConnectionDep,
    Cursor,
    FlatFormatParam,
    FormatParam,
    IssuedParam,
    Limit,
    Now,
    SettingsDep,
)
from services.api.documents import documented
from services.api.formats import FLAT_FORMATS, Format, list_response, negotiate
from services.api.pagination import DEFAULT_LIMIT, cut, decode_cursor, fingerprint
from services.api.routes.released import outline
from services.api.schemas import ReleasedForecastPage, ReleasedScorePage
from services.api.times import parse_time
from services.api.writers import instant
from services.domain import QUANTILE_LEVELS, to_us
from services.local_day import day_of
from services.storage import released_forecasts
from services.storage.database import Connection

router = APIRouter(tags=["Released aggregates"])

_PLANS: Final = ("district_load", "presence")
_COLUMNS: Final = (
    *("geometry", "plan", "place", "measure", "issued_at", "last_day", "model", "state", "reason", "target_at"),
    *QUANTILES,
    *("ci95", "release_key", "plan_version", "epsilon", "threshold"),
)
_SCORES: Final = (
    *("plan", "days_ahead", "days", "n", "mae", "naive_mae", "skill", "wape", "pinball"),
    *("coverage_50", "coverage_80", "coverage_90"),
)
_SCORED: Final = timedelta(days=30)
_Row = tuple[Any, ...]
PlanParam = Annotated[
    Literal["district_load", "presence"] | None,
    Query(
        description="Household load by half hour, or vehicles by cell and hour. Default: both.", examples=["presence"]
    ),
]


@router.get(
    "/releases/forecasts",
    responses=documented(ReleasedForecastPage),
    summary="What will be released of the next two days",
)
def list_released_forecasts(
    request: Request,
    connection: ConnectionDep,
    now: Now,
    plan: PlanParam = None,
    place: Annotated[str | None, Query(max_length=63, description="Only this cell or district, by its code.")] = None,
    issued_at: IssuedParam = None,
    limit: Limit = None,
    cursor: Cursor = None,
    format_: FormatParam = None,
    accept: Accept = None,
) -> Response:
    """Quantiles of the number that will be *released* of each slot, its noise and rounding included, where it is shown.

    Made from released numbers alone, so it costs no privacy. The true load lies in the intervals more often than they say; about
    true counts of vehicles, smoothed and withheld near the threshold, they promise nothing. `ci95` is how far the noise moves the newest released number of the place. A slot that is mostly withheld
    has no row; a place that is not forecast has one row without a target, whose `reason` says why.
    """
    chosen = negotiate(accept, format_)
    known_by = parse_time(issued_at, parameter="issued_at", now=now) if issued_at else now
    question = fingerprint(["released-forecasts", plan, place, known_by])
    after = decode_cursor(cursor, question, (str, str, int)) if cursor else None
    rows = [
        row
        for one in ((plan,) if plan else _PLANS)
        if after is None or one >= str(after[0])
        for row in _rows(connection, one, place, known_by, shapes=chosen is Format.GEOJSON)
        if after is None or _key(row) > after
    ]
    most = limit or (DEFAULT_LIMIT if chosen is Format.JSON else None)
    page, following = cut(rows, most, _key, request, question, {"issued_at": instant(known_by)})
    meta = {"issued_by": known_by, "quantiles": list(QUANTILE_LEVELS)}
    name = f"arterial-{plan or 'released'}-forecasts-{known_by:%Y%m%dT%H%MZ}"
    return list_response(chosen, _COLUMNS, page, name=name, meta=meta, hidden=1, following=following)


@router.get(
    "/releases/forecasts/scorecard",
    responses=documented(ReleasedScorePage, *FLAT_FORMATS),
    summary="How forecasts of releases did",
)
def score_released_forecasts(
    connection: ConnectionDep,
    settings: SettingsDep,
    now: Now,
    plan: PlanParam = None,
    format_: FlatFormatParam = None,
    accept: Accept = None,
) -> Response:
    """What was forecast beside what was then released, over the last 30 local days, by days ahead; also where it lost.

    Compared are numbers that were shown. `naive_mae` is the error of the number released a week before.
    """
    chosen = negotiate(accept, format_, FLAT_FORMATS)
    since = day_of(now - _SCORED, settings.zone)
    rows = [
        (one, *(getattr(score, name) for name in _SCORES[1:]))
        for one in ((plan,) if plan else _PLANS)
        for score in released_forecasts.scorecard(connection, one, since=since)
    ]
    return list_response(chosen, _SCORES, rows, name="arterial-released-scorecard", meta={"since": str(since)})


def _rows(connection: Connection, plan: str, place: str | None, known_by: datetime, *, shapes: bool) -> list[_Row]:
    """Rows of `_COLUMNS` in order of `_key`."""
    run = released_forecasts.newest(connection, plan, issued_before=known_by)
    if run is None:
        return []
    of_run = (run.release_key, run.plan_version, run.epsilon, run.threshold)
    rows: list[_Row] = []
    for one in released_forecasts.places(connection, run.id, place=place):
        state = None if one.state is None else str(one.state)
        said = (plan, one.place, run.measure, run.issued_at, run.last_day, one.model, state, one.reason)
        geometry = outline(one.place) if shapes else None
        if not one.target_at:
            rows.append((geometry, *said, None, *([None] * len(QUANTILE_LEVELS)), one.ci95, *of_run))
        for at, quantiles in zip(one.target_at, one.quantiles, strict=True):
            rows.append((geometry, *said, at, *quantiles, one.ci95, *of_run))
    return rows


def _key(row: _Row) -> tuple[str, str, int]:
    at = row[_COLUMNS.index("target_at")]
    return row[1], row[2], -1 if at is None else to_us(at)
