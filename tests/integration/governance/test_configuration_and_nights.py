"""What is in force is logged when it changes, without secrets or names; every night the ledger is checked and the log signed."""

from __future__ import annotations

import json

import pytest
from fastapi.testclient import TestClient
from pydantic import SecretStr

from services.api.app import create_app
from services.governance import checkpoint as checkpoints
from services.governance import configuration, signing
from services.governance.verify import verify
from services.jobs import tasks, weekly
from services.privacy.attacks import suite
from services.privacy.attacks.sybil import SybilIsolation
from services.settings import Settings
from services.storage import audit, red_team
from services.storage.database import Connection, pooled


def test_the_configuration_is_logged_when_it_changes(settings: Settings, owner: Connection) -> None:
    told = settings.model_copy(
        update={
            "privacy_objection_key": SecretStr("x" * 40),
            "governance_contact_email": "privacy@city.example",
            "mqtt_share_group": "not-to-be-guessed",
        }
    )
    configuration.note(told, "worker")
    configuration.note(told.model_copy(update={"data_dir": told.data_dir / "b", "api_port": 9}), "worker")
    configuration.note(told, "serve")
    configuration.note(told, "ingest")
    configuration.note(told.model_copy(update={"privacy_epsilon_day": 0.5}), "worker")

    entries = [entry for entry in audit.entries(owner) if entry.action == "configuration.changed"]
    assert [(entry.actor, entry.role) for entry in entries] == [
        ("worker", "arterial_jobs"),
        ("serve", "arterial_api"),
        ("ingest", "arterial_ingest"),
        ("worker", "arterial_jobs"),
    ]
    first, last = json.loads(entries[0].body), json.loads(entries[-1].body)
    assert first["hash"] != last["hash"]
    assert (first["settings"]["privacy_epsilon_day"], last["settings"]["privacy_epsilon_day"]) == (1.0, 0.5)
    assert all(len(plan["hash"]) == 64 for plan in first["plans"].values())
    text = " ".join(entry.body for entry in entries)
    secrets = [settings.database_password_jobs, settings.database_url, told.privacy_objection_key]
    for hidden in [*(secret.get_secret_value() for secret in secrets if secret), "privacy@city", "not-to-be-guessed"]:
        assert hidden not in text


def test_a_database_that_is_away_keeps_no_process_from_starting(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    away = settings.model_copy(update={"database_url": SecretStr("postgresql://arterial:x@127.0.0.1:1/nowhere")})
    configuration.note(away, "serve")
    assert "could not be written into the audit log" in capsys.readouterr().err


def test_every_night_the_ledger_is_checked_and_the_log_is_signed(settings: Settings, owner: Connection) -> None:
    tasks.check_ledger(settings)
    tasks.sign_checkpoint(settings)
    (file,) = settings.checkpoint_dir().glob("checkpoint-*.json")
    signed = checkpoints.read(file)
    assert signed.rows == 2
    assert verify(audit.entries(owner), [signed], signing.known(settings)).passed
    assert json.loads(audit.newest(owner, most=1, action="ledger.checked")[0].body)["agree"] is True


def test_once_a_week_our_own_releases_are_attacked_and_everybody_sees_it(
    settings: Settings, owner: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(suite, "ATTACKS", (SybilIsolation(),))
    for _ in range(2):  # the second night finds the result of the first
        weekly.attack_releases(settings)
        weekly.audit_fairness(settings)  # there is nothing to compare: no result, and no failure
    assert owner.execute("SELECT count(*) FROM governance.red_team").fetchone() == (1,)
    assert [entry.actor for entry in audit.newest(owner, most=9, action="releases.attacked")] == ["worker"]
    assert red_team.last_result(owner) is None  # nobody has asked for a whole run
    tasks.check_ledger(settings)

    with pooled(settings.role_dsn("api"), application="test", statement_timeout_s=5) as pool:
        shown = TestClient(create_app(settings, pool)).get("/api/v1/privacy/transparency").json()
    assert [attack["name"] for attack in shown["red_team_weekly"]["attacks"]] == ["sybil-isolation"]
    assert (shown["red_team_weekly"]["passed"], shown["red_team_weekly"]["short"]) == (True, True)
    assert shown["red_team"] == shown["red_team_weekly"]  # the only one there is
    assert shown["fairness"] is None
    assert shown["composition_checked"]["agree"] is True
