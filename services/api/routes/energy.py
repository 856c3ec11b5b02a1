"""Code concerned with `/energy/districts`: the load of feeders by district, and the energy households were released with."""

from __future__ import annotations

from datetime import datetime, timedelta
from operator import attrgetter
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from services.api.deps import Accept, ConnectionDep, Cursor, FlatFormatParam, From, Limit, Now, SettingsDep, To
from services.api.documents import documented
from services.api.formats import FLAT_FORMATS, Format, list_response, negotiate
from services.api.pagination import DEFAULT_LIMIT, cut, decode_cursor, fingerprint
from services.api.schemas import DistrictEnergyPage
from services.api.times import parse_range
from services.api.writers import instant
from services.domain import from_us, to_us
from services.local_day import days_between
from services.settings import Settings
from services.storage import observations, releases
from services.storage.database import Connection
from services.storage.observations import Resolution

router = APIRouter(tags=["Energy"])

_LOAD: Final = ("district", "name", "observed_at", "power_kw", "feeders")
_RELEASE: Final = ("release_key", "plan", "plan_version", "epsilon", "delta", "threshold", "rounding")
_HOUSEHOLDS: Final = (
    *("district", "name", "day", "energy_kwh", "households", "ci95_kwh", "suppressed", "reason"),
    *_RELEASE,
)
_MOST_EXPORTED: Final = 1_000_000


@router.get("/energy/districts", responses=documented(DistrictEnergyPage, *FLAT_FORMATS), summary="Energy by district")
def list_district_energy(
    request: Request,
    connection: ConnectionDep,
    settings: SettingsDep,
    now: Now,
    measure: Annotated[
        Literal["load", "households"],
        Query(description="load: power of the feeders. households: daily energy, released with differential privacy."),
    ] = "load",
    from_: From = None,
    to: To = None,
    resolution: Annotated[
        Literal[Resolution.QUARTER, Resolution.HOUR], Query(description="Of the load; households are daily.")
    ] = Resolution.HOUR,
    limit: Limit = None,
    cursor: Cursor = None,
    format_: FlatFormatParam = None,
    accept: Accept = None,
) -> Response:
    """Load by district and roll-up for the last 24 hours, or released household energy by local day for the last 7 days.

    Oldest first.
    """
    chosen = negotiate(accept, format_, FLAT_FORMATS)
    span = timedelta(days=1 if measure == "load" else 7)
    start, end = parse_range(from_, to, now=now, default_end=now, span=span)
    name = f"arterial-energy-{measure}-{start:%Y%m%dT%H%MZ}-{end:%Y%m%dT%H%MZ}"
    meta: dict[str, Any] = {"measure": measure, "from": start, "to": end}
    question = fingerprint([measure, start, end, resolution])
    place = decode_cursor(cursor, question, (int, str)) if cursor else None
    most = limit or (DEFAULT_LIMIT if chosen is Format.JSON else _MOST_EXPORTED)
    taken = {"from": instant(start), "to": instant(end)}
    if measure == "households":
        rows = [row for row in _households(connection, settings, start, end) if place is None or _day_key(row) > place]
        days, following = cut(rows, most, _day_key, request, question, taken)
        return list_response(chosen, _HOUSEHOLDS, days, name=name, meta=meta, following=following)
    after = None if place is None else (from_us(int(place[0])), str(place[1]))
    found = observations.district_load(
        connection, start=start, end=end, resolution=resolution, after=after, limit=most + 1
    )
    page, following = cut(found, most, lambda one: (to_us(one.observed_at), one.district), request, question, taken)
    rows = list(map(attrgetter(*_LOAD), page))
    meta["resolution"] = resolution
    return list_response(chosen, _LOAD, rows, name=name, meta=meta, following=following)


def _households(connection: Connection, settings: Settings, start: datetime, end: datetime) -> list[tuple[Any, ...]]:
    """Rows of `_HOUSEHOLDS` for every local day that the range touches."""
    days = list(days_between(start, end, settings.zone))
    first, last = days[0], days[-1]
    published = releases.releases(connection, first_day=first, last_day=last, plan="district_energy")
    heads = {release.release_key: release for release in published}
    rows = []
    for one in releases.district_energy(connection, first_day=first, last_day=last):
        release = heads[one.release_key]
        withheld = one.energy_kwh is None
        reason = f"fewer than {release.threshold} households: withheld" if withheld else None
        said = (one.district, one.name, one.day, one.energy_kwh, one.households, one.ci95_kwh, withheld, reason)
        rows.append((*said, *(getattr(release, name) for name in _RELEASE)))
    return rows


def _day_key(row: tuple[Any, ...]) -> tuple[int, str]:
    """The place of a row of `_HOUSEHOLDS` in their order."""
    return row[_HOUSEHOLDS.index("day")].toordinal(), row[_HOUSEHOLDS.index("district")]
