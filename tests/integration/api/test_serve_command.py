"""`arterial serve` as a process: the API with the dashboard beside it, and an orderly end."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest

from services.embedded import free_port
from services.settings import Settings


@dataclass
class Server:
    url: str
    process: subprocess.Popen[str]
    log: Path


def environment(settings: Settings, port: int) -> dict[str, str]:
    assert settings.database_password_api is not None
    return {
        **os.environ,
        "ARTERIAL_DATABASE_URL": settings.owner_dsn(),
        "ARTERIAL_DATABASE_PASSWORD_API": settings.database_password_api.get_secret_value(),
        "ARTERIAL_API_PORT": str(port),
        "ARTERIAL_LOG_FORMAT": "json",
    }


@pytest.fixture
def server(settings: Settings, tmp_path: Path) -> Iterator[Server]:
    port = free_port()
    log = tmp_path / "serve.log"
    with log.open("w") as errors:
        process = subprocess.Popen(
            [sys.executable, "-m", "services.cli", "serve", "--json"],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            env=environment(settings, port),
        )
    assert process.stdout is not None
    document = json.loads(process.stdout.readline() or pytest.fail(log.read_text()))
    yield Server(url=document["api"], process=process, log=log)
    process.kill()
    process.wait()
    process.stdout.close()


def test_api_and_dashboard_side_by_side_and_an_orderly_end(server: Server, settings: Settings) -> None:
    assert httpx2.get(f"{server.url}/healthz").json() == {"status": "ok"}
    dashboard = httpx2.get(server.url, follow_redirects=True, timeout=20)
    assert str(dashboard.url) == f"{server.url}/dash/"
    assert dashboard.headers["content-type"].startswith("text/html")
    assert "frame-ancestors" in dashboard.headers["content-security-policy"]
    for path in ("/api/v1/nope", "/nope"):
        nowhere = httpx2.get(server.url + path)
        assert nowhere.status_code == 404
        assert nowhere.headers["content-type"] == "application/problem+json"
    assert httpx2.get(f"{server.url}/api/v1/sensors").json()["data"] == []

    port = int(server.url.rpartition(":")[2])
    second = subprocess.run(
        [sys.executable, "-m", "services.cli", "serve"],
        capture_output=True,
        text=True,
        check=False,
        env=environment(settings, port),
    )
    assert second.returncode == 2
    assert f":{port} cannot be listened on" in second.stderr

    began = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(10) == 0
    assert time.monotonic() - began < 5
    lines = [json.loads(line) for line in server.log.read_text().splitlines()]
    assert {line["path"] for line in lines if line["event"] == "request"} == {
        "/",
        "/nope",
        "/api/v1/nope",
        "/api/v1/sensors",
    }
    assert settings.owner_dsn() not in server.log.read_text()
