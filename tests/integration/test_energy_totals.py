"""Feeders, districts and the city: totals that add up to what is published, and the peaks of today and tomorrow."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from services.domain import ForecastState
from services.forecasting.run import forecast_all
from services.forecasting.shard import forecast_shard, train_shard
from services.jobs import tasks
from services.local_day import day_of
from services.settings import Settings
from services.storage import forecasts, totals
from services.storage.database import Connection, connect

STEP = timedelta(minutes=15)
DAYS = 20


def quarter(moment: datetime) -> datetime:
    return moment.replace(minute=moment.minute // 15 * 15, second=0, microsecond=0)


def add_district(owner: Connection, code: str) -> int:
    row = owner.execute(
        "INSERT INTO sensing.district (code, name, outline) VALUES (%s, %s, '{}') RETURNING id", [code, code.title()]
    ).fetchone()
    assert row is not None
    return int(row[0])


def add_feeder(
    owner: Connection, code: str, district: int | None, *, limit: float | None, level: float, days: float = DAYS
) -> int:
    """A feeder with a daily rhythm whose errors last for hours and are partly those of the whole city."""
    row = owner.execute(
        "INSERT INTO sensing.sensor (code, kind, step_seconds, district_id, limit_kw)"
        " VALUES (%s, 'energy', 900, %s, %s) RETURNING id",
        [code, district, limit],
    ).fetchone()
    assert row is not None
    top, count = quarter(datetime.now(UTC)), int(days * 96)
    city, own = np.random.default_rng(1), np.random.default_rng(int(row[0]) + 10)
    shared = mine = 0.0
    with owner.cursor().copy("COPY sensing.energy_15min (sensor_id, bucket, rows, good, power_kw) FROM STDIN") as copy:
        for k in range(count, 0, -1):
            moment = top - k * STEP
            shared = 0.97 * shared + city.normal(0, 0.02)
            mine = 0.97 * mine + own.normal(0, 0.02)
            shape = 1 - 0.4 * np.cos(2 * np.pi * (moment.hour + moment.minute / 60 - 3) / 24)
            copy.write_row((row[0], moment, 3, 3, level * shape * (1 + shared + mine)))
    return int(row[0])


@pytest.fixture
def city(owner: Connection) -> dict[str, int]:
    """Three feeders in two districts and one in none."""
    north, south = add_district(owner, "north"), add_district(owner, "south")
    return {
        "north-1": add_feeder(owner, "north-1", north, limit=500, level=100),
        "north-2": add_feeder(owner, "north-2", north, limit=120, level=100),
        "south-1": add_feeder(owner, "south-1", south, limit=None, level=60),
        "apart": add_feeder(owner, "apart", None, limit=None, level=20),
    }


def test_a_round_of_the_timetable_adds_up_and_tells_the_peaks(
    settings: Settings, owner: Connection, city: dict[str, int]
) -> None:
    due = quarter(datetime.now(UTC))
    tasks.forecast_shard(settings, 0, due)
    train_shard(settings, 0)
    tasks.forecast_shard(settings, 0, due + STEP)
    tasks.forecast_shard(settings, 0, due + STEP)
    with connect(settings.role_dsn("api"), application="test") as connection:
        whole, north, south = totals.latest_totals(connection)
        published = {one.sensor: one for one in forecasts.latest(connection, kind="energy")}
        peaks = totals.latest_peaks(connection)
    assert owner.execute("SELECT count(*) FROM forecast.run WHERE shard = -1").fetchone() == (2,)
    assert [(one.district, one.sensors, one.state) for one in (whole, north, south)] == [
        (None, 4, ForecastState.NORMAL),
        ("north", 2, ForecastState.NORMAL),
        ("south", 1, ForecastState.NORMAL),
    ]
    medians = {code: np.array(one.level(0.5)) for code, one in published.items()}
    np.testing.assert_allclose(north.summed, medians["north-1"] + medians["north-2"], rtol=1e-5)
    np.testing.assert_allclose(
        whole.summed, np.array(north.summed) + np.array(south.summed) + medians["apart"], rtol=1e-5
    )
    assert whole.target_at == published["apart"].target_at
    quantiles = np.array(whole.quantiles)
    assert (np.diff(quantiles, axis=1) >= 0).all()
    widest = sum(np.array(one.level(0.95)) - np.array(one.level(0.05)) for one in published.values())
    assert 0.4 < ((quantiles[:, -1] - quantiles[:, 0]) / widest).mean() < 1, "narrower than if all erred together"

    today = day_of(whole.target_at[0], settings.zone)
    found = {(one.scope, one.sensor or one.district, one.day): one for one in peaks}
    assert len(found) == 2 * (1 + 2 + 4)
    assert {one.day for one in peaks} == {today, today + timedelta(days=1)}
    sure, likely = (found["sensor", code, today + timedelta(days=1)] for code in ("north-1", "north-2"))
    assert (sure.limit_kw, sure.limit_is, sure.chance_above, sure.district) == (500, "allowed", 0.0, "north")
    assert likely.chance_above is not None
    assert likely.chance_above > 0.7
    assert found["sensor", "apart", today].chance_above is None
    for one in (found["city", None, today + timedelta(days=1)], found["district", "south", today + timedelta(days=1)]):
        assert one.limit_is == "highest_of_28_days"
        assert one.limit_kw is not None
        assert one.likely_at is not None
        assert day_of(one.likely_at, settings.zone) == one.day
        assert one.quantiles == sorted(one.quantiles)
    tomorrow = [k for k, at in enumerate(whole.target_at) if day_of(at, settings.zone) == today + timedelta(days=1)]
    highest = found["city", None, today + timedelta(days=1)].quantiles
    assert highest[3] > quantiles[tomorrow, 3].max() * 0.98, "the highest of many is rarely below the highest median"
    assert highest[0] >= quantiles[tomorrow, 0].max() * 0.98


def test_totals_wait_for_every_shard_of_a_round_and_are_stored_once(
    settings: Settings, owner: Connection, city: dict[str, int]
) -> None:
    owner.execute(
        "INSERT INTO sensing.sensor (id, code, kind, step_seconds) OVERRIDING SYSTEM VALUE VALUES (700, 'far', 'energy', 900)"
    )
    owner.execute("UPDATE sensing.energy_15min SET sensor_id = 700 WHERE sensor_id = %s", [city["apart"]])
    due = quarter(datetime.now(UTC))
    tasks.forecast_shard(settings, 0, due)
    with connect(settings.role_dsn("api"), application="test") as connection:
        assert totals.latest_totals(connection) == []
    tasks.forecast_shard(settings, 2, due)
    with connect(settings.role_dsn("api"), application="test") as connection:
        found = totals.latest_totals(connection)
    assert [one.sensors for one in found] == [4, 2, 1]
    assert found[0].state is ForecastState.DEGRADED
    assert "err together is not known yet" in str(found[0].reason)


def test_what_was_known_earlier_stays_and_the_state_of_feeders_is_the_total_s(
    settings: Settings, owner: Connection, city: dict[str, int]
) -> None:
    first = forecast_all(settings)
    owner.execute(
        "DELETE FROM sensing.energy_15min WHERE sensor_id = %s AND bucket > now() - interval '6 h'", [city["south-1"]]
    )
    forecast_shard(settings, 0)
    second = forecast_all(settings)
    with connect(settings.role_dsn("api"), application="test") as connection:
        then = totals.latest_totals(connection, issued_before=first.issued_at)
        now = totals.latest_totals(connection)
        told = totals.latest_peaks(connection, scope="district", district="south", issued_before=first.issued_at)
    assert [one.issued_at for one in then] == [first.issued_at] * 3
    assert [one.issued_at for one in now] == [second.issued_at] * 3
    assert [one.state for one in then] == [ForecastState.NORMAL] * 3
    assert [one.state for one in now][1:] == [ForecastState.NORMAL, ForecastState.STALE]
    assert "feeders whose forecast is stale" in str(now[2].reason)
    assert [one.issued_at for one in told] == [first.issued_at] * 2
    owner.execute("DELETE FROM forecast.run")
    assert owner.execute(
        "SELECT (SELECT count(*) FROM forecast.total), (SELECT count(*) FROM forecast.peak)"
    ).fetchone() == (
        0,
        0,
    )


def test_a_forecast_as_of_an_earlier_time_has_totals_of_what_was_known_then(
    settings: Settings, owner: Connection, city: dict[str, int]
) -> None:
    for back in range(2):
        owner.execute("SELECT sensing.ensure_month((now() - %s * interval '21 days')::date)", [back])
    owner.execute(
        "INSERT INTO sensing.energy SELECT sensor_id, bucket, bucket + interval '16 min', NULL, power_kw, NULL, 1"
        " FROM sensing.energy_15min"
    )
    then = quarter(datetime.now(UTC)) - timedelta(hours=9)
    done = forecast_all(settings, then)
    owner.execute("UPDATE sensing.energy SET power_kw = 1e6 WHERE received_at > %s", [then])
    again = forecast_all(settings, then)
    with connect(settings.role_dsn("api"), application="test") as connection:
        found = totals.latest_totals(connection, issued_before=then)
        peaks = totals.latest_peaks(connection, scope="city", issued_before=then)
    assert done.issued_at == again.issued_at == then
    assert [(one.sensors, one.state) for one in found] == [(count, ForecastState.NORMAL) for count in (4, 2, 1)]
    assert max(found[0].summed) < 1e3
    assert all(one.quantiles[-1] < 1e3 for one in peaks)
    runs = owner.execute(
        "SELECT count(*), count(DISTINCT (summed, q05, q95)) FROM forecast.total WHERE district_id IS NULL"
    ).fetchone()
    assert runs == (2, 1), "what came later changes nothing"
