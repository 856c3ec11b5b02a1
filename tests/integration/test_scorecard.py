"""The scorecard by hand: one sensor, known forecasts, known readings."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from threading import Thread

import numpy as np
import pytest

from services.domain import ForecastState, to_us
from services.settings import Settings
from services.storage import forecasts
from services.storage.database import Connection, connect
from services.storage.scorecard import Dimension, ScoreRow, scorecard

HOUR = timedelta(hours=1)
QUARTER = timedelta(minutes=15)
DAY = datetime(2026, 11, 20, tzinfo=UTC)
SPREAD = np.array([-30.0, -20.0, -10.0, 0.0, 10.0, 20.0, 30.0])


@pytest.fixture
def sensor(owner: Connection) -> int:
    """A detector in a district; a reading of 100 in every quarter of the day, 92 a week before, one of them doubtful."""
    owner.execute("INSERT INTO sensing.district (code, name, outline) VALUES ('mitte', 'Mitte', '{}')")
    row = owner.execute(
        "INSERT INTO sensing.sensor (code, kind, step_seconds, district_id) SELECT 'det', 'traffic', 900, id"
        " FROM sensing.district RETURNING id"
    ).fetchone()
    assert row is not None
    for start, flow in ((DAY, 100), (DAY - timedelta(days=7), 92)):
        owner.execute(
            "INSERT INTO sensing.traffic_15min (sensor_id, bucket, rows, good, flow_vph)"
            " SELECT %s, at, 3, CASE WHEN at = %s THEN 2 ELSE 3 END, %s"
            " FROM generate_series(%s::timestamptz, %s, interval '15 min') at",
            [row[0], DAY + 2 * HOUR, flow, start, start + timedelta(hours=23, minutes=45)],
        )
    return int(row[0])


def issue(owner: Connection, sensor: int, at: datetime, medians: list[float], state: ForecastState) -> None:
    run = forecasts.NewRun(
        issued_at=at + timedelta(minutes=1), kind="traffic", step_seconds=900, steps=len(medians), trained_from=None,
        trained_to=None, data_hash="", config_hash="", seconds=0,
    )  # fmt: skip
    series = forecasts.NewSeries(
        sensor_id=sensor, quantity="flow_vph", model="by_hand", state=state, reason=None, first_target_us=to_us(at),
        quantiles=np.array(medians)[None, :] + SPREAD[:, None], scale=4.0,
    )  # fmt: skip
    with owner.transaction():
        forecasts.store(owner, run, [series])


def score(settings: Settings, closed: datetime) -> int:
    with connect(settings.role_dsn("jobs"), application="test") as connection:
        written = forecasts.score_day(connection, DAY.date(), closed=closed)
        connection.commit()
    return written


def card(owner: Connection, *by: Dimension) -> list[ScoreRow]:
    return scorecard(owner, kind="traffic", by=by)


def test_every_number_by_hand(settings: Settings, owner: Connection, sensor: int) -> None:
    issue(owner, sensor, DAY + HOUR, [106.0, 0.0, 0.0, 75.0], ForecastState.NORMAL)
    score(settings, DAY + 2 * HOUR)

    quarter, hour = card(owner)

    assert (quarter.lead_minutes, quarter.n, quarter.sensors) == (15, 1, 1)
    assert (quarter.mae, quarter.naive_mae, quarter.mase) == (6.0, 8.0, 1.5)
    assert quarter.skill == 0.25
    assert quarter.wape == pytest.approx(0.06)
    losses = [0.05 * 24, 0.1 * 14, 0.25 * 4, 0.5 * 6, 0.25 * 16, 0.1 * 26, 0.05 * 36]
    assert quarter.pinball == pytest.approx(sum(losses) / 7)
    assert (quarter.coverage_50, quarter.coverage_80, quarter.coverage_90) == (1.0, 1.0, 1.0)
    assert (hour.lead_minutes, hour.mae, hour.mase) == (60, 25.0, 6.25)
    assert hour.skill == pytest.approx(1 - 25 / 8), "where we lose it is said"
    assert (hour.coverage_50, hour.coverage_80, hour.coverage_90) == (0.0, 0.0, 1.0)
    signs = owner.execute("SELECT signed_error FROM forecast.score ORDER BY lead_minutes").fetchall()
    assert signs == [(6.0,), (-25.0,)], "forecast minus observed"


def test_by_district_state_quality_and_day(settings: Settings, owner: Connection, sensor: int) -> None:
    issue(owner, sensor, DAY + HOUR, [106.0] * 4, ForecastState.NORMAL)
    issue(owner, sensor, DAY + 2 * HOUR, [90.0] * 4, ForecastState.STALE)
    score(settings, DAY + 4 * HOUR)

    first = [row for row in card(owner, "district", "state", "quality", "day") if row.lead_minutes == 15]

    assert [(row.state, row.observed_quality, row.mae) for row in first] == [
        ("normal", "good", 6.0),
        ("stale", "questionable", 10.0),
    ]
    assert {(row.district, row.utc_day) for row in first} == {("mitte", DAY.date())}
    both = card(owner)[0]
    assert (both.n, both.mae, both.state, both.district) == (2, 8.0, None, None)


def test_it_grows_by_the_hour_and_adds_none_twice(settings: Settings, owner: Connection, sensor: int) -> None:
    for k in range(8):
        issue(owner, sensor, DAY + k * QUARTER, [104.0] * 4, ForecastState.NORMAL)
    assert score(settings, DAY + HOUR) == 2
    assert [row.n for row in card(owner)] == [4, 1]
    together = [Thread(target=score, args=(settings, DAY + 2 * HOUR)) for _ in range(3)]
    for one in together:
        one.start()
    for one in together:
        one.join()
    assert [row.n for row in card(owner)] == [8, 5]
    assert score(settings, DAY + 2 * HOUR) == 0

    owner.execute("UPDATE sensing.traffic_15min SET flow_vph = 110 WHERE bucket = %s", [DAY])
    score(settings, DAY + timedelta(hours=24))
    assert card(owner)[0].mae == 4.0, "late readings wait for the day's end"
    score(settings, DAY + timedelta(hours=30))
    assert [row.n for row in card(owner)] == [8, 8]
    assert card(owner)[0].mae == pytest.approx((7 * 4 + 6) / 8)
    assert score(settings, DAY + timedelta(hours=31)) == 0
