"""Figures are values: what they hold is checked without a browser."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from dashboards import theme
from dashboards.figures.axes import MOST_POINTS, curve, on_the_clock
from dashboards.figures.band import Line, Outlook, band_chart
from dashboards.figures.cells import PUBLISHED, WITHHELD, cells_map
from dashboards.figures.city_map import DOTS, RINGS, SURFACE, Mark, Surface, city_map, first_view, marks_update
from dashboards.figures.load import LoadOutlook, duration_chart, load_chart
from dashboards.figures.spark import paths
from services.domain import QUANTILE_LEVELS, to_us
from services.storage.overview import District
from services.storage.releases import PresenceCell

ZONE = ZoneInfo("Europe/Berlin")
START = datetime(2026, 11, 20, tzinfo=UTC)
SQUARE = {"type": "Polygon", "coordinates": [[[13.0, 52.0], [13.2, 52.0], [13.2, 52.2], [13.0, 52.2], [13.0, 52.0]]]}
DISTRICTS = [District(id=1, code="mitte", name="Mitte <i>", outline=SQUARE)]
NASTY = "<a href='javascript:alert(1)'>Kai</a> & %{lon}"


def moments(count: int, step_s: int = 300) -> np.ndarray[Any, np.dtype[np.int64]]:
    return to_us(START) + np.arange(count, dtype=np.int64) * step_s * 1_000_000


def outlook(steps: int = 96) -> Outlook:
    spread = np.array([-3.0, -2, -1, 0, 1, 2, 3])
    middle = 100 + 10 * np.sin(np.arange(steps) / 9)
    return Outlook(
        issued_at=START + timedelta(hours=4), target_us=moments(steps, 900), quantiles=middle[:, None] + spread
    )


def a_band_chart(count: int = 100_000, scheme: theme.Scheme = "light", **facts: Any) -> Any:
    line = Line(at_us=moments(count), value=np.sin(np.arange(count) / 100.0))
    given = {"last_week": line, "limit": 120.0, "revision": "t-1/flow_vph"} | facts
    return band_chart(
        line,
        outlook(),
        unit="veh/h",
        quantity="Flow",
        zone=ZONE,
        zone_note="Europe/Berlin, UTC+1",
        scheme=scheme,
        **given,
    )


def mark(code: str, ratio: float | None, **facts: Any) -> Mark:
    return Mark(code=code, label=facts.pop("label", code), lon=13.1, lat=52.1, ratio=ratio, text="text", **facts)


def test_nothing_can_be_sent_anywhere() -> None:
    for config in (theme.CONFIG, theme.MAP_CONFIG):
        assert config["showSendToCloud"] is False
        assert config["plotlyServerURL"] == ""
        assert config["displaylogo"] is False


def test_a_line_has_at_most_two_thousand_points_and_keeps_its_extremes() -> None:
    values = np.zeros(100_000)
    values[54_321] = 99.0
    drawn = curve(moments(100_000), values, ZONE)
    assert len(drawn["y"]) <= MOST_POINTS
    assert drawn["y"].max() == 99.0
    assert all(len(trace.x) <= MOST_POINTS for trace in a_band_chart().data)


def test_a_gap_stays_a_gap() -> None:
    at = np.delete(moments(100), np.s_[40:60])
    drawn = curve(at, np.ones(80), ZONE)
    assert np.isnan(drawn["y"]).sum() == 1
    assert np.isnan(drawn["y"][40])


def test_values_that_are_not_numbers_are_left_out() -> None:
    values = np.ones(50)
    values[7] = np.nan
    assert np.isfinite(curve(moments(50), values, ZONE)["y"]).all()


def test_times_are_those_of_the_citys_clock() -> None:
    summer, winter = (np.array([to_us(datetime(2026, month, 10, 12, tzinfo=UTC))]) for month in (7, 12))
    assert on_the_clock(summer, ZONE)[0] == np.datetime64("2026-07-10T14:00")
    assert on_the_clock(winter, ZONE)[0] == np.datetime64("2026-12-10T13:00")


def test_the_band_chart_says_when_it_was_issued_and_in_which_zone() -> None:
    figure = a_band_chart(count=500)
    assert {trace.name for trace in figure.data} >= {
        "90 % band",
        "80 % band",
        "50 % band",
        "Measured",
        "Forecast (median)",
    }
    assert figure.layout.shapes[0].x0 == np.datetime64("2026-11-20T05:00").astype(object)
    assert "Europe/Berlin" in figure.layout.xaxis.title.text
    assert "[veh/h]" in figure.layout.yaxis.title.text
    assert figure.layout.uirevision == "t-1/flow_vph"
    band = figure.data[0]
    assert max(band.y) == pytest.approx(outlook().quantiles[:, QUANTILE_LEVELS.index(0.95)].max())


def test_a_chart_without_a_forecast_has_no_bands() -> None:
    line = Line(at_us=moments(0), value=np.zeros(0))
    figure = band_chart(
        line, None, last_week=None, limit=None, unit="kW", quantity="Power", zone=ZONE, zone_note="", scheme="dark", revision="x"
    )  # fmt: skip
    assert [trace.name for trace in figure.data] == ["Measured"]


def test_the_map_holds_its_view_and_fetches_only_its_own_layers() -> None:
    figure = city_map(DISTRICTS, ["districts", "roads"], [mark("a", 0.9)], None, "light", revision="map")
    assert figure.layout.uirevision == "map"
    assert figure.layout.map.fitbounds is False
    style = figure.layout.map.style
    assert {source["data"] for source in style["sources"].values()} == {"/api/v1/map/districts", "/api/v1/map/roads"}
    assert "glyphs" not in style
    assert "sprite" not in style
    assert {layer.get("source") for layer in style["layers"]} <= {None, "districts", "roads"}
    assert len(figure.data) == 1 + max(SURFACE, RINGS, DOTS)


def test_congestion_is_told_by_colour_size_and_ring() -> None:
    rings, dots = marks_update([mark("jam", 0.2), mark("free", 0.95), mark("gone", None)], "light")
    order = list(dots["customdata"])
    assert order == ["gone", "free", "jam"], "serious marks are drawn last"
    assert np.all(np.diff(dots["marker"]["size"]) > 0)
    assert len(set(dots["marker"]["color"])) == 3
    assert rings["marker"]["color"][2] == theme.PALETTES["light"].ring
    assert rings["marker"]["color"][1] != theme.PALETTES["light"].ring


def test_names_of_devices_and_districts_are_harmless() -> None:
    surface = Surface(values={"mitte": 0.5}, texts={"mitte": NASTY}, lowest=0, highest=1)
    figure = city_map(DISTRICTS, [], [mark("<b>", 0.5, label=NASTY)], surface, "dark")
    for text in (figure.data[DOTS].text[0], figure.data[SURFACE].text[0], *figure.data[DOTS].customdata):
        assert "<a" not in text
        assert "<i>" not in text
        assert "%{" not in text
    assert "&lt;a" in figure.data[DOTS].text[0]


def test_a_surface_shows_only_districts_with_a_value() -> None:
    surface = Surface(values={"mitte": float("nan")}, texts={}, lowest=0, highest=1)
    figure = city_map(DISTRICTS, [], [], surface, "light")
    assert len(figure.data[SURFACE].locations) == 0


def test_the_first_view_shows_everything() -> None:
    lon, lat, zoom = first_view([(13.0, 52.0), (13.2, 52.2)], (512, 512))
    assert (lon, lat) == pytest.approx((13.1, 52.1))
    degrees_shown = 360 / 2**zoom
    assert 0.2 < degrees_shown < 0.6
    assert first_view([], (512, 512)) == (0.0, 0.0, 1.0)


def test_withheld_cells_are_drawn_apart_from_published_ones() -> None:
    cells = [
        PresenceCell(release_key="r", cell=int(code, 16), hour=START, vehicles=vehicles)
        for code, vehicles in (("881f1d4887fffff", 40), ("881f1d4885fffff", None))
    ]
    figure = cells_map(DISTRICTS, [], cells, 100, "light", size=(500, 500))
    assert list(figure.data[PUBLISHED].locations) == ["881f1d4887fffff"]
    assert list(figure.data[WITHHELD].locations) == ["881f1d4885fffff"]
    assert "40" in figure.data[PUBLISHED].text[0]
    assert "Withheld" in figure.data[WITHHELD].text[0]


def test_the_load_chart_marks_its_peak() -> None:
    median = np.array([10_000.0, 20_000.0, 15_000.0])
    ahead = LoadOutlook(target_us=moments(3, 900), low_kw=median - 500, median_kw=median, high_kw=median + 500)
    figure = load_chart(
        moments(4, 900), median.repeat(2)[:4], ahead, last_week=(moments(4, 900), np.ones(4)), zone=ZONE,
        zone_note="Europe/Berlin", scheme="light",
    )  # fmt: skip
    peak = next(trace for trace in figure.data if trace.name == "Forecast peak")
    assert list(peak.y) == [20.0]


def test_load_duration_falls() -> None:
    figure = duration_chart(np.array([3_000.0, 1_000.0, np.nan, 2_000.0]), "dark")
    assert list(figure.data[0].y[[0, -1]]) == [3.0, 1.0]
    assert np.all(np.diff(figure.data[0].y) <= 0)
    assert len(duration_chart(np.array([np.nan]), "dark").data) == 0


def test_a_spark_line_breaks_at_gaps() -> None:
    line, area = paths(np.array([1.0, 2.0, np.nan, 3.0, 1.0]))
    assert line.count("M") == area.count("M") == 2
    assert paths(np.array([np.nan, 1.0])) == ("", "")


@pytest.mark.parametrize(("readings", "mode"), [(1, "lines+markers"), (12, "lines+markers"), (13, "lines")])
def test_a_single_reading_can_be_seen(readings: int, mode: str) -> None:
    at_us = moments(20)
    value = np.where(np.arange(20) < readings, 820.0, np.nan)
    figure = band_chart(
        Line(at_us=at_us, value=value), None, last_week=None, limit=None, unit="veh/h", quantity="Flow", zone=ZONE,
        zone_note="Europe/Berlin", scheme="light", revision="r",
    )  # fmt: skip
    (drawn,) = figure.data
    assert drawn.mode == mode
