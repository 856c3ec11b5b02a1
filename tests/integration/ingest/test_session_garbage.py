"""The session and a broker that misbehaves: it comes back, acknowledges only what it should, and does not crash."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import SecretStr

from ingest.inbox import Inbox, Receipt
from ingest.packets import publish
from ingest.session import Session
from services.settings import Settings

CONNACK = b"\x20\x02\x00\x00"
SUBACK = b"\x90\x03\x00\x01\x01"


@contextmanager
def false_broker(settings: Settings, inbox: Inbox) -> Iterator[tuple[socket.socket, Session]]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        url = f"mqtt://127.0.0.1:{server.getsockname()[1]}"
        live = settings.model_copy(update={"mqtt_url": SecretStr(url), "mqtt_protocol": "3.1.1"})
        session = Session(live, inbox)
        session.start()
        try:
            yield server, session
        finally:
            session.close()
            assert not session.is_alive()


def accepted(server: socket.socket) -> socket.socket:
    connection, _ = server.accept()
    connection.settimeout(10)
    assert connection.recv(1_000)[:1] == b"\x10"
    connection.sendall(CONNACK)
    return connection


def until_quiet(connection: socket.socket) -> bytes:
    """Everything that is sent until nothing comes for a while."""
    connection.settimeout(0.3)
    found = b""
    try:
        while piece := connection.recv(1_000):
            found += piece
    except TimeoutError:
        pass
    return found


def test_garbage_ends_the_connection_and_not_the_session(settings: Settings) -> None:
    inbox = Inbox(most_messages=10, most_bytes=1_000)
    with false_broker(settings, inbox) as (server, session):
        for garbage in (b"\x34\x05\x00\x01a\x00\x01", b"\x32\xff\xff\xff\xff\x01", b"\x82\x00"):
            with accepted(server) as connection:
                connection.sendall(garbage)
                while connection.recv(1_000):
                    pass
        with accepted(server) as connection:
            connection.sendall(SUBACK + publish("a", b"1", mid=1))
            assert inbox.take(most=1, age_s=1, patience_s=5)[0][0].payload == b"1"
            assert session.is_connected()


def test_what_an_earlier_connection_delivered_is_not_acknowledged_on_the_next(settings: Settings) -> None:
    inbox = Inbox(most_messages=10, most_bytes=1_000)
    with false_broker(settings, inbox) as (server, session):
        with accepted(server) as first:
            first.sendall(SUBACK + publish("a", b"1", mid=7))
            _, stale = inbox.take(most=1, age_s=1, patience_s=5)
        with accepted(server) as second:
            second.sendall(SUBACK + publish("a", b"2", mid=8) + publish("a", b"3", mid=9))
            fresh: list[Receipt] = []
            while sum(len(receipt.mids) for receipt in fresh) < 2:
                fresh += inbox.take(most=2, age_s=1, patience_s=5)[1]
            session.acknowledge([*stale, *fresh])
            sent = until_quiet(second)
            assert sent.endswith(b"\x40\x02\x00\x08\x40\x02\x00\x09")
            assert b"\x40\x02\x00\x07" not in sent


def test_a_full_inbox_stops_reading_until_there_is_room(settings: Settings) -> None:
    inbox = Inbox(most_messages=1_000_000, most_bytes=200_000)
    with false_broker(settings, inbox) as (server, _), accepted(server) as connection:
        connection.sendall(SUBACK)
        connection.setblocking(False)
        packet = publish("a", bytes(10_000), mid=1)
        sent, deadline = 0, time.monotonic() + 1.5
        while time.monotonic() < deadline:
            try:
                sent += connection.send(packet)
            except BlockingIOError:
                time.sleep(0.01)
            except OSError:
                break
        held = sum(len(m.payload) for m in inbox.take(most=100_000, age_s=1, patience_s=1)[0])
        assert inbox.received > 0
        assert held <= 200_000 + 256 * 1024
        assert sent < 100_000_000
