"""Code concerned with the bare subscriber: takes messages and acknowledges them, looks at nothing, stores nothing.

It acknowledges either each message by itself, as client libraries do, or all of one read together, which is the most
the broker can deliver at QoS 1 to one client. Runs by itself, as other consumers do:
`python -m services.benchmarks.speed.subscriber PORT CLIENT_ID COUNT WINDOW each|together`.
"""

from __future__ import annotations

import socket
import sys
import time

from ingest import packets


def drain(port: int, client_id: str, count: int, window: int, *, each: bool) -> float:
    """Take up a session, acknowledge `count` messages, leave; the time from connecting to the last [s].

    Raises:
        ConnectionResetError: the broker closed the connection.

    """
    begun = time.monotonic()
    with socket.create_connection(("127.0.0.1", port), 5) as connection:
        connection.settimeout(60)
        connection.sendall(
            packets.connect(
                client_id=client_id, is_5=True, keepalive_s=600, receive_maximum=window, session_expiry_s=86_400
            )
        )
        stream = packets.Stream(is_5=True)
        taken = 0
        while taken < count:
            piece = connection.recv(256 * 1024)
            if not piece:
                message = "the broker closed the connection"
                raise ConnectionResetError(message)
            mids = stream.feed(piece).mids
            taken += len(mids)
            if each:
                for mid in mids:
                    connection.sendall(packets.acknowledgements([mid]))
            elif mids:
                connection.sendall(packets.acknowledgements(mids))
        lasted = time.monotonic() - begun
        connection.sendall(packets.DISCONNECT)
        while connection.recv(65_536):
            pass
    return lasted


if __name__ == "__main__":
    seconds = drain(int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), each=sys.argv[5] == "each")
    sys.stdout.write(f"{seconds}\n")
