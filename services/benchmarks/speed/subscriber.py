"""Code concerned with the bare subscriber: takes messages and acknowledges them, looks at nothing, stores nothing.

The ways differ in who reads the stream: the ingest's own packets, acknowledging each message by itself (`own`) or all of
one read together (`own-together`, the most a broker can deliver to one client at QoS 1); the codec package `mqtt5` under
the same loop; paho-mqtt as it comes; and paho-mqtt over a socket that is read in big pieces (`paho-buffered`). Each runs
in a process of its own, as other consumers do: `python -m services.benchmarks.speed.subscriber WAY PORT CLIENT_ID COUNT WINDOW`.
"""

from __future__ import annotations

import socket
import sys
import time
from collections.abc import Callable
from typing import Any, Final

from ingest import packets

TOPICS_KEPT_S: Final = 86_400
_PIECE_BYTES: Final = 256 * 1024


def drain_own(port: int, client_id: str, count: int, window: int, *, each: bool) -> float:
    """Take up a session, acknowledge `count` messages, leave; the time from connecting to the last [s].

    Raises:
        ConnectionResetError: the broker closed the connection.

    """
    stream = packets.Stream(is_5=True)

    def read(connection: socket.socket, piece: bytes) -> int:
        mids = stream.feed(piece).mids
        if each:
            for mid in mids:
                connection.sendall(packets.acknowledgements([mid]))
        elif mids:
            connection.sendall(packets.acknowledgements(mids))
        return len(mids)

    return _drain(port, client_id, count, window, read)


def drain_mqtt5(port: int, client_id: str, count: int, window: int) -> float:
    """The same with the packets read and written by the package `mqtt5`."""
    import mqtt5

    rest = b""

    def read(connection: socket.socket, piece: bytes) -> int:
        nonlocal rest
        view = memoryview(rest + piece)
        at, mids = 0, []
        while at < len(view):
            try:
                packet, size = mqtt5.read(view[at:])
            except IndexError:  # the packet is not all there yet
                break
            at += size
            if isinstance(packet, mqtt5.PublishPacket) and packet.packet_id is not None:
                mids.append(packet.packet_id)
        rest = bytes(view[at:])
        if mids:
            connection.sendall(b"".join([mqtt5.PubAckPacket(mid).write() for mid in mids]))
        return len(mids)

    return _drain(port, client_id, count, window, read)


def _drain(port: int, client_id: str, count: int, window: int, read: Callable[[socket.socket, bytes], int]) -> float:
    begun = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.settimeout(60)
        connection.sendall(
            packets.connect(
                client_id=client_id, is_5=True, keepalive_s=600, receive_maximum=window, session_expiry_s=TOPICS_KEPT_S
            )
        )
        taken = 0
        while taken < count:
            piece = connection.recv(_PIECE_BYTES)
            if not piece:
                message = "the broker closed the connection"
                raise ConnectionResetError(message)
            taken += read(connection, piece)
        lasted = time.monotonic() - begun
        connection.sendall(packets.DISCONNECT)
        while connection.recv(65_536):
            pass
    return lasted


def drain_paho(port: int, client_id: str, count: int, window: int, *, buffered: bool) -> float:
    """The same with paho-mqtt, which acknowledges each message after its callback."""
    from paho.mqtt.client import Client, MQTTMessage
    from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
    from paho.mqtt.packettypes import PacketTypes
    from paho.mqtt.properties import Properties

    taken = 0

    def count_one(_client: Client, _userdata: None, _message: MQTTMessage) -> None:
        nonlocal taken
        taken += 1

    class Buffered(Client):
        def _create_socket(self) -> Any:  # what paho asks of a socket is more than a type says
            return _BufferedSocket(super()._create_socket())

    kind = Buffered if buffered else Client
    client = kind(CallbackAPIVersion.VERSION2, client_id=client_id, protocol=MQTTProtocolVersion.MQTTv5)
    client.on_message = count_one
    properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho's properties have no types
    properties.SessionExpiryInterval = TOPICS_KEPT_S
    properties.ReceiveMaximum = window
    begun = time.monotonic()
    client.connect("127.0.0.1", port, keepalive=600, clean_start=False, properties=properties)
    while taken < count:
        client.loop(timeout=1.0)
    lasted = time.monotonic() - begun
    client.disconnect()
    return lasted


class _BufferedSocket:
    """A socket whose small reads are served from big ones."""

    def __init__(self, connection: Any) -> None:
        self._socket = connection
        self._held = memoryview(b"")

    def __getattr__(self, name: str) -> Any:
        return getattr(self._socket, name)

    def recv(self, size: int) -> bytes:
        """Up to `size` bytes."""
        if not self._held:
            self._held = memoryview(self._socket.recv(_PIECE_BYTES))
        found = self._held[:size]
        self._held = self._held[size:]
        return bytes(found)

    def pending(self) -> int:
        """How many bytes are held: paho asks before it waits."""
        return len(self._held)


WAYS: Final[dict[str, Callable[[int, str, int, int], float]]] = {
    "own": lambda *where: drain_own(*where, each=True),
    "own-together": lambda *where: drain_own(*where, each=False),
    "mqtt5": drain_mqtt5,
    "paho-buffered": lambda *where: drain_paho(*where, buffered=True),
    "paho": lambda *where: drain_paho(*where, buffered=False),
}


if __name__ == "__main__":
    seconds = WAYS[sys.argv[1]](int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5]))
    sys.stdout.write(f"{seconds}\n")
