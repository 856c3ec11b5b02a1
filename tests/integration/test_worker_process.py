"""The worker as a process of its own, when the machine goes down around it."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

import psycopg

from services.embedded import free_port, start_child, start_postgres
from services.settings import load_settings
from services.storage.migrate import migrate

_PASSWORD = "worker-process-test"


def test_a_worker_ends_soon_though_its_database_went_first(tmp_path: Path) -> None:
    server = start_postgres(tmp_path, port=free_port(), password=_PASSWORD, durable=False)
    given = {"data_dir": str(tmp_path), "database_url": server.url, "database_password_jobs": _PASSWORD}
    passwords = {"database_password_ingest": _PASSWORD, "database_password_api": _PASSWORD}
    migrate(load_settings({**given, **passwords}))
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ARTERIAL_")}
    environment |= {f"ARTERIAL_{name.upper()}": value for name, value in given.items()}
    with (tmp_path / "worker.log").open("ab") as log:
        worker = start_child([sys.executable, "-m", "services.cli", "worker"], log=log, env=environment)
    try:
        with psycopg.connect(server.url, autocommit=True) as owner:
            deadline = time.monotonic() + 60
            while owner.execute("SELECT count(*) FROM jobs.procrastinate_workers").fetchone() != (1,):
                assert worker.poll() is None, (tmp_path / "worker.log").read_text()
                assert time.monotonic() < deadline, "the worker did not register"
                time.sleep(0.1)
        server.stop()

        worker.send_signal(signal.SIGTERM)

        assert worker.wait(10) == 0  # without a bound of its own, the farewell waits 30 s for a connection
    finally:
        worker.kill()
        worker.wait()
        server.stop()
