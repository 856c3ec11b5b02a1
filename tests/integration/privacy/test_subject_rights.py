"""Who shows the secret of a device sees and erases its rows, nobody else does; who objects is dropped at the door."""

from __future__ import annotations

import hashlib
import json
import time
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
from typer.testing import CliRunner

from ingest import directory
from ingest.batch import Batch
from ingest.decoders.memory import Memory
from ingest.persistence import Persistence
from ingest.pipeline import limits_of, store
from ingest.routing import Routing
from services.cli import app
from services.domain import Message
from services.errors import InputError, NotFoundError
from services.privacy import rights
from services.settings import Settings
from services.storage import audit, personal
from services.storage.database import Connection, connect

SECRET = "what only the owner of the car knows"


def message(device: str, purpose: str, payload: dict[str, object], *, kind: str = "probe") -> Message:
    moment = datetime.now(UTC).isoformat()
    body = json.dumps({"ts": moment, **payload}).encode()
    return Message(topic=f"city/v1/{kind}/{device}/{purpose}", payload=body, received_us=time.time_ns() // 1000)


def position(device: str) -> Message:
    return message(device, "telemetry", {"lon": 13.38, "lat": 52.51, "speed_kmh": 30})


def claim(device: str, secret: str = SECRET, kind: str = "probe") -> Message:
    return message(device, "claim", {"token_sha256": hashlib.sha256(secret.encode()).hexdigest()}, kind=kind)


def batch(settings: Settings, *messages: Message) -> Batch:
    routing, memory, limits = Routing.of(settings), Memory(), limits_of(settings)
    said = [routing.decode(each, now_us=time.time_ns() // 1000, limits=limits, memory=memory) for each in messages]
    return Batch.of(messages, said)


def subjects(owner: Connection) -> int:
    row = owner.execute("SELECT count(DISTINCT subject) FROM personal.position").fetchone()
    assert row is not None
    return int(row[0])


def test_the_secret_opens_the_rows_of_its_device_and_of_no_other(settings: Settings, owner: Connection) -> None:
    counts = store(
        settings,
        [position("car-1"), claim("car-1"), claim("car-1", "a later one"), position("car-2"), claim("car-2", "b")],
    )
    assert (counts.stored, counts.duplicate, counts.dead_lettered) == (4, 1, 0)  # the first claim counts

    (day,) = rights.access(settings, "mobility", "car-1", SECRET)
    assert [set(row) for row in day.rows] == [{"observed_at", "cell", "speed_kmh"}]
    for device, secret in (("car-1", "a later one"), ("car-2", SECRET), ("car-3", SECRET)):
        with pytest.raises(NotFoundError, match="on no day that is left"):
            rights.access(settings, "mobility", device, secret)
    with pytest.raises(NotFoundError):
        rights.access(settings, "household", "car-1", SECRET)

    assert rights.erase(settings, "mobility", "car-1", SECRET) == [day.day]
    assert subjects(owner) == 1
    with pytest.raises(NotFoundError):
        rights.access(settings, "mobility", "car-1", SECRET)

    told = [
        (entry.action, json.loads(entry.body)["granted"]) for entry in audit.entries(owner) if "subject" in entry.action
    ]
    assert told[0] == ("subject.access", True)
    assert ("subject.erasure", True) in told
    assert sum(not granted for _, granted in told) == 5
    log = " ".join(entry.body for entry in audit.entries(owner))
    assert not any(word in log for word in ("car-1", "car-2", SECRET, day.rows[0]["cell"]))


def test_what_was_erased_is_erased_again_after_a_restore(settings: Settings, owner: Connection) -> None:
    store(settings, [position("car-1"), claim("car-1"), position("car-2")])
    kept = owner.execute("SELECT * FROM personal.position").fetchall()
    rights.erase(settings, "mobility", "car-1", SECRET)
    rights.object_to(settings, "mobility", "car-3", None)
    rights.object_to(settings, "mobility", "car-4", None)
    rights.withdraw_objection(settings, "mobility", "car-4", None)
    owner.execute("DELETE FROM governance.objection")
    owner.execute("DELETE FROM personal.position")
    for row in kept:  # the backup brings them back
        owner.execute("INSERT INTO personal.position VALUES (%s, %s, %s, %s, %s)", row)
    assert subjects(owner) == 2

    with (
        connect(settings.role_dsn("jobs"), application="test", autocommit=True) as connection,
        personal.release_transaction(connection),
    ):
        assert len(rights.ask_again(settings, connection)) == 1
    assert subjects(owner) == 1
    counts = store(settings, [position("car-3"), position("car-4")])
    assert (counts.stored, counts.duplicate) == (1, 1)


def test_pseudonyms_are_told_to_nobody_without_the_secret(settings: Settings, owner: Connection) -> None:
    store(settings, [position("car-1"), claim("car-1")])
    for role in ("ingest", "jobs", "api"):
        with (
            connect(settings.role_dsn(role), application="test", autocommit=True) as connection,
            pytest.raises(psycopg.errors.InsufficientPrivilege),
        ):
            connection.execute("SELECT * FROM personal.proven_days('mobility', 'car-1', 'x')")
    with (
        connect(settings.role_dsn("jobs"), application="test", autocommit=True) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
        personal.release_transaction(connection),
    ):
        connection.execute("SELECT personal.hmac_sha256(''::bytea, ''::bytea)")


def test_who_objected_is_dropped_and_looks_like_a_repeat(settings: Settings, owner: Connection) -> None:
    assert rights.object_to(settings, "mobility", "car-1", None)
    assert not rights.object_to(settings, "mobility", "car-1", None)
    counts = store(settings, [position("car-1"), claim("car-1"), position("car-2")])
    assert (counts.stored, counts.duplicate, counts.dead_lettered) == (1, 2, 0)
    assert subjects(owner) == 1
    assert owner.execute("SELECT count(*) FROM personal.dead_letter").fetchone() == (0,)
    stored = owner.execute("SELECT purpose, fingerprint, key_name FROM governance.objection").fetchall()
    assert len(stored) == 1
    assert b"car-1" not in bytes(stored[0][1])

    other = settings.model_copy(update={"data_dir": settings.data_dir / "another machine"})
    assert store(other, [position("car-3")]).stored == 0  # without the key, rather nobody than one too many

    assert rights.withdraw_objection(settings, "mobility", "car-1", None)
    assert store(settings, [position("car-1")]).stored == 1


def test_ingest_forgets_a_destroyed_key_and_takes_no_more_of_that_day(
    settings: Settings, owner: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Persistence(settings) as persistence:
        persistence.persist(batch(settings, position("car-1")), 1)
        known = persistence._open_writer()._directory
        ((place, key),) = known._keys.items()
        assert any(key)
        owner.execute("INSERT INTO governance.destruction VALUES ('mobility', %s)", [place[1]])
        owner.execute("DELETE FROM personal.day_key")
        persistence.heartbeat(1)
        assert known._keys  # asked a moment ago
        monkeypatch.setattr(directory, "_FOLLOW_S", 0.0)

        persistence.heartbeat(1)

        assert not known._keys
        assert not any(key)
        persistence.persist(batch(settings, position("car-2")), 2)
        assert persistence.counts.dead_lettered == 1
    assert directory._FOLLOW_S + 3.0 < 60  # a heartbeat comes every three seconds


def test_the_commands_take_the_secret_from_a_file(
    settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert settings.database_password_jobs is not None
    monkeypatch.setenv("ARTERIAL_DATABASE_URL", settings.owner_dsn())
    monkeypatch.setenv("ARTERIAL_DATA_DIR", str(settings.data_dir))
    for role in ("JOBS", "API"):
        monkeypatch.setenv(f"ARTERIAL_DATABASE_PASSWORD_{role}", settings.database_password_jobs.get_secret_value())
    store(settings, [position("car-1"), claim("car-1")])
    secret = tmp_path / "secret"
    secret.write_text(f"{SECRET}\n", encoding="utf-8")
    who = ["--purpose", "mobility", "--device", "car-1"]

    def run(*arguments: str) -> dict[str, object]:
        result = CliRunner().invoke(app, ["privacy", *arguments, "--json"], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)  # type: ignore[no-any-return]  # a JSON object

    assert len(run("access", *who, "--token-file", str(secret))["days"]) == 1  # type: ignore[arg-type]  # a list
    assert run("object", *who, "--token-file", str(secret))["changed"] is True
    assert len(run("erase", *who, "--token-file", str(secret))["erased"]) == 1  # type: ignore[arg-type]  # a list
    assert run("object", *who, "--identity-checked", "--withdraw")["changed"] is True
    assert run("retention", "--proof")["passed"] is True
    for arguments, sentence in (
        (["object", *who], "--identity-checked"),
        (["access", "--purpose", "bike", "--device", "x", "--token-file", str(secret)], "without rider or owner"),
        (["access", *who, "--token-file", str(tmp_path / "none")], "cannot be read"),
    ):
        with pytest.raises(InputError, match=sentence):
            run(*arguments)
