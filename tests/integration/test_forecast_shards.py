"""A city forecast in shards: learnt at night, refreshed by day, once each, whoever does it."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import procrastinate
import psycopg
import pytest

from models.recalibration import Memory, Recalibration
from services.domain import Kind, to_us
from services.errors import InputError
from services.forecasting import keeping
from services.forecasting.city_calendar import city_calendar
from services.forecasting.engine import Local, engine_of
from services.forecasting.freezing import freeze, thaw
from services.forecasting.learnt import History, remembered
from services.forecasting.roads import SPEED
from services.forecasting.run import forecast_all
from services.forecasting.shard import forecast_shard, train_shard
from services.jobs import schedule
from services.jobs.schedule import FORECAST, TRAIN, make_app, run_soon
from services.settings import Settings
from services.storage import congestion, fitted, forecasts, panels
from services.storage.database import Connection, connect

STEP = timedelta(minutes=15)


def quarter(moment: datetime) -> datetime:
    return moment.replace(minute=moment.minute // 15 * 15, second=0, microsecond=0)


def add_street(owner: Connection, code: str, days: float, *, number: int | None = None, seed: int = 1) -> int:
    """A detector with a daily rhythm and a drift up to now, rolled up."""
    row = owner.execute(
        "INSERT INTO sensing.sensor (id, code, kind, step_seconds) OVERRIDING SYSTEM VALUE"
        " VALUES (coalesce(%s, nextval(pg_get_serial_sequence('sensing.sensor', 'id'))), %s, 'traffic', 900) RETURNING id",
        [number, code],
    ).fetchone()
    assert row is not None
    top = quarter(datetime.now(UTC))
    count = int(days * 96)
    rng = np.random.default_rng(seed)
    drift = 0.0
    with owner.cursor().copy(
        "COPY sensing.traffic_15min (sensor_id, bucket, rows, good, flow_vph, speed_kmh) FROM STDIN"
    ) as copy:
        for k in range(count, 0, -1):
            moment = top - k * STEP
            drift = 0.98 * drift + rng.normal(0, 10)
            flow = 300 - 200 * np.cos(2 * np.pi * (moment.hour + moment.minute / 60) / 24) + drift
            copy.write_row((row[0], moment, 3, 3, flow, 50 - flow / 50))
    return int(row[0])


def told(settings: Settings) -> dict[tuple[str, str], tuple[str, np.ndarray[Any, Any]]]:
    with connect(settings.role_dsn("api"), application="test") as connection:
        found = forecasts.latest(connection)
    return {(one.sensor, one.quantity): (one.model, np.array(one.quantiles)) for one in found}


@pytest.fixture
def steady() -> None:
    """Time enough before the next quarter hour, or both forecasts of a test were about different times."""
    left = 900 - datetime.now(UTC).timestamp() % 900
    if left < 40:
        threading.Event().wait(left + 1)


def test_a_refresh_by_day_equals_learning_everything_anew(settings: Settings, owner: Connection, steady: None) -> None:
    for k in range(3):
        add_street(owner, f"det-{k}", 20, seed=k)
    learnt = forecast_shard(settings, 0)
    cold = told(settings)

    refreshed = forecast_shard(settings, 0)

    warm = told(settings)
    assert (learnt.learnt, refreshed.learnt) == (6, 0)
    assert refreshed.runs != learnt.runs
    assert warm.keys() == cold.keys()
    for key, (model, quantiles) in warm.items():
        assert model == cold[key][0]
        np.testing.assert_allclose(quantiles, cold[key][1], rtol=1e-6)


def test_a_refresh_sees_what_came_since_and_never_what_was_learnt_twice(
    settings: Settings, owner: Connection, steady: None
) -> None:
    sensor = add_street(owner, "det", 20)
    train_shard(settings, 0)
    forecast_shard(settings, 0)
    before = told(settings)["det", "flow_vph"][1]
    owner.execute(
        "UPDATE sensing.traffic_15min SET flow_vph = flow_vph + 150 WHERE sensor_id = %s AND bucket > now() - interval '4 h'",
        [sensor],
    )

    done = forecast_shard(settings, 0)

    after = told(settings)["det", "flow_vph"][1]
    assert done.learnt == 0
    assert after[0, 3] > before[0, 3] + 50


def test_new_and_filled_in_sensors_are_learnt_at_once_and_touch_no_other(
    settings: Settings, owner: Connection, steady: None
) -> None:
    add_street(owner, "old", 20)
    forecast_shard(settings, 0)
    before = told(settings)["old", "flow_vph"][1]
    fresh = add_street(owner, "fresh", 0.1)
    owner.execute(
        "INSERT INTO sensing.traffic_15min SELECT %s, now() - interval '3 days' - g * interval '45 min', 1, 1, 3e38, 'NaN'"
        " FROM generate_series(1, 40) g",
        [add_street(owner, "broken", 0.05)],
    )

    first = forecast_shard(settings, 0)

    found = told(settings)
    np.testing.assert_allclose(found["old", "flow_vph"][1], before, rtol=1e-6)
    assert found["fresh", "flow_vph"][0] == "last_value"
    assert first.learnt == 4
    owner.execute("DELETE FROM sensing.traffic_15min WHERE sensor_id = %s", [fresh])
    owner.execute(
        "INSERT INTO sensing.traffic_15min SELECT %s, bucket, rows, good, flow_vph, speed_kmh FROM sensing.traffic_15min"
        " JOIN sensing.sensor ON id = sensor_id AND code = 'old'",
        [fresh],
    )
    forecast_shard(settings, 0)
    assert told(settings)["fresh", "flow_vph"][0] != "last_value"


def test_what_was_kept_is_used_only_while_it_is_whole_and_of_this_version(
    settings: Settings, owner: Connection, steady: None
) -> None:
    add_street(owner, "det", 20)
    forecast_shard(settings, 0)
    folder = keeping.folder_of(settings.data_dir)
    copies = sorted(folder.iterdir())
    assert len(copies) == 2
    for path in copies:
        path.write_bytes(b"damaged")
    assert forecast_shard(settings, 0).learnt == 0, "the database still has it"
    for path in folder.iterdir():
        path.unlink()
    owner.execute("UPDATE forecast.fitted SET content = 'damaged'")
    assert forecast_shard(settings, 0).learnt == 2
    owner.execute("UPDATE forecast.fitted SET config_hash = 'another version'")
    assert forecast_shard(settings, 0).learnt == 2
    owner.execute("UPDATE forecast.fitted SET trained_to = trained_to - interval '3 days'")
    assert forecast_shard(settings, 0).learnt == 2
    assert forecast_shard(settings, 0).learnt == 0


def test_detectors_get_chances_of_congestion_as_they_were_issued(
    settings: Settings, owner: Connection, steady: None
) -> None:
    for k in range(2):
        add_street(owner, f"det-{k}", 20, seed=k)
    owner.execute("UPDATE sensing.sensor SET free_flow_kmh = 120, capacity_vph = 900 WHERE code = 'det-0'")
    train_shard(settings, 0)
    first = forecast_shard(settings, 0)
    owner.execute("UPDATE sensing.sensor SET free_flow_kmh = 60 WHERE code = 'det-0'")
    second = forecast_shard(settings, 0)

    with connect(settings.role_dsn("api"), application="test") as connection:
        early = congestion.latest(connection, issued_before=first.issued_at)
        late = congestion.latest(connection)
        hour = congestion.latest(connection, sensors=["det-0"], target_to=second.issued_at + timedelta(minutes=30))
    assert (early[0].sensor, early[0].free_flow_kmh, early[0].free_flow_estimated) == ("det-0", 120.0, False)
    assert late[0].free_flow_kmh == 60.0
    assert late[1].free_flow_estimated
    assert late[1].free_flow_kmh == pytest.approx(48, abs=2)
    for one in (*early, *late):
        chances = np.array(one.chances)
        assert chances.shape == (96, 4)
        assert chances.sum(axis=1) == pytest.approx(1, abs=1e-6)
    assert np.array(early[0].chances)[:, 0].mean() > 0.9, "50 km/h is congested where 120 are free"
    assert np.array(late[0].chances)[:, 2].mean() > 0.8
    assert late[0].flows[0] is not None
    assert 2 <= len(hour[0].target_at) <= 3


def test_what_intervals_held_steers_their_width_from_the_next_night_on(
    settings: Settings, owner: Connection, steady: None
) -> None:
    sensor = add_street(owner, "det", 20)
    train_shard(settings, 0)
    forecast_shard(settings, 0)
    before = told(settings)["det", "flow_vph"][1]
    owner.execute(
        "INSERT INTO forecast.score (sensor_id, quantity, lead_minutes, day, n, absolute_error, naive_n, observed_sum,"
        " inside_80, inside_90) SELECT %s, 'flow_vph', lead, current_date - day, 5000, 1, 0, 1, 2500, 3000"
        " FROM generate_series(1, 20) day, unnest(ARRAY[15, 60, 180, 360, 720, 1440]) lead",
        [sensor],
    )
    train_shard(settings, 0)
    forecast_shard(settings, 0)
    after = told(settings)["det", "flow_vph"][1]
    assert after[:, 3] == pytest.approx(before[:, 3], rel=1e-6)
    below, above = before[:, 3] - before[:, 0], before[:, 6] - before[:, 3]
    assert after[:, 6] - after[:, 3] == pytest.approx(2 * above, rel=0.1)
    assert after[:, 3] - after[:, 0] == pytest.approx(
        np.minimum(2 * below, after[:, 3]), rel=0.1
    )  # never below nothing


def test_a_night_begins_with_what_chances_of_congestion_the_night_before_had(
    settings: Settings, owner: Connection
) -> None:
    add_street(owner, "det", 20)
    now = datetime.now(UTC)
    wanted = History(
        until_us=to_us(quarter(now)), days=settings.forecast_history_days, calendar=city_calendar(settings)
    )

    def kept(wanted: History) -> dict[int, Recalibration]:
        with connect(settings.role_dsn("jobs"), application="test") as connection:
            return remembered(connection, Kind.TRAFFIC, 0, wanted, keeping.folder_of(settings.data_dir))

    assert kept(wanted) == {}
    train_shard(settings, 0)
    first = kept(wanted)[900]
    assert first.memory is not None
    assert first.memory.bend.any()
    assert kept(replace(wanted, received_by=now)) == {}
    known = Memory(
        bend=np.tile(1e9 * np.eye(4), (3, 1, 1)),
        pull=np.tile([5e8, 1e9, 0.0, 0.0], (3, 1)),
        until_us=first.memory.until_us,
    )
    with connect(settings.role_dsn("jobs"), application="test") as connection:
        rows = [(one, fitted.content(connection, one) or b"") for one in fitted.of_shard(connection, 0)]
        assert [thaw(data)["habits"].below.shape for one, data in rows if one.quantity == SPEED] == [(3, 1, 24)]
        learnt = [
            freeze(thaw(data) | {"better": replace(first, memory=known)}) if one.quantity == SPEED else data
            for one, data in rows
        ]
        told_anew = [
            (replace(one, digest=hashlib.sha256(data).hexdigest()), data)
            for (one, _), data in zip(rows, learnt, strict=True)
        ]
        fitted.replace(connection, 0, Kind.TRAFFIC, told_anew)
    train_shard(settings, 0)
    assert kept(wanted)[900].coefficients == pytest.approx(np.tile([0.5, 1.0, 0.0, 0.0], (3, 1)), abs=1e-3)


def test_a_shard_is_stored_once_per_round_whoever_is_asked(settings: Settings, owner: Connection) -> None:
    add_street(owner, "det", 16)
    train_shard(settings, 0)
    due = datetime.now(UTC).replace(microsecond=0)

    def ask(_: int) -> int:
        try:
            return len(forecast_shard(settings, 0, due_at=due).runs)
        except psycopg.errors.SerializationFailure:  # the job is then tried again, and finds the round stored
            return 0

    with ThreadPoolExecutor(4) as pool:
        stored = sum(pool.map(ask, range(4)))

    assert stored == 1
    assert forecast_shard(settings, 0, due_at=due).runs == ()
    assert owner.execute("SELECT count(*) FROM forecast.run").fetchone() == (1,)


async def _work(settings: Settings) -> None:
    app = make_app(settings)
    app.periodic_registry.periodic_tasks.clear()  # what fell due in the last minutes would run beside what the tests ask for
    async with app.open_async():
        await app.run_worker_async(wait=False, install_signal_handlers=False, listen_notify=False)


def work(settings: Settings, workers: int = 1) -> None:
    threads = [threading.Thread(target=lambda: asyncio.run(_work(settings))) for _ in range(workers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def test_a_round_is_shared_by_two_workers_and_each_shard_is_done_once(settings: Settings, owner: Connection) -> None:
    far = 5 * panels.SHARD_SENSORS
    for shard in range(3):
        add_street(owner, f"det-{shard}", 1, number=far * shard + 7)
    run_soon(settings, TRAIN)
    work(settings, workers=2)
    assert owner.execute("SELECT DISTINCT shard FROM forecast.fitted ORDER BY 1").fetchall() == [(0,), (5,), (10,)]

    run_soon(settings, FORECAST)
    work(settings, workers=2)
    work(settings)

    rounds = owner.execute(
        "SELECT due_at, array_agg(shard ORDER BY shard) FROM forecast.run GROUP BY due_at"
    ).fetchall()
    assert rounds, "the timetable itself may have begun another round meanwhile"
    assert all(shards == [0, 5, 10] for _, shards in rounds)
    with connect(settings.role_dsn("api"), application="test") as connection:
        told_of = [(one.normal + one.degraded, one.kind) for one in forecasts.runs(connection)]
    assert told_of == [(6, "traffic")] * len(rounds)
    statuses = owner.execute(
        "SELECT DISTINCT status FROM jobs.procrastinate_jobs WHERE task_name = 'forecast-shard'"
    ).fetchall()
    assert statuses == [("succeeded",)]


def test_the_first_forecast_does_not_wait_for_learning_which_follows(settings: Settings, owner: Connection) -> None:
    add_street(owner, "det", 20)
    run_soon(settings, FORECAST)

    work(settings)

    plain = owner.execute("SELECT DISTINCT model FROM forecast.series").fetchall()
    assert "ridge" not in str(plain)
    assert owner.execute("SELECT count(*) FROM forecast.fitted").fetchone() == (2,)
    assert forecast_shard(settings, 0).learnt == 0


def test_a_failing_shard_is_tried_again_and_holds_up_no_other(
    settings: Settings, owner: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_street(owner, "det-0", 0.1)
    add_street(owner, "det-1", 0.1, number=panels.SHARD_SENSORS)
    owner.execute("CREATE SEQUENCE forecast.tries")  # no transaction takes its numbers back
    owner.execute(
        "CREATE FUNCTION forecast.fail_once() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN "
        "IF NEW.shard = 0 AND nextval('forecast.tries') = 1 THEN RAISE disk_full; END IF; RETURN NEW; END $$"
    )
    owner.execute(
        "CREATE TRIGGER fail_once BEFORE INSERT ON forecast.run FOR EACH ROW EXECUTE FUNCTION forecast.fail_once()"
    )
    monkeypatch.setattr(schedule, "_RETRY", procrastinate.RetryStrategy(max_attempts=3))  # without its pauses
    run_soon(settings, FORECAST)

    work(settings)

    rows = owner.execute("SELECT status, attempts FROM jobs.procrastinate_jobs WHERE task_name = 'forecast-shard'")
    assert {("succeeded", 1), ("succeeded", 2)} == set(rows.fetchall())
    assert {shard for (shard,) in owner.execute("SELECT shard FROM forecast.run").fetchall()} == {0, 1}


@pytest.mark.parametrize("engine", ["local", "dask"])
def test_every_engine_gives_what_this_process_gives(
    engine: str, settings: Settings, owner: Connection, steady: None
) -> None:
    for shard in range(2):
        add_street(owner, f"det-{shard}", 16, number=shard * panels.SHARD_SENSORS + 1)
    here = forecast_all(settings)
    expected = told(settings)
    if engine == "local":
        there = forecast_all(settings, engine=Local(processes=2))
    else:
        distributed = pytest.importorskip("distributed", reason="no Dask here: pip install 'arterial[dask]'")
        cluster = distributed.LocalCluster(
            n_workers=1, threads_per_worker=2, processes=False, dashboard_address=":0", protocol="tcp"
        )
        with cluster:
            address = cluster.scheduler_address.removeprefix("tcp://")
            there = forecast_all(settings, engine=engine_of(f"dask://{address}"))

    found = told(settings)
    assert (there.series, there.learnt) == (here.series, 0) == (4, 0)
    for key, (model, quantiles) in expected.items():
        assert found[key][0] == model
        np.testing.assert_array_equal(found[key][1], quantiles)


@pytest.mark.parametrize("wrong", ["", "ray", "local:none", "local:0", "dask", "dask://host"])
def test_other_engines_are_refused_in_words(wrong: str) -> None:
    with pytest.raises(InputError, match="dask://host:port"):
        engine_of(wrong)


def test_neither_kinds_nor_shards_without_readings_matter(settings: Settings, owner: Connection) -> None:
    owner.execute("INSERT INTO sensing.sensor (code, kind) VALUES ('never', 'energy')")

    assert forecast_all(settings).series == 0
    assert train_shard(settings, 0) == 0
    with connect(settings.role_dsn("jobs"), application="test") as connection:
        assert panels.shards(connection) == [0]
        assert [one.code for one in panels.sensors(connection, Kind.ENERGY, 0)] == ["never"]
