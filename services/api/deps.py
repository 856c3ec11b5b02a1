"""Code concerned with what routes need: a connection, the settings, the clock, the format, and known parameters only."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Literal, cast

from fastapi import Depends, Header, Query, params
from fastapi.dependencies.utils import get_flat_params
from fastapi.routing import APIRoute
from starlette.requests import Request

from services.api.exports import Exports
from services.api.formats import Format
from services.api.pagination import MOST_LIMIT
from services.api.times import FORMS
from services.domain import Kind
from services.errors import InputError
from services.settings import Settings
from services.storage.database import Connection, Pool


def _settings(request: Request) -> Settings:
    return cast("Settings", request.app.state.settings)


def _pool(request: Request) -> Pool:
    return cast("Pool", request.app.state.pool)


def _connection(pool: Annotated[Pool, Depends(_pool)]) -> Iterator[Connection]:
    with pool.connection() as connection:
        yield connection


def _exports(request: Request) -> Exports:
    return cast("Exports", request.app.state.exports)


def _now() -> datetime:
    return datetime.now(UTC)


SettingsDep = Annotated[Settings, Depends(_settings)]
PoolDep = Annotated[Pool, Depends(_pool)]
ConnectionDep = Annotated[Connection, Depends(_connection, scope="function")]
ExportsDep = Annotated[Exports, Depends(_exports)]
Now = Annotated[datetime, Depends(_now)]

FixedKind = Literal[Kind.TRAFFIC, Kind.ENERGY, Kind.ENVIRONMENT]
"""The kinds of fixed sensors; the personal kinds are known to no route."""

Accept = Annotated[str | None, Header(include_in_schema=False)]
FormatParam = Annotated[
    Format | None,
    Query(alias="format", description="The format of the answer; without it the Accept header decides."),
]
Limit = Annotated[
    int | None,
    Query(ge=1, le=MOST_LIMIT, description="Most rows of one page; exports without it hold every row.", examples=[100]),
]
KindParam = Annotated[FixedKind | None, Query(description="traffic, energy or environment.", examples=["traffic"])]
DistrictParam = Annotated[str | None, Query(max_length=63, description="Only this district, by its code.")]
FlatFormatParam = Annotated[
    Literal[Format.JSON, Format.CSV, Format.PARQUET] | None,
    Query(alias="format", description="The format of the answer; without it the Accept header decides."),
]
SensorsParam = Annotated[
    list[str] | None,
    Query(
        description="Codes of sensors, repeated or separated by commas; without it every sensor of the kind.",
        examples=[["tr-001a"]],
    ),
]
From = Annotated[
    str | None,
    Query(alias="from", max_length=40, description=f"First time of the range: {FORMS}.", examples=["now-6h"]),
]
To = Annotated[str | None, Query(max_length=40, description="First time no longer in the range.", examples=["now"])]
Cursor = Annotated[
    str | None, Query(max_length=2_000, description="Where to go on: part of the `next` link, to be used as it is.")
]


IssuedParam = Annotated[
    str | None,
    Query(
        max_length=40, description=f"What was forecast as known at that time: {FORMS}. Default: now.", examples=["now"]
    ),
]


def only_known_parameters(request: Request) -> None:
    """Refuse a query parameter that the route does not have, by name, and an unprintable character in any.

    Raises:
        InputError: with the name and the nearest one that exists.

    """
    known = _query_parameters(request.scope["route"])
    for name, value in request.query_params.multi_items():
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"this resource knows {', '.join(known) or 'none'}"
            message = f"there is no query parameter {name[:60]!r}: {hint}"
            raise InputError(message)
        if "\x00" in value:
            message = f"{name} has a NUL character, which no text of Arterial has"
            raise InputError(message)


def _query_parameters(route: APIRoute) -> list[str]:
    """The names of a route's query parameters, sorted."""
    fields = get_flat_params(route.dependant)
    return sorted(field.alias for field in fields if isinstance(field.field_info, params.Query))
