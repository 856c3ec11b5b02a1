"""`arterial privacy`: plans, releases and the ledger, for people and as one JSON document."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

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
    assert {plan["name"]: plan["epsilon"] for plan in document["plans"]} == {"presence": 1.0, "district_energy": 1.0}
    assert all(len(plan["hash"]) == 64 for plan in document["plans"])


def test_release_and_ledger_tell_what_was_spent(environment: Settings, districts: list[int]) -> None:
    first = json.loads(run("release", "--json"))["releases"]
    again = json.loads(run("release", "--json", "--day", first[0]["day"], "--plan", "presence"))["releases"]
    ledger = json.loads(run("ledger", "--json"))

    assert {release["plan"] for release in first} == {"presence", "district_energy"}
    assert [(release["replayed"], release["plan"]) for release in again] == [(True, "presence")]
    assert {(day["domain"], day["spent_micro_epsilon"]) for day in ledger["days"]} == {
        ("mobility", 1_000_000),
        ("household", 1_000_000),
    }
    assert {(row["domain"], row["days"], row["epsilon"]) for row in ledger["composition"]} == {
        (domain, days, 1.0) for domain in ("mobility", "household") for days in (1, 7, 30, 90, 365)
    }
    assert ledger["accountants"]["agree"] is True
    assert {(row["domain"], row["basic"], round(row["distribution"], 2)) for row in ledger["accountants"]["days"]} == {
        (domain, 1.0, 1.0) for domain in ("mobility", "household")
    }
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
