"""Code concerned with the devices: a process of its own that publishes at QoS 1 and keeps the journal.

Each device is one MQTT client that sends again what was not acknowledged, so duplicates are possible, as they are in
life. Orders come as lines on standard input: `repeat`, `clock`, `stop`.
"""

from __future__ import annotations

import os
import random
import select
import sys
import time
from collections import deque
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from paho.mqtt.client import Client
from paho.mqtt.enums import CallbackAPIVersion

from services.benchmarks.nemesis import payloads
from services.benchmarks.nemesis.journal import Entry, Expectation, JournalWriter

_WINDOW: Final = 200
_TICK_S: Final = 0.02
_POISON_SHARE: Final = 0.01
_WRONG_CLOCK_MESSAGES: Final = 20
_REPEATED: Final = 40
_COPIES: Final = 5
_FUTURE_S: Final = 300


class Device:
    """One sensor with its own connection, sequence and clock."""

    def __init__(self, name: str, port: int) -> None:
        """Connect in the background, and again whenever the connection is lost."""
        self.name = name
        self.clock_s = 0
        self.wrong_for = 0
        self._seq = 0
        self._waiting: dict[int, tuple[Entry, bytes]] = {}
        self._acknowledged: deque[int] = deque()
        self.recent: deque[tuple[Entry, bytes]] = deque(maxlen=_REPEATED)
        self._client = Client(CallbackAPIVersion.VERSION2, client_id=name, clean_session=False)
        self._client.on_publish = self._on_publish
        self._client.max_inflight_messages_set(_WINDOW)
        self._client.reconnect_delay_set(1, 2)
        self._client.connect_async("127.0.0.1", port, keepalive=10)
        self._client.loop_start()

    def _on_publish(self, _: Client, __: Any, mid: int, ___: Any, ____: Any) -> None:
        self._acknowledged.append(mid)

    def is_waiting(self) -> bool:
        """Whether something is not acknowledged yet."""
        return bool(self._waiting)

    def may_send(self) -> bool:
        """Whether the window has room."""
        return len(self._waiting) < _WINDOW

    def next_message(self, draw: random.Random) -> tuple[Entry, bytes]:
        """What the device says next."""
        self._seq += 1
        if draw.random() < _POISON_SHARE:
            payload, expectation = payloads.poison(self.name, self._seq), Expectation.DEAD_LETTERED
        else:
            now_ms = time.time_ns() // 1_000_000
            # The last three digits keep two readings of one millisecond apart.
            moment = datetime.fromtimestamp(now_ms // 1_000, UTC) + timedelta(
                seconds=self.clock_s, milliseconds=now_ms % 1_000, microseconds=self._seq % 1_000
            )
            payload = payloads.reading(self._seq, moment, payloads.values(self.name, self._seq))
            expectation = Expectation.DEAD_LETTERED if self.clock_s > _FUTURE_S else Expectation.STORED
            if self.wrong_for:
                self.wrong_for -= 1
                self.clock_s = self.clock_s if self.wrong_for else 0
        entry = Entry(device=self.name, seq=self._seq, expectation=expectation, sha256=payloads.fingerprint(payload))
        return entry, payload

    def send(self, message: tuple[Entry, bytes]) -> None:
        """Publish; the client keeps it until the broker acknowledges."""
        self._waiting[self._client.publish(payloads.topic(self.name), message[1], qos=1).mid] = message

    def collect(self) -> list[Entry]:
        """What the broker has acknowledged since the last time."""
        found = []
        while self._acknowledged:
            message = self._waiting.pop(self._acknowledged.popleft())
            self.recent.append(message)
            found.append(message[0])
        return found

    def close(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()


def publish(port: int, path: Path, *, prefix: str, devices: int, per_s: float, seed: int, patience_s: float) -> bool:
    """Publish until told to stop, then until all is acknowledged; False when that did not happen in time."""
    draw = random.Random(seed)  # noqa: S311 - a schedule that can be repeated, not a secret
    fleet = [Device(f"{prefix}-{number}", port) for number in range(devices)]
    began, made = time.monotonic(), 0
    again: list[tuple[Device, tuple[Entry, bytes]]] = []
    stopping_at: float | None = None
    with JournalWriter(path) as journal:
        while stopping_at is None or any(device.is_waiting() for device in fleet) or again:
            journal.acknowledged([entry for device in fleet for entry in device.collect()])
            if stopping_at is None:
                due = int((time.monotonic() - began) * per_s) - made
                for _ in range(min(due, devices * 50)):
                    device = fleet[made % devices]
                    made += 1
                    if device.may_send():
                        message = device.next_message(draw)
                        journal.sent(message[0])
                        device.send(message)
            elif time.monotonic() > stopping_at + patience_s:
                return False
            while again and again[-1][0].may_send():
                device, message = again.pop()
                device.send(message)
            for order in _orders():
                if order == "repeat":
                    again += [
                        (device, message) for device in fleet for message in device.recent for _ in range(_COPIES)
                    ]
                    draw.shuffle(again)
                elif order == "clock":
                    device = draw.choice(fleet)
                    device.clock_s, device.wrong_for = draw.choice(payloads.CLOCK_STEPS_S), _WRONG_CLOCK_MESSAGES
                elif stopping_at is None:
                    stopping_at = time.monotonic()
            time.sleep(_TICK_S)
        journal.acknowledged([])
    for device in fleet:
        device.close()
    return True


def _orders() -> list[str]:
    """Orders that have come; the end of the input is the order to stop."""
    if not select.select([sys.stdin.fileno()], [], [], 0)[0]:
        return []
    text = os.read(sys.stdin.fileno(), 4_096).decode("ascii")
    return text.split() or ["stop"]


if __name__ == "__main__":
    _port, _path, _prefix, _devices, _per_s, _seed, _patience = sys.argv[1:]
    _done = publish(
        int(_port),
        Path(_path),
        prefix=_prefix,
        devices=int(_devices),
        per_s=float(_per_s),
        seed=int(_seed),
        patience_s=float(_patience),
    )
    sys.exit(0 if _done else 1)
