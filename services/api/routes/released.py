"""Code concerned with `/releases`: what was released about people, plan by plan, and the numbers that have no page of their own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Annotated, Any, Final

import h3
from fastapi import APIRouter, Query
from pydantic import AfterValidator, WithJsonSchema
from starlette.requests import Request
from starlette.responses import Response

from services.api.deps import (
    Accept,
    ConnectionDep,
    Cursor,
    FlatFormatParam,
    FormatParam,
    Limit,
    Now,
    SettingsDep,
)
from services.api.documents import documented
from services.api.formats import FLAT_FORMATS, Format, list_response, negotiate
from services.api.pagination import DEFAULT_LIMIT, cut, decode_cursor, fingerprint
from services.api.schemas import FigurePage, ReleasePage
from services.domain import from_us, to_us
from services.errors import InputError
from services.local_day import day_of
from services.privacy.plan import load_plans
from services.settings import Settings
from services.storage import releases
from services.storage.releases import Figure, Release

router = APIRouter(tags=["Released aggregates"])

HEAD: Final = (
    *("day", "plan", "plan_version", "plan_hash", "release_key", "released_at", "epsilon", "delta", "mechanism"),
    *("noise_scale", "threshold", "rounding", "ci95", "factor", "cells", "withheld"),
)
_ABOUT: Final = ("release_key", "plan", "plan_version", "epsilon", "delta", "threshold", "rounding")
_COLUMNS: Final = (
    *("geometry", "day", "slot", "place", "part", "measure", "value", "ci95", "suppressed", "reason"),
    *_ABOUT,
)
_MOST_DAYS: Final = 31
_MOST_EXPORTED: Final = 1_000_000
_ELSEWHERE: Final = {"presence": "/mobility", "district_energy": "/energy/districts"}
"""Plans whose numbers have a resource of their own."""
PLANS: Final = tuple(plan.name for plan in load_plans() if plan.name not in _ELSEWHERE)


def _known(name: str) -> str:
    if name not in PLANS:
        elsewhere = f"{name} has a resource of its own, {_ELSEWHERE[name]}; " if name in _ELSEWHERE else ""
        message = f"{elsewhere}it must be one of {', '.join(PLANS)}"
        raise ValueError(message)
    return name


PlanName = Annotated[str, AfterValidator(_known), WithJsonSchema({"type": "string", "enum": list(PLANS)})]
"""The name of a plan in `services/privacy/plans/`, as the documentation lists them."""
_FirstDay = Annotated[date | None, Query(description="First local day. Default: 6 days before the last.")]
_LastDay = Annotated[date | None, Query(description="Last local day, included. Default: today.")]


def head_row(one: Release) -> tuple[Any, ...]:
    """A release in the order of `HEAD`."""
    return (*(getattr(one, name) for name in HEAD[:-1]), one.suppressed)


@router.get("/releases", responses=documented(ReleasePage, *FLAT_FORMATS), summary="List what was released")
def list_releases(
    connection: ConnectionDep,
    settings: SettingsDep,
    now: Now,
    first_day: _FirstDay = None,
    last_day: _LastDay = None,
    format_: FlatFormatParam = None,
    accept: Accept = None,
) -> Response:
    """Every release of each plan on each local day: what it cost, what noise it has, and how much was withheld."""
    chosen = negotiate(accept, format_, FLAT_FORMATS)
    first, last = _days(first_day, last_day, settings, now)
    rows = [head_row(one) for one in releases.releases(connection, first_day=first, last_day=last)]
    meta = {"first_day": first, "last_day": last}
    return list_response(chosen, HEAD, rows, name=f"arterial-releases-{first}-{last}", meta=meta)


@router.get("/releases/figures", responses=documented(FigurePage), summary="List or export released numbers")
def list_figures(
    request: Request,
    connection: ConnectionDep,
    settings: SettingsDep,
    now: Now,
    plan: Annotated[PlanName | None, Query(description="One plan. Default: all.", examples=["speeds"])] = None,
    first_day: _FirstDay = None,
    last_day: _LastDay = None,
    limit: Limit = None,
    cursor: Cursor = None,
    format_: FormatParam = None,
    accept: Accept = None,
) -> Response:
    """Trips between cells, speeds, trip lengths, household load by half hour, bike stations and charging, by day.

    A plan publishes only where it is switched on. A withheld number has `value` null and a reason; whether there was little
    or nothing cannot be told. Presence has its own resource, `/mobility`, and daily household energy `/energy/districts`.
    """
    chosen = negotiate(accept, format_)
    first, last = _days(first_day, last_day, settings, now)
    question = fingerprint(["figures", plan, first, last])
    place = decode_cursor(cursor, question, (int, str, str, str, str)) if cursor else None
    most = limit or (DEFAULT_LIMIT if chosen is Format.JSON else _MOST_EXPORTED)
    after = None
    if place is not None:
        slot_us, *names = place
        after = (from_us(int(slot_us)), (str(names[0]), str(names[1]), str(names[2]), str(names[3])))
    heads = {one.release_key: one for one in releases.releases(connection, first_day=first, last_day=last, plan=plan)}
    found = releases.figures(connection, plan=plan, first_day=first, last_day=last, after=after, limit=most + 1)
    days = {"first_day": str(first), "last_day": str(last)}
    page, following = cut(found, most, lambda one: _key(one, heads), request, question, days)
    rows = list(_rows(page, heads, shapes=chosen is Format.GEOJSON))
    meta = {"first_day": first, "last_day": last}
    name = f"arterial-{plan or 'figures'}-{first}-{last}"
    return list_response(chosen, _COLUMNS, rows, name=name, meta=meta, hidden=1, following=following)


def _days(first_day: date | None, last_day: date | None, settings: Settings, now: datetime) -> tuple[date, date]:
    last = last_day or day_of(now, settings.zone)
    first = first_day or last - timedelta(days=6)
    if last - first >= timedelta(days=_MOST_DAYS):
        message = f"at most {_MOST_DAYS} days at once: ask for a shorter range"
        raise InputError(message)
    return first, last


def _rows(found: Sequence[Figure], heads: dict[str, Release], *, shapes: bool) -> Iterator[tuple[Any, ...]]:
    for one in found:
        head = heads[one.release_key]
        withheld = one.value is None
        reason = f"the count is below {head.threshold}, or zero: withheld, and both look the same" if withheld else None
        geometry = outline(one.place) if shapes else None
        said = (one.place, one.part or None, one.measure, one.value, one.ci95, withheld, reason)
        yield (geometry, head.day, one.slot, *said, *(getattr(head, name) for name in _ABOUT))


def _key(one: Figure, heads: dict[str, Release]) -> tuple[int, str, str, str, str]:
    return to_us(one.slot), heads[one.release_key].plan, one.place, one.part, one.measure


@lru_cache(maxsize=10_000)
def outline(place: str) -> dict[str, Any] | None:
    """The GeoJSON polygon of a place that is an H3 cell, closed; None for others."""
    if not h3.is_valid_cell(place):
        return None
    corners = [[round(lon, 6), round(lat, 6)] for lat, lon in h3.cell_to_boundary(place)]
    return {"type": "Polygon", "coordinates": [[*corners, corners[0]]]}
