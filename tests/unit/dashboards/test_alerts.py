"""What needs attention, from readings and forecasts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pytest

from dashboards.alerts import find_alerts, is_silent
from dashboards.jams import Jam, summary, worst
from services.domain import ForecastState, to_us
from services.storage.overview import Chances, DeadLetters, SensorNow
from services.storage.totals import PeakForecast

NOW = datetime(2026, 11, 20, 16, 0, tzinfo=UTC)
NO_JAMS: dict[int, Jam] = {}
QUIET = DeadLetters(last_hour=0, hour_before=0, reason=None)


def sensor(**facts: Any) -> SensorNow:
    known: dict[str, Any] = dict.fromkeys(SensorNow.__slots__)
    known |= {"id": 1, "code": "s-1", "kind": "traffic", "step_seconds": 300, "observed_at": NOW - timedelta(minutes=6)}
    return SensorNow(**(known | facts))


def peak(chance: float, so_far: float | None = None) -> PeakForecast:
    return PeakForecast(
        scope="sensor",
        sensor="s-1",
        district=None,
        name=None,
        quantity="power_kw",
        issued_at=NOW,
        state=ForecastState.NORMAL,
        day=NOW.date(),
        limit_kw=500.0,
        limit_is="allowed",
        chance_above=chance,
        likely_at=NOW + timedelta(hours=1, minutes=15),
        so_far=so_far,
        quantiles=[400.0, 420.0, 440.0, 480.0, 500.0, 520.0, 540.0],
    )


def alerts(
    *sensors: SensorNow,
    jams: dict[int, Jam] = NO_JAMS,
    peaks: Sequence[PeakForecast] = (),
    letters: DeadLetters = QUIET,
) -> Any:
    return find_alerts(sensors, jams, peaks, letters, now=NOW, zone=ZoneInfo("Europe/Berlin"))


@pytest.mark.parametrize(("speed", "expected"), [(10.0, ["critical"]), (24.9, ["warning"]), (25.0, [])])
def test_congestion_now(speed: float, expected: list[str]) -> None:
    found = alerts(sensor(speed_kmh=speed, free_flow_kmh=50.0))
    assert [a.severity for a in found] == expected


@pytest.mark.parametrize(("chance", "severity"), [(0.62, "warning"), (0.3, "info"), (0.1, None)])
def test_congestion_ahead_says_how_likely_and_when_on_the_citys_clock(chance: float, severity: str | None) -> None:
    jam = Jam(chance=chance, at_us=to_us(NOW + timedelta(hours=1)))
    found = alerts(sensor(speed_kmh=45.0, free_flow_kmh=50.0), jams={1: jam})
    assert [alert.severity for alert in found] == ([severity] if severity else [])
    if severity:
        assert f"{chance:.0%}".rstrip("%") in found[0].text
        assert "18:00" in found[0].text


def test_the_worst_quarter_of_the_hour_counts_and_the_city_is_summed_up() -> None:
    at = to_us(NOW) + 900_000_000 * np.array([0, 1, 2, 0, 1, 0])
    heavy = np.array([0.1, 0.7, 0.7, 0.3, 0.2, 0.05])
    values = np.stack([heavy, 0 * heavy, 0 * heavy, 1 - heavy], axis=1)
    found = worst(Chances(sensor_id=np.array([1, 1, 1, 2, 2, 3]), target_us=at, values=values))
    assert found[1] == Jam(chance=0.7, at_us=int(at[1]))
    assert found[2].chance == 0.3
    assert "likely at 1, possible at 1 of 3" in summary(found)
    assert "not expected" in summary({3: found[3]})
    assert "yet" in summary({})


def test_a_feeder_over_its_limit() -> None:
    (found,) = alerts(sensor(kind="energy", power_kw=510.0, limit_kw=500.0))
    assert found.severity == "critical"
    assert "510 kW of 500 kW" in found.text


@pytest.mark.parametrize(("likely", "expected"), [(0.6, ["warning"]), (0.2, ["info"]), (0.05, [])])
def test_a_feeder_that_may_exceed_its_limit(likely: float, expected: list[str]) -> None:
    feeder = sensor(kind="energy", power_kw=400.0, limit_kw=500.0)
    found = alerts(feeder, peaks=[peak(likely)])
    assert [a.severity for a in found] == expected
    assert all("around 18:15 of more than 500 kW" in a.text for a in found)
    assert alerts(replace(feeder, code="s-2"), peaks=[peak(likely)]) == []


def test_a_feeder_that_exceeded_its_limit_earlier_today() -> None:
    (found,) = alerts(sensor(kind="energy", power_kw=400.0, limit_kw=500.0), peaks=[peak(1.0, so_far=520.0)])
    assert found.title.startswith("Exceeded its limit today")
    assert "520 kW" in found.text


def test_silence_hides_no_more_than_it_says() -> None:
    old = {"observed_at": NOW - timedelta(hours=5), "speed_kmh": 5.0, "free_flow_kmh": 50.0}
    found = alerts(*(sensor(code=f"s-{i}", id=i, **old) for i in range(5)))
    assert [a.title for a in found][-1] == "2 more sensors are silent"
    assert all("Congestion" not in a.title for a in found), "an old reading says nothing about now"
    assert "12:00" in found[0].text


def test_silence_begins_after_three_steps_and_at_least_a_quarter_hour() -> None:
    def heard(minutes: int, step: int) -> SensorNow:
        return sensor(observed_at=NOW - timedelta(minutes=minutes), step_seconds=step)

    assert not is_silent(heard(15, 60), NOW)
    assert is_silent(heard(16, 60), NOW)
    assert not is_silent(heard(45, 900), NOW)
    assert is_silent(heard(46, 900), NOW)
    assert is_silent(sensor(observed_at=None), NOW)


def test_dead_letters_matter_when_they_grow() -> None:
    assert alerts(letters=DeadLetters(last_hour=4, hour_before=0, reason="x")) == []
    assert alerts(letters=DeadLetters(last_hour=90, hour_before=100, reason="x")) == []
    (found,) = alerts(letters=DeadLetters(last_hour=12, hour_before=1, reason="the payload is not JSON"))
    assert "not JSON" in found.text


def test_the_most_serious_comes_first() -> None:
    found = alerts(
        sensor(id=1, code="a", speed_kmh=22.0, free_flow_kmh=50.0),
        sensor(id=2, code="b", speed_kmh=5.0, free_flow_kmh=50.0),
        sensor(id=3, code="c", observed_at=None),
    )
    assert [a.severity for a in found] == ["critical", "warning", "warning"]
    assert found[0].sensor == "b"
