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
from dataclasses import dataclass
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
_BATCH_SHARE: Final = 0.1
_MOST_BATCHED: Final = 12


@dataclass(frozen=True, kw_only=True, slots=True)
class Said:
    """A message: where it goes, its bytes, and an entry for each of its readings."""

    topic: str
    payload: bytes
    entries: tuple[Entry, ...]


class Device:
    """One sensor with its own connection, sequence and clock."""

    def __init__(self, name: str, port: int, *, batches: bool) -> None:
        """Connect in the background, and again whenever the connection is lost; some messages may be batches."""
        self.name = name
        self._batches = batches
        self.clock_s = 0
        self.wrong_for = 0
        self._seq = 0
        self._waiting: dict[int, Said] = {}
        self._acknowledged: deque[int] = deque()
        self.recent: deque[Said] = deque(maxlen=_REPEATED)
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

    def next_message(self, draw: random.Random) -> Said:
        """What the device says next: a reading, poison, or a batch of readings of which one may be poison."""
        chance = draw.random()
        if chance < _POISON_SHARE:
            self._seq += 1
            payload = payloads.poison(self.name, self._seq)
            return self._said(payload, [(self._seq, payload, Expectation.DEAD_LETTERED)])
        if self._batches and chance < _POISON_SHARE + _BATCH_SHARE:
            return self._pack(draw) if draw.random() < 0.5 else self._array(draw)
        observed_at, expectation = self._moment()
        payload = payloads.reading(self._seq, observed_at, payloads.values(self.name, self._seq))
        return self._said(payload, [(self._seq, payload, expectation)])

    def _array(self, draw: random.Random) -> Said:
        """Readings of the native dialect, which are refused one by one."""
        readings = []
        for _ in range(draw.randint(2, _MOST_BATCHED)):
            observed_at, expectation = self._moment()
            reading = payloads.reading(self._seq, observed_at, payloads.values(self.name, self._seq))
            readings.append((self._seq, reading, expectation))
        if draw.random() < _POISON_SHARE * _MOST_BATCHED:
            seq, _, _ = readings[-1]
            readings[-1] = (seq, f'{{"ts":"soon","seq":{seq},"flow_vph":1}}'.encode(), Expectation.DEAD_LETTERED)
        return self._said(payloads.array([reading for _, reading, _ in readings]), readings)

    def _pack(self, draw: random.Random) -> Said:
        """A SenML pack, whose readings are known by their content."""
        readings, records = [], []
        for _ in range(draw.randint(2, _MOST_BATCHED)):
            observed_at, expectation = self._moment()
            content = payloads.values(self.name, self._seq)
            records.append((observed_at, content))
            readings.append((self._seq, payloads.reading(payloads.UNNUMBERED, observed_at, content), expectation))
        return self._said(payloads.pack(records), readings, purpose="senml")

    def _moment(self) -> tuple[datetime, Expectation]:
        """The number, the stamp and the fate of the next reading."""
        self._seq += 1
        now_ms = time.time_ns() // 1_000_000
        # The last three digits keep two readings of one millisecond apart.
        moment = datetime.fromtimestamp(now_ms // 1_000, UTC) + timedelta(
            seconds=self.clock_s, milliseconds=now_ms % 1_000, microseconds=self._seq % 1_000
        )
        expectation = Expectation.DEAD_LETTERED if self.clock_s > _FUTURE_S else Expectation.STORED
        if self.wrong_for:
            self.wrong_for -= 1
            self.clock_s = self.clock_s if self.wrong_for else 0
        return moment, expectation

    def _said(self, payload: bytes, readings: list[tuple[int, bytes, Expectation]], purpose: str = "telemetry") -> Said:
        entries = tuple(
            Entry(
                device=self.name,
                seq=seq,
                message=readings[0][0],
                expectation=expectation,
                sha256=payloads.fingerprint(reading if expectation is Expectation.STORED else payload),
            )
            for seq, reading, expectation in readings
        )
        return Said(topic=payloads.topic(self.name, purpose), payload=payload, entries=entries)

    def send(self, message: Said) -> None:
        """Publish; the client keeps it until the broker acknowledges."""
        self._waiting[self._client.publish(message.topic, message.payload, qos=1).mid] = message

    def collect(self) -> list[Entry]:
        """What the broker has acknowledged since the last time."""
        found: list[Entry] = []
        while self._acknowledged:
            message = self._waiting.pop(self._acknowledged.popleft())
            self.recent.append(message)
            found.extend(message.entries)
        return found

    def close(self) -> None:
        """Disconnect."""
        self._client.disconnect()
        self._client.loop_stop()


def publish(
    port: int, path: Path, *, prefix: str, devices: int, per_s: float, seed: int, patience_s: float, batches: bool
) -> bool:
    """Publish until told to stop, then until all is acknowledged; False when that did not happen in time."""
    draw = random.Random(seed)  # noqa: S311 - a schedule that can be repeated, not a secret
    fleet = [Device(f"{prefix}-{number}", port, batches=batches) for number in range(devices)]
    began, made = time.monotonic(), 0
    again: list[tuple[Device, Said]] = []
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
                        journal.sent(message.entries)
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
    _port, _path, _prefix, _devices, _per_s, _seed, _patience, _batches = sys.argv[1:]
    _done = publish(
        int(_port),
        Path(_path),
        prefix=_prefix,
        devices=int(_devices),
        per_s=float(_per_s),
        seed=int(_seed),
        patience_s=float(_patience),
        batches=_batches == "batches",
    )
    sys.exit(0 if _done else 1)
