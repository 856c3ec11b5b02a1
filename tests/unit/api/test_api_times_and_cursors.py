"""Times people write, cursors the API hands out, and the format a client wants."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from services.api.formats import MEDIA_TYPES, Format, negotiate
from services.api.pagination import decode_cursor, encode_cursor, fingerprint
from services.api.problems import Problem
from services.api.times import parse_time
from services.errors import InputError

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
EARLIEST = datetime(1971, 1, 1)  # noqa: DTZ001 - hypothesis adds the zone
LATEST = datetime(2099, 1, 1)  # noqa: DTZ001 - hypothesis adds the zone
MOMENTS = st.datetimes(EARLIEST, LATEST)
OFFSETS = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


def parse(text: str) -> datetime:
    return parse_time(text, parameter="from", now=NOW)


@given(MOMENTS, OFFSETS)
def test_every_rfc_3339_time_is_read_exactly_even_when_its_plus_became_a_space(
    moment: datetime, zone: timezone
) -> None:
    aware = moment.replace(tzinfo=zone)
    assert parse(aware.isoformat()) == aware
    assert parse(aware.isoformat().replace("+", " ")) == aware
    assert parse(aware.isoformat()).utcoffset() == timedelta(0)


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("now", NOW),
        ("now-24h", NOW - timedelta(days=1)),
        ("now+15m", NOW + timedelta(minutes=15)),
        ("now 15m", NOW + timedelta(minutes=15)),
        ("now-1w", NOW - timedelta(weeks=1)),
        ("2026-11-22", datetime(2026, 11, 22, tzinfo=UTC)),
        ("2026-11-22T09:00+01:00", NOW),
        ("2026-11-22 08:00:00z", NOW),
        ("2026-11-22T08:00:00.123456789Z", NOW.replace(microsecond=123456)),
    ],
)
def test_the_forms_of_a_time(text: str, meant: datetime) -> None:
    assert parse(text) == meant


@given(st.text(max_size=40))
@example("now-999999w")
@example("2026-02-30T00:00:00Z")
@example("2026-11-22T08:00:00+99:99")
@example("٢٠٢٦-11-22T08:00:00Z")
@example("9999-12-31T23:59:59-14:00")
def test_any_other_text_is_refused_by_name(text: str) -> None:
    said = ""
    try:
        assert parse(text).tzinfo is UTC
    except InputError as error:
        said = str(error)
    assert not said or "from=" in said


KEYS = st.tuples(st.integers(-(2**61), 2**61), st.text(st.characters(categories=["L", "N", "P", "S"])))


@given(KEYS)
def test_a_cursor_comes_back_as_it_was(key: tuple[int, str]) -> None:
    question = fingerprint(["sensors", None])
    cursor = encode_cursor(key, question)
    assert cursor.isascii()
    assert "=" not in cursor
    assert decode_cursor(cursor, question, (int, str)) == key
    with pytest.raises(InputError, match="another query"):
        decode_cursor(cursor, fingerprint(["sensors", "traffic"]), (int, str))


@given(st.text(max_size=200))
@example(encode_cursor((True, "x"), "12345678"))
@example(encode_cursor((10**30, "x"), "12345678"))
@example(encode_cursor((1, "\x00"), "12345678"))
@example("W1tbW1tbW1tbW1tbW1tbW1tbW1tb" * 7)
def test_an_invented_cursor_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="as it is"):
        decode_cursor(text, "12345678", (int, str))


@pytest.mark.parametrize(
    ("accept", "format_"),
    [
        (None, Format.JSON),
        ("", Format.JSON),
        ("*/*", Format.JSON),
        ("text/html,application/xhtml+xml,*/*;q=0.8", Format.JSON),
        ("text/csv", Format.CSV),
        ("text/*", Format.CSV),
        ("application/geo+json, application/json;q=0.9", Format.GEOJSON),
        ("application/json;q=0.1, application/vnd.apache.parquet", Format.PARQUET),
        ("application/json;q=0, */*", Format.CSV),
        ("Text/CSV; charset=utf-8", Format.CSV),
    ],
)
def test_the_accept_header_decides(accept: str | None, format_: Format) -> None:
    assert negotiate(accept, None) is format_


@given(st.text(max_size=60))
def test_any_accept_header_gives_a_format_or_406(accept: str) -> None:
    slug = None
    try:
        assert negotiate(accept, None) in MEDIA_TYPES
    except Problem as problem:
        slug = problem.slug
    assert slug in {None, "not-acceptable"}


def test_the_parameter_wins_over_the_header_and_only_offered_formats_are_given() -> None:
    assert negotiate("text/csv", Format.PARQUET) is Format.PARQUET
    with pytest.raises(Problem):
        negotiate(None, Format.GEOJSON, (Format.JSON, Format.CSV))
