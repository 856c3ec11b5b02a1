"""Weather and events from a file through the database into forecasts."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import psycopg
import pytest
from typer.testing import CliRunner

from models.calendar import Calendar
from services.cli import app
from services.doctor import examine
from services.domain import to_us
from services.errors import InputError
from services.forecasting.covariate_store import import_covariates, told
from services.forecasting.shard import forecast_shard, train_shard
from services.settings import Settings
from services.storage import covariates
from services.storage.database import Connection, connect

HOUR = timedelta(hours=1)
DAYS = 40


def top() -> datetime:
    return datetime.now(UTC).replace(minute=0, second=0, microsecond=0)


def weather() -> dict[datetime, float]:
    """Degrees of every hour of the last weeks and the next three days; made up."""
    rng = np.random.default_rng(5)
    found, level = {}, 0.0
    for k in range(-DAYS * 24, 72):
        level = 0.98 * level + rng.normal(0, 1)
        moment = top() + k * HOUR
        found[moment] = 15 + level + 4 * np.sin(2 * np.pi * (moment.hour - 9) / 24)
    return found


def written(folder: Path, degrees: dict[datetime, float]) -> Path:
    """Observations up to now, and forecasts for 36 hours every twelve hours, half a degree wrong."""
    rng = np.random.default_rng(6)
    rows = [f"temperature_c,{moment.isoformat()},,{value:.2f}" for moment, value in degrees.items() if moment < top()]
    for issue in list(degrees)[: DAYS * 24 : 12]:
        rows += [
            f"temperature_c,{(issue + k * HOUR).isoformat()},{issue.isoformat()},{degrees[issue + k * HOUR] + rng.normal(0, 0.5):.2f}"
            for k in range(1, 37)
        ]
    file = folder / "weather.csv"
    file.write_text("variable,valid_at,issued_at,value\n" + "\n".join(rows) + "\n", encoding="utf-8")
    return file


def add_feeder(owner: Connection, code: str, degrees: dict[datetime, float], per_degree: float) -> int:
    row = owner.execute(
        "INSERT INTO sensing.sensor (code, kind, step_seconds) VALUES (%s, 'energy', 3600) RETURNING id", [code]
    ).fetchone()
    assert row is not None
    rng = np.random.default_rng(7)
    with owner.cursor().copy("COPY sensing.energy_15min (sensor_id, bucket, rows, good, power_kw) FROM STDIN") as copy:
        for moment, value in degrees.items():
            if moment < top():
                usual = 500 + 100 * np.sin(2 * np.pi * moment.hour / 24)
                copy.write_row((row[0], moment, 1, 1, usual + per_degree * (value - 15) + rng.normal(0, 5)))
    return int(row[0])


def test_a_file_reaches_the_forecasts(settings: Settings, owner: Connection, tmp_path: Path) -> None:
    degrees = weather()
    heated = add_feeder(owner, "heated", degrees, 20.0)
    owner.commit()
    unaware = forecast_shard(settings, heated // 256)
    with connect(settings.role_dsn("jobs"), application="test") as connection:
        done = import_covariates(connection, written(tmp_path, degrees))
        connection.commit()
        again = import_covariates(connection, written(tmp_path, degrees))
        summary = covariates.summary(connection)
    ((said, new),) = done.values()
    assert new == len(said.values) == DAYS * 24 + DAYS * 2 * 36
    assert [stored for _, stored in again.values()] == [0]
    assert (summary[0].variable, summary[0].district, summary[0].observations) == ("temperature_c", None, DAYS * 24)
    train_shard(settings, heated // 256)
    aware = forecast_shard(settings, heated // 256)
    assert not any("informed" in model for model in unaware.models)
    assert any("informed" in model for model in aware.models)
    assert aware.learnt == 0  # what was learnt with covariates is kept and taken up like all models
    with connect(settings.role_dsn("jobs"), application="test") as connection:
        row = connection.execute("SELECT min(received_at) FROM forecast.covariate").fetchone()
        assert row is not None
        span = {"since_us": to_us(top() - DAYS * 24 * HOUR), "until_us": to_us(top())}
        now = told(connection, Calendar(), **span, received_by=row[0])
        before = told(connection, Calendar(), **span, received_by=row[0] - timedelta(seconds=1))
    assert set(now) == {("temperature_c", None)}
    assert before == {}


WRONG = [
    ("t,2026-01-01T00:00:00Z,2026-01-01T00:00:00Z,2,", "give what is right a later issued_at"),
    ("t,2026-01-01T00:00:00Z,,2,nowhere", "there is no district 'nowhere'"),
    ("t,2099-01-01T00:00:00Z,,2,", "has values issued in the future"),
    ("".join(f"v{k},2026-01-01T00:00:00Z,,2,\n" for k in range(15)), "there would be 17 variables"),
]


def test_what_cannot_be_is_refused_and_nothing_stored(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "weather.csv"
    head = "variable,valid_at,issued_at,value,district\n"
    with connect(settings.role_dsn("jobs"), application="test") as connection:
        file.write_text(head + "t,2026-01-01T00:00:00Z,2026-01-01T00:00:00Z,1,\n", encoding="utf-8")
        import_covariates(connection, file)
        connection.commit()
        for rows, said in WRONG:
            file.write_text(f"{head}u,2026-01-01T00:00:00Z,,2,\n{rows}\n", encoding="utf-8")
            with pytest.raises(InputError, match=said):
                import_covariates(connection, file)
            connection.rollback()
            assert covariates.variables(connection) == ["t"]
        for forbidden in ("UPDATE forecast.covariate SET value = 0", "TRUNCATE forecast.covariate"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(forbidden)
            connection.rollback()
        assert covariates.forget(connection, before=datetime(2026, 1, 2, tzinfo=UTC)) == 1
    for role in ("api", "ingest"):
        with (
            connect(settings.role_dsn(role), application="test") as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            covariates.variables(connection)


def test_the_command_says_what_it_stored(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    password = settings.database_password_jobs
    assert password is not None
    monkeypatch.setenv("ARTERIAL_DATABASE_URL", settings.owner_dsn())
    monkeypatch.setenv("ARTERIAL_DATABASE_PASSWORD_JOBS", password.get_secret_value())
    file = tmp_path / "events.csv"
    file.write_text("variable,valid_at,issued_at,value\nmatch,2026-05-01T18:00Z,2026-04-01,1\n", encoding="utf-8")
    done = CliRunner().invoke(app, ["covariates", "import", str(file), "--json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)["variables"] == [
        {"variable": "match", "district": None, "observations": 0, "forecasts": 1, "stored": 1}
    ]
    assert "match everywhere: 0 observations, 1 forecasts" in CliRunner().invoke(app, ["covariates", "list"]).stdout
    findings = [one for one in examine(settings) if one.subject == "covariates"]
    assert [one.verdict for one in findings] == ["warning"]
    assert "match was last issued at 2026-04-01 00:00 UTC" in findings[0].fact
