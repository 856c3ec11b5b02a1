"""Code concerned with history from InfluxDB: points by a mapping into readings, through the same way as all history.

Readings travel as messages of the native dialect, so they are checked, flagged and stored as live ones are, and what is
there already is not stored again.
"""

from __future__ import annotations

import contextlib
import hashlib
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

import msgspec

from ingest import pipeline
from ingest.influx import sources
from ingest.influx.delivery import Server
from ingest.influx.line_protocol import Point
from ingest.influx.mapping import Mapping, Values
from services.domain import Message, from_us
from services.errors import InputError
from services.settings import Settings, without_user

Progress = Callable[[int, int], None]
"""Told how much is done, and of how much."""

_POINTS_AT_ONCE: Final = 200_000
_LARGEST_PAYLOAD: Final = 60_000
_REASONS: Final = 20


@dataclass(kw_only=True, slots=True)
class Imported:
    """What an import did.

    Attributes:
        points: read.
        unmapped: points that belong to no series of the mapping, or have none of its fields.
        refused: points that belong to one but cannot be used.
        reasons: why, with the number of points, for the first 20 reasons.
        readings: made of the others.
        new_rows: stored rows that were not there before; a row may hold several fields.
        dead_letters: messages of readings of which some could not be stored; `sensing.dead_letter` has the reason.
        windows: windows of time that were read.
        skipped_windows: windows that an earlier run had finished.

    """

    points: int = 0
    unmapped: int = 0
    refused: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    readings: int = 0
    new_rows: int = 0
    dead_letters: int = 0
    windows: int = 0
    skipped_windows: int = 0


def from_bucket(
    settings: Settings,
    server: Server,
    mapping: Mapping,
    *,
    start: datetime,
    stop: datetime,
    every: timedelta,
    again: bool = False,
    progress: Progress,
) -> Imported:
    """Import [start, stop) window by window; a run that was broken off goes on behind the last finished window.

    Args:
        settings: the database, and the data folder in which finished windows are noted.
        server: the server and bucket.
        mapping: what becomes what.
        start: first moment imported, UTC.
        stop: first moment no longer imported, UTC.
        every: length of a window.
        again: also windows that an earlier run finished.
        progress: told how many seconds of the span are done.

    Raises:
        InputError: the server refuses the query.
        UnavailableError: the server or the database does not answer.

    """
    done = Imported()
    note = _Note(settings, server, mapping, start)
    seconds = (stop - start) / timedelta(seconds=1)
    for at, end in windows(start, stop, every):
        if not again and note.until is not None and end <= note.until:
            done.skipped_windows += 1
        else:
            store(settings, mapping, of_window(server, mapping, at, end), done)
            done.windows += 1
            note.write(end)
        progress(round((end - start) / timedelta(seconds=1)), round(seconds))
    return done


def windows(start: datetime, stop: datetime, every: timedelta) -> Iterator[tuple[datetime, datetime]]:
    """[start, stop) in windows of a length."""
    while start < stop:
        yield start, min(start + every, stop)
        start += every


def store(settings: Settings, mapping: Mapping, points: Iterable[Point], done: Imported) -> None:
    """Store what points say, and count it in `done`.

    Raises:
        UnavailableError: the database does not answer at the start.

    """
    remaining = iter(points)
    while some := list(islice(remaining, _POINTS_AT_ONCE)):
        counts = pipeline.store(settings, list(_messages(mapping, readings(mapping, some, done))))
        done.new_rows += counts.rows
        done.dead_letters += counts.dead_lettered


def readings(mapping: Mapping, points: Iterable[Point], done: Imported) -> list[Values]:
    """One reading for each sensor and time, the fields of several points together, in the order first met."""
    found: dict[tuple[int, str, int], Values] = {}
    for point in points:
        done.points += 1
        try:
            values = mapping.values(point)
        except InputError as error:
            done.refused += 1
            if len(done.reasons) < _REASONS or str(error) in done.reasons:
                done.reasons[str(error)] += 1
            continue
        if values is None:
            done.unmapped += 1
            continue
        known = found.setdefault((values.series, values.sensor, values.observed_us), values)
        if known is not values:
            known.values.update(values.values)
    done.readings += len(found)
    return list(found.values())


def of_window(server: Server, mapping: Mapping, start: datetime, stop: datetime) -> Iterator[Point]:
    """The points of [start, stop) of all series.

    Raises:
        InputError: the server refuses a query.
        UnavailableError: the server does not answer.

    """
    for one in mapping.series:
        yield from sources.queried(server, sources.flux(server.bucket, one, start, stop))


def _messages(mapping: Mapping, found: list[Values]) -> Iterator[Message]:
    """Readings as messages of the native dialect, many of one sensor in each."""
    now_us = time.time_ns() // 1_000
    by_sensor: dict[tuple[int, str], list[Values]] = {}
    for values in found:
        by_sensor.setdefault((values.series, values.sensor), []).append(values)
    for (place, sensor), group in by_sensor.items():
        one = mapping.series[place]
        topic = f"city/v1/{one.kind}/{sensor}/telemetry"
        for payload in _payloads(sorted(group, key=lambda values: values.observed_us)):
            delay_us = round(one.interval_s * 1_000_000)
            yield Message(topic=topic, payload=payload, received_us=now_us, delay_us=delay_us)


def _payloads(group: list[Values]) -> Iterator[bytes]:
    items: list[bytes] = []
    size = 0
    for values in group:
        item = msgspec.json.encode({"ts": from_us(values.observed_us), **values.values})
        if size + len(item) > _LARGEST_PAYLOAD and items:
            yield b"[" + b",".join(items) + b"]"
            items, size = [], 0
        items.append(item)
        size += len(item) + 1
    yield b"[" + b",".join(items) + b"]"


class _Note:
    """How far an import has got, in a file named after what is imported."""

    def __init__(self, settings: Settings, server: Server, mapping: Mapping, start: datetime) -> None:
        database = without_user(settings.owner_dsn())
        what = [database, server.url, server.org, server.bucket, start, mapping.series]
        name = hashlib.sha256(msgspec.json.encode(what)).hexdigest()[:16]
        self._path = settings.data_dir / "influx-import" / f"{name}.json"
        self.until: datetime | None = None
        if self._path.exists():
            with contextlib.suppress(msgspec.DecodeError):  # torn by a power cut: reading again does no harm
                self.until = msgspec.json.decode(self._path.read_bytes(), type=datetime)

    def write(self, until: datetime) -> None:
        """All before `until` is stored."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        new = self._path.with_suffix(".new")
        new.write_bytes(msgspec.json.encode(until))
        new.replace(self._path)
