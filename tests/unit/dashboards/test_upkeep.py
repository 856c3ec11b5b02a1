"""What the page Now says of the platform itself, and of what comes next."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from dashboards.address import View
from dashboards.ahead import outlook
from dashboards.alerts import find_alerts
from dashboards.jams import Jam
from dashboards.upkeep import Upkeep, upkeep_alerts
from services.domain import ForecastState, to_us
from services.storage.overview import DeadLetters, ForecastStates, HeavyAhead, SensorNow
from services.storage.sensor_health import Implausible
from services.storage.totals import PeakForecast

NOW = datetime(2026, 11, 20, 16, 0, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")
QUIET = DeadLetters(last_hour=0, hour_before=0, reason=None)


class FakeCity:
    zone = BERLIN


def upkeep(**facts: Any) -> Upkeep:
    known: dict[str, Any] = {
        "ingest_seen_at": NOW - timedelta(seconds=5),
        "forecasts": ForecastStates(issued_at=NOW - timedelta(minutes=14), series={ForecastState.NORMAL: 3}),
        "forecast_every": timedelta(minutes=15),
    }
    return Upkeep(**(known | facts))


def said(state: Upkeep) -> list[Any]:
    return list(upkeep_alerts(state, now=NOW, zone=BERLIN))


def test_a_platform_that_works_needs_nothing() -> None:
    assert said(upkeep()) == []
    assert said(upkeep(ingest_seen_at=None, forecasts=None)) == [], "before the first message there is nothing to miss"


def test_an_ingest_that_stopped_is_one_critical_alert_and_not_a_silence_of_every_sensor() -> None:
    state = upkeep(ingest_seen_at=NOW - timedelta(minutes=40))
    (found,) = said(state)
    assert found.severity == "critical"
    assert "16:20" in found.text
    assert "40\u202fmin ago" in found.text.replace(" min", "\u202fmin")
    facts: dict[str, Any] = dict.fromkeys(SensorNow.__slots__) | {"kind": "traffic", "step_seconds": 300}
    sensors = [
        SensorNow(**facts | {"id": i, "code": f"s-{i}", "observed_at": NOW - timedelta(minutes=age)})
        for i, age in enumerate((45, 46, 600))
    ]
    alerts = find_alerts(
        sensors, {}, [], QUIET, now=NOW, zone=BERLIN, stopped_at=state.stopped_at(NOW), more=said(state)
    )
    assert [a.title for a in alerts] == ["Nothing is being received", "Silent · s-2"]


@pytest.mark.parametrize(("minutes", "expected"), [(29, []), (31, ["Forecasts are out of date"])])
def test_forecasts_that_are_not_renewed_are_told(minutes: int, expected: list[str]) -> None:
    states = ForecastStates(issued_at=NOW - timedelta(minutes=minutes), series={ForecastState.NORMAL: 3})
    assert [a.title for a in said(upkeep(forecasts=states))] == expected


def test_sensors_that_send_what_cannot_be_right_are_named_with_the_reason() -> None:
    broken = [
        Implausible(
            sensor=f"s-{i}", label=f"Road {i}", diagnosis="constant", since=NOW, detail="50 readings were the same"
        )
        for i in range(5)
    ]
    found = said(upkeep(implausible=broken))
    assert [a.sensor for a in found] == ["s-0", "s-1", "s-2", None]
    assert found[0].text == "Constant since 17:00: 50 readings were the same"
    assert found[-1].title == "2 more sensors send implausible values"


def test_a_city_whose_messages_nobody_can_read_is_told_why() -> None:
    (found,) = said(upkeep(unread="the payload is not JSON"))
    assert found.severity == "critical"
    assert "the payload is not JSON" in found.text


def peak() -> PeakForecast:
    return PeakForecast(
        scope="city", sensor=None, district=None, name=None, quantity="power_kw", issued_at=NOW,
        state=ForecastState.NORMAL, day=NOW.date() + timedelta(days=1), limit_kw=16_500.0,
        limit_is="highest_of_28_days", chance_above=0.05, likely_at=NOW + timedelta(days=1), so_far=None,
        quantiles=[14_000.0, 15_000.0, 15_500.0, 15_800.0, 16_000.0, 16_400.0, 17_000.0],
    )  # fmt: skip


def text_of(part: Any) -> str:
    if part is None or isinstance(part, str):
        return part or ""
    if isinstance(part, list | tuple):
        return "".join(map(text_of, part))
    return text_of(getattr(part, "children", None)) + " "


def links_of(part: Any) -> list[str]:
    if isinstance(part, list | tuple):
        return [link for one in part for link in links_of(one)]
    own = [part.href] if getattr(part, "href", None) else []
    children = getattr(part, "children", None)
    return own + (links_of(children) if children is not None and not isinstance(children, str) else [])


def test_what_comes_next_says_when_how_sure_and_leads_there() -> None:
    states = ForecastStates(issued_at=NOW, series={ForecastState.NORMAL: 358, ForecastState.STALE: 2})
    worst = HeavyAhead(
        target_at=NOW + timedelta(hours=16, minutes=15), likely=16, possible=4, detectors=133, expected=17.0
    )
    near = {1: Jam(chance=0.3, at_us=to_us(NOW)), 2: Jam(chance=0.01, at_us=to_us(NOW))}
    city: Any = FakeCity()
    drawn = outlook(near, worst, [peak()], states, view=View(), city=city, now=NOW + timedelta(minutes=7))
    text = text_of(drawn)
    assert "likely at 0, possible at 1 of 2 detectors" in text
    assert "likely at 16, possible at 4 of 133 detectors" in text
    assert "Sat 09:15" in text
    assert "15.8\u00a0MW" in text
    assert "in 8 of 10 cases 15.0\u00a0MW to 16.4\u00a0MW" in text
    assert "four-week high: 5" in text
    assert "358 normal" in text
    assert "2 stale" in text
    assert "degraded" not in text
    assert links_of(drawn)[0] == "/dash/map?t=65", "quarter hours from the one that runs"


def test_before_the_first_forecast_what_comes_next_says_when_it_comes() -> None:
    city: Any = FakeCity()
    assert "No forecast yet" in text_of(outlook({}, None, [], None, view=View(), city=city, now=NOW))
