"""Code concerned with log lines: for a person on a terminal, one JSON object a line for a machine.

Every line has the keys `timestamp`, `level`, `event` and `process`; `event` is a constant sentence, and what varies stands
in keys of its own. Lines of the libraries and warnings take the same way and have `logger` too. Passwords in addresses are
blotted out wherever they turn up.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
from typing import Any, Final

import structlog

from services.settings import Settings

_PASSWORD: Final = re.compile(r"(?<=://)([^\s/:@]*):[^\s/]*@")
"""User and password in front of the host of an address; a password may hold an `@`."""


def configure_logging(settings: Settings, process: str) -> None:
    """Send the log lines of this process to standard error; standard output belongs to results.

    Args:
        settings: `log_format` and `log_level`.
        process: the name of this process, put on each line.

    """
    people = settings.log_format == "console" or (settings.log_format == "auto" and sys.stderr.isatty())
    renderer: structlog.types.Processor = (
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)  # rich prints locals: secrets
        if people
        else structlog.processors.JSONRenderer()
    )

    def name_process(logger: Any, method: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
        del logger, method
        return {**event, "process": process}  # not a context variable: a thread begins without them

    before: list[structlog.types.Processor] = [
        structlog.contextvars.merge_contextvars,
        name_process,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
    ]
    after: list[structlog.types.Processor] = [
        *(() if people else (structlog.processors.format_exc_info,)),
        without_passwords,
        renderer,
    ]
    structlog.configure(
        processors=[*before, *after],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[settings.log_level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    _adopt_libraries(before, after)


def without_passwords(logger: Any, method: str, event: structlog.types.EventDict) -> structlog.types.EventDict:
    """Blot out the password of every address in the texts of a line."""
    del logger, method
    for key, value in event.items():
        if isinstance(value, str) and "://" in value:
            event[key] = _PASSWORD.sub(r"\1:***@", value)
    return event


def _adopt_libraries(before: list[structlog.types.Processor], after: list[structlog.types.Processor]) -> None:
    """Let what the libraries log, warnings, and the last words of a thread take the same way as our own lines."""
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[*before, structlog.stdlib.add_logger_name],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *after],
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(formatter)
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.captureWarnings(capture=True)

    def last_words(last: threading.ExceptHookArgs) -> None:
        if last.exc_value is not None:
            name = None if last.thread is None else last.thread.name
            structlog.get_logger().error("a thread ended by an error", thread=name, exc_info=last.exc_value)

    threading.excepthook = last_words
