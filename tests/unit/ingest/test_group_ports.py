"""A group of ingest processes does not start where one of them could not answer for itself."""

from __future__ import annotations

import socket
import threading
from pathlib import Path

import pytest

from services import ingest_group
from services.errors import ConfigurationError
from services.settings import Settings, load_settings


def settings(tmp_path: Path, port: int) -> Settings:
    return load_settings({"data_dir": tmp_path, "ingest_processes": 3, "ingest_metrics_port": port}, join_running=False)


def test_a_taken_metrics_port_names_the_member_and_the_way_out(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        taken = other.getsockname()[1]
        chosen = settings(tmp_path, taken - 2)
        with pytest.raises(ConfigurationError) as refusal:
            ingest_group.run(chosen, threading.Event(), staying=[3], leaving=[])
    said = str(refusal.value)
    assert f"the ingest process arterial-ingest-3 would answer /metrics on 127.0.0.1:{taken}, which cannot" in said
    assert "members count on from ARTERIAL_INGEST_METRICS_PORT" in said


def test_ports_past_the_last_one_are_refused_before_anything_starts(tmp_path: Path) -> None:
    chosen = settings(tmp_path, 65_535)
    with pytest.raises(ConfigurationError, match=r"arterial-ingest-2 .* and the last port is 65535"):
        ingest_group.run(chosen, threading.Event(), staying=[2, 3], leaving=[])
