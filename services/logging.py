"""Code concerned with log lines: for a person on a terminal, one JSON object a line for a machine."""

from __future__ import annotations

import logging
import sys

import structlog

from services.settings import Settings


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
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.StackInfoRenderer(),
            *(() if people else (structlog.processors.format_exc_info,)),
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[settings.log_level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.bind_contextvars(process=process)
