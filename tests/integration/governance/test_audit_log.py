"""Rows can only be added, in one chain, by whoever may; and whatever is done to the table shows, by the number of the row."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from services.governance import checkpoint as checkpoints
from services.governance import signing
from services.governance.verify import Verdict, verify
from services.settings import Role, Settings
from services.storage import audit
from services.storage.database import Connection, connect

DENIED = psycopg.errors.InsufficientPrivilege
ROWS = 40


def login(settings: Settings, role: Role) -> Connection:
    return connect(settings.role_dsn(role), application="test", autocommit=True)


@pytest.fixture
def log(settings: Settings) -> int:
    """A log of 40 rows, the first of which the migration has written."""
    with login(settings, "jobs") as connection:
        for number in range(ROWS - 1):
            audit.append(connection, "retention.run", "worker", {"number": number, "wörter": ["\n", None, 1.5]})
    return ROWS


def test_the_database_makes_a_chain_that_python_can_follow(settings: Settings, owner: Connection, log: int) -> None:
    entries = list(audit.entries(owner))
    verdict = verify(entries, [], [])

    assert (verdict.passed, verdict.rows) == (True, log)
    assert [entry.seq for entry in entries] == list(range(1, log + 1))
    assert entries[0].action == "migration.applied"
    assert {entry.role for entry in entries[1:]} == {"arterial_jobs"}
    assert entries[5].body == json.dumps(
        json.loads(entries[5].body), sort_keys=True, separators=(",", ":"), ensure_ascii=False
    )


def test_sixteen_threads_leave_no_gap_and_no_fork(settings: Settings, owner: Connection) -> None:
    def add(number: int) -> None:
        with login(settings, "jobs") as connection, connection.transaction(force_rollback=number % 5 == 0):
            audit.append(connection, "retention.run", "worker", {"number": number})

    with ThreadPoolExecutor(16) as threads:
        list(threads.map(add, range(80)))

    verdict = verify(audit.entries(owner), [], [])
    assert (verdict.passed, verdict.rows) == (True, 1 + 64)


def test_roles_can_add_and_nothing_else(settings: Settings, owner: Connection, log: int) -> None:
    for role in ("ingest", "jobs", "api"):
        with login(settings, role) as connection:
            for statement in (
                "INSERT INTO governance.audit SELECT seq + 100, at, role, actor, action, body, prev, hash FROM governance.audit",
                "UPDATE governance.audit SET body = '{}'",
                "DELETE FROM governance.audit",
                "TRUNCATE governance.audit",
                "ALTER TABLE governance.audit DISABLE TRIGGER ALL",
            ):
                with pytest.raises(DENIED):
                    connection.execute(statement)  # type: ignore[arg-type]  # fixed texts above
    for role, action in (("api", "release.published"), ("api", "key.destroyed"), ("ingest", "export")):
        with login(settings, role) as connection, pytest.raises(DENIED, match="does not log"):
            audit.append(connection, action, "someone", {})
    with login(settings, "api") as connection:
        connection.execute("SET default_transaction_read_only = on")
        assert audit.append_alone(connection, "export", "api", {}) == log + 1
    for statement in (
        "UPDATE governance.audit SET actor = 'x'",
        "DELETE FROM governance.audit",
        "TRUNCATE governance.audit",
    ):
        with pytest.raises(DENIED, match="append-only"):
            owner.execute(statement)  # type: ignore[arg-type]  # fixed texts above


REHASH = """
DO $$
DECLARE
    entry governance.audit;
    last bytea := decode(repeat('00', 32), 'hex');
BEGIN
    FOR entry IN SELECT * FROM governance.audit ORDER BY seq LOOP
        UPDATE governance.audit SET prev = last, hash = governance.audit_hash(
            last, seq, at, role, actor, action, body) WHERE seq = entry.seq RETURNING hash INTO last;
    END LOOP;
END $$
"""


@pytest.fixture
def tampered(owner: Connection, log: int) -> Callable[..., Verdict]:
    """What is found after a superuser ran some SQL with the triggers off; all is undone afterwards."""

    @contextmanager
    def undone() -> Iterator[None]:
        with owner.transaction(force_rollback=True):
            owner.execute("ALTER TABLE governance.audit DISABLE TRIGGER ALL")
            yield

    def tamper(*statements: str, against: list[checkpoints.Checkpoint] | None = None) -> Verdict:
        with undone():
            for statement in statements:
                owner.execute(statement)  # type: ignore[arg-type]  # fixed texts of the tests
            return verify(audit.entries(owner), against or [], [])

    return tamper


def rows(verdict: Verdict, what: str) -> list[tuple[int, int]]:
    return [(finding.first, finding.last) for finding in verdict.findings if finding.what == what]


SWAP = """
UPDATE governance.audit SET seq = seq + 1000 WHERE seq IN (7, 9);
UPDATE governance.audit SET seq = CASE seq WHEN 1007 THEN 9 ELSE 7 END WHERE seq > 1000
"""


def test_tampering_shows_by_the_number_of_the_row(
    settings: Settings, tampered: Callable[..., Verdict], tmp_path: Path
) -> None:
    assert tampered().passed
    edit = tampered("UPDATE governance.audit SET body = '{\"number\":99}' WHERE seq = 12")
    assert rows(edit, "changed") == [(12, 12)]
    assert "row 12 was changed" in edit.findings[0].sentence
    for column, value in (
        ("at", "at + interval '1 microsecond'"),
        ("role", "'arterial'"),
        ("actor", "'x'"),
        ("action", "'x'"),
    ):
        assert rows(tampered(f"UPDATE governance.audit SET {column} = {value} WHERE seq = 12"), "changed") == [(12, 12)]  # noqa: S608 - fixed texts
    rehashed_edit = tampered(
        "UPDATE governance.audit SET body = '{}', hash = governance.audit_hash(prev, seq, at, role, actor, action, '{}') "
        "WHERE seq = 12"
    )
    assert rows(rehashed_edit, "unbound") == [(13, 13)]
    assert rows(tampered("DELETE FROM governance.audit WHERE seq IN (5, 20, 21)"), "missing") == [(5, 5), (20, 21)]
    closed_gap = tampered(
        "DELETE FROM governance.audit WHERE seq = 20", "UPDATE governance.audit SET seq = seq - 1 WHERE seq > 20"
    )
    assert rows(closed_gap, "unbound") == [(20, 20)]
    assert rows(closed_gap, "moved")[0] == (20, 20)
    swapped = tampered(SWAP)
    assert rows(swapped, "moved") == [(7, 7), (9, 9)]
    assert any(finding.sentence == "row 7 was moved: it was written as row 9" for finding in swapped.findings)
    inserted = tampered(
        "UPDATE governance.audit SET seq = seq + 1000 WHERE seq >= 30",
        "UPDATE governance.audit SET seq = seq - 999 WHERE seq >= 1000",
        "INSERT INTO governance.audit SELECT 30, at, role, actor, action, '{}', hash, "
        "governance.audit_hash(hash, 30, at, role, actor, action, '{}') FROM governance.audit WHERE seq = 29",
    )
    assert rows(inserted, "unbound") == [(31, 31)]
    assert len(rows(inserted, "moved")) == ROWS - 29


def test_a_cut_end_and_a_log_written_anew_show_against_a_checkpoint(
    settings: Settings, owner: Connection, tampered: Callable[..., Verdict], tmp_path: Path
) -> None:
    with login(settings, "jobs") as connection:
        first = checkpoints.sign(settings, connection, "test")  # 40 rows; signing adds row 41
        for number in range(9):
            audit.append(connection, "retention.run", "worker", {"number": number})
        second = checkpoints.sign(settings, connection, "test")  # 50 rows
    assert (first.rows, second.rows, second.first_hash_of) == (40, 50, 41)
    assert tampered(against=[first, second]).passed
    cut = "DELETE FROM governance.audit WHERE seq > 45"
    assert tampered(cut).passed  # nothing inside the database can know
    assert rows(tampered(cut, against=[first, second]), "truncated") == [(46, 50)]

    edit = "UPDATE governance.audit SET body = '{}' WHERE seq = 44"
    assert tampered(edit, REHASH).passed
    assert rows(tampered(edit, REHASH, against=[second]), "rewritten") == [(44, 50)]
    old_edit = "UPDATE governance.audit SET body = '{}' WHERE seq = 6"
    assert rows(tampered(old_edit, REHASH, against=[first]), "rewritten") == [(6, 40)]
    assert rows(tampered(old_edit, REHASH, against=[second]), "rewritten") == [(41, 50)]
    assert not tampered("DELETE FROM governance.audit", against=[first]).passed


def test_a_checkpoint_counts_only_as_it_was_signed_and_by_whom(
    settings: Settings, owner: Connection, log: int, tmp_path: Path
) -> None:
    with login(settings, "jobs") as connection:
        signed = checkpoints.sign(settings, connection, "test")
    file = tmp_path / "checkpoint.json"
    checkpoints.write(signed, file)
    assert checkpoints.read(file) == signed
    key = signing.load_or_make(settings)
    assert verify(audit.entries(owner), [signed], [key.public]).passed

    file.write_text(file.read_text().replace(signed.root, bytes(32).hex()))
    (forged,) = verify(audit.entries(owner), [checkpoints.read(file)], []).findings
    assert forged.what == "signature"
    stranger = signing.load_or_make(settings.model_copy(update={"data_dir": tmp_path / "other"}))
    (unknown,) = verify(audit.entries(owner), [signed], [stranger.public]).findings
    assert "which is none of those that count" in unknown.sentence
    assert signing.key_file(settings).stat().st_mode & 0o777 == 0o600


def test_what_is_said_again_is_logged_once(settings: Settings, owner: Connection) -> None:
    with login(settings, "api") as connection:
        said = [
            audit.append_if_new(connection, "configuration.changed", actor, {"hash": value})
            for actor, value in (("serve", "a"), ("serve", "a"), ("worker", "a"), ("serve", "b"), ("serve", "a"))
        ]
    assert said == [2, None, 3, 4, 5]
