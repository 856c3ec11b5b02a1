"""Code concerned with where points come from: a Flux query, a file of annotated CSV, or a file of line protocol."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import IO, Any, Final, cast

from influxdb_client.client.flux_csv_parser import (
    FluxCsvParser,
    FluxCsvParserException,
    FluxQueryException,
    FluxSerializationMode,
)
from influxdb_client.client.flux_table import FluxRecord
from influxdb_client.rest import ApiException
from urllib3.exceptions import HTTPError

from ingest.influx import line_protocol
from ingest.influx.delivery import Server
from ingest.influx.line_protocol import Point, Precision
from ingest.influx.mapping import Series
from services.domain import to_us
from services.errors import InputError, UnavailableError

_NOT_TAGS: Final = frozenset({"result", "table", "_start", "_stop", "_time", "_measurement", "_field", "_value"})


def flux(bucket: str, one: Series, start: datetime, stop: datetime) -> str:
    """The query for the points of a series in [start, stop)."""
    fields = " or ".join(f"r._field == {_quoted(name)}" for name in one.fields)
    conditions = [f"r._measurement == {_quoted(one.measurement)}", f"({fields})"]
    conditions += [f"r[{_quoted(name)}] == {_quoted(value)}" for name, value in one.where.items()]
    return (
        f"from(bucket: {_quoted(bucket)})"
        f" |> range(start: {_rfc3339(start)}, stop: {_rfc3339(stop)})"
        f" |> filter(fn: (r) => {' and '.join(conditions)})"
    )


def queried(server: Server, query: str) -> Iterator[Point]:
    """The points that a Flux query finds, as they arrive.

    Raises:
        InputError: the server refuses the query.
        UnavailableError: the server does not answer, or broke off.

    """
    try:
        yield from _points(server.client.query_api().query_stream(query))
    except ApiException as error:
        message = server.explain(error)
        if error.status == 404:
            message += (
                ". InfluxDB 3 Core cannot be queried this way: export the bucket, and import the file with --file"
            )
        passes = error.status is None or error.status >= 500 or error.status == 429
        raise (UnavailableError if passes else InputError)(message) from error
    except HTTPError as error:
        message = f"{server.url} does not answer, or broke off: {type(error).__name__}"
        raise UnavailableError(message) from error
    except FluxQueryException as error:
        message = f"{server.url} ended the query with an error: {error.message}"
        raise InputError(message) from error


def annotated_csv(path: Path) -> Iterator[Point]:
    """The points of a file such as `influx query --raw` writes; `.gz` files are unpacked.

    Raises:
        InputError: it cannot be read, or is not annotated CSV.

    """
    with _opened(path) as file:
        parser = FluxCsvParser(file, FluxSerializationMode.stream)
        try:
            yield from _points(parser.generator())
        except (FluxCsvParserException, IndexError, ValueError) as error:
            message = (
                f"{path} is not annotated CSV ({error}): it needs the lines #datatype, #group and #default, "
                "as `influx query --raw` writes them"
            )
            raise InputError(message) from error
        except FluxQueryException as error:
            message = f"{path} ends with an error of the server that wrote it: {error.message}"
            raise InputError(message) from error


def line_file(path: Path, precision: Precision) -> Iterator[Point]:
    """The points of a file of line protocol such as `influxd inspect export-lp` writes; `.gz` files are unpacked.

    Raises:
        InputError: it cannot be read, or a line is not line protocol; the message names the line.

    """
    with _opened(path) as file:
        for number, line in enumerate(file, start=1):
            try:
                point = line_protocol.parse(line.decode(), precision)
            except InputError as error:
                message = f"{path}, line {number}: {error}"
                raise InputError(message) from None
            except UnicodeDecodeError:
                message = f"{path}, line {number}: it is not UTF-8"
                raise InputError(message) from None
            if point is not None:
                yield point


def is_annotated_csv(path: Path) -> bool:
    """Whether a file begins as annotated CSV does.

    Raises:
        InputError: it cannot be read.

    """
    with _opened(path) as file:
        return file.read(64).lstrip().startswith((b"#datatype", b"#group", b"#default"))


def _points(found: Iterable[FluxRecord]) -> Iterator[Point]:
    """Records as points: of one field each, or, after a pivot, with the fields as columns."""
    for record in found:
        values: dict[str, Any] = record.values
        moment, field, value = values.get("_time"), values.get("_field"), values.get("_value")
        rest = {name: text for name, text in values.items() if name not in _NOT_TAGS and text is not None}
        fields: dict[str, line_protocol.Value]
        if field is None:
            fields = {name: number for name, number in rest.items() if isinstance(number, int | float)}
        else:
            fields = {} if value is None else {field: value}
        yield Point(
            measurement=str(values.get("_measurement") or ""),
            tags={name: text for name, text in rest.items() if isinstance(text, str)},
            fields=fields,
            time_us=to_us(moment) if isinstance(moment, datetime) else None,
        )


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            yield cast("IO[bytes]", file)
    except (OSError, EOFError) as error:
        message = f"{path} cannot be read: {getattr(error, 'strerror', None) or error}"
        raise InputError(message) from error


def _quoted(text: str) -> str:
    """A string of Flux, in which `${` would be filled in."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("${", "\\${")
    return f'"{escaped}"'


def _rfc3339(moment: datetime) -> str:
    return moment.isoformat().replace("+00:00", "Z")
