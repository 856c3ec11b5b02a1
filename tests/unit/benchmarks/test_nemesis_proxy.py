"""The proxy breaks connections in each of the ways it promises."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from services.benchmarks.nemesis.proxy import Proxy


@pytest.fixture
def proxy() -> Iterator[Proxy]:
    """In front of a server that says back what it hears."""
    listener = socket.create_server(("127.0.0.1", 0))

    def echo(connection: socket.socket) -> None:
        with connection:
            try:
                while heard := connection.recv(1_024):
                    connection.sendall(heard)
            except ConnectionResetError:
                return

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=echo, args=(connection,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    made = Proxy(listener.getsockname()[1])
    yield made
    made.close()
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()


@pytest.fixture
def client(proxy: Proxy) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=2) as connection:
        connection.sendall(b"hello")
        assert connection.recv(10) == b"hello"
        yield connection


def test_a_stall_holds_back_and_then_passes_on(proxy: Proxy, client: socket.socket) -> None:
    proxy.stall()
    client.sendall(b"still there?")
    client.settimeout(0.3)
    with pytest.raises(TimeoutError):
        client.recv(20)
    proxy.resume(reset=False)
    client.settimeout(2)
    assert client.recv(20) == b"still there?"


def test_a_half_open_connection_ends_in_a_reset(proxy: Proxy, client: socket.socket) -> None:
    proxy.stall()
    client.sendall(b"still there?")
    proxy.resume(reset=True)
    with pytest.raises(ConnectionResetError):
        client.recv(20)


def test_the_answer_to_certain_words_is_held_back(proxy: Proxy, client: socket.socket) -> None:
    proxy.hold_answer_to(b"COMMIT")
    client.sendall(b"BEGIN")
    assert client.recv(20) == b"BEGIN"
    client.sendall(b"COMMIT")
    client.settimeout(0.3)
    with pytest.raises(TimeoutError):
        client.recv(20)
    proxy.resume(reset=True)
    client.settimeout(2)
    with pytest.raises(ConnectionResetError):
        client.recv(20)


def test_a_cut_is_orderly_and_a_reset_is_not(proxy: Proxy, client: socket.socket) -> None:
    proxy.cut(reset=False)
    assert client.recv(20) == b""
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=2) as another:
        another.sendall(b"hello")
        assert another.recv(10) == b"hello"
        proxy.cut(reset=True)
        with pytest.raises(ConnectionResetError):
            another.recv(20)


def test_refusing_ends_what_is_there_and_what_comes(proxy: Proxy, client: socket.socket) -> None:
    proxy.refuse(on=True)
    with pytest.raises(ConnectionResetError):
        client.recv(20)
    # It may come as early as on connecting.
    with pytest.raises(ConnectionResetError), socket.create_connection(("127.0.0.1", proxy.port), timeout=2) as another:
        another.recv(20)
    proxy.refuse(on=False)
    with socket.create_connection(("127.0.0.1", proxy.port), timeout=2) as another:
        another.sendall(b"hello")
        assert another.recv(10) == b"hello"
