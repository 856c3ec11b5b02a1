"""VictoriaMetrics as Debian has it: a server that takes InfluxDB writes."""

from __future__ import annotations

import json
import subprocess
import time
from pathlib import Path

import httpx2

from services.embedded import free_port


class Victoria:
    """VictoriaMetrics: its metrics are `measurement_field`, its times milliseconds; the bucket is not looked at."""

    def __init__(self, program: str, folder: Path) -> None:
        self._program = program
        self._folder = folder
        self._port = free_port()
        self.url = f"http://127.0.0.1:{self._port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        options = {
            "storageDataPath": str(self._folder),
            "httpListenAddr": f"127.0.0.1:{self._port}",
            "retentionPeriod": "100y",
            "dedup.minScrapeInterval": "1ms",
            "memory.allowedBytes": "64MB",
        }
        self._process = subprocess.Popen(
            [self._program, *(f"-{name}={value}" for name, value in options.items())],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 20
        while True:
            try:
                httpx2.get(f"{self.url}/health", timeout=1)
            except httpx2.TransportError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
            else:
                return

    def stop(self) -> None:
        """End it, as after SIGTERM: what it took is then on its disk."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(20)
            self._process = None

    def samples(self, prefix: str) -> dict[tuple[str, str, str, int], float]:
        """Every sample of the metrics that begin so: metric, sensor, quantity and milliseconds, and the value."""
        httpx2.get(f"{self.url}/internal/force_flush", timeout=10).raise_for_status()
        query = {"match[]": f'{{__name__=~"{prefix}.*"}}', "start": "0"}
        found = {}
        for line in httpx2.get(f"{self.url}/api/v1/export", params=query, timeout=10).text.splitlines():
            series = json.loads(line)
            labels = series["metric"]
            for moment, value in zip(series["timestamps"], series["values"], strict=True):
                key = (labels["__name__"], labels.get("sensor", ""), labels.get("quantity", ""), moment)
                assert key not in found
                found[key] = value
        return found
