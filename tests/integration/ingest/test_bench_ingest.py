"""The measurement of ingest runs on this machine, and its document has the promised shape."""

from __future__ import annotations

import pytest

from services.benchmarks.speed.report import compare, table


@pytest.mark.mosquitto
@pytest.mark.usefixtures("require_mosquitto")
def test_a_small_comparison_without_peers() -> None:
    told: list[str] = []
    document = compare(10_000, with_peers=False, tell=told.append)
    assert document["arterial"].keys() == {"msg_per_s", "cpu_us_per_msg", "rss_mb"}
    assert document["arterial"]["msg_per_s"] > 1_000
    assert 0 < document["arterial"]["rss_mb"] < 300
    assert document["ratio"]["bare_subscriber"] > 0
    assert document["batched"]["readings_per_s"] > 1_000
    assert document["peers"] == document["skipped"] == {}
    assert len(told) == 12
    assert any("µs of its own processor time" in line for line in table(document))
