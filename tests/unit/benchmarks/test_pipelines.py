"""The peers are set up as the measurements say: as usual for speed, as carefully as can be for the nemesis."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from services.benchmarks import pipelines
from services.benchmarks.pipelines import Way


def way(folder: Path, *, is_careful: bool) -> Way:
    return Way(
        broker_port=1_883,
        topics="city/v1/traffic/+/telemetry",
        client_id="peer",
        window=100,
        database="postgresql://someone:secret@127.0.0.1:5432/arterial",
        stamps="text",
        folder=folder,
        is_careful=is_careful,
    )


@pytest.fixture(autouse=True)
def _installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipelines, "_python_peers", lambda: Path("python"))


@pytest.mark.parametrize("is_careful", [False, True])
def test_every_peer_keeps_its_session_at_qos_1(tmp_path: Path, is_careful: bool) -> None:
    there = way(tmp_path, is_careful=is_careful)
    route = json.loads(pipelines.mq_bridge(there)[-1])
    assert (route["input"]["mqtt"]["qos"], route["input"]["mqtt"]["clean_session"]) == (1, False)
    assert ("middlewares" in route["output"]) is is_careful
    broker, _, database, stamps, kept = json.loads(pipelines.pathway(there)[-1])
    assert "clean_session=false" in broker
    assert (database["user"], stamps, bool(kept)) == ("someone", "text", is_careful)
    flow = {node["id"]: node for node in json.loads(pipelines._node_red_files(there)["flows.json"])}
    assert (flow["in"]["qos"], flow["broker"]["cleansession"]) == ("1", False)
    assert ("caught" in flow) is is_careful
    assert (flow.get("pause", {}).get("wires") == [["out"]]) is is_careful
