"""With TimescaleDB everything is stored, counted and rolled up as without it, in old compressed chunks too.

Runs where the server of the tests has loaded the extension (`ARTERIAL_TEST_DATABASE_URL`, see CONTRIBUTING.md).
"""

from __future__ import annotations

import random
import secrets
import subprocess
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import psycopg
import pytest
from psycopg import sql

from ingest.counts import Counts
from ingest.pipeline import store
from services.doctor import examine
from services.domain import Message
from services.embedded import Running, postgres_programs
from services.errors import StorageError
from services.settings import Settings
from services.storage import rollups
from services.storage.database import Connection, connect
from services.storage.migrate import migrate

TABLES = ("traffic", "energy", "observation")
START = (datetime.now(UTC) - timedelta(days=70)).replace(hour=0, minute=0, second=0, microsecond=0)
RECEIVED_US = int(datetime.now(UTC).timestamp() * 1_000_000)


@pytest.fixture
def timescale(settings: Settings, hypertables: bool) -> Settings:
    """Settings of a migrated database with hypertables."""
    if not hypertables:
        pytest.skip("the server of the tests has not loaded TimescaleDB: ARTERIAL_TEST_DATABASE_URL names one that has")
    return settings


@pytest.fixture
def make_empty(timescale: Settings, postgres: Running) -> Iterator[Callable[[bool], Settings]]:
    """Makes databases without tables, with TimescaleDB loaded or not."""
    server = postgres.url.rpartition("/")[0]
    made: list[str] = []

    def make(loaded: bool) -> Settings:
        made.append(f"empty_{secrets.token_hex(6)}")
        with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
            admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(made[-1])))
        url = f"{server}/{made[-1]}"
        load(url, loaded=loaded)
        return timescale.model_copy(update={"database_url": type(timescale.database_url)(url)})  # type: ignore[misc]  # SecretStr of a str

    yield make
    with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
        for name in made:
            admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def load(url: str, *, loaded: bool) -> None:
    """Load the extension in the next connections to a database, or let it be as on a server that has not."""
    with psycopg.connect(f"{url.rpartition('/')[0]}/postgres", autocommit=True) as admin:
        statement = sql.SQL("ALTER DATABASE {} SET timescaledb.disable_load = {}")
        admin.execute(statement.format(sql.Identifier(url.rpartition("/")[2]), "off" if loaded else "on"))


def compress(settings: Settings) -> int:
    """Compress all chunks and return how many."""
    with connect(settings.owner_dsn(), application="test", autocommit=True) as owner:
        return sum(
            owner.execute("SELECT compress_chunk(c) FROM show_chunks(%s::regclass) c", [f"sensing.{table}"]).rowcount
            for table in TABLES
        )


def reading(kind: str, sensor: str, minutes: int, **values: float) -> Message:
    content = {"ts": (START + timedelta(minutes=minutes)).isoformat(), **values}
    return Message(topic=f"city/v1/{kind}/{sensor}/telemetry", payload=orjson.dumps(content), received_us=RECEIVED_US)


def month_of_readings(seed: int) -> list[Message]:
    """Three weeks of a detector, a register, a feeder and an air sensor at half hours, each reading a message."""
    draw = random.Random(seed)
    messages = []
    for step in range(21 * 48):
        minutes = 30 * step
        messages += [
            reading("traffic", "det-1", minutes, flow_vph=draw.randrange(1, 3000), speed_kmh=draw.randrange(5, 130)),
            reading("energy", "meter-1", minutes, energy_kwh=step * 2.5),
            reading("energy", "feeder-1", minutes, power_kw=draw.randrange(1000) / 8),
            reading("environment", "air-1", minutes, no2=draw.randrange(400) / 4, pm10=draw.randrange(400) / 4),
        ]
    return messages


def stored(settings: Settings) -> dict[str, list[tuple[object, ...]]]:
    """All readings and roll-ups; nothing that depends on when they were written."""
    tables = (*TABLES, *(f"{table}_{width}" for table in TABLES for width in ("15min", "hour")))
    with connect(settings.owner_dsn(), application="test") as owner:
        return {
            table: owner.execute(
                sql.SQL("SELECT * FROM sensing.{} ORDER BY {}").format(
                    sql.Identifier(table), sql.SQL("1, 2, 3" if table.startswith("observation") else "1, 2")
                )
            ).fetchall()
            for table in tables
        }


def test_the_tables_are_hypertables_that_compress_what_is_older_than_a_month(
    timescale: Settings, owner: Connection
) -> None:
    found = owner.execute(
        "SELECT hypertable_name, time_interval FROM timescaledb_information.dimensions ORDER BY hypertable_name"
    ).fetchall()
    assert found == [(table, timedelta(days=7)) for table in sorted(TABLES)]
    policies = owner.execute(
        "SELECT hypertable_name, config->>'compress_after' FROM timescaledb_information.jobs "
        "WHERE proc_name = 'policy_compression' ORDER BY hypertable_name"
    ).fetchall()
    assert policies == [(table, "30 days") for table in sorted(TABLES)]

    store(timescale, [reading("traffic", "det-1", 0, flow_vph=820), reading("traffic", "det-1", 69 * 1440, flow_vph=1)])
    job = owner.execute("SELECT job_id FROM timescaledb_information.jobs WHERE hypertable_name = 'traffic'").fetchone()
    owner.execute("CALL run_job(%s)", job)

    chunks = owner.execute(
        "SELECT is_compressed FROM timescaledb_information.chunks WHERE hypertable_name = 'traffic' ORDER BY range_start"
    ).fetchall()
    assert chunks == [(True,), (False,)]
    again = migrate(timescale)
    assert (again.applied, again.timescale is not None) == ((), True)


def test_doctor_tells_of_chunks_that_wait_to_be_compressed(timescale: Settings, owner: Connection) -> None:
    def told() -> tuple[str, str]:
        return next((one.verdict, one.fact) for one in examine(timescale) if one.subject == "compression")

    owner.execute("SELECT remove_compression_policy('sensing.traffic')")  # it may have run already
    owner.execute(
        "SELECT add_compression_policy('sensing.traffic', interval '30 days', initial_start => now() + interval '1 day')"
    )
    store(timescale, [reading("traffic", "det-1", day * 1440, flow_vph=820) for day in (0, 69)])
    assert told() == ("warning", "0 of 2 chunks of TimescaleDB are compressed, 1 wait although they should be")
    owner.execute("SELECT compress_chunk(c) FROM show_chunks('sensing.traffic', older_than => interval '30 days') c")
    assert told() == ("ok", "1 of 2 chunks of TimescaleDB are compressed")


def test_what_comes_late_into_compressed_chunks_gives_the_same_rows_and_roll_ups_as_native_partitions(
    timescale: Settings, make_empty: Callable[[bool], Settings]
) -> None:
    native = make_empty(False)
    assert migrate(native).timescale is None
    messages = month_of_readings(seed=3)
    draw = random.Random(4)
    draw.shuffle(messages)
    early, late = messages[: len(messages) // 2], messages[len(messages) // 2 :]
    late += draw.sample(early, 500)  # once more
    late += [reading("traffic", "det-1", 30 * step, occupancy=0.25) for step in draw.sample(range(21 * 48), 50)]
    late += [reading("energy", "feeder-1", 30 * step, power_kw=7777) for step in (1, 2, 3)]  # contradicts
    draw.shuffle(late)
    counted: dict[str, list[Counts]] = {"timescale": [], "native": []}
    for name, settings in (("timescale", timescale), ("native", native)):
        with connect(settings.role_dsn("jobs"), application="test") as jobs:
            for part in (early, late[:900], late[900:]):
                counted[name].append(store(settings, part))
                if name == "timescale":
                    assert compress(settings) > 8
                while rollups.refresh(jobs, most=700):
                    pass
            assert rollups.reconcile(jobs).total == 0

    assert [(one.stored, one.duplicate, one.dead_lettered, one.rows) for one in counted["timescale"]] == [
        (one.stored, one.duplicate, one.dead_lettered, one.rows) for one in counted["native"]
    ]
    assert sum(one.dead_lettered for one in counted["timescale"]) == 3
    by_timescale, by_native = stored(timescale), stored(native)
    assert len(by_native["traffic"]) == 21 * 48
    assert by_timescale == by_native


def test_more_late_registers_than_timescaledb_decompresses_by_itself_are_stored(
    timescale: Settings, owner: Connection
) -> None:
    meters = 120  # of each a batch of up to 1,000 rows is opened; the extension stops at 100,000
    store(timescale, [reading("energy", f"meter-{meter}", 0, energy_kwh=1) for meter in range(meters)])
    owner.execute(
        "INSERT INTO sensing.energy (sensor_id, observed_at, received_at, energy_kwh, quality) "
        "SELECT id, %s + step * interval '5 min', now(), 1 + step, 1 FROM sensing.sensor, generate_series(1, 999) step",
        [START],
    )
    assert compress(timescale) > 0

    counts = store(timescale, [reading("energy", f"meter-{meter}", 502, energy_kwh=101.2) for meter in range(meters)])

    assert (counts.stored, counts.rows) == (meters, meters)
    powers = owner.execute(
        "SELECT count(*), min(power_kw), max(power_kw) FROM sensing.energy WHERE observed_at BETWEEN %s AND %s",
        [START + timedelta(minutes=500), START + timedelta(minutes=502)],
    ).fetchall()
    assert powers == [(2 * meters, pytest.approx(6), pytest.approx(16))]  # 0.2 kWh in 2 minutes, 0.8 kWh in 3


def test_roles_reach_hypertables_only_as_far_as_their_process_needs(timescale: Settings) -> None:
    store(timescale, [reading("traffic", "det-1", 0, flow_vph=820)])
    compress(timescale)
    for role, refused in (
        ("api", "UPDATE sensing.traffic SET flow_vph = 1"),
        ("api", "SELECT drop_chunks('sensing.traffic', now())"),
        ("jobs", "INSERT INTO sensing.traffic SELECT * FROM sensing.traffic"),
        ("ingest", "DELETE FROM sensing.traffic"),
        ("ingest", "SELECT decompress_chunk(c) FROM show_chunks('sensing.traffic') c"),
    ):
        with connect(timescale.role_dsn(role), application="test") as connection:  # type: ignore[arg-type]  # roles by name
            assert connection.execute("SELECT flow_vph FROM sensing.traffic").fetchall() == [(820,)]
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(refused)


def test_a_database_stays_what_it_was_made_as(make_empty: Callable[[bool], Settings]) -> None:
    native, hyper = make_empty(False), make_empty(True)
    assert (migrate(native).timescale is None, migrate(hyper).timescale is None) == (True, False)
    for settings in (native, hyper):
        load(settings.owner_dsn(), loaded=settings is native)  # the other way round

    assert migrate(native).timescale is None
    with pytest.raises(StorageError, match="are hypertables, and the server has not loaded TimescaleDB"):
        migrate(hyper)


def test_a_restored_backup_takes_late_readings_into_its_compressed_chunks(
    timescale: Settings, make_empty: Callable[[bool], Settings], tmp_path: Path
) -> None:
    restored = make_empty(True)
    store(timescale, [reading("traffic", "det-1", 5 * step, flow_vph=step) for step in range(500)])
    compress(timescale)
    programs, dump = postgres_programs(), tmp_path / "arterial.dump"
    command = ["--format=custom", "--exclude-table-data=personal.*", f"--file={dump}", timescale.owner_dsn()]
    subprocess.run([str(programs / "pg_dump"), *command], check=True, capture_output=True)

    with connect(restored.owner_dsn(), application="test", autocommit=True) as owner:
        owner.execute("CREATE EXTENSION timescaledb")
        owner.execute("SELECT timescaledb_pre_restore()")
    into = ["--exit-on-error", f"--dbname={restored.owner_dsn()}", str(dump)]
    subprocess.run([str(programs / "pg_restore"), *into], check=True, capture_output=True)
    with connect(restored.owner_dsn(), application="test", autocommit=True) as owner:
        owner.execute("SELECT timescaledb_post_restore()")

    again = migrate(restored)
    assert (again.applied, again.timescale is not None) == ((), True)
    counts = store(restored, [reading("traffic", "det-1", minutes, flow_vph=2) for minutes in (7, 10, 30 * 1440)])
    assert (counts.stored, counts.duplicate) == (2, 1)
    with connect(restored.owner_dsn(), application="test") as owner:
        assert owner.execute("SELECT count(*), sum(flow_vph) FROM sensing.traffic").fetchone() == (502, 499 * 250 + 4)
        assert owner.execute(
            "SELECT count(*) FROM timescaledb_information.jobs WHERE hypertable_name IS NOT NULL"
        ).fetchone() == (3,)
