"""Everything a page shows is said by its address; whatever cannot be understood falls back."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboards import words
from dashboards.accuracy import conclusion, lead_text
from dashboards.address import LONGEST, link, read_view
from services.storage.scorecard import ScoreRow

NOW = datetime(2026, 11, 20, 16, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


@given(st.text())
def test_no_query_string_breaks_a_page(search: str) -> None:
    view = read_view(search)
    start, end = view.window(NOW)
    assert start < end
    assert end - start <= LONGEST
    assert -96 <= view.number("t", 0, -96, 96) <= 96


@given(start=st.text(max_size=40), end=st.text(max_size=40))
def test_no_range_breaks_a_page(start: str, end: str) -> None:
    from urllib.parse import urlencode

    view = read_view("?" + urlencode({"from": start, "to": end}))
    begin, until = view.window(NOW)
    assert begin < until


@pytest.mark.parametrize(
    ("search", "length"),
    [("", 24), ("?from=now-1h", 1), ("?from=now-7d", 168), ("?from=now-99y", 24), ("?from=2026-11-01T00:00", 24)],
)
def test_preset_ranges(search: str, length: int) -> None:
    start, end = read_view(search).window(NOW)
    assert (end - start, end) == (timedelta(hours=length), NOW)


def test_a_range_of_moments() -> None:
    view = read_view("?from=2026-11-01T00:00:00%2B01:00&to=2026-11-02T00:00:00%2B01:00")
    assert view.range_name == "custom"
    assert view.window(NOW)[0] == datetime(2026, 10, 31, 23, tzinfo=UTC)


def test_links_keep_range_refresh_and_theme_only() -> None:
    view = read_view("?from=now-6h&refresh=5&theme=dark&t=12&sensor=a")
    assert link("forecast", view, sensor="ü/&") == "/dash/forecast?from=now-6h&refresh=5&theme=dark&sensor=%C3%BC%2F%26"
    assert link("", read_view("")) == "/dash/"


def test_numbers_for_people() -> None:
    assert words.number(1234567.8, 1) == "1\u202f234\u202f567.8"
    assert words.number(float("nan")) == "–"
    assert words.number(-3) == "−3"
    assert words.power(9_999) == ("9\u202f999", "kW")
    assert words.power(23_456) == ("23.5", "MW")
    assert words.change(110, 100) == ("up", "+10\u202f%")
    assert words.change(1, None)[0] == "unknown"
    assert words.age(timedelta(minutes=4)) == "4\u202fmin"


def test_times_for_people() -> None:
    assert words.clock(NOW, BERLIN, now=NOW) == "17:00"
    assert words.clock(NOW - timedelta(days=1), BERLIN, now=NOW) == "Thu 17:00"
    assert words.zone_note(BERLIN, NOW) == "Europe/Berlin, UTC+1"
    assert words.zone_note(ZoneInfo("Asia/Kolkata"), NOW) == "Asia/Kolkata, UTC+5:30"


@given(st.text())
def test_no_text_keeps_its_markup(text: str) -> None:
    harmless = words.plain(text)
    assert "<" not in harmless
    assert ">" not in harmless
    assert "%{" not in harmless


def score(mae: float, naive: float | None, lead: int = 60) -> ScoreRow:
    facts: dict[str, Any] = {"kind": "traffic", "quantity": "flow_vph", "sensors": 1, "n": 96, "wape": 0.1}
    return ScoreRow(lead_minutes=lead, mae=mae, naive_mae=naive, coverage_80=0.8, coverage_90=0.9, **facts)


def test_losing_is_said() -> None:
    assert "Better than" in conclusion([score(1, 2)])
    assert "except 12 h ahead" in conclusion([score(1, 2), score(3, 2, 720)])
    assert "do not prefer" in conclusion([score(3, 2)])
    assert "nothing to compare" in conclusion([score(3, None)])
    assert [lead_text(m) for m in (15, 60, 90)] == ["15 min", "1 h", "1.5 h"]


def test_lengths_of_time_and_tiny_numbers_are_said_as_people_say_them() -> None:
    said = [words.span(minutes).replace("\u202f", " ") for minutes in (30, 60, 90, 1_440, 2_880)]
    assert said == ["30 min", "1 h", "90 min", "1 day", "2 days"]
    assert [words.tiny(value) for value in (1e-6, 1e-10, 0.0, 0.5, 3e-6)] == ["10⁻⁶", "10⁻¹⁰", "0", "0.5", "3e-06"]
