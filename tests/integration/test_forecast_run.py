"""Forecasting a small city on a real PostgreSQL."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from typer.testing import CliRunner

from services.cli import app
from services.domain import ForecastState
from services.errors import ArterialError, InputError
from services.forecasting import explained
from services.forecasting.run import forecast_all
from services.forecasting.score import score_closed_hours
from services.settings import Settings
from services.storage import forecasts
from services.storage.database import Connection, connect
from services.storage.scorecard import scorecard

STEP = timedelta(minutes=15)


def quarter(moment: datetime) -> datetime:
    """The full quarter hour at or before a time."""
    return moment.replace(minute=moment.minute // 15 * 15, second=0, microsecond=0)


@pytest.fixture
def top() -> datetime:
    """Up to when there are readings."""
    return quarter(datetime.now(UTC))


def add_sensor(owner: Connection, code: str, kind: str, step_seconds: int | None = 900) -> int:
    row = owner.execute(
        "INSERT INTO sensing.sensor (code, kind, step_seconds) VALUES (%s, %s, %s) RETURNING id",
        [code, kind, step_seconds],
    ).fetchone()
    assert row is not None
    return int(row[0])


def months(owner: Connection, since: datetime, until: datetime) -> None:
    day = since.date().replace(day=1)
    while day <= until.date():
        owner.execute("SELECT sensing.ensure_month(%s)", [day])
        day = (day + timedelta(days=32)).replace(day=1)


def usual(moment: datetime) -> float:
    """A busy street: 500 veh/h at noon, 100 at midnight, half of it on Sundays."""
    share = 0.5 if moment.weekday() == 6 else 1.0
    return share * (300 - 200 * np.cos(2 * np.pi * (moment.hour + moment.minute / 60) / 24))


def add_traffic(
    owner: Connection, sensor: int, since: datetime, until: datetime, *, delay: timedelta = timedelta(seconds=30)
) -> None:
    rng = np.random.default_rng(sensor)
    with (
        owner.cursor() as cursor,
        cursor.copy(
            "COPY sensing.traffic (sensor_id, observed_at, received_at, flow_vph, speed_kmh, quality) FROM STDIN"
        ) as copy,
    ):
        moment = since
        while moment < until:
            flow = max(0.0, usual(moment) + rng.normal(0, 10))
            copy.write_row((sensor, moment, moment + STEP + delay, flow, 50 - flow / 50, 1))
            moment += STEP
    owner.execute(
        "INSERT INTO sensing.dirty_hour SELECT DISTINCT 'traffic', sensor_id, date_trunc('hour', observed_at, 'UTC')"
        " FROM sensing.traffic WHERE sensor_id = %s AND observed_at >= %s AND observed_at < %s",
        [sensor, since, until],
    )


@pytest.fixture
def street(owner: Connection, top: datetime) -> int:
    since = top - timedelta(days=16)
    months(owner, since, top)
    sensor = add_sensor(owner, "det-1", "traffic")
    add_traffic(owner, sensor, since, top)
    return sensor


def test_every_sensor_gets_a_day_at_15_minutes(
    settings: Settings, owner: Connection, street: int, top: datetime
) -> None:
    done = forecast_all(settings)

    assert (done.series, done.values, done.skipped) == (2, 192, ())
    assert done.states == {"normal": 2}
    with connect(settings.role_dsn("api"), application="test") as connection:
        speed, flow = sorted(forecasts.latest(connection), key=lambda one: one.quantity, reverse=True)
    assert (flow.quantity, speed.quantity, flow.sensor) == ("flow_vph", "speed_kmh", "det-1")
    assert flow.state is ForecastState.NORMAL
    assert flow.target_at == [quarter(done.issued_at) + k * STEP for k in range(96)]
    truth = np.array([usual(moment) for moment in flow.target_at])
    assert np.abs(np.array(flow.level(0.5)) - truth).mean() < 20
    assert (np.diff(np.array(flow.quantiles), axis=1) >= 0).all()


def test_what_was_received_later_is_not_known_then(
    settings: Settings, owner: Connection, street: int, top: datetime
) -> None:
    then = top - timedelta(days=1)
    before = forecast_all(settings, then)
    owner.execute("UPDATE sensing.traffic SET flow_vph = 9999 WHERE received_at > %s", [then])
    owner.execute("UPDATE sensing.traffic SET received_at = %s WHERE observed_at = %s", [top, then - 8 * STEP])
    owner.execute("UPDATE sensing.traffic SET flow_vph = 9999 WHERE observed_at = %s", [then - 8 * STEP])
    after = forecast_all(settings, then)

    with connect(settings.role_dsn("api"), application="test") as connection:
        rows = connection.execute(
            "SELECT run_id, max(q95) FROM forecast.value WHERE quantity = 'flow_vph' GROUP BY run_id"
        ).fetchall()
    highest = dict(rows)
    assert before.runs != after.runs
    assert highest[after.runs[0]] < 1000
    assert highest[after.runs[0]] == pytest.approx(highest[before.runs[0]], rel=0.1)


def test_a_person_is_told_what_a_model_makes_of_a_sensor(settings: Settings, street: int, top: datetime) -> None:
    quantity, panel = explained.of_city(settings, "det-1", None, None)
    told = explained.explain(panel, "sarimax")
    assert (quantity, told.values, panel.step_seconds) == ("flow_vph", 16 * 96, 900)
    assert told.form.startswith("season of a week")
    assert told.season["Sunday or holiday"][48] == pytest.approx(250, abs=25)
    _, earlier = explained.of_city(settings, "det-1", "speed_kmh", top - timedelta(days=10))
    assert explained.explain(earlier, "ets").values == pytest.approx(6 * 96, abs=2)
    for code, wanted, words in (("det-9", None, "no sensor"), ("det-1", "power_kw", "flow_vph, speed_kmh")):
        with pytest.raises(ArterialError, match=words):
            explained.of_city(settings, code, wanted, None)


def test_the_past_can_be_asked_as_it_was_issued(
    settings: Settings, owner: Connection, street: int, top: datetime
) -> None:
    early = forecast_all(settings, top - timedelta(hours=6))
    late = forecast_all(settings)
    first = quarter(late.issued_at)

    with connect(settings.role_dsn("api"), application="test") as connection:
        now = forecasts.latest(connection, sensors=["det-1"], quantity="flow_vph")
        then = forecasts.latest(connection, kind="traffic", quantity="flow_vph", issued_before=top - timedelta(hours=5))
        none = forecasts.latest(connection, issued_before=top - timedelta(days=3))
        point = forecasts.at_target(
            connection, kind="traffic", quantity="flow_vph", target_at=first + timedelta(hours=1, minutes=7)
        )
        runs = forecasts.runs(connection)
    assert [one.run_id for one in now] == list(late.runs)
    assert [one.run_id for one in then] == list(early.runs)
    assert none == []
    assert [one.target_at for one in point] == [first + timedelta(hours=1)]
    assert point[0].quantiles == now[0].quantiles[4]
    assert [(one.id, one.normal) for one in runs] == [(late.runs[0], 2), (early.runs[0], 2)]


def test_one_bad_sensor_never_fails_the_run(settings: Settings, owner: Connection, street: int, top: datetime) -> None:
    alone = forecast_all(settings)
    with connect(settings.role_dsn("api"), application="test") as connection:
        expected = forecasts.latest(connection, sensors=["det-1"])
    broken = add_sensor(owner, "broken", "traffic", None)
    brand_new = add_sensor(owner, "new", "traffic")
    silent = add_sensor(owner, "silent", "traffic")
    never = add_sensor(owner, "never", "traffic")
    add_traffic(owner, silent, top - timedelta(days=10), top - timedelta(days=5))
    add_traffic(owner, brand_new, top - 2 * STEP, top)
    for k in range(300):
        owner.execute(
            "INSERT INTO sensing.traffic VALUES (%s, %s, %s, NULL, %s, NULL, NULL, 2)",
            [broken, top - k * 3 * STEP - STEP, top, 3e38 if k % 2 else 0.0],
        )
    owner.execute(
        "INSERT INTO sensing.dirty_hour SELECT 'traffic', %s, g FROM generate_series(%s, %s, interval '1 h') g",
        [broken, top.replace(minute=0) - timedelta(days=12), top],
    )

    done = forecast_all(settings)

    with connect(settings.role_dsn("api"), application="test") as connection:
        found = {(one.sensor, one.quantity): one for one in forecasts.latest(connection)}
    assert done.skipped == ()
    assert {sensor for sensor, _ in found} == {"det-1", "broken", "new", "silent"}
    assert never not in found
    assert found["silent", "flow_vph"].state is ForecastState.STALE
    assert "no reading since" in str(found["silent", "flow_vph"].reason)
    assert found["new", "flow_vph"].state is ForecastState.DEGRADED
    assert found["new", "flow_vph"].model == "last_value"
    assert found["det-1", "flow_vph"].state is ForecastState.NORMAL
    assert np.array(found["det-1", "flow_vph"].level(0.5)) == pytest.approx(np.array(expected[0].level(0.5)), rel=0.2)
    assert alone.series == 2


def test_hourly_sensors_and_other_kinds_at_their_own_step(settings: Settings, owner: Connection) -> None:
    top = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
    since = top - timedelta(days=15)
    months(owner, since, top)
    meter, air = add_sensor(owner, "feeder", "energy", None), add_sensor(owner, "air", "environment", 3600)
    for k in range(15 * 24):
        moment = since + timedelta(hours=k)
        owner.execute(
            "INSERT INTO sensing.energy VALUES (%s, %s, %s, NULL, %s, NULL, 1)", [meter, moment, moment, -5.0 + k % 24]
        )
        owner.execute(
            "INSERT INTO sensing.observation VALUES (%s, 'temperature_c', %s, %s, NULL, %s, 1)",
            [air, moment, moment, -10.0],
        )
        owner.execute(
            "INSERT INTO sensing.dirty_hour VALUES ('energy', %s, %s), ('observation', %s, %s)",
            [meter, moment, air, moment],
        )

    forecast_all(settings)

    with connect(settings.role_dsn("api"), application="test") as connection:
        warm, power = forecasts.latest(connection)
    assert (power.step_seconds, len(power.target_at)) == (3600, 48)
    assert min(power.level(0.5)) < 0
    assert (warm.step_seconds, len(warm.target_at)) == (3600, 24)
    assert warm.quantiles == [[-10.0] * 7] * 24


def missed_by(owner: Connection, sensor: int, moment: datetime) -> tuple[float, float]:
    """By how much the median forecast and the value a week before missed the flow of the step that began then."""
    found = owner.execute(
        "SELECT abs(said.q50 - truth.flow_vph), abs(weekly.flow_vph - truth.flow_vph) FROM forecast.value AS said"
        " JOIN sensing.traffic_15min AS truth ON truth.sensor_id = said.sensor_id AND truth.bucket = said.target_at"
        " JOIN sensing.traffic_15min AS weekly ON weekly.sensor_id = truth.sensor_id"
        " AND weekly.bucket = truth.bucket - interval '7 days'"
        " WHERE said.sensor_id = %s AND said.quantity = 'flow_vph' AND said.target_at = %s",
        [sensor, moment],
    ).fetchone()
    assert found is not None
    return float(found[0]), float(found[1])


def test_scores_from_what_happened(settings: Settings, owner: Connection, street: int, top: datetime) -> None:
    closed = top.replace(minute=0)
    forecast_all(settings, closed - timedelta(hours=30))
    owner.execute(
        "INSERT INTO sensing.traffic_15min (sensor_id, bucket, rows, good, flow_vph, speed_kmh)"
        " SELECT sensor_id, observed_at, 1, 1, flow_vph, speed_kmh FROM sensing.traffic"
    )
    with connect(settings.role_dsn("jobs"), application="test") as connection:
        for back in (2, 1, 0):
            forecasts.score_day(connection, (closed - timedelta(days=back)).date(), closed=closed)
        connection.commit()
    before = owner.execute("SELECT * FROM forecast.score ORDER BY 1, 2, 3, 4").fetchall()
    score_closed_hours(settings, top)

    with connect(settings.role_dsn("api"), application="test") as connection:
        card = scorecard(connection, kind="traffic", quantity="flow_vph")
    assert [(row.lead_minutes, row.n) for row in card] == [(m, 1) for m in (15, 60, 180, 360, 720, 1440)]
    issued = closed - timedelta(hours=30)
    missed = [missed_by(owner, street, issued + timedelta(minutes=row.lead_minutes) - STEP) for row in card]
    assert [(row.mae, row.naive_mae) for row in card] == [pytest.approx(pair) for pair in missed]
    assert owner.execute("SELECT * FROM forecast.score ORDER BY 1, 2, 3, 4").fetchall() == before


def test_old_runs_are_thinned_then_removed(settings: Settings, owner: Connection, top: datetime) -> None:
    for age in (timedelta(days=1), timedelta(days=8), timedelta(days=61)):
        for minute in (0, 15):
            owner.execute(
                "INSERT INTO forecast.run (issued_at, kind, step_seconds, steps, data_hash, config_hash, seconds)"
                " VALUES (%s, 'traffic', 900, 96, '', '', 0)",
                [top.replace(minute=minute) - age],
            )
    with connect(settings.role_dsn("jobs"), application="test") as connection:
        assert forecasts.forget(connection, datetime.now(UTC)) == 3
        connection.commit()
        assert len(forecasts.runs(connection)) == 3


def test_the_future_and_naive_times_are_refused(settings: Settings) -> None:
    with pytest.raises(InputError, match="future"):
        forecast_all(settings, datetime.now(UTC) + timedelta(hours=1))
    with pytest.raises(InputError, match="time zone"):
        forecast_all(settings, datetime(2026, 1, 1))  # noqa: DTZ001 - that is what is refused


def test_a_city_without_readings_is_told_where_they_come_from(
    settings: Settings, owner: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ARTERIAL_DATABASE_URL", settings.owner_dsn())
    password = settings.database_password_jobs
    assert password is not None
    monkeypatch.setenv("ARTERIAL_DATABASE_PASSWORD_JOBS", password.get_secret_value())
    done = CliRunner().invoke(app, ["forecast", "run"])
    assert done.exit_code == 0
    assert "No sensor has readings yet: let `arterial ingest` run" in done.output


def test_the_command_prints_one_document(settings: Settings, owner: Connection, street: int) -> None:
    environment = {
        **os.environ,
        "ARTERIAL_DATABASE_URL": settings.owner_dsn(),
        "ARTERIAL_DATABASE_PASSWORD_JOBS": settings.database_password_jobs.get_secret_value(),  # type: ignore[union-attr] # the fixture sets it
    }
    command = [sys.executable, "-c", "from services.cli import main; main()", "forecast", "run"]
    done = subprocess.run([*command, "--json"], env=environment, capture_output=True, text=True, check=True, timeout=60)
    document = json.loads(done.stdout)
    assert (document["series"], document["states"], document["skipped"]) == (2, {"normal": 2}, [])
    wrong = subprocess.run(
        [*command, "--at", "noon"], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert "write it like 2026-11-22T08:00:00Z" in wrong.stderr
