"""Scores of totals and peaks by hand: three feeders, known forecasts, known readings."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from starlette.testclient import TestClient

from services.api.app import create_app
from services.domain import ForecastState, to_us
from services.forecasting.score import score_closed_hours
from services.settings import Settings
from services.storage import forecasts, totals
from services.storage.database import Connection, pooled

HOUR = timedelta(hours=1)
QUARTER = timedelta(minutes=15)
DAY = datetime(2026, 11, 19, 23, tzinfo=UTC)  # begins the local day of 20 November in Berlin
LOCAL_DAY = date(2026, 11, 20)
WEEK = timedelta(days=7)
SPREAD = np.array([-3.0, -2.0, -1.0, 0.0, 1.0, 2.0, 3.0])


@pytest.fixture
def feeders(owner: Connection) -> dict[str, int]:
    """Two feeders of 60 and 40 kW in a district, one of 10 kW in none; 20 kW more at 18:00; a tenth less the week before."""
    owner.execute("INSERT INTO sensing.district (code, name, outline) VALUES ('mitte', 'Mitte', '{}')")
    found = {}
    for code, power, district in (("a", 60.0, True), ("b", 40.0, True), ("c", 10.0, False)):
        row = owner.execute(
            "INSERT INTO sensing.sensor (code, kind, step_seconds, district_id)"
            " VALUES (%s, 'energy', 900, CASE WHEN %s THEN (SELECT id FROM sensing.district) END) RETURNING id",
            [code, district],
        ).fetchone()
        assert row is not None
        found[code] = int(row[0])
        for start, level in ((DAY, power), (DAY - WEEK, 0.9 * power)):
            owner.execute(
                "INSERT INTO sensing.energy_15min (sensor_id, bucket, rows, good, power_kw)"
                " SELECT %s, at, 1, 1, %s + CASE WHEN at = %s AND %s THEN 20 ELSE 0 END"
                " FROM generate_series(%s::timestamptz, %s, interval '15 min') at",
                [row[0], level, start + 18 * HOUR, code == "a", start, start + timedelta(hours=23, minutes=45)],
            )
    return found


def issue(owner: Connection, at: datetime, city: list[float], peak: float, *, feeder: int | None = None) -> None:
    """A total of the city and of the district (a tenth less), and the city's peak of the local day or that of a feeder."""
    run = forecasts.NewRun(
        issued_at=at, shard=totals.CITY_SHARD, kind="energy", step_seconds=900, steps=len(city), trained_from=None,
        trained_to=None, data_hash="", config_hash="", seconds=0,
    )  # fmt: skip
    (district,) = owner.execute("SELECT id FROM sensing.district").fetchone() or (0,)
    first = at - timedelta(minutes=at.minute % 15, seconds=at.second)
    with owner.transaction():
        stored = forecasts.store(owner, run, [])
        assert stored is not None
        made = [
            totals.NewTotal(
                district_id=place, quantity="power_kw", state=ForecastState.NORMAL, reason=None, sensors=3,
                first_target_us=to_us(first), step_seconds=900, summed=np.array(city),
                quantiles=share * np.array(city)[None, :] + SPREAD[:, None],
            )
            for place, share in ((None, 1.0), (district, 0.9))
        ]  # fmt: skip
        totals.store_totals(owner, stored, at, made)
        highest = totals.NewPeak(
            sensor_id=feeder, quantity="power_kw", day=LOCAL_DAY, state=ForecastState.NORMAL, limit_kw=None, limit_is=None,
            chance_above=None, likely_at=None, so_far=None, quantiles=peak + SPREAD,
        )  # fmt: skip
        totals.store_peaks(owner, stored, at, [highest])


@pytest.fixture
def client(settings: Settings) -> Iterator[TestClient]:
    with pooled(settings.role_dsn("api"), application="api", statement_timeout_s=5) as pool:
        yield TestClient(create_app(settings, pool))


def rows(client: TestClient, of: str, **facts: str) -> dict[tuple[str, int], dict[str, float]]:
    answer = client.get("/api/v1/forecasts/scorecard", params={"of": of, **facts})
    assert answer.status_code == 200
    return {(row["scope"], row["lead_minutes"]): row for row in answer.json()["data"]}


def test_totals_grow_by_the_hour_and_stand_beside_the_week_before(
    settings: Settings, owner: Connection, feeders: dict[str, int], client: TestClient
) -> None:
    issue(owner, DAY + 2 * HOUR + timedelta(minutes=1), [112.0, 0.0, 0.0, 114.0], peak=0)
    score_closed_hours(settings, DAY + 2 * HOUR + timedelta(minutes=50))
    assert rows(client, "totals") == {}, "no target has passed"
    score_closed_hours(settings, DAY + 3 * HOUR + timedelta(minutes=7))
    found = rows(client, "totals")
    assert set(found) == {("city", 15), ("city", 60), ("district", 15), ("district", 60)}
    quarter, hour = found["city", 15], found["city", 60]
    assert (quarter["n"], quarter["mae"], quarter["naive_mae"]) == (1, pytest.approx(2), pytest.approx(11))
    assert quarter["skill"] == pytest.approx(1 - 2 / 11)
    assert quarter["wape"] == pytest.approx(2 / 110)
    losses = [0.05 * 1, 0.1 * 0, 0.75 * 1, 0.5 * 2, 0.25 * 3, 0.1 * 4, 0.05 * 5]
    assert quarter["pinball"] == pytest.approx(sum(losses) / 7)
    assert (quarter["coverage_50"], quarter["coverage_80"], quarter["coverage_90"]) == (0, 1, 1)
    assert (hour["mae"], hour["coverage_90"]) == (pytest.approx(4), 0)
    assert found["district", 15]["mae"] == pytest.approx(0.8, rel=1e-4)
    assert rows(client, "totals", district="mitte").keys() == {("district", 15), ("district", 60)}
    before = owner.execute("SELECT count(*), sum(absolute_error) FROM forecast.load_score").fetchone()
    score_closed_hours(settings, DAY + 3 * HOUR + timedelta(minutes=7))
    assert owner.execute("SELECT count(*), sum(absolute_error) FROM forecast.load_score").fetchone() == before


def test_a_small_feeder_may_be_silent_and_a_large_one_may_not(
    settings: Settings, owner: Connection, feeders: dict[str, int], client: TestClient
) -> None:
    issue(owner, DAY + 2 * HOUR + timedelta(minutes=1), [110.0] * 4, peak=0)
    gap = "DELETE FROM sensing.energy_15min WHERE sensor_id = %s AND bucket = %s"
    owner.execute(gap, [feeders["c"], DAY + 2 * HOUR])
    owner.execute(gap, [feeders["b"], DAY + 2 * HOUR + 3 * QUARTER])
    score_closed_hours(settings, DAY + 3 * HOUR + timedelta(minutes=7))
    found = rows(client, "totals")
    assert set(found) == {("city", 15), ("district", 15)}, "of the last quarter it is not known what was drawn"
    assert found["city", 15]["mae"] < 0.5, "the silent one is taken to have drawn its usual share"


def test_peaks_are_scored_once_their_local_day_is_over(
    settings: Settings, owner: Connection, feeders: dict[str, int], client: TestClient
) -> None:
    end = DAY + timedelta(days=1)
    issue(owner, end - 36 * HOUR - timedelta(minutes=20), [100.0], peak=120.0)
    issue(owner, end - 36 * HOUR - timedelta(minutes=5), [100.0], peak=127.0)
    issue(owner, end - 12 * HOUR + timedelta(minutes=5), [100.0], peak=1.0)  # too late for any lead
    issue(owner, end - 12 * HOUR - timedelta(minutes=5), [100.0], peak=81.5, feeder=feeders["a"])
    score_closed_hours(settings, end - timedelta(minutes=1))
    assert rows(client, "peaks") == {}
    score_closed_hours(settings, end + timedelta(minutes=7))
    found = rows(client, "peaks")
    assert set(found) == {("city", 36 * 60), ("sensor", 12 * 60)}
    city, feeder = found["city", 36 * 60], found["sensor", 12 * 60]
    assert (city["n"], city["mae"], city["naive_mae"]) == (1, pytest.approx(3), pytest.approx(11))
    assert (city["coverage_80"], city["coverage_90"]) == (0, 1)
    assert (feeder["mae"], feeder["naive_mae"], feeder["sensors"]) == (pytest.approx(1.5), pytest.approx(6), 1)
    assert rows(client, "peaks", sensor="a").keys() == {("sensor", 12 * 60)}
    assert client.get("/api/v1/forecasts/scorecard", params={"of": "cells"}).status_code == 422
