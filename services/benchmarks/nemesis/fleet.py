"""Code concerned with the publisher process as the harness sees it."""

from __future__ import annotations

import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Final, Self

from services.errors import UnavailableError

_DEVICES: Final = 8
_PATIENCE_S: Final = 60.0


class Fleet:
    """Devices that publish from entry until `stop`."""

    def __init__(
        self, port: int, journal: Path, *, prefix: str, per_s: float, seed: int, batches: bool = False
    ) -> None:
        """Devices are named `<prefix>-<number>` and publish to the broker at this port, together so many a second.

        With batches some of their messages are arrays and SenML packs of several readings.
        """
        self.journal = journal
        self._arguments = [
            port,
            journal,
            prefix,
            _DEVICES,
            per_s,
            seed,
            _PATIENCE_S,
            "batches" if batches else "single",
        ]
        self._log = journal.with_suffix(".log")

    def __enter__(self) -> Self:
        command = [sys.executable, "-m", "services.benchmarks.nemesis.publisher", *map(str, self._arguments)]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):
                self._process.stdin.close()

    def order(self, what: str) -> None:
        """Tell the devices to `repeat` messages, or that a `clock` is wrong for a while."""
        if self._process.stdin is not None:
            with suppress(BrokenPipeError):  # `stop` tells why it ended
                self._process.stdin.write(f"{what}\n".encode())
                self._process.stdin.flush()

    def stop(self) -> None:
        """End when everything is acknowledged.

        Raises:
            UnavailableError: the broker did not acknowledge all, or the process failed.

        """
        self.order("stop")
        if self._process.wait(_PATIENCE_S + 10):
            lines = self._log.read_text(errors="replace").strip().splitlines()
            message = f"the devices did not end in order: {lines[-1] if lines else 'not everything was acknowledged'}"
            raise UnavailableError(message)
