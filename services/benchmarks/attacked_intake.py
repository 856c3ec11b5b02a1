"""Code concerned with what ingest does while it is attacked: the live process takes personal messages, good and bad ones.

Everything is the product's: a broker, the session, decoders, pseudonyms, writer and dead letters. The messages are those that
tempt a program to quote them: repeats, texts that are no JSON, times and places that cannot be, districts that do not exist.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

from pydantic import SecretStr

from ingest import service
from services.embedded import free_port, start_broker
from services.errors import UnavailableError
from services.settings import Settings
from services.storage import health, red_team
from services.storage.database import Connection
from simulators.mqtt import Publisher

_PATIENCE_S: Final = 60.0
_PAUSE_S: Final = 0.05
_EARLIER: Final = timedelta(seconds=1)  # stamps are whole milliseconds
_TEN_YEARS_S: Final = 3.2e8
_PLACE: Final = {"lat": 51.001, "lon": 10.001, "speed_kmh": 43.5}


def take_in(settings: Settings, owner: Connection, devices: Sequence[str]) -> list[tuple[bytes, int]]:
    """Run ingest while these devices publish, until all they said is stored or a dead letter.

    Args:
        settings: a migrated database; a broker is started beside it for as long as this lasts.
        owner: of the database.
        devices: the names they publish under.

    Returns:
        The pseudonym and the fine cell of each device.

    Raises:
        ConfigurationError: no broker is installed.
        UnavailableError: ingest was not ready, or did not take it all, within a minute.

    """
    began = time.time()
    since = datetime.fromtimestamp(began, UTC) - _EARLIER
    with _running(settings) as reachable, Publisher(reachable, "attacked", stop=threading.Event()) as publisher:
        _wait("ready", lambda: any(each.heartbeat_at is not None for each in health.ingest_sessions(owner)))
        for device in devices:
            for topic, payload in (*_good(device, began), *_bad(device, began)):
                publisher.publish(topic, payload)
        refused = sum(len(list(_bad(device, began))) for device in devices)
        _wait("done with the refused messages", lambda: red_team.personal_letters(owner) == refused)
        _wait("done with the positions", lambda: len(red_team.positions_since(owner, since)) == len(devices))
    return red_team.positions_since(owner, since)


def _wait(what: str, is_so: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _PATIENCE_S
    while not is_so():
        if time.monotonic() > deadline:
            message = f"the attacked ingest was not {what} within {_PATIENCE_S:g} s"
            raise UnavailableError(message)
        time.sleep(_PAUSE_S)


def _good(device: str, now: float) -> Iterator[tuple[str, bytes]]:
    """A position, and the same again, as brokers deliver."""
    for _ in range(2):
        yield f"city/v1/probe/{device}/telemetry", _said(now, **_PLACE)


def _bad(device: str, now: float) -> Iterator[tuple[str, bytes]]:
    """What cannot be stored, each with the name of its device in it."""
    topic = f"city/v1/probe/{device}/telemetry"
    yield topic, f'{{"vehicle": "{device}", '.encode()
    yield topic, _said(now + _TEN_YEARS_S, **_PLACE)
    yield topic, _said(now, lat=_PLACE["lat"], lon=device)
    yield topic, _said(now, **{device: 1})
    yield f"city/v1/household/{device}/telemetry", _said(now, energy_kwh=0.25, district=device)


def _said(now: float, **fields: object) -> bytes:
    return json.dumps({"ts": int(now * 1_000), **fields}).encode()


@contextmanager
def _running(settings: Settings) -> Iterator[Settings]:
    """A broker and the ingest process on it, in a thread; the settings that reach both."""
    broker, _, protocol = start_broker(settings.data_dir, port=free_port())
    reachable = settings.model_copy(update={"mqtt_url": SecretStr(broker.url), "mqtt_protocol": protocol})
    stop = threading.Event()
    thread = threading.Thread(target=service.run, args=(reachable, stop), name="attacked-ingest", daemon=True)
    thread.start()
    try:
        yield reachable
    finally:
        stop.set()
        thread.join(_PATIENCE_S)
        broker.stop()
