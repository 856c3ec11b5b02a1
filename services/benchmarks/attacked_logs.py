"""Code concerned with what the processes of the attacked platform log, each line as the product writes it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr
from pathlib import Path

import structlog

from services.logging import configure_logging
from services.settings import Settings


class LogFile:
    """What was appended to a log since this was made, but for what was planted to see whether a search finds it."""

    def __init__(self, name: str, path: Path) -> None:
        """Take a log that is there."""
        self.name, self.path = name, path
        self._begins = path.stat().st_size
        self._planted: list[bytes] = []

    def text(self) -> bytes:
        """All of it, without what was planted."""
        text = self._since(self._begins)
        for line in self._planted:
            text = text.replace(line, b"")
        return text

    def plant(self, write: Callable[[], None]) -> bytes:
        """What the log gets while something is done."""
        before = self.path.stat().st_size
        write()
        line = self._since(before)
        if line:
            self._planted.append(line)
        return line

    def _since(self, offset: int) -> bytes:
        with self.path.open("rb") as stream:
            stream.seek(offset)
            return stream.read()


@contextmanager
def logged_to(path: Path, settings: Settings, process: str) -> Iterator[None]:
    """Let what runs here log into a file as a process of that name does in production, at the level that says most."""
    root = logging.getLogger()
    was_configured, before = structlog.is_configured(), structlog.get_config()
    handlers, level, last_words = root.handlers, root.level, threading.excepthook
    with path.open("a", encoding="utf-8") as stream:
        with redirect_stderr(stream):
            configure_logging(settings.model_copy(update={"log_format": "json", "log_level": "debug"}), process)
        try:
            yield
        finally:
            if was_configured:
                structlog.configure(**before)
            else:
                structlog.reset_defaults()
            root.handlers = handlers
            root.setLevel(level)
            logging.captureWarnings(capture=False)
            threading.excepthook = last_words
