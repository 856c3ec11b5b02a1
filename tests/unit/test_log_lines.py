"""Log lines of a process: one JSON object each, stable keys, nobody's password."""

from __future__ import annotations

import subprocess
import sys

import orjson
import pytest

from services.logging import without_passwords

PROGRAM = """
import logging, threading, warnings
import structlog
from services.logging import configure_logging
from services.settings import load_settings

configure_logging(load_settings({"log_format": "json"}, join_running=False), "test")
log = structlog.get_logger()
log.info("started", broker="mqtt://ingest:geheim@broker:1883", lines="one\\ntwo")
log.debug("not shown")
logging.getLogger("psycopg.pool").warning("cannot connect to %s", "postgresql://api:ge@heim@db/arterial")
logging.getLogger("uvicorn").info("not shown")
warnings.warn("something old", UserWarning)
try:
    raise ValueError("mqtt://ingest:geheim@broker")
except ValueError as error:
    log.error("failed", exc_info=error)
thread = threading.Thread(target=lambda: 1 / 0, name="worker-1")
thread.start()
thread.join()
"""


def test_every_line_is_one_object_with_the_same_keys_and_no_password() -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    lines = [orjson.loads(line) for line in done.stderr.splitlines()]
    assert all(line.keys() >= {"timestamp", "level", "event", "process"} for line in lines)
    assert {line["process"] for line in lines} == {"test"}
    ours, pool, warning, failed, thread = lines
    assert (ours["event"], ours["level"], ours["broker"]) == ("started", "info", "mqtt://ingest:***@broker:1883")
    assert ours["lines"] == "one\ntwo"
    assert (pool["logger"], pool["event"]) == ("psycopg.pool", "cannot connect to postgresql://api:***@db/arterial")
    assert warning["logger"] == "py.warnings"
    assert "ValueError" in failed["exception"]
    assert (thread["event"], thread["thread"]) == ("a thread ended by an error", "worker-1")
    assert "heim" not in done.stderr


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("mqtt://host:1883", "mqtt://host:1883"),
        ("http://a/b:c@d", "http://a/b:c@d"),
        ("at mqtts://u:p@h and postgresql://u:q@h/d?x=1", "at mqtts://u:***@h and postgresql://u:***@h/d?x=1"),
        ("mqtt://:p@h", "mqtt://:***@h"),
        ("redis://u:@h", "redis://u:***@h"),
    ],
)
def test_passwords_in_addresses_are_blotted_out(text: str, shown: str) -> None:
    assert without_passwords(None, "info", {"event": text, "n": 1}) == {"event": shown, "n": 1}
