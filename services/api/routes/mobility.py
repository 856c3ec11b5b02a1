"""Code concerned with `/mobility` and `/privacy/ledger`: what was published about people, and what it cost."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from functools import lru_cache
from itertools import islice
from typing import Annotated, Any, Final

import h3
from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from services.api.deps import (
    Accept,
    ConnectionDep,
    Cursor,
    FlatFormatParam,
    FormatParam,
    From,
    Limit,
    Now,
    SettingsDep,
    To,
)
from services.api.documents import documented
from services.api.formats import FLAT_FORMATS, Format, list_response, negotiate
from services.api.pagination import DEFAULT_LIMIT, cut, decode_cursor, fingerprint
from services.api.schemas import LedgerPage, PresencePage
from services.api.times import parse_range
from services.api.writers import instant
from services.domain import to_us
from services.errors import InputError
from services.local_day import day_of
from services.storage import ledger, releases
from services.storage.database import Connection
from services.storage.releases import PresenceCell, Release

router = APIRouter(tags=["Released aggregates"])

_RELEASE: Final = ("release_key", "plan", "plan_version", "epsilon", "delta", "threshold", "rounding", "ci95")
_COLUMNS: Final = ("geometry", "cell", "hour", "vehicles", "suppressed", "reason", *_RELEASE)
_LEDGER: Final = (
    *("day", "domain", "release_key", "plan_hash", "epsilon", "charged_at"),
    *("cap", "spent"),
)
_MOST_DAYS: Final = 31
_MOST_EXPORTED: Final = 1_000_000


@router.get("/mobility", responses=documented(PresencePage), summary="List or export published presence")
def list_presence(
    request: Request,
    connection: ConnectionDep,
    now: Now,
    from_: From = None,
    to: To = None,
    limit: Limit = None,
    cursor: Cursor = None,
    format_: FormatParam = None,
    accept: Accept = None,
) -> Response:
    """Distinct vehicles by H3 cell and hour as published with differential privacy; by default the newest 24 hours.

    A withheld cell has `vehicles` null and a reason; whether few or no vehicles were there cannot be told.
    """
    chosen = negotiate(accept, format_)
    covered = releases.presence_hours(connection)
    start, end = parse_range(from_, to, now=now, default_end=covered[1] if covered and not from_ else now)
    if end - start > timedelta(days=_MOST_DAYS):
        message = f"at most {_MOST_DAYS} days at once: ask for a shorter range"
        raise InputError(message)
    question = fingerprint(["presence", start, end])
    after = decode_cursor(cursor, question, (int, str)) if cursor else None
    most = limit or (DEFAULT_LIMIT if chosen is Format.JSON else _MOST_EXPORTED)
    rows = _rows(connection, start, end, shapes=chosen is Format.GEOJSON, after=after)
    taken = {"from": instant(start), "to": instant(end)}
    page, following = cut(list(islice(rows, most + 1)), most, _key, request, question, taken)
    name = f"arterial-presence-{start:%Y%m%dT%H%MZ}-{end:%Y%m%dT%H%MZ}"
    meta = {"from": start, "to": end, "published_from": covered and covered[0], "published_to": covered and covered[1]}
    return list_response(chosen, _COLUMNS, page, name=name, meta=meta, hidden=1, following=following)


def _rows(
    connection: Connection, start: datetime, end: datetime, *, shapes: bool, after: tuple[str | int, ...] | None
) -> Iterator[tuple[Any, ...]]:
    """Rows of `_COLUMNS` in order of `_key`, read a day at a time, beginning after a key."""
    day = timedelta(days=1)
    published = releases.releases(
        connection, first_day=(start - day).date(), last_day=(end + day).date(), plan="presence"
    )
    heads = {release.release_key: release for release in published}
    while start < end:
        stop = min(start + day, end)
        if after is None or to_us(stop) > int(after[0]):
            for cell in releases.presence(connection, start=start, end=stop):
                row = _row(cell, heads[cell.release_key], shapes=shapes)
                if after is None or _key(row) > after:
                    yield row
        start = stop


def _row(cell: PresenceCell, release: Release, *, shapes: bool) -> tuple[Any, ...]:
    withheld = cell.vehicles is None
    reason = f"fewer than {release.threshold} vehicles, or none: withheld, and both look the same" if withheld else None
    geometry = _outline(cell.cell_id) if shapes else None
    about = tuple(getattr(release, name) for name in _RELEASE)
    return (geometry, cell.cell_id, cell.hour, cell.vehicles, withheld, reason, *about)


def _key(row: tuple[Any, ...]) -> tuple[int, str]:
    return to_us(row[_COLUMNS.index("hour")]), row[_COLUMNS.index("cell")]


@lru_cache(maxsize=10_000)
def _outline(cell: str) -> dict[str, Any]:
    """The GeoJSON polygon of an H3 cell, closed."""
    corners = [[round(lon, 6), round(lat, 6)] for lat, lon in h3.cell_to_boundary(cell)]
    return {"type": "Polygon", "coordinates": [[*corners, corners[0]]]}


@router.get("/privacy/ledger", responses=documented(LedgerPage, *FLAT_FORMATS), summary="The privacy ledger")
def read_ledger(
    connection: ConnectionDep,
    settings: SettingsDep,
    now: Now,
    first_day: Annotated[date | None, Query(description="First local day. Default: 30 days before the last.")] = None,
    last_day: Annotated[date | None, Query(description="Last local day, included. Default: today.")] = None,
    format_: FlatFormatParam = None,
    accept: Accept = None,
) -> Response:
    """Every charge of the privacy budget, newest day first: charged before noise was drawn, never given back."""
    chosen = negotiate(accept, format_, FLAT_FORMATS)
    last = last_day or day_of(now, settings.zone)
    first = first_day or last - timedelta(days=30)
    budgets = {(one.domain, one.day): one for one in ledger.budgets(connection, first_day=first, last_day=last)}
    rows = []
    for charge in ledger.charges(connection, first_day=first, last_day=last):
        budget = budgets[charge.domain, charge.day]
        said = (charge.day, charge.domain, charge.release_key, charge.plan_hash, charge.epsilon, charge.charged_at)
        rows.append((*said, budget.cap, budget.spent))
    meta = {"first_day": first, "last_day": last}
    return list_response(chosen, _LEDGER, rows, name=f"arterial-privacy-ledger-{first}-{last}", meta=meta)
