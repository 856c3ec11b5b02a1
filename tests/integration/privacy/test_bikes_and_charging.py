"""From the message of a bicycle or a charging point to published sums, and nothing of one trip or session beside them."""

from __future__ import annotations

import csv
import json
import time
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from ingest.pipeline import store
from services.cli import app
from services.domain import Message
from services.errors import InputError
from services.local_day import day_of
from services.privacy.plan import enabled_plan
from services.privacy.release import release_day
from services.privacy.retention import destroy_expired
from services.settings import Settings
from services.storage import releases
from services.storage.database import Connection

NOW_US = time.time_ns() // 1_000
AT = datetime.now(UTC) - timedelta(minutes=10)
STATIONS = [("S1", 13.32, 52.50), ("S2", 13.44, 52.50), ("S3", 13.44, 52.52), ("far", 14.9, 52.5)]


def load(settings: Settings, monkeypatch: pytest.MonkeyPatch, path: Path, purpose: str) -> dict[str, object]:
    monkeypatch.setenv("ARTERIAL_DATABASE_URL", settings.owner_dsn())
    done = CliRunner().invoke(
        app, ["stations", "load", str(path), "--purpose", purpose, "--json"], catch_exceptions=False
    )
    assert done.exit_code == 0, done.output
    return dict(json.loads(done.stdout))


def message(topic: str, **content: object) -> Message:
    return Message(topic=topic, payload=orjson.dumps(content), received_us=NOW_US)


def bike(number: int, origin: str, destination: str) -> Message:
    return message(f"city/v1/bike/b-{number}/telemetry", **{"ts": AT.isoformat(), "from": origin, "to": destination})


def session(number: int, kwh: float, minutes: int = 0, location: str = "L1") -> Message:
    return message(
        f"ocpi/2.2.1/sessions/NL/STK/{number}",
        country_code="NL",
        party_id="STK",
        evse_uid="1",
        location_id=location,
        status="ACTIVE",
        start_date_time=AT.isoformat(),
        last_updated=(AT + timedelta(minutes=minutes)).isoformat(),
        kwh=kwh,
        cdr_token={"uid": "123abc"},
    )


def closed(settings: Settings) -> tuple[date, datetime]:
    """The local day of the messages, and a time when it may be released."""
    day = day_of(AT, settings.zone)
    return day, datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1, hours=6)


def figures(owner: Connection, plan: str, day: date) -> dict[tuple[str, str, str], releases.Figure]:
    found = releases.figures(owner, plan=plan, first_day=day, last_day=day, limit=1_000)
    return {(one.place, one.part, one.measure): one for one in found}


def test_trips_of_bicycles_become_departures_and_arrivals(
    settings: Settings, owner: Connection, districts: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "station_information.json"
    rows = [{"station_id": code, "name": code, "lon": lon, "lat": lat} for code, lon, lat in STATIONS]
    path.write_text(json.dumps({"data": {"stations": rows}}), encoding="utf-8")
    assert load(settings, monkeypatch, path, "bike") == {"purpose": "bike", "stations": 4, "outside_all_districts": 1}

    sent = [bike(n, "S1", "S2") for n in range(400)] + [bike(1_000 + n, "S3", "S1") for n in range(3)]
    counts = store(settings, [*sent, sent[0], bike(2_000, "S1", "nowhere")])
    assert (counts.stored, counts.duplicate, counts.dead_lettered) == (403, 1, 1)
    assert owner.execute("SELECT count(*), count(DISTINCT subject) FROM personal.bike_trip").fetchone() == (403, 403)
    assert owner.execute("SELECT count(*) FROM sensing.dead_letter").fetchone() == (0,)

    day, now = closed(settings)
    release = release_day(settings, enabled_plan("bike_stations", settings), day, now=now).release

    assert (release.epsilon, release.delta, release.cells) == (1.0, 0.0, 8)
    found = figures(owner, "bike_stations", day)
    assert found["S1", "departures", "trips"].value == pytest.approx(400, abs=2 * 18)  # b = 2
    assert found["S2", "arrivals", "trips"].value == pytest.approx(400, abs=2 * 18)
    hidden = {name for name, one in found.items() if one.value is None}
    assert {("S3", "departures", "trips"), ("S2", "departures", "trips"), ("far", "arrivals", "trips")} <= hidden

    destroy_expired(settings, now + timedelta(days=1))
    assert owner.execute("SELECT count(*) FROM personal.bike_trip").fetchone() == (0,)


def test_charging_sessions_become_sums_of_their_district(
    settings: Settings, owner: Connection, districts: list[int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "stations.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerows([["code", "lon", "lat"], ["ocpi-NL:STK:L1", 13.32, 52.5], ["ocpi-NL:STK:L2", 14.9, 52.5]])
    load(settings, monkeypatch, path, "charging")

    reports = [session(n, kwh, minutes) for n in range(300) for minutes, kwh in ((0, 0.0), (5, 10.0), (9, 20.0))]
    counts = store(settings, [*reports, session(900, 5.0, location="L2"), session(901, 5.0, location="L3")])
    assert (counts.stored, counts.dead_lettered) == (900, 2)
    assert owner.execute("SELECT count(DISTINCT subject) FROM personal.charging").fetchone() == (300,)
    assert owner.execute("SELECT count(*) FROM sensing.sensor").fetchone() == (0,)  # no charging point is a sensor
    assert owner.execute("SELECT count(*) FROM personal.dead_letter").fetchone() == (2,)

    day, now = closed(settings)
    release_day(settings, enabled_plan("charging", settings), day, now=now)

    found = figures(owner, "charging", day)
    assert found["west", "", "sessions"].value == pytest.approx(300, abs=18 / 0.3 + 2.5)
    assert found["west", "", "energy_kwh"].value == pytest.approx(300 * 20, abs=60 / 0.7 * 18)
    assert found["west", "", "energy_kwh"].ci95 == pytest.approx(60 / 0.7 * 2.996 + 0.5, abs=0.1)
    assert found["east", "", "sessions"].value is None


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("a.csv", "code,lon\nx,1\n", "has no column lat"),
        ("a.csv", "code,lon,lat\nx,east,52\n", "station 1: a code of up to 100 characters, a longitude and a latitude"),
        ("a.csv", "code,lon,lat\nx,1,2\nx,1,2\n", "has a station twice"),
        ("a.json", "{}", "is no GBFS station_information"),
    ],
)
def test_wrong_registers_are_refused_with_the_place(tmp_path: Path, name: str, text: str, reason: str) -> None:
    from services.station_register import read_stations

    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as refusal:
        read_stations(path, [])
    assert reason in str(refusal.value)
