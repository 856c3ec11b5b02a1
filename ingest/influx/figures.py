"""Code concerned with the metrics of the mirror."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from ingest.influx.mirror import Mirror


class MirrorFigures(Collector):
    """Reads what the mirror counts anyway."""

    def __init__(self, mirror: Mirror) -> None:
        self._mirror = mirror

    def describe(self) -> list[Metric]:
        """Nothing in advance: the registry then does not ask for figures before there are any."""
        return []

    def collect(self) -> Iterator[Metric]:
        """What became of the rows of the copy, and what waits on disk."""
        counts = self._mirror.counts
        for name, value, meaning in (
            ("kept", counts.kept, "Rows put on disk for the copy in InfluxDB."),
            ("written", counts.written, "Rows of the copy that the server has taken."),
            ("refused", counts.refused, "Rows of the copy that the server refused for what they say."),
            ("dropped", counts.dropped, "Rows left out of the copy as its spool was full or failed."),
        ):
            yield CounterMetricFamily(f"arterial_mirror_rows_{name}", meaning, value)
        yield GaugeMetricFamily(
            "arterial_mirror_spool_bytes", "What waits on disk for the server.", self._mirror.waiting_bytes
        )
