"""Code concerned with what people write themselves: subscribe, queue, insert in batches, try again on an error.

A peer of the nemesis, careful as such scripts go (QoS 1, a persistent session, a batch kept until it is written), but
the client library acknowledges a message when it arrives, not when it is stored.
"""

from __future__ import annotations

import json
import queue
import sys
import time
from typing import Any, Final
from urllib.parse import urlsplit

import psycopg
from paho.mqtt.client import Client, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion

_BATCH: Final = 1_000
_PAUSE_S: Final = 0.5


def main(broker: str, topics: str, database: str, insert: str) -> None:
    """Run for ever."""
    waiting: queue.Queue[tuple[Any, ...]] = queue.Queue()

    def on_message(_: Client, __: Any, message: MQTTMessage) -> None:
        try:
            said = json.loads(message.payload)
            waiting.put((said["seq"], said["ts"], said["flow_vph"], said["speed_kmh"], said["occupancy"]))
        except (ValueError, KeyError, TypeError, RecursionError):
            return

    def on_connect(connected: Client, *_: Any) -> None:
        connected.subscribe(topics, qos=1)

    client = Client(CallbackAPIVersion.VERSION2, client_id="plain-script", clean_session=False)
    client.on_connect = on_connect
    client.on_message = on_message
    address = urlsplit(broker)
    client.connect_async(str(address.hostname), int(address.port or 1883))
    client.loop_start()
    batch: list[tuple[Any, ...]] = []
    while True:
        try:
            with psycopg.connect(database, connect_timeout=5) as connection:
                while True:
                    batch = batch or [waiting.get()]
                    while len(batch) < _BATCH and not waiting.empty():
                        batch.append(waiting.get())
                    connection.cursor().executemany(insert.encode(), batch)
                    connection.commit()
                    batch = []
        except psycopg.Error:
            time.sleep(_PAUSE_S)


if __name__ == "__main__":
    main(*sys.argv[1:])
