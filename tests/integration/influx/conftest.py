"""A server that takes InfluxDB writes, on a port and a folder that outlive its restarts."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

from victoria_metrics import Victoria


@pytest.fixture
def victoria(require_victoria: str, tmp_path: Path) -> Iterator[Victoria]:
    server = Victoria(require_victoria, tmp_path / "victoria")
    server.start()
    yield server
    server.stop()
