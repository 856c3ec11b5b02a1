"""Code concerned with getting lines to the server whatever it answers: waiting, asking a person, or bisecting."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import structlog

from ingest.influx.delivery import Answer, Server

_LINES_OF_A_REQUEST: Final = 5_000
_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 30.0
_BLOCKED_PAUSE_S: Final = 60.0
_SAY_AGAIN_S: Final = 600.0
_REQUESTS_TO_ISOLATE: Final = 200
_MOST_REFUSED_BYTES: Final = 16 * 1024 * 1024

log = structlog.get_logger()


class Trouble:
    """Says what is wrong when it begins and every ten minutes, and when it is over."""

    def __init__(self, where: str) -> None:
        """`where` there is trouble, for the log."""
        self._where = where
        self._began = self._said = 0.0
        self._reason = ""

    def say(self, reason: str, **facts: object) -> None:
        """There is trouble."""
        now = time.monotonic()
        if not self._reason:
            self._began = now
        if not self._reason or now - self._said > _SAY_AGAIN_S:
            log.warning("there is trouble", where=self._where, reason=reason, since_s=round(now - self._began), **facts)
            self._said = now
        self._reason = reason

    def over(self, **facts: object) -> None:
        """There is none."""
        if self._reason:
            seconds = round(time.monotonic() - self._began, 1)
            log.info("the trouble is over", where=self._where, was=self._reason, after_s=seconds, **facts)
            self._reason = ""


class Sender:
    """Sends lines in order.

    Attributes:
        written: lines the server has taken.
        refused: lines it refused for what they say; they are kept in a file, up to 16 MiB.

    """

    def __init__(self, server: Server, *, refused_file: Path, stop: threading.Event) -> None:
        """Waits end when `stop` is set."""
        self._server = server
        self._refused_file = refused_file
        self._stop = stop
        self._trouble = Trouble("InfluxDB")
        self.written = 0
        self.refused = 0

    def send(self, lines: Sequence[str]) -> bool:
        """Send lines, for as long as it takes; False when told to stop before the end."""
        return all(
            self._send(lines[start : start + _LINES_OF_A_REQUEST], [_REQUESTS_TO_ISOLATE])
            for start in range(0, len(lines), _LINES_OF_A_REQUEST)
        )

    def _send(self, lines: Sequence[str], requests_left: list[int]) -> bool:
        answer = self._answered(lines)
        if answer is None:
            return False
        if answer.verdict == "taken":
            self.written += len(lines) - answer.lost
            if answer.lost:
                self._refuse(lines, answer.lost, answer.reason)
            return True
        requests_left[0] -= 2
        if len(lines) == 1 or requests_left[0] < 0:
            self._refuse(lines, len(lines), answer.reason)
            return True
        middle = len(lines) // 2
        return self._send(lines[:middle], requests_left) and self._send(lines[middle:], requests_left)

    def _answered(self, lines: Sequence[str]) -> Answer | None:
        """The server's answer once it has taken or refused the lines; None when told to stop."""
        pause = _FIRST_PAUSE_S
        while True:
            answer = self._server.write(lines)
            if answer.verdict in {"taken", "refused"}:
                self._trouble.over()
                return answer
            self._trouble.say(answer.reason)
            if answer.verdict == "blocked":
                wait_s = _BLOCKED_PAUSE_S
            elif answer.wait_s is not None:
                wait_s = answer.wait_s + random.uniform(0.0, 0.5)  # noqa: S311 - jitter, not a secret
            else:
                wait_s = pause * random.uniform(0.5, 1.0)  # noqa: S311 - jitter, not a secret
                pause = min(2 * pause, _LONGEST_PAUSE_S)
            if self._stop.wait(wait_s):
                return None

    def _refuse(self, lines: Sequence[str], count: int, reason: str) -> None:
        self.refused += count
        log.warning("InfluxDB refuses lines", lines=count, reason=reason, kept_in=str(self._refused_file))
        try:
            with self._refused_file.open("a", encoding="utf-8") as file:
                if file.tell() < _MOST_REFUSED_BYTES:
                    file.write(f"# {reason}\n" + "\n".join(lines) + "\n")
        except OSError as error:
            log.warning("refused lines could not be kept", reason=error.strerror)
