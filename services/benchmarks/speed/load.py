"""Code concerned with the load: a session left at the broker, and a publisher quicker than any consumer."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Iterator
from typing import Final

import orjson

from ingest import packets
from services.errors import UnavailableError

SENSORS: Final = 1_000
TOPICS: Final = "city/v1/traffic/+/telemetry"
_STEP_MS: Final = 1_000
_PACKETS_PER_PIECE: Final = 500
_UNACKNOWLEDGED: Final = 8_000


def reading(number: int, start_ms: int) -> dict[str, object]:
    """Reading `number` of a run: each sensor in turn, then a second later again. About 90 bytes of JSON."""
    return {
        "ts": start_ms + number // SENSORS * _STEP_MS,
        "flow_vph": float(600 + number % 700),
        "speed_kmh": 40.0 + number % 97 / 4,
        "occupancy": 0.05 + number % 31 / 100,
        "seq": number,
    }


def singles(count: int, start_ms: int) -> Iterator[bytes]:
    """PUBLISH packets at QoS 1 (MQTT 3.1.1) of one reading each."""
    for number in range(count):
        yield _publish(number % SENSORS, number, orjson.dumps(reading(number, start_ms)))


def arrays(messages: int, each: int, start_ms: int) -> Iterator[bytes]:
    """PUBLISH packets of `each` readings of one sensor."""
    for number in range(messages):
        first = number // SENSORS * each
        items = [reading((first + place) * SENSORS + number % SENSORS, start_ms) for place in range(each)]
        yield _publish(number % SENSORS, number, orjson.dumps(items))


def leave_session(port: int, client_id: str, topics: str = TOPICS) -> None:
    """Subscribe as a client that then goes away: from now on the broker keeps messages for it.

    Raises:
        UnavailableError: the broker does not answer.

    """
    with _opened(port, client_id, is_5=True) as connection:
        connection.sendall(packets.subscribe([topics], is_5=True))
        _answer(connection, is_5=True)
        connection.sendall(packets.DISCONNECT)


def end_session(port: int, client_id: str) -> None:
    """Take up a session only to end it, with all the broker keeps for it."""
    with _opened(port, client_id, is_5=True, session_expiry_s=0, clean=True) as connection:
        connection.sendall(packets.DISCONNECT)


def publish(port: int, messages: Iterator[bytes]) -> float:
    """Publish everything and wait until the broker has acknowledged it.

    Returns:
        Messages per second.

    Raises:
        UnavailableError: the broker went away.

    """
    pieces = _pieces(messages)
    with _opened(port, "bench-publisher", is_5=False, clean=True) as connection:
        connection.setblocking(False)
        begun = time.monotonic()
        sent = acknowledged = 0
        piece = b""
        ready: tuple[int, bytes] | None = next(pieces, None)
        while ready is not None or piece or acknowledged < 4 * sent:
            if not piece and ready is not None and sent - acknowledged // 4 < _UNACKNOWLEDGED:
                count, piece = ready
                sent += count
                ready = next(pieces, None)
            readable, writable, _ = select.select([connection], [connection] if piece else [], [], 10)
            if writable:
                piece = piece[connection.send(piece) :]
            if readable:
                answers = connection.recv(65_536)
                if not answers:
                    message = "the broker closed the publisher's connection"
                    raise UnavailableError(message)
                acknowledged += len(answers)  # each PUBACK of 3.1.1 has four bytes
        return sent / (time.monotonic() - begun)


def _pieces(messages: Iterator[bytes]) -> Iterator[tuple[int, bytes]]:
    piece: list[bytes] = []
    for message in messages:
        piece.append(message)
        if len(piece) == _PACKETS_PER_PIECE:
            yield len(piece), b"".join(piece)
            piece = []
    if piece:
        yield len(piece), b"".join(piece)


def _publish(sensor: int, number: int, payload: bytes) -> bytes:
    topic = f"city/v1/traffic/bench-{sensor:04d}/telemetry"
    return packets.publish(topic, payload, mid=number % 65_535 + 1)


def _opened(
    port: int, client_id: str, *, is_5: bool, session_expiry_s: int = 86_400, clean: bool = False
) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", port), 5)
    connection.sendall(
        packets.connect(
            client_id=client_id,
            is_5=is_5,
            keepalive_s=600,
            receive_maximum=65_535,
            session_expiry_s=session_expiry_s,
            clean=clean,
        )
    )
    _answer(connection, is_5=is_5)
    return connection


def _answer(connection: socket.socket, *, is_5: bool) -> None:
    """Wait for the broker's answer.

    Raises:
        UnavailableError: it closes instead.

    """
    stream = packets.Stream(is_5=is_5)
    while True:
        piece = connection.recv(4_096)
        if not piece:
            message = "the broker closed the connection"
            raise UnavailableError(message)
        if stream.feed(piece).answers:
            return
