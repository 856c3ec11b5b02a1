"""`arterial privacy`: plans, releases and the ledger, for people and as one JSON document."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from importlib.resources import files
from pathlib import Path

import pytest
from typer.testing import CliRunner

from services.cli import app
from services.errors import InputError, NotFoundError
from services.settings import Settings


@pytest.fixture
def environment(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The test's database as the process would find it; in the zone whose yesterday has long been closed."""
    monkeypatch.setenv("ARTERIAL_DATABASE_URL", settings.owner_dsn())
    monkeypatch.setenv("ARTERIAL_DATA_DIR", str(settings.data_dir))
    for role in ("JOBS", "API"):
        secret = settings.database_password_jobs
        assert secret is not None
        monkeypatch.setenv(f"ARTERIAL_DATABASE_PASSWORD_{role}", secret.get_secret_value())
    zone = (
        "Etc/GMT+12" if datetime.now(UTC).hour >= 14 else "Etc/GMT-8"
    )  # local noon is always between 2 and 23 o'clock
    monkeypatch.setenv("ARTERIAL_CITY_TIMEZONE", zone)
    return settings


def run(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["privacy", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.stdout


def test_plans_say_what_they_guarantee() -> None:
    text = run("plan")
    assert "one vehicle's local day changes the odds of anything published by at most e^1" in text
    document = json.loads(run("plan", "--json"))
    on = {plan["name"]: plan["epsilon"] for plan in document["plans"] if plan["on"]}
    assert on == {"presence": 1.0, "district_energy": 1.0, "bike_stations": 1.0, "charging": 1.0}
    assert {plan["name"] for plan in document["plans"]} > set(on)
    assert all(len(plan["hash"]) == 64 for plan in document["plans"])


def test_release_and_ledger_tell_what_was_spent(environment: Settings, districts: list[int]) -> None:
    first = json.loads(run("release", "--json"))["releases"]
    again = json.loads(run("release", "--json", "--day", first[0]["day"], "--plan", "presence"))["releases"]
    ledger = json.loads(run("ledger", "--json"))

    assert {release["plan"] for release in first} == {"presence", "district_energy", "charging"}
    assert [(release["replayed"], release["plan"]) for release in again] == [(True, "presence")]
    assert {(day["domain"], day["spent_micro_epsilon"]) for day in ledger["days"]} == {
        ("mobility", 1_000_000),
        ("household", 1_000_000),
        ("charging", 1_000_000),
    }
    assert {(row["domain"], row["days"], row["epsilon"]) for row in ledger["composition"]} == {
        (domain, days, 0.0 if domain == "bike" else 1.0)  # no station is registered
        for domain in ("mobility", "household", "bike", "charging")
        for days in (1, 7, 30, 90, 365)
    }
    assert ledger["accountants"]["agree"] is True
    days = {row["domain"]: (row["basic"], row["distribution"]) for row in ledger["accountants"]["days"]}
    assert {domain: basic for domain, (basic, _) in days.items()} == dict.fromkeys(
        ("mobility", "household", "charging"), 1.0
    )
    assert all(0.8 < distribution <= 1.0001 for _, distribution in days.values())
    assert "spent 1 of 1" in run("ledger")


def test_mistakes_are_told_in_a_sentence(environment: Settings, districts: list[int]) -> None:
    tomorrow = (datetime.now(UTC) + timedelta(days=2)).date().isoformat()
    for arguments, error, sentence in [
        (["release", "--day", "yesterday"], InputError, "--day 'yesterday' is not a date"),
        (["release", "--day", tomorrow], InputError, "is not closed"),
        (["release", "--day", date(2020, 1, 1).isoformat()], InputError, "personal rows are destroyed"),
        (["release", "--plan", "trips"], NotFoundError, "no release plan 'trips'"),
    ]:
        with pytest.raises(error, match=sentence):
            run(*arguments)


def test_a_plan_of_ones_own_is_checked_beside_those_that_are_on(tmp_path: Path) -> None:
    text = (files("services.privacy") / "plans" / "trip_lengths.toml").read_text(encoding="utf-8")
    path = tmp_path / "mine.toml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError, match=r"domain mobility: the plans ask for 1\.1 times the day's budget"):
        run("plan", "--file", str(path))
    path.write_text(text.replace("step_minutes = 1440", "step_minutes = 720"), encoding="utf-8")
    with pytest.raises(InputError, match="slots of 1440 minutes every 720 minutes overlap"):
        run("plan", "--file", str(path))
