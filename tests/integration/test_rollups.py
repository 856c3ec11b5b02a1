"""Roll-ups equal their readings whatever order these arrive in."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from services.local_day import day_span, days_between
from services.settings import Settings
from services.storage import rollups
from services.storage.database import Connection, connect

DAY = datetime(2026, 3, 28, tzinfo=UTC)
Row = tuple[int, datetime, float | None, float | None, float | None, int]


@pytest.fixture
def jobs(settings: Settings) -> Iterator[Connection]:
    with connect(settings.role_dsn("jobs"), application="test") as connection:
        yield connection


def readings(seed: int, days: int = 2) -> list[Row]:
    """Three sensors at 5 minutes with gaps, bad rows and values whose sum depends on the order of adding."""
    draw = random.Random(seed)
    return [
        (
            sensor,
            DAY + timedelta(minutes=5 * step),
            draw.uniform(0, 3000),
            draw.uniform(1e-3, 130),
            draw.random(),
            draw.choice([1, 1, 1, 3, 4]),
        )
        for sensor in (1, 2, 3)
        for step in range(days * 288)
        if draw.random() > 0.1
    ]


def insert(owner: Connection, rows: Iterable[Row]) -> None:
    for month in ("2026-03-01", "2026-04-01"):
        owner.execute("SELECT sensing.ensure_month(%s)", [month])
    with owner.transaction(), owner.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO sensing.traffic (sensor_id, observed_at, received_at, flow_vph, speed_kmh, occupancy, quality) "
            "VALUES (%s, %s, now(), %s, %s, %s, %s)",
            list(rows),
        )
        cursor.executemany(
            "INSERT INTO sensing.dirty_hour VALUES ('traffic', %s, date_trunc('hour', %s::timestamptz))",
            [row[:2] for row in rows],
        )


def refresh_all(jobs: Connection) -> None:
    while rollups.refresh(jobs, most=500):
        pass


def content(owner: Connection, table: str) -> list[tuple[object, ...]]:
    return owner.execute(f"SELECT * FROM sensing.{table} ORDER BY 1, 2").fetchall()  # type: ignore[arg-type] # noqa: S608 - a constant of this file


def test_a_bucket_is_the_mean_of_its_rows_with_speed_weighted_by_flow(owner: Connection, jobs: Connection) -> None:
    insert(
        owner,
        [
            (1, DAY, 100.0, 50.0, 0.1, 1),
            (1, DAY + timedelta(minutes=5), 300.0, 30.0, 0.2, 1),
            (1, DAY + timedelta(minutes=10), 9000.0, 200.0, 0.9, 4),  # bad: counted, not averaged
            (1, DAY + timedelta(minutes=15), None, 44.0, None, 1),
        ],
    )
    refresh_all(jobs)

    first, second = owner.execute(
        "SELECT rows, good, flow_vph, speed_kmh, round(occupancy::numeric, 3) FROM sensing.traffic_15min ORDER BY bucket"
    ).fetchall()
    assert first[:4] == (3, 2, 200.0, 35.0)  # (100*50 + 300*30) / 400 = 35
    assert float(first[4]) == 0.15
    assert second[:4] == (1, 1, None, 44.0)  # no flow to weigh with
    assert owner.execute("SELECT rows, flow_vph FROM sensing.traffic_hour").fetchall() == [(4, 200.0)]


def test_random_order_in_many_batches_gives_the_same_bytes(make_database: Callable[[], Settings]) -> None:
    rows = readings(seed=5)
    tables = {}
    for order in ("sorted", "shuffled"):
        settings = make_database()
        arriving = rows if order == "sorted" else random.Random(1).sample(rows, len(rows))
        with (
            connect(settings.owner_dsn(), application="test", autocommit=True) as owner,
            connect(settings.role_dsn("jobs"), application="test") as jobs,
        ):
            for start in range(0, len(arriving), 400):
                insert(owner, arriving[start : start + 400])
                rollups.refresh(jobs, most=50)
            refresh_all(jobs)
            tables[order] = [content(owner, table) for table in ("traffic_15min", "traffic_hour")]
            assert rollups.reconcile(jobs).total == 0
    assert tables["sorted"] == tables["shuffled"]


def test_reconcile_finds_and_repairs_what_differs(owner: Connection, jobs: Connection) -> None:
    insert(owner, readings(seed=2, days=1))
    refresh_all(jobs)
    owner.execute("UPDATE sensing.traffic_hour SET flow_vph = flow_vph + 1 WHERE sensor_id = 1 AND bucket = %s", [DAY])
    owner.execute("DELETE FROM sensing.traffic_15min WHERE sensor_id = 2 AND bucket < %s", [DAY + timedelta(hours=1)])
    owner.execute("INSERT INTO sensing.traffic_15min VALUES (9, %s, 1, 1, 5, 5, 0.1)", [DAY])

    found = rollups.reconcile(jobs)
    assert found.differences["traffic_hour"] == 1
    assert found.differences["traffic_15min"] == 4 + 1

    assert rollups.reconcile(jobs, repair=True).total == 6
    assert rollups.reconcile(jobs).total == 0


def test_readings_that_are_not_committed_yet_keep_their_dirty_hour(
    settings: Settings, owner: Connection, jobs: Connection
) -> None:
    insert(owner, [(1, DAY, 100.0, 50.0, 0.1, 1)])
    with connect(settings.owner_dsn(), application="late") as late:
        late.execute(
            "INSERT INTO sensing.traffic VALUES (1, %s, now(), NULL, 300, 50, 0.1, 1)", [DAY + timedelta(minutes=5)]
        )
        late.execute("INSERT INTO sensing.dirty_hour VALUES ('traffic', 1, %s)", [DAY])
        refresh_all(jobs)
        late.commit()
    refresh_all(jobs)

    assert owner.execute("SELECT rows, flow_vph FROM sensing.traffic_15min").fetchall() == [(2, 200.0)]


def test_local_days_of_two_years_hold_every_reading_once(owner: Connection, jobs: Connection) -> None:
    start, end = datetime(2024, 9, 1, 5, 15, tzinfo=UTC), datetime(2026, 9, 1, 5, 15, tzinfo=UTC)
    owner.execute(
        "SELECT sensing.ensure_month(month::date) FROM generate_series(%s, %s, interval '1 month') month",
        [start.replace(day=1), end],
    )
    readings = "generate_series(%s, %s - interval '15 min', interval '15 min') at"
    owner.execute(
        "INSERT INTO sensing.energy SELECT 1, at, at, NULL, 1 + extract(epoch FROM at)::bigint / 900 %% 1009, NULL, 1 "  # noqa: S608 - constants of this file
        f"FROM {readings}",
        [start, end],
    )
    owner.execute(
        "INSERT INTO sensing.dirty_hour SELECT DISTINCT 'energy', 1, date_trunc('hour', observed_at) FROM sensing.energy"
    )
    while rollups.refresh(jobs):
        pass
    raw = owner.execute("SELECT count(*), sum(power_kw::float8) FROM sensing.energy").fetchone()
    for name in ("Europe/Berlin", "America/New_York", "Australia/Lord_Howe"):
        spans = [day_span(day, ZoneInfo(name)) for day in days_between(start, end, ZoneInfo(name))]
        days = owner.execute(
            "SELECT count(*), sum(power_kw::float8) FROM sensing.energy_15min "
            "JOIN unnest(%s::timestamptz[], %s::timestamptz[]) AS day (first, after) ON bucket >= first AND bucket < after "
            "GROUP BY first ORDER BY first",
            [[span[0] for span in spans], [span[1] for span in spans]],
        ).fetchall()
        assert (sum(day[0] for day in days), sum(day[1] for day in days)) == raw
        quarters = {(after - first) // timedelta(minutes=15) for first, after in spans}
        assert {day[0] for day in days[1:-1]} == quarters
        assert len(quarters) == 3
