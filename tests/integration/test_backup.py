"""The backup of deploy/README.md holds everything but personal rows, and a restored database works."""

from __future__ import annotations

import secrets
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from services.embedded import Running, postgres_programs
from services.settings import Settings
from services.storage.database import Connection, connect
from services.storage.migrate import migrate


@pytest.fixture
def restored(postgres: Running) -> Iterator[str]:
    """The URL of an empty database to restore into."""
    server = postgres.url.rpartition("/")[0]
    name = f"restored_{secrets.token_hex(6)}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    yield f"{server}/{name}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def test_a_restored_backup_has_all_but_personal_rows(
    settings: Settings, owner: Connection, restored: str, tmp_path: Path
) -> None:
    owner.execute("SELECT sensing.ensure_month('2026-11-01')")
    owner.execute("INSERT INTO sensing.sensor (code, kind) VALUES ('det-1', 'traffic')")
    owner.execute("INSERT INTO sensing.traffic VALUES (1, '2026-11-22 08:00Z', now(), 1, 820, 43.5, 0.12, 1)")
    owner.execute(
        "INSERT INTO personal.position (day, subject, observed_at, cell) VALUES ('2026-11-22', %s, '2026-11-22 08:00Z', 1)",
        [bytes(16)],
    )
    dump = tmp_path / "arterial.dump"
    programs = postgres_programs()
    command = ["--format=custom", "--exclude-table-data=personal.*", f"--file={dump}", settings.owner_dsn()]
    subprocess.run([str(programs / "pg_dump"), *command], check=True)

    subprocess.run([str(programs / "pg_restore"), "--exit-on-error", f"--dbname={restored}", str(dump)], check=True)

    again = migrate(settings.model_copy(update={"database_url": type(settings.database_url)(restored)}))
    assert again.applied == ()
    with connect(restored, application="test") as connection:
        assert connection.execute("SELECT flow_vph FROM sensing.traffic").fetchall() == [(820.0,)]
        assert connection.execute("SELECT count(*) FROM personal.position").fetchone() == (0,)
