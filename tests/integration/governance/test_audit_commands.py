"""`arterial audit`: a whole log passes, a tampered one is named row by row with exit code 1, also away from the database."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from services.cli import app
from services.errors import InputError
from services.settings import Settings
from services.storage import audit
from services.storage.database import Connection, connect


@pytest.fixture
def log(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A log of ten rows, and the settings as a process would find them."""
    assert settings.database_password_jobs is not None
    monkeypatch.setenv("ARTERIAL_DATABASE_URL", settings.owner_dsn())
    monkeypatch.setenv("ARTERIAL_DATA_DIR", str(settings.data_dir))
    for role in ("JOBS", "API"):
        monkeypatch.setenv(f"ARTERIAL_DATABASE_PASSWORD_{role}", settings.database_password_jobs.get_secret_value())
    with connect(settings.role_dsn("jobs"), application="test", autocommit=True) as connection:
        for number in range(9):
            audit.append(connection, "retention.run", "worker", {"number": number})
    return settings


def run(*arguments: str, code: int = 0) -> dict[str, Any]:
    result = CliRunner().invoke(app, ["audit", *arguments, "--json"], catch_exceptions=False)
    assert result.exit_code == code, result.output
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def tamper(owner: Connection, statement: str) -> None:
    with owner.transaction():
        owner.execute("SET LOCAL session_replication_role = replica")
        owner.execute(statement)  # type: ignore[arg-type]  # fixed texts of the tests


def test_from_checkpoint_to_verdict(log: Settings, owner: Connection, tmp_path: Path) -> None:
    assert run("verify") == run("verify") | {"passed": True, "rows": 10, "findings": []}
    first, second, file = tmp_path / "first.json", tmp_path / "second.json", tmp_path / "log.jsonl"
    made = run("checkpoint", "--out", str(first))
    run("checkpoint", "--out", str(second))
    signed = ["--checkpoint", str(first), "--checkpoint", str(second), "--public-key", made["public_key_file"]]
    assert run("verify", *signed)["passed"] is True
    assert run("export", "--out", str(file))["rows"] == 12
    assert run("verify", "--log", str(file), *signed)["passed"] is True
    assert run("prove", "4", "--checkpoint", str(first))["included"] is True
    with pytest.raises(InputError, match="covers rows 1 to 10"):
        run("prove", "12", "--checkpoint", str(first))
    assert [entry["seq"] for entry in run("list", "--last", "3")["entries"]] == [10, 11, 12]

    tamper(owner, "UPDATE governance.audit SET body = '{}' WHERE seq = 4")
    verdict = run("verify", code=1)
    assert [(finding["what"], finding["first"]) for finding in verdict["findings"]] == [("changed", 4)]
    assert run("verify", "--log", str(file), *signed)["passed"] is True  # the copy is as it was
    tamper(owner, "DELETE FROM governance.audit WHERE seq > 9")
    sentences = " ".join(finding["sentence"] for finding in run("verify", *signed, code=1)["findings"])
    assert "row 4 was changed" in sentences
    assert "rows 10 to 11 are missing at the end" in sentences

    file.write_text(file.read_text().replace('"number\\":3', '"number\\":4'))
    assert run("verify", "--log", str(file), code=1)["findings"][0]["what"] == "changed"
    for content in ("{}", "not a log"):
        file.write_text(content)
        with pytest.raises(InputError, match="is not an export of the audit log"):
            run("verify", "--log", str(file))
        with pytest.raises(InputError, match="is not a checkpoint"):
            run("verify", "--checkpoint", str(file))
