"""A broker that speaks nonsense: the session refuses it, comes again, and works as soon as sense is spoken."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest

from ingest.inbox import Inbox
from ingest.session import Session
from services.settings import load_settings

ACCEPTED = b"\x20\x03\x00\x00\x00"
NONSENSE = [
    b"HTTP/1.1 400 Bad Request\r\n\r\n",
    b"\x00" * 64,
    b"\xff" * 64,
    b"\x20\xff\xff\xff\xff\x7f",
    b"\x20\x00",
    ACCEPTED + b"\x30\x02\xff\xff",
    ACCEPTED + b"\x34\x07\x00\x01a\x00\x01\x00x",
    ACCEPTED + b"\x30\xff\xff\xff\x7f" + bytes(1_000),
    ACCEPTED + b"\x90\x01\x00",
    ACCEPTED + ACCEPTED[:3],
    b"",
    *(random.Random(seed).randbytes(300) for seed in range(10)),
    *(ACCEPTED + random.Random(seed).randbytes(300) for seed in range(10)),
]


@contextmanager
def speaking(lines: list[bytes]) -> Iterator[tuple[int, list[int]]]:
    """A server that says one line to each connection and hangs up, then accepts and is silent; counts connections."""
    listener = socket.create_server(("127.0.0.1", 0))
    kept: list[socket.socket] = []
    counted: list[int] = []

    def serve() -> None:
        with suppress(OSError):
            while True:
                connection, _ = listener.accept()
                place = len(counted)
                with suppress(OSError):
                    connection.recv(4_096)
                    connection.sendall(lines[place] if place < len(lines) else ACCEPTED)
                if place < len(lines):
                    connection.close()
                else:
                    kept.append(connection)
                counted.append(place)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listener.getsockname()[1], counted
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join(5)
    for connection in kept:
        connection.close()


def test_nonsense_ends_connections_but_never_the_session(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.session._FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr("ingest.session._LONGEST_PAUSE_S", 0.02)
    with speaking(NONSENSE) as (port, counted):
        session = Session(
            load_settings({"mqtt_url": f"mqtt://127.0.0.1:{port}"}), Inbox(most_messages=1_000, most_bytes=1_000_000)
        )
        session.start()
        try:
            deadline = time.monotonic() + 15
            while len(counted) <= len(NONSENSE) or not session.is_connected():
                assert session.is_alive(), f"it ended after {NONSENSE[: len(counted)][-1]!r}"
                assert time.monotonic() < deadline, f"{len(counted)} connections of {len(NONSENSE) + 1}"
                time.sleep(0.02)
        finally:
            session.close()
