"""The dashboard in a real browser, over a real server and database."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlsplit

import pytest
from selenium.webdriver import ActionChains
from selenium.webdriver.common.actions.wheel_input import ScrollOrigin
from selenium.webdriver.common.keys import Keys

from services.domain import ForecastState, to_us
from services.settings import Settings
from services.storage import overview, releases
from services.storage.database import connect

PAGES = {
    "": "document.querySelectorAll('#now-keys .card').length >= 4",
    "map": "document.querySelectorAll('#map-list tr').length > 50",
    "forecast": "document.querySelector('#forecast-body .js-plotly-plot .scatterlayer')",
    "energy": "document.querySelectorAll('#energy-body .js-plotly-plot .scatterlayer').length >= 2"
    " && ['the highest quarter hour is about', 'Households', 'How good have these forecasts been?']"
    ".every(words => document.querySelector('#energy-body').innerText.includes(words))",
    "mobility": "document.querySelectorAll('#mobility-side .bar').length >= 8",
}
MAP = "document.querySelector('#map .js-plotly-plot')._fullLayout.map._subplot.map"
MAP_READY = (
    f"document.querySelector('#map .js-plotly-plot')?._fullLayout?.map?._subplot?.map?.loaded() && {MAP}.getCenter()"
)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_renders_without_errors_asks_only_its_host_and_sends_no_chart_away(
    window: Any, site: Any, page: str
) -> None:
    window.open(f"{site.url}/dash/{page}")
    window.wait(PAGES[page])
    window.wait("document.querySelector('#age')?.innerText.startsWith('Data')")
    time.sleep(1)
    assert window.console() == []
    strangers = {u for u in window.requests() if urlsplit(u).scheme not in ("data", "blob", "about", "chrome")}
    assert {urlsplit(u).hostname for u in strangers} == {"127.0.0.1"}
    assert "could not be read" not in window.text()
    configured = window.run(
        "return [...document.querySelectorAll('.js-plotly-plot')].map(p => p._context && "
        "[p._context.showSendToCloud, p._context.plotlyServerURL, p._context.displaylogo])"
    )
    assert configured
    assert all(one == [False, "", False] for one in configured)
    assert "share chart" not in window.run("return document.documentElement.outerHTML").lower()


@pytest.mark.parametrize("page", PAGES)
def test_nothing_overflows_a_phone_in_the_dark(window: Any, site: Any, page: str) -> None:
    window.resize(390, 844)
    window.open(f"{site.url}/dash/{page}?theme=dark")
    window.wait(PAGES[page])
    assert window.run("return document.documentElement.scrollWidth") <= 390
    assert window.run("return document.documentElement.dataset.mantineColorScheme") == "dark"
    assert all(
        window.run(
            "return [...document.querySelectorAll('.nav-link')].map(a => a.getBoundingClientRect().height >= 44)"
        )
    )
    if page == "forecast":
        ground = window.run("return getComputedStyle(document.body).backgroundColor")
        assert _contrast(ground, window.run("return getComputedStyle(document.querySelector('h1')).color")) > 7
        assert (
            _contrast(ground, window.run("return getComputedStyle(document.querySelector('.xtick text')).fill")) > 4.5
        )


def test_now_says_what_comes_next_and_offers_a_time_range_only_where_one_acts(window: Any, site: Any) -> None:
    now = datetime.now(UTC)
    day = {"now": now, "start": now, "end": now + timedelta(hours=24)}
    with connect(site.settings.role_dsn("api"), application="test") as reader:
        worst = max(overview.heavy_ahead(reader, **day, likely=0.5, possible=0.2), key=lambda one: one.expected)
        chances = overview.city_chances(reader, **day)
        states = overview.forecast_states(reader, now)
    then = chances.values[chances.target_us == to_us(worst.target_at), 0]
    assert (worst.likely, worst.detectors) == ((then >= 0.5).sum(), len(then))
    assert worst.possible == ((then >= 0.2) & (then < 0.5)).sum()
    assert states is not None
    window.open(f"{site.url}/dash/")
    said = window.wait("document.querySelector('#now-ahead .ahead')?.innerText")
    assert worst.target_at.astimezone(site.settings.zone).strftime("%H:%M") in said
    assert f"{states.series[ForecastState.NORMAL]} normal" in said
    assert "in 8 of 10 cases" in said
    shown = "(document.querySelector('#range') && getComputedStyle(document.querySelector('#range')).display)"
    window.wait(f"{shown} === 'none'")
    window.open(f"{site.url}/dash/forecast")
    window.wait(f"{shown} === 'flex'")


def test_whatever_the_keyboard_reaches_says_what_it_is(window: Any, site: Any) -> None:
    window.open(f"{site.url}/dash/map")
    window.wait(PAGES["map"])
    nameless = window.run(
        "return [...document.querySelectorAll('a[href], button, input, select, [role=slider]')].filter(e =>"
        " e.tabIndex >= 0 && e.getClientRects().length && !e.innerText?.trim() && !e.getAttribute('aria-label') && !e.title"
        " && !e.labels?.length).map(e => e.outerHTML.slice(0, 120))"
    )
    assert nameless == []
    label = window.run("return getComputedStyle(document.querySelector('.mantine-Slider-markLabel')).color")
    ground = window.run("return getComputedStyle(document.querySelector('.card')).backgroundColor")
    assert _contrast(ground, label) > 4.5


def test_the_map_keeps_its_view_through_updates(window: Any, site: Any) -> None:
    window.open(f"{site.url}/dash/map?refresh=5")
    window.wait(MAP_READY)
    window.wait(PAGES["map"])
    began = window.run(f"return {MAP}.getZoom()")
    window.run("window.first = document.querySelector('#map .js-plotly-plot')")
    canvas = window.driver.find_element("css selector", "#map canvas.maplibregl-canvas")
    drag = ActionChains(window.driver).move_to_element(canvas).click_and_hold().move_by_offset(90, -60).pause(0.3)
    drag.release().perform()
    ActionChains(window.driver).scroll_from_origin(ScrollOrigin.from_element(canvas), 0, -300).perform()
    time.sleep(1.5)  # the gestures glide to an end
    moved = window.run(f"const c = {MAP}.getCenter(); return [c.lng, c.lat, {MAP}.getZoom()]")
    assert moved[2] > began + 0.2
    for round_number in (1, 2):
        window.run("window.drawn = 0; window.first.on('plotly_afterplot', () => { window.drawn += 1; })")
        with connect(site.settings.owner_dsn(), application="test", autocommit=True) as owner:
            owner.execute("UPDATE sensing.ingest_session SET stored = stored + %s", [round_number])
            owner.execute(
                "INSERT INTO sensing.sensor (code, kind, lon, lat) VALUES (%s, 'traffic', %s, 52.9)",
                [f"zzz-new-{time.time_ns()}", 12.0 + round_number],
            )
        window.wait("window.drawn > 0", patience_s=12)
        view = window.run(f"const c = {MAP}.getCenter(); return [c.lng, c.lat, {MAP}.getZoom()]")
        assert view == pytest.approx(moved, abs=1e-6)
    assert window.run("return window.first === document.querySelector('#map .js-plotly-plot')")


def test_the_map_ignores_a_resize_that_changes_nothing(window: Any, site: Any) -> None:
    window.open(f"{site.url}/dash/map")
    window.wait(MAP_READY)
    window.wait(f"{MAP}.arterialTamed")
    assert (
        window.run(f"const m = {MAP}; m.resize(); let n = 0; m.on('resize', () => {{ n += 1; }}); m.resize(); return n")
        == 0
    )


def test_time_on_the_map_lives_in_the_address(window: Any, site: Any) -> None:
    window.open(f"{site.url}/dash/map?t=8&surface=congestion")
    window.wait("document.querySelector('#map-time')?.innerText.includes('forecast')")
    window.run("document.querySelector('#map-list a').click()")
    window.wait("new URLSearchParams(location.search).get('sensor')")
    assert window.run("return new URLSearchParams(location.search).get('t')") == "8"
    window.wait("document.querySelector('#map-chosen .card')")
    said = window.run("return document.querySelector('#map-chosen').innerText")
    assert "Most likely" in said
    assert "Heavy congestion within the next hour" in said
    window.run("document.querySelectorAll('.mantine-SegmentedControl-label')[0].click()")
    window.wait("new URLSearchParams(location.search).get('from') === 'now-1h'")
    assert window.run("return new URLSearchParams(location.search).get('surface')") == "congestion"


def test_back_brings_the_controls_back(window: Any, site: Any) -> None:
    window.open(f"{site.url}/dash/energy")
    window.wait(PAGES["energy"])
    checked = "[...document.querySelectorAll('.mantine-SegmentedControl-input')].find(i => i.checked).value"
    window.run("[...document.querySelectorAll('.mantine-SegmentedControl-label')][3].click()")
    window.wait("location.search === '?from=now-7d'")
    window.run("history.back()")
    window.wait(f"location.search === '' && {checked} === '24h'")


def test_playing_moves_through_time(window: Any, site: Any) -> None:
    window.open(f"{site.url}/dash/map")
    window.wait(MAP_READY)
    window.run("document.querySelector('#play-button').click()")
    window.wait("Number(new URLSearchParams(location.search).get('t')) >= 2")
    window.run("document.querySelector('#play-button').click()")


def test_an_earlier_forecast_can_be_seen_as_issued(window: Any, site: Any) -> None:
    with connect(site.settings.owner_dsn(), application="test") as owner:
        row = owner.execute("SELECT min(issued_at) FROM forecast.run").fetchone()
    assert row is not None
    window.open(
        f"{site.url}/dash/forecast?sensor={site.codes['traffic']}&issued={row[0].isoformat().replace('+', '%2B')}"
    )
    window.wait(PAGES["forecast"])
    zone = row[0].astimezone(site.settings.zone)
    assert zone.strftime("%H:%M") in window.run("return document.querySelector('#forecast-body .tags').innerText")
    assert "12 h, 24 h ahead, where the simple value was closer" in window.text()


def test_the_name_of_a_device_is_text_wherever_it_is_shown(window: Any, site: Any) -> None:
    code = site.codes["xss"]
    for path in ("", f"forecast?sensor={code}", f"map?sensor={code}"):
        window.open(f"{site.url}/dash/{path}")
        window.wait(PAGES[path.partition("?")[0]])
        time.sleep(0.5)
        assert window.run("return window.hacked") is None
        assert window.run("return document.querySelectorAll('img[src=x], a[href^=javascript]').length") == 0
    assert "onerror" in window.text()
    window.wait(MAP_READY)
    window.run(
        "const p = document.querySelector('#map .js-plotly-plot'); const i = p._fullData[2].customdata.indexOf(arguments[0]);"
        "Plotly.Fx.hover(p, [{curveNumber: 2, pointNumber: i}], 'map')",
        code,
    )
    time.sleep(0.5)
    assert window.run("return window.hacked") is None
    assert window.run("return document.querySelectorAll('.hoverlayer a, .hoverlayer image').length") == 0


@pytest.mark.parametrize(
    ("path", "state", "words"),
    [
        ("forecast?sensor=nobody", "no-sensor", "No sensor here"),
        ("forecast?sensor={never}", "silent", "Never heard"),
        ("forecast?sensor={silent}", "silent", "Silent since"),
        ("mobility?hour=3", "withheld", "Withheld for privacy"),
    ],
)
def test_having_no_data_says_why(window: Any, site: Any, path: str, state: str, words: str) -> None:
    window.open(f"{site.url}/dash/{path.format(**site.codes)}")
    window.wait(f"document.querySelector('[data-state={state}]')")
    assert words in window.run(f"return document.querySelector('[data-state={state}]').innerText")


def test_the_cells_of_an_hour_can_be_read_as_a_table_in_which_few_and_none_look_alike(window: Any, site: Any) -> None:
    window.open(f"{site.url}/dash/mobility?hour=17")
    window.wait(PAGES["mobility"])
    view = window.wait("document.querySelector('#mobility-legend .table-view')")
    window.run("arguments[0].querySelector('summary').focus()", view)
    ActionChains(window.driver).send_keys(Keys.ENTER).perform()
    window.wait("arguments[0].open", view)
    read = "return [...arguments[0].querySelectorAll('tbody tr')].map(r => [...r.cells].map(c => c.innerText))"
    rows = window.run(read, view)
    with connect(site.settings.owner_dsn(), application="test") as owner:
        (end,) = owner.execute("SELECT max(hour) FROM published.presence").fetchone() or (None,)
        zone = site.settings.zone
        day = max(one.day for one in releases.releases(owner, first_day=date.min, last_day=date.max, plan="presence"))
        hour = datetime(day.year, day.month, day.day, 17, tzinfo=zone)
        assert hour <= end
        cells = {
            one.cell_id: one.vehicles for one in releases.presence(owner, start=hour, end=hour + timedelta(hours=1))
        }
    assert {row[0] for row in rows} == set(cells)
    shown = [row for row in rows if cells[row[0]] is not None]
    withheld = [row for row in rows if cells[row[0]] is None]
    assert rows == [*shown, *withheld]
    assert [int(row[3]) for row in shown] == sorted((n for n in cells.values() if n is not None), reverse=True)
    assert {row[2] for row in rows} == {"17:00–18:00"}
    first = int(shown[0][3])
    assert shown[0][4:] == [f"{first - 18} to {first + 18}", "Shown, noise included"]
    assert {tuple(row[2:]) for row in withheld} == {
        ("17:00–18:00", "–", "–", "Withheld: fewer vehicles than the threshold, or none")
    }
    assert len({row[1] for row in rows}) > 1, "districts by name"
    assert window.console() == []


def test_a_database_that_has_gone_is_said_and_recovers(
    window: Any, serve: Callable[[Settings], str], make_database: Callable[[], Settings]
) -> None:
    settings = make_database()
    url = serve(settings)
    with connect(settings.owner_dsn(), application="test", autocommit=True) as owner:
        owner.execute("REVOKE USAGE ON SCHEMA sensing FROM arterial_api")
        window.open(f"{url}/dash/energy?refresh=5")
        window.wait("document.querySelector('[data-state=failed]')")
        assert "could not be read" in window.text()
        owner.execute("GRANT USAGE ON SCHEMA sensing TO arterial_api")
    window.wait("document.querySelector('[data-state=no-sensor]')")


def test_energy_is_shown_where_all_feeders_are_silent(
    window: Any, serve: Callable[[Settings], str], make_database: Callable[[], Settings]
) -> None:
    settings = make_database()
    url = f"{serve(settings)}/dash/energy"
    with connect(settings.owner_dsn(), application="test", autocommit=True) as owner:
        owner.execute(
            "INSERT INTO sensing.sensor (code, kind, name, limit_kw, step_seconds, described) "
            "SELECT 'en-' || n, 'energy', 'Feeder ' || n, 500, 900, true FROM generate_series(1, 2) AS n"
        )
        window.open(url)
        window.wait("document.querySelector('#energy-body [data-state=silent]')?.innerText.includes('Never heard')")
        for days in range(2):
            owner.execute("SELECT sensing.ensure_month((now() - %s)::date)", [timedelta(days=days)])
        owner.execute(
            "INSERT INTO sensing.energy (sensor_id, observed_at, received_at, power_kw, quality) "
            "SELECT sensor.id, at, at + interval '15 min', 100, 1 FROM sensing.sensor, generate_series("
            "date_bin('15 min', now(), '2000-01-01Z') - interval '1 day', now() - interval '3 hours', '15 min') AS at"
        )
        owner.execute(
            "INSERT INTO sensing.energy_15min SELECT sensor_id, observed_at, 1, 1, power_kw, power_kw, NULL FROM sensing.energy"
        )
    window.open(url)
    window.wait("document.querySelectorAll('#energy-body .js-plotly-plot .scatterlayer').length >= 2")
    said = window.run("return document.querySelector('#energy-body [data-state=silent]').innerText")
    assert "Silent since" in said
    assert "The last reading is 3" in said.replace("\u202f", " ")
    assert "0.20" in window.run("return document.querySelector('#energy-body .table-view').textContent"), (
        "two feeders [MW]"
    )
    assert "Feeder 2" in window.text()
    assert window.console() == []


def test_an_empty_city_says_what_comes_next(
    window: Any, serve: Callable[[Settings], str], make_database: Callable[[], Settings]
) -> None:
    url = serve(make_database())
    for page, words in (
        ("", "Nothing has been measured yet"),
        ("", "No messages yet"),
        ("map", "No sensor here"),
        ("mobility", "Nothing released yet"),
    ):
        window.open(f"{url}/dash/{page}")
        window.wait(f"document.body.innerText.includes('{words}')")
        assert window.console() == []


def test_a_page_that_does_not_exist_stays_with_the_api(site: Any) -> None:
    for path in ("/api/v1/nope", "/dash/nope", "/dash/assets/nope.js"):
        connection = HTTPConnection(urlsplit(site.url).netloc, timeout=10)
        connection.request("GET", path)
        answer = connection.getresponse()
        assert answer.status == 404
        assert "html" not in answer.headers["content-type"]
        connection.close()


def _contrast(one: str, other: str) -> float:
    """Contrast ratio of two rgb() colours (WCAG 2.2)."""

    def luminance(colour: str) -> float:
        channels = [int(float(c)) / 255 for c in colour[colour.index("(") + 1 : -1].split(",")[:3]]
        linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, bright = sorted((luminance(one), luminance(other)))
    return (bright + 0.05) / (dark + 0.05)
