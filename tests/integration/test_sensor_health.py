"""Each sensor has the diagnosis its stored readings deserve, and the API, the job and the doctor say so."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from starlette.testclient import TestClient

from services.api.app import create_app
from services.doctor import examine
from services.domain import Diagnosis
from services.jobs.tasks import judge_sensors
from services.settings import Settings
from services.storage import sensor_health
from services.storage.database import Connection, connect, pooled

NOON = datetime(2026, 11, 18, 11, 2, tzinfo=UTC)  # 12:02 in Berlin
STEP = timedelta(minutes=5)


@pytest.fixture
def jobs(settings: Settings) -> Iterator[Connection]:
    with connect(settings.role_dsn("jobs"), application="test", autocommit=True) as connection:
        yield connection


def add(owner: Connection, code: str, kind: str = "traffic", *, step: int | None = 300) -> int:
    row = owner.execute(
        "INSERT INTO sensing.sensor (code, kind, step_seconds, registered_at) VALUES (%s, %s, %s, %s) RETURNING id",
        [code, kind, step, NOON - timedelta(days=30)],
    ).fetchone()
    assert row is not None
    return int(row[0])


def drive(
    owner: Connection,
    number: int,
    *,
    until: datetime = NOON,
    flow: str = "600 + n",
    occupancy: str = "0.1 + n * 0.001",
    where: str = "true",
    late: timedelta = STEP + timedelta(seconds=2),
) -> None:
    """Traffic readings of the eight hours before; flow and occupancy are SQL of the step `n`, counted back from `until`."""
    owner.execute("SELECT sensing.ensure_month('2026-11-01')")
    owner.execute(
        "INSERT INTO sensing.traffic (sensor_id, observed_at, received_at, seq, flow_vph, occupancy, quality) "  # noqa: S608 - constants of this file
        f"SELECT %(id)s, at, at + %(late)s, 1000 - n, {flow}, {occupancy}, 1 FROM ("
        "SELECT n, date_bin('5 minutes', %(until)s, 'epoch') - (n + 1) * interval '5 minutes' AS at "
        f"FROM generate_series(0, 95) n) steps WHERE {where}",
        {"id": number, "late": late, "until": until},
    )


def diagnoses(jobs: Connection, now: datetime = NOON) -> dict[str, tuple[str, str]]:
    sensor_health.judge(jobs, now=now, zone="Europe/Berlin")
    return {one.sensor: (one.diagnosis, one.detail) for one in sensor_health.list_health(jobs, limit=100)}


def test_each_failure_has_its_diagnosis(owner: Connection, jobs: Connection) -> None:
    drive(owner, add(owner, "ok"))
    drive(owner, add(owner, "no_data"), until=NOON - timedelta(minutes=20))
    drive(owner, add(owner, "insufficient_data"), where="n %% 2 = 0")
    drive(owner, add(owner, "card_off"), occupancy="CASE WHEN n %% 10 < 6 THEN 0 ELSE 0.1 END")
    drive(owner, add(owner, "high_value"), occupancy="CASE WHEN n %% 4 = 0 THEN 0.71 ELSE 0.1 END")
    drive(owner, add(owner, "intermittent"), flow="CASE WHEN n < 4 THEN 0 ELSE 600 END")
    drive(owner, add(owner, "constant"), occupancy="CASE WHEN n <= 53 THEN 0.11 ELSE 0.1 + n * 0.001 END")
    drive(owner, add(owner, "clock_skew"), late=timedelta(seconds=-90))

    found = diagnoses(jobs)

    assert {code: diagnosis for code, (diagnosis, _) in found.items()} == {code: code for code in found}
    assert found.keys() == {diagnosis.value for diagnosis in Diagnosis}
    assert found["no_data"][1] == "no reading since 2026-11-18T10:35:00Z"
    assert found["insufficient_data"][1] == "36 readings where 71 were expected"
    assert found["constant"][1] == "the same value for 255 minutes"
    assert found["clock_skew"][1] == "its clock is 90 s ahead"


def test_just_below_each_threshold_is_ok(owner: Connection, jobs: Connection) -> None:
    drive(owner, add(owner, "enough"), where="n %% 3 > 0")
    drive(owner, add(owner, "half-zeros"), flow="NULL", occupancy="CASE WHEN n %% 2 = 0 THEN 0 ELSE 0.1 END")
    drive(owner, add(owner, "rarely-high"), occupancy="CASE WHEN n %% 6 = 0 THEN 0.71 ELSE 0.1 END")
    drive(owner, add(owner, "short"), occupancy="CASE WHEN n < 50 THEN 0.11 ELSE 0.12 END")
    drive(owner, add(owner, "slow-link"), late=STEP + timedelta(minutes=4))

    found = diagnoses(jobs)

    assert {code: diagnosis for code, (diagnosis, _) in found.items()} == dict.fromkeys(found, "ok")


def test_an_empty_road_at_night_is_no_fault(owner: Connection, jobs: Connection) -> None:
    night = datetime(2026, 11, 18, 3, 2, tzinfo=UTC)
    drive(owner, add(owner, "quiet"), until=night, flow="0", occupancy="0")

    assert diagnoses(jobs, night)["quiet"][0] == "ok"


def test_meters_and_weather_stations_are_judged_by_the_day(owner: Connection, jobs: Connection) -> None:
    owner.execute("SELECT sensing.ensure_month('2026-11-01')")
    for code, power in (("flat", "7.5"), ("alive", "7.5 + extract(hour FROM at)"), ("off", "0")):
        owner.execute(
            f"INSERT INTO sensing.energy SELECT %s, at, at + interval '15 min', NULL, {power}, NULL, 1 "  # noqa: S608 - constants of this file
            "FROM generate_series(%s - interval '26 h', %s - interval '15 min', interval '15 min') at",
            [add(owner, code, "energy", step=900), NOON, NOON],
        )
    station = add(owner, "station", "environment", step=None)
    owner.execute(
        "INSERT INTO sensing.observation "
        "SELECT %s, q, at, at, NULL, CASE q WHEN 'humidity_percent' THEN 55 ELSE extract(hour FROM at) END, 1 "
        "FROM unnest(ARRAY['humidity_percent', 'temperature_c']) q, "
        "generate_series(%s - interval '26 h', %s - interval '10 min', interval '10 min') at",
        [station, NOON, NOON],
    )

    found = diagnoses(jobs)

    assert found["flat"] == ("constant", "the same value for 1470 minutes")
    assert found["alive"][0] == found["off"][0] == "ok"
    assert found["station"][0] == "constant"
    assert found["station"][1].startswith("humidity_percent: the same value")


def test_since_stays_while_the_diagnosis_does(owner: Connection, jobs: Connection) -> None:
    number = add(owner, "tr")
    drive(owner, number)
    moments = (NOON, NOON + timedelta(minutes=5), NOON + timedelta(minutes=30), NOON + timedelta(minutes=35))
    said = []
    for now in moments:
        sensor_health.judge(jobs, now=now, zone="Europe/Berlin")
        said += [(one.diagnosis, one.since) for one in sensor_health.list_health(jobs, limit=1)]

    assert said == [("ok", moments[0]), ("ok", moments[0]), ("no_data", moments[2]), ("no_data", moments[2])]


def test_the_job_the_api_and_the_doctor_agree(settings: Settings, owner: Connection) -> None:
    subject = {finding.subject: finding for finding in examine(settings)}["diagnoses"]
    assert (subject.verdict, subject.fact) == ("warning", "never judged")
    add(owner, "tr-1")
    add(owner, "en-1", "energy")
    judge_sensors(settings)

    with pooled(settings.role_dsn("api"), application="api", statement_timeout_s=2) as pool:
        client = TestClient(create_app(settings, pool))
        url = "/api/v1/health/sensors"
        first = client.get(url, params={"limit": "1"}).json()
        assert [row["sensor"] for row in first["data"] + client.get(first["next"]).json()["data"]] == ["en-1", "tr-1"]
        assert [row["sensor"] for row in client.get(url, params={"kind": "traffic"}).json()["data"]] == ["tr-1"]
        assert client.get(url, params={"diagnosis": "ok"}).json()["data"] == []
        assert client.get(url, params={"diagnosis": "broken"}).status_code == 422
        assert client.get("/api/v1/sensors/tr-1").json()["health"]["diagnosis"] == "no_data"
    subject = {finding.subject: finding for finding in examine(settings)}["diagnoses"]
    assert (subject.verdict, subject.fact) == ("warning", "2 no_data")


def test_a_sensor_that_should_have_reported_by_now_is_missing_since_then(owner: Connection, jobs: Connection) -> None:
    drive(owner, add(owner, "on-time"))
    drive(owner, add(owner, "silent"), until=NOON - timedelta(minutes=12), where="n <> 7")
    drive(owner, add(owner, "a-little-late"), until=NOON - timedelta(minutes=3))
    add(owner, "never-heard")

    def judged(now: datetime) -> dict[str, sensor_health.SensorHealth]:
        sensor_health.judge(jobs, now=now, zone="Europe/Berlin")
        return {one.sensor: one for one in sensor_health.list_health(jobs, limit=100)}

    found = judged(NOON)
    heard = datetime(2026, 11, 18, 10, 50, 2, tzinfo=UTC)
    silent = found["silent"]
    assert (silent.heard_at, silent.expected_at, silent.missing_since) == (heard, heard + STEP, heard + STEP)
    assert (silent.skipped, silent.delay_s) == (1, 302.0)
    assert found["on-time"].expected_at == datetime(2026, 11, 18, 11, 5, 2, tzinfo=UTC)
    assert [found[code].missing_since for code in ("on-time", "a-little-late")] == [None, None]
    assert found["never-heard"].missing_since == NOON - timedelta(days=30) + STEP
    missing = sensor_health.list_health(jobs, missing=True, limit=100)
    assert [one.sensor for one in missing] == ["never-heard", "silent"]

    later = judged(NOON + timedelta(days=2))
    assert later["silent"].missing_since == heard + STEP, "remembered when its readings are no longer looked at"
    assert later["on-time"].missing_since == found["on-time"].expected_at
