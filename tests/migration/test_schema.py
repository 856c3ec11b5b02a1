"""`schema.sql` tells a reader what the migrations made: the two are the same, word for word.

After a new migration: `UPDATE_SCHEMA=1 pytest tests/migration/test_schema.py` writes the file anew; read its diff.
"""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from services.embedded import postgres_programs
from services.settings import Settings

SCHEMA = Path(__file__).resolve().parents[2] / "services" / "storage" / "sql" / "schema.sql"
HEAD = "-- What the migrations have made, as PostgreSQL describes it. Written by tests/migration/test_schema.py; never run.\n\n"


@pytest.fixture
def described(settings: Settings) -> str:
    """The schema of a migrated database without the job queue's own tables, partitions and comments of the tool."""
    program = postgres_programs() / "pg_dump"
    dump = subprocess.run(
        [
            str(program),
            "--schema-only",
            "--no-owner",
            "--exclude-schema=jobs",
            "--exclude-schema=public",
            settings.owner_dsn(),
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    kept = [line for line in dump.splitlines() if not line.startswith(("--", "SET ", "SELECT pg_catalog", "\\"))]
    return HEAD + re.sub(r"\n{2,}", "\n\n", "\n".join(kept)).strip() + "\n"


def test_schema_file_equals_the_migrations(described: str, hypertables: bool) -> None:
    if hypertables:
        pytest.skip("the file describes native partitions, the server of the tests has loaded TimescaleDB")
    if os.environ.get("UPDATE_SCHEMA") == "1":
        SCHEMA.write_text(described, encoding="utf-8")

    assert SCHEMA.read_text(encoding="utf-8") == described


def test_roles_may_do_only_what_their_process_needs(described: str) -> None:
    grants = [line for line in described.splitlines() if line.startswith("GRANT") and "SCHEMA" not in line]

    to_api = [line for line in grants if line.endswith("TO arterial_api;")]
    assert to_api
    to_log = [line for line in to_api if line.startswith("GRANT ALL ON FUNCTION governance.append_audit")]
    assert all(line.startswith("GRANT SELECT") for line in to_api if line not in to_log)
    assert not any("personal." in line for line in to_api)
    into_personal = {line.rpartition(" TO ")[2] for line in grants if "personal." in line}
    assert into_personal == {"arterial_ingest;", "arterial_release;"}
    assert "GRANT SELECT ON TABLE personal." not in "".join(
        line for line in grants if line.endswith("TO arterial_ingest;")
    )
