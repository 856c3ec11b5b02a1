"""Code concerned with several ingest processes on one machine: started together, started again, stopped together.

Each is an `arterial ingest` of its own, a member of one shared-subscription group with its own client identifier, lock,
counters and spool. A broker keeps what it has given to a member for that member, even while it is away, so a member that
ends unasked is started again, and one that is no longer wanted first takes what is kept for it.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import reduce
from tempfile import TemporaryFile
from typing import IO, Final

import msgspec
import structlog

from ingest.counts import Counts
from ingest.sharing import as_member, number_of
from services.embedded import start_child, stop_process
from services.errors import ArterialError, ConfigurationError
from services.settings import PREFIX, Settings
from services.storage import readings
from services.storage.database import connect

_LOOK_S: Final = 0.1
_GRACE_S: Final = 8.0
_FIRST_PAUSE_S: Final = 0.5
_LONGEST_PAUSE_S: Final = 10.0
_SETTLED_S: Final = 60.0
_LAST_PORT: Final = 65_535

log = structlog.get_logger()


@dataclass(kw_only=True, slots=True)
class _Child:
    """One process of the group; `output` takes its final counters."""

    client_id: str
    arguments: tuple[str, ...]
    environment: dict[str, str]
    output: IO[bytes]
    is_leaving: bool
    has_left: bool = False
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0
    pause_s: float = _FIRST_PAUSE_S
    at: float = field(default=0.0)

    def start(self) -> None:
        self.output.seek(0)
        self.output.truncate()
        command = [sys.executable, "-m", "services.cli", "ingest", "--json", *self.arguments]
        self.process = start_child(command, log=sys.stderr.buffer, env=self.environment, output=self.output)
        self.starts += 1
        self.at = time.monotonic()

    def counts(self) -> Counts:
        """What it told when it ended; nothing when it was killed."""
        self.output.seek(0)
        told = self.output.read()
        return msgspec.json.decode(told, type=Counts) if told else Counts()


def leftovers(settings: Settings) -> list[int]:
    """Former members for which the broker may hold messages: the group on this machine has become smaller.

    A group of several machines does not know all of its members; there `arterial ingest --retire` is up to a person.
    """
    if settings.mqtt_share_group is not None or settings.mqtt_protocol != "5":
        return []
    try:
        with connect(settings.role_dsn("ingest"), application="ingest", autocommit=True) as connection:
            known = readings.recent_sessions(connection, settings.mqtt_session_expiry_s)
    except ArterialError as error:
        log.warning("whether there were other ingest processes is not known", reason=str(error))
        return []
    numbers = {number_of(client_id, settings.mqtt_client_id) for client_id in known}
    return sorted(number for number in numbers if number is not None and number > settings.ingest_processes)


def members(settings: Settings) -> list[int]:
    """The numbers of the group's members on this machine."""
    return list(range(settings.mqtt_share_member, settings.mqtt_share_member + settings.ingest_processes))


def run(settings: Settings, stop: threading.Event, *, staying: list[int], leaving: list[int]) -> Counts:
    """Run the staying members until `stop` is set, and those that are leaving until they have left.

    Returns:
        What all of them did in their last lives, together.

    Raises:
        ConfigurationError: the port of a member's metrics cannot be had, or a member cannot run with these settings; its own
            message went to standard error.

    """
    _require_metrics_ports(settings, [*staying, *leaving])
    with ExitStack() as stack:
        children = [
            _child(settings, number, stack.enter_context(TemporaryFile()), is_leaving=number in leaving)
            for number in (*staying, *leaving)
        ]
        stack.callback(_stop, children)
        for child in children:
            child.start()
        names = [child.client_id for child in children]
        log.info("the ingest group has started", staying=names[: len(staying)], leaving=names[len(staying) :])
        while any(not child.has_left for child in children) and not stop.wait(_LOOK_S):
            for child in children:
                if not child.has_left:
                    _look_after(settings, child)
        _stop(children)
        return reduce(Counts.and_, (child.counts() for child in children), Counts())


def _require_metrics_ports(settings: Settings, numbers: list[int]) -> None:
    """Refuse to start where a member would find the port of its metrics taken, or past the last one there is."""
    for number in numbers:
        member = as_member(settings, number)
        port = member.ingest_metrics_port
        if port is None:
            return
        reason = _why_not(settings.ingest_metrics_host, port)
        if reason is not None:
            message = (
                f"the ingest process {member.mqtt_client_id} would answer /metrics on {settings.ingest_metrics_host}:{port}, {reason}: "
                "members count on from ARTERIAL_INGEST_METRICS_PORT, choose it so that all of their ports are free"
            )
            raise ConfigurationError(message)


def _why_not(host: str, port: int) -> str | None:
    if port > _LAST_PORT:
        return f"and the last port is {_LAST_PORT}"
    try:
        socket.create_server((host, port)).close()
    except OSError as error:
        return f"which cannot be listened on ({error.strerror or error})"
    return None


def forget(settings: Settings, client_id: str) -> None:
    """Expect nothing more of a member that has left."""
    try:
        with connect(settings.role_dsn("ingest"), application="ingest", autocommit=True) as connection:
            readings.forget_session(connection, client_id)
    except ArterialError as error:
        log.warning("a member has left and its counters remain", client_id=client_id, reason=str(error))


def _child(settings: Settings, number: int, output: IO[bytes], *, is_leaving: bool) -> _Child:
    member = as_member(settings, number)
    chosen = {
        "ingest_processes": 1,
        "mqtt_share_group": member.mqtt_share_group,
        "mqtt_share_member": number,
        "ingest_metrics_port": member.ingest_metrics_port,
    }
    given = {PREFIX + name.upper(): str(value) for name, value in chosen.items() if value is not None}
    return _Child(
        client_id=member.mqtt_client_id,
        arguments=("--retire",) if is_leaving else (),
        environment=os.environ | given,
        output=output,
        is_leaving=is_leaving,
    )


def _look_after(settings: Settings, child: _Child) -> None:
    """Start a child again that has ended unasked, after a pause that grows.

    Raises:
        ConfigurationError: it could not even begin.

    """
    if child.process is None:
        if time.monotonic() >= child.at:
            child.start()
        return
    code = child.process.poll()
    if code is None:
        return
    if child.is_leaving and code in {0, ConfigurationError.exit_code}:
        child.has_left = True
        if code == 0:
            forget(settings, child.client_id)
        return
    if code == ConfigurationError.exit_code and child.starts == 1:
        message = f"the ingest process {child.client_id} cannot run as it is configured: what it said stands above"
        raise ConfigurationError(message)
    if time.monotonic() - child.at > _SETTLED_S:
        child.pause_s = _FIRST_PAUSE_S
    log.warning(
        "an ingest process ended and is started again", client_id=child.client_id, code=code, pause_s=child.pause_s
    )
    child.process, child.at = None, time.monotonic() + child.pause_s
    child.pause_s = min(2 * child.pause_s, _LONGEST_PAUSE_S)


def _stop(children: list[_Child]) -> None:
    """Ask all at once to end; what has not ended in time is killed, and the broker keeps what it did not acknowledge."""
    running = [child.process for child in children if child.process is not None and child.process.poll() is None]
    for process in running:
        process.send_signal(signal.SIGTERM)
    deadline = time.monotonic() + _GRACE_S
    for process in running:
        stop_process(process, signal.SIGTERM, max(0.1, deadline - time.monotonic()))
