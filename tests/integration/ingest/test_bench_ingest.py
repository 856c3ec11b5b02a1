"""The measurement of ingest runs on this machine, and its document has the promised shape."""

from __future__ import annotations

import pytest

from services.benchmarks.speed import scale_out
from services.benchmarks.speed.report import compare, table
from services.benchmarks.speed.subscriber import WAYS
from services.errors import InputError


@pytest.mark.mosquitto
@pytest.mark.usefixtures("require_mosquitto")
def test_a_small_comparison_without_peers() -> None:
    told: list[str] = []
    document = compare(10_000, with_peers=False, tell=told.append, rounds=1)
    assert document["arterial"].keys() == {"msg_per_s", "cpu_us_per_msg", "rss_mb"}
    assert document["arterial"]["msg_per_s"] > 1_000
    assert 0 < document["arterial"]["rss_mb"] < 300
    assert document["ratio"]["bare_subscriber"] > 0
    assert document["batched"]["readings_per_s"] > 1_000
    assert document["peers"] == document["skipped"] == {}
    assert document["outage"]["spooled_msg_per_s"] > 1_000
    assert document["outage"]["drained_msg_per_s"] > 1_000
    assert 0 < document["outage"]["rss_mb"] < 300
    assert document["group"]["processes"] == 2
    assert document["group"]["ratio"].keys() == document["ratio"].keys()
    assert len(told) == len(WAYS) + 4
    assert any("µs of its own processor time" in line for line in table(document))


@pytest.mark.mosquitto
@pytest.mark.usefixtures("require_mosquitto")
def test_a_small_measurement_of_groups() -> None:
    told: list[str] = []
    document = scale_out.measure(5_000, [1], tell=told.append, rounds=1)
    assert document["scale_out"].keys() == {"1"}
    for found in document["scale_out"].values():
        assert found["msg_per_s"] > 1_000
        assert min(found.values()) > 0
    assert len(told) == 1
    assert any("cores busy" in line for line in scale_out.table(document))


@pytest.mark.parametrize("text", ["", "1,", "0", "two", "1;2", "65"])
def test_sizes_of_groups_are_numbers(text: str) -> None:
    with pytest.raises(InputError, match="1,2,4"):
        scale_out.sizes(text)
