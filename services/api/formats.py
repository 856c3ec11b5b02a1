"""Code concerned with the format of an answer: what was asked for, and the answer in it."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from itertools import chain
from typing import Any, Final

import anyio
import orjson
from anyio.to_thread import run_sync
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from services.api.columns import units_of
from services.api.pagination import link_header
from services.api.problems import Problem
from services.api.writers import Batches, csv_chunks, geojson_chunks, instant, parquet_chunks

_JSON_OPTIONS: Final = orjson.OPT_UTC_Z | orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS


class Format(StrEnum):
    """What an answer can be written in."""

    JSON = "json"
    CSV = "csv"
    PARQUET = "parquet"
    GEOJSON = "geojson"


FLAT_FORMATS: Final = (Format.JSON, Format.CSV, Format.PARQUET)
"""Those of rows that have no place on a map."""

MEDIA_TYPES: Final = {
    Format.JSON: "application/json",
    Format.CSV: "text/csv",
    Format.PARQUET: "application/vnd.apache.parquet",
    Format.GEOJSON: "application/geo+json",
}
_WRITERS: Final = {Format.CSV: csv_chunks, Format.PARQUET: parquet_chunks, Format.GEOJSON: geojson_chunks}


def negotiate(accept: str | None, asked: Format | None, offered: Sequence[Format] = tuple(Format)) -> Format:
    """The format of the answer: `asked` by `?format=`, else the best of the Accept header, else JSON.

    Of equally welcome formats the first offered wins; the most specific range decides about a format (RFC 9110, 12.5.1).

    Raises:
        Problem: 406, nothing offered is acceptable.

    """
    if asked is not None:
        if asked in offered:
            return asked
    elif not accept or not accept.strip():
        return offered[0]
    else:
        ranges = list(_ranges(accept))
        weights = {format_: _weight(MEDIA_TYPES[format_], ranges) for format_ in offered}
        best = max(offered, key=lambda format_: weights[format_])
        if weights[best] > 0:
            return best
    kinds = ", ".join(f"{format_} ({MEDIA_TYPES[format_]})" for format_ in offered)
    raise Problem("not-acceptable", f"this resource can be had as {kinds}: ask with Accept or ?format=")


def _ranges(accept: str) -> Iterator[tuple[str, float]]:
    """Media range and weight of each element of an Accept header; elements that make no sense are passed over."""
    for element in accept.split(","):
        name, *parameters = (part.strip().lower() for part in element.split(";"))
        weight = 1.0
        for parameter in parameters:
            if parameter.startswith("q="):
                try:
                    weight = float(parameter[2:])
                except ValueError:
                    weight = 0.0
        if "/" in name and 0 <= weight <= 1:
            yield name, weight


def _weight(media_type: str, ranges: Sequence[tuple[str, float]]) -> float:
    for wanted in (media_type, media_type.split("/", maxsplit=1)[0] + "/*", "*/*"):
        weights = [weight for name, weight in ranges if name == wanted]
        if weights:
            return max(weights)
    return 0.0


def json_response(document: object, headers: Mapping[str, str] | None = None, status: int = 200) -> Response:
    """A JSON answer: times RFC 3339 with Z, NaN and infinities null."""
    return Response(
        orjson.dumps(document, option=_JSON_OPTIONS), status, dict(headers or {}), media_type="application/json"
    )


def records(columns: Sequence[str], rows: Sequence[Sequence[Any]], *, hidden: int = 0) -> list[dict[str, Any]]:
    """Rows as objects, without their first `hidden` columns."""
    names = columns[hidden:]
    return [dict(zip(names, row[hidden:], strict=True)) for row in rows]


def list_response(
    format_: Format,
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    name: str,
    meta: Mapping[str, Any],
    hidden: int = 0,
    following: str | None = None,
) -> Response:
    """One page of rows in any format; JSON as `data`, `next` and `meta`.

    Args:
        format_: the format.
        columns: names of the rows' values.
        rows: the page.
        name: file name without suffix.
        meta: what is said about the page; counts and units are added.
        hidden: leading columns that only GeoJSON uses, for its geometry.
        following: the address of the next page.

    """
    if format_ is Format.JSON:
        about = {"count": len(rows), "units": units_of(columns[hidden:])} | dict(meta)
        document = {"data": records(columns, rows, hidden=hidden), "next": following, "meta": about}
        return json_response(document, link_header(following))
    headers = link_header(following)
    return file_response(format_, columns, [rows], name=name, hidden=hidden, meta=file_meta(meta), headers=headers)


def file_meta(meta: Mapping[str, Any]) -> dict[str, str]:
    """What is said about a page, as the texts a file can carry."""
    return {
        name: instant(value) if isinstance(value, datetime) else str(value)
        for name, value in meta.items()
        if value is not None
    }


def file_response(
    format_: Format,
    columns: Sequence[str],
    batches: Batches,
    *,
    name: str,
    hidden: int = 0,
    meta: Mapping[str, str] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """Rows as a download that is written while they are read.

    The first rows are read before this returns, so that what goes wrong until then becomes a problem document; what
    goes wrong later breaks the connection, which every client notices.

    Args:
        format_: CSV, Parquet or GeoJSON.
        columns: names of the rows' values.
        batches: lists of rows; closed when the client has everything or has gone.
        name: file name without suffix.
        hidden: leading columns that only GeoJSON uses, for its geometry.
        meta: what a Parquet file says about itself.
        headers: further headers of the answer.

    """
    chunks = _WRITERS[format_](columns, batches, hidden=hidden, meta=meta or {})
    try:
        first = next(chunks, b"")
    except BaseException:  # whatever ends the request here, an interrupt too, must give the rows' connection back
        _close(batches)
        raise
    disposition = {"Content-Disposition": f'attachment; filename="{name}.{format_}"'}
    return _Download(chain([first], chunks), batches, MEDIA_TYPES[format_], disposition | dict(headers or {}))


class _Download(StreamingResponse):
    """Closes what it reads from when the client has everything, and when it has gone before."""

    def __init__(self, chunks: Iterator[bytes], batches: Batches, media_type: str, headers: Mapping[str, str]) -> None:
        self._batches = batches
        super().__init__(chunks, media_type=media_type, headers=headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            with anyio.CancelScope(shield=True):
                await run_sync(_close, self._batches)


def _close(batches: Batches) -> None:
    if isinstance(batches, Generator):
        batches.close()
