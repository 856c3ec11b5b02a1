"""Forecasts of released series in the service: from published numbers alone, holding what is released next, run once."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from numpy.typing import NDArray

from models.panel import Values
from services.domain import ForecastState, to_us
from services.forecasting.released_run import forecast_released, score_released
from services.jobs import tasks
from services.local_day import day_span
from services.settings import Settings
from services.storage import ledger, released_forecasts
from services.storage.database import Connection, connect
from services.storage.released_forecasts import ReleasedPlace

DISTRICTS = 8
FIRST = date(2025, 10, 6)  # clocks change within the history, no public holiday does
DAYS = 38
ISSUED = 3  # days forecast, the last of those
CELLS = ("881f1d4887fffff", "881f1d4881fffff", "881f1d4883fffff")


def slots(day: date, settings: Settings, minutes: int) -> list[datetime]:
    start, end = day_span(day, settings.zone)
    return [start + k * timedelta(minutes=minutes) for k in range((end - start) // timedelta(minutes=minutes))]


def head(owner: Connection, plan: str, day: date, ci95: float, settings: Settings) -> str:
    """The head of a release, an hour after its day, with the charge it needs."""
    key, domain = f"{plan}/1/{day}", "mobility" if plan == "presence" else "household"
    facts = {"key": key, "domain": domain, "day": day, "plan": plan, "ci95": ci95}
    facts["at"] = day_span(day, settings.zone)[1] + timedelta(hours=1, minutes=10)
    owner.execute("INSERT INTO governance.budget VALUES (%(domain)s, %(day)s, 1000000, 1000000)", facts)
    owner.execute("INSERT INTO governance.charge VALUES (%(key)s, %(domain)s, %(day)s, 'hash', 1000000)", facts)
    owner.execute(
        "INSERT INTO published.release VALUES (%(key)s, %(plan)s, '1', 'hash', %(day)s, %(at)s, 1, 1e-6,"
        " 'discrete_gaussian', 20, 100, 5, %(ci95)s, 1, 10, 0)",
        facts,
    )
    return key


def clear(owner: Connection) -> None:
    owner.execute("TRUNCATE forecast.released_run, forecast.released_place, forecast.released_score")
    owner.execute("TRUNCATE published.release CASCADE")
    owner.execute(
        "ALTER TABLE governance.charge DISABLE TRIGGER USER; ALTER TABLE governance.budget DISABLE TRIGGER USER"
    )
    owner.execute("TRUNCATE governance.charge, governance.budget CASCADE")


def used(settings: Settings, seed: int = 3) -> tuple[list[datetime], Values]:
    """What districts' households truly used in each half hour: daily and weekly rhythm, errors that last [kWh]."""
    at = [slot for k in range(DAYS) for slot in slots(FIRST + timedelta(days=k), settings, 30)]
    local = [slot.astimezone(settings.zone) for slot in at]
    hour = np.array([moment.hour + moment.minute / 60 for moment in local])
    free = np.array([moment.weekday() >= 5 for moment in local])
    rhythm = 1 - 0.4 * np.cos(2 * np.pi * (hour - 3) / 24) + 0.5 * np.exp(-(((hour - 19) / 2) ** 2)) + 0.1 * free
    rng = np.random.default_rng(seed)
    drift = rng.normal(0, 0.02, (DISTRICTS, len(at)))
    for k in range(1, len(at)):
        drift[:, k] += 0.9 * drift[:, k - 1]
    return at, rng.uniform(200, 500, (DISTRICTS, 1)) * (rhythm + drift)


def publish_load(
    owner: Connection, settings: Settings, sigma: float, *, days: range = range(DAYS), seed: int = 4
) -> Values:
    """Release household load with noise of that standard deviation; returns what is released."""
    at, true = used(settings)
    noisy = np.maximum(np.round(true + np.random.default_rng(seed).normal(0, sigma, true.shape)), 0)
    ci95 = 1.96 * sigma + 0.5
    keys = [head(owner, "district_load", FIRST + timedelta(days=k), ci95, settings) for k in days]
    named = {key.rpartition("/")[2]: key for key in keys}
    with owner.cursor().copy(
        "COPY published.figure (release_key, place, slot, measure, value, ci95) FROM STDIN"
    ) as copy:
        for k, slot in enumerate(at):
            key = named.get(slot.astimezone(settings.zone).date().isoformat())
            for place in range(DISTRICTS if key else 0):
                copy.write_row((key, f"d{place}", slot, "energy_kwh", float(noisy[place, k]), ci95))
    return noisy


def issued_after(day: int, settings: Settings) -> datetime:
    return day_span(FIRST + timedelta(days=day), settings.zone)[1] + timedelta(hours=1, minutes=25)


def places(settings: Settings, plan: str, at: datetime) -> list[ReleasedPlace]:
    with connect(settings.role_dsn("api"), application="test") as connection:
        run = released_forecasts.newest(connection, plan, issued_before=at)
        assert run is not None
        return released_forecasts.places(connection, run.id)


def measured(settings: Settings, released: Values) -> tuple[float, float, float]:
    """Mean width of the 80 % interval, and shares of released numbers in the 80 and the 90 % interval, day by day."""
    at = {slot: k for k, slot in enumerate(used(settings)[0])}
    widths: list[float] = []
    held: list[list[bool]] = [[], []]
    for day in range(DAYS - ISSUED - 2, DAYS - 2):
        issued = issued_after(day, settings)
        forecast_released(settings, issued_at=issued)
        for one in places(settings, "district_load", issued):
            assert one.state is ForecastState.NORMAL
            assert one.target_at[0] == day_span(FIRST + timedelta(days=day), settings.zone)[1]
            low, high = one.level(0.1), one.level(0.9)
            widths.append(float(np.mean(np.array(high) - np.array(low))))
            for which, (below, above) in enumerate(((0.1, 0.9), (0.05, 0.95))):
                for slot, least, most in zip(one.target_at, one.level(below), one.level(above), strict=True):
                    held[which].append(least <= released[int(one.place[1:]), at[slot]] <= most)
    return float(np.mean(widths)), float(np.mean(held[0])), float(np.mean(held[1]))


def test_more_noise_makes_wider_intervals_and_both_hold_what_is_released(settings: Settings, owner: Connection) -> None:
    quiet, *held_quiet = measured(settings, publish_load(owner, settings, 5))
    clear(owner)
    noisy, *held_noisy = measured(settings, publish_load(owner, settings, 40))
    of_noise = 2 * 1.2816 * 40  # what holds 80 % of the noise of the number to come
    assert noisy > of_noise > quiet
    for in_80, in_90 in (held_quiet, held_noisy):
        assert 0.75 < in_80 < 0.86
        assert 0.86 < in_90 < 0.95


def test_a_release_with_more_noise_than_those_before_widens_at_once(settings: Settings, owner: Connection) -> None:
    day = DAYS - 3
    publish_load(owner, settings, 10, days=range(day))
    forecast_released(settings, issued_at=issued_after(day - 1, settings))
    before = places(settings, "district_load", issued_after(day - 1, settings))
    publish_load(owner, settings, 60, days=range(day, day + 1))
    forecast_released(settings, issued_at=issued_after(day, settings))
    after = places(settings, "district_load", issued_after(day, settings))
    for one, other in zip(before, after, strict=True):
        assert width(other) > 2 * 1.2816 * 60 > 2 * width(one)


def width(one: ReleasedPlace) -> float:
    return float(np.mean(np.array(one.level(0.9)) - np.array(one.level(0.1))))


def publish_presence(owner: Connection, settings: Settings, days: int, counts: NDArray[np.int64]) -> None:
    """Release presence of `CELLS`: `counts` (cells x hours of a day), below zero withheld; Sundays are withheld whole."""
    rng = np.random.default_rng(9)
    for k in range(days):
        day = FIRST + timedelta(days=k)
        key = head(owner, "presence", day, 20.0, settings)
        with owner.cursor().copy("COPY published.presence (release_key, cell, hour, vehicles) FROM STDIN") as copy:
            for place, cell in enumerate(CELLS):
                for hour in slots(day, settings, 60):
                    level = int(counts[place, hour.astimezone(settings.zone).hour])
                    is_shown = level >= 0 and day.weekday() < 6
                    number = max(0, int(5 * round((level + rng.normal(0, 10)) / 5))) if is_shown else None
                    copy.write_row((key, int(cell, 16), hour, number))


def by_day() -> NDArray[np.int64]:
    """The first cell is shown from 6 to 22 o'clock, the second never for long, the third never."""
    hours = np.arange(24)
    busy = np.where((hours >= 6) & (hours < 22), 200 + 50 * np.sin(hours), -1)
    return np.stack([busy, np.where(hours == 12, 120, -1), np.full(24, -1)]).astype(np.int64)


def test_withheld_hours_are_missing_and_not_forecast(settings: Settings, owner: Connection) -> None:
    days = 34  # the last is a Saturday
    publish_presence(owner, settings, days, by_day())
    owner.execute(
        "UPDATE published.presence SET vehicles = NULL WHERE cell = %s AND release_key > %s",
        [int(CELLS[1], 16), f"presence/1/{FIRST + timedelta(days=8)}"],
    )
    forecast_released(settings, issued_at=issued_after(days - 1, settings))
    busy, seldom = sorted(
        places(settings, "presence", issued_after(days - 1, settings)), key=lambda one: -len(one.target_at)
    )
    assert (busy.place, seldom.place) == (CELLS[0], CELLS[1])
    local = [at.astimezone(settings.zone) for at in busy.target_at]
    assert {moment.hour for moment in local} == set(range(6, 22))
    assert {moment.weekday() for moment in local} == {0, 6}  # free days are one sort, and Saturdays are shown
    assert min(busy.level(0.05)) > 100  # a withheld night is no zero
    assert (seldom.state, seldom.model, seldom.quantiles) == (None, None, [])
    assert seldom.reason == "shown on 8 of 34 released days, 14 are needed"


@pytest.mark.parametrize("days", [1, 13])
def test_too_short_a_history_says_so(settings: Settings, owner: Connection, days: int) -> None:
    publish_load(owner, settings, 5, days=range(days))
    (load, presence) = forecast_released(settings, issued_at=issued_after(days - 1, settings))
    assert load.not_forecast == {f"{days} of the 14 released days that are needed": DISTRICTS}
    assert load.states == {}
    assert presence.why == "nothing was released in 56 days"


def test_a_place_withheld_for_days_is_stale_and_wider(settings: Settings, owner: Connection) -> None:
    days = DAYS - 3
    publish_load(owner, settings, 5, days=range(days))
    owner.execute(
        "UPDATE published.figure SET value = NULL, ci95 = NULL WHERE place = 'd0' AND slot >= %s",
        [day_span(FIRST + timedelta(days=days - 3), settings.zone)[0]],
    )
    forecast_released(settings, issued_at=issued_after(days - 1, settings))
    stale, *others = places(settings, "district_load", issued_after(days - 1, settings))
    assert (stale.state, stale.model) == (ForecastState.STALE, "profile")
    assert stale.reason is not None
    assert "withheld for 3 days" in stale.reason
    assert {one.state for one in others} == {ForecastState.NORMAL}


def test_one_forecast_for_each_release_at_no_price(settings: Settings, owner: Connection) -> None:
    publish_load(owner, settings, 5, days=range(20))
    at = issued_after(19, settings)
    spent = charged(settings)
    first, again = forecast_released(settings, issued_at=at), forecast_released(settings, issued_at=at)
    assert first[0].run is not None
    assert (again[0].run, again[0].why) == (None, f"the release of {FIRST + timedelta(days=19)} has its forecast")
    assert charged(settings) == spent
    issued = owner.execute("SELECT issued_at FROM forecast.released_run").fetchall()
    assert issued == [(at.replace(minute=0),)]  # finer times would tell how long a release took
    late = forecast_released(settings, issued_at=at + timedelta(days=3))
    assert late[0].run is None
    earlier = forecast_released(settings, issued_at=at - timedelta(days=1))
    assert earlier[0].last_day == FIRST + timedelta(days=18)  # what came later was not known


def charged(settings: Settings) -> list[ledger.Budget]:
    with connect(settings.role_dsn("api"), application="test") as connection:
        return ledger.budgets(connection, first_day=FIRST, last_day=FIRST + timedelta(days=DAYS))


def test_forecasts_are_compared_once_with_what_was_released(settings: Settings, owner: Connection) -> None:
    publish_load(owner, settings, 20, days=range(25))
    for day in (23, 24):
        forecast_released(settings, issued_at=issued_after(day, settings))
    publish_load(owner, settings, 20, days=range(25, 27))
    now = issued_after(26, settings)
    assert score_released(settings, now) == 3
    assert score_released(settings, now) == 0
    with connect(settings.role_dsn("api"), application="test") as connection:
        rows = released_forecasts.scorecard(connection, "district_load", since=FIRST)
    assert [(row.days_ahead, row.days, row.n) for row in rows] == [(1, 2, 2 * 8 * 48), (2, 2, 2 * 8 * 48)]
    for row in rows:
        assert 0.6 < row.coverage_80 < 0.95
        assert row.naive_mae is not None
        assert row.mae < row.naive_mae
        assert row.mae / 4 < row.pinball < row.mae / 2
    told = [*errors(owner, settings, 24), *errors(owner, settings, 25)]
    assert rows[0].mae == pytest.approx(np.mean(np.abs(told)), rel=1e-5)


def errors(owner: Connection, settings: Settings, day: int) -> Sequence[float]:
    """What the forecast of a day before missed of each number released of a day, reckoned the plain way."""
    shown = {
        (place, slot): value
        for place, slot, value in owner.execute(
            "SELECT place, slot, value FROM published.figure WHERE release_key = %s",
            [f"district_load/1/{FIRST + timedelta(days=day)}"],
        )
    }
    return [
        shown[one.place, at] - median
        for one in places(settings, "district_load", issued_after(day - 1, settings))
        for at, median in zip(one.target_at, one.level(0.5), strict=True)
        if (one.place, at) in shown
    ]


def test_the_job_forecasts_scores_and_forgets(settings: Settings, owner: Connection) -> None:
    zone = settings.zone
    yesterday = datetime.now(UTC).astimezone(zone).date() - timedelta(days=1)
    for back in range(16, -1, -1):
        day = yesterday - timedelta(days=back)
        key = head(owner, "district_load", day, 10.0, settings)
        with owner.cursor().copy(
            "COPY published.figure (release_key, place, slot, measure, value, ci95) FROM STDIN"
        ) as copy:
            for k, slot in enumerate(slots(day, settings, 30)):
                copy.write_row((key, "mitte", slot, "energy_kwh", 100.0 + k % 48 + back % 3, 10.0))
    owner.execute("UPDATE published.release SET released_at = least(released_at, now() - interval '1 hour')")
    tasks.forecast_what_will_be_released(settings)
    tasks.forecast_what_will_be_released(settings)
    (one,) = places(settings, "district_load", datetime.now(UTC))
    with connect(settings.role_dsn("api"), application="test") as connection:
        run = released_forecasts.newest(connection, "district_load", issued_before=datetime.now(UTC))
        assert run is not None
        (top,) = released_forecasts.highest(connection, run.id, since=one.target_at[30])
    assert top.median == max(one.level(0.5)[30:])
    assert (top.target_at, top.high) in set(zip(one.target_at, one.level(0.9), strict=True))
    assert one.state is ForecastState.DEGRADED
    assert to_us(one.target_at[0]) == to_us(day_span(yesterday, zone)[1])
    owner.execute("UPDATE forecast.released_run SET issued_at = issued_at - interval '31 days'")
    tasks.forget(settings)
    assert owner.execute("SELECT count(*) FROM forecast.released_place").fetchone() == (0,)
