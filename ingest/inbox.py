"""Code concerned with messages between their receipt and their batch: a bounded queue that fills, never drops."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Final

import msgspec

from services.domain import Message

_QUIET_S: Final = 0.01
"""A pause in the stream this long ends a batch: a broker with a small window waits for acknowledgements."""
MOST_BATCH_BYTES: Final = 4 * 1024 * 1024
"""A batch ends soon after this size: what a payload says can take twenty times its room in memory."""


class Receipt(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What is needed to acknowledge messages, good for one connection only.

    Attributes:
        generation: number of the connection that delivered them.
        mids: packet identifier of each, in order; 0 of a message at QoS 0, which needs no acknowledgement.

    """

    generation: int
    mids: list[int]


class Inbox:
    """Takes messages from the network thread as they come off it, gives batches to the thread that decodes."""

    def __init__(self, *, most_messages: int, most_bytes: int) -> None:
        """Full at this many messages, or bytes of payload and topic."""
        self._most_messages = most_messages
        self._most_bytes = most_bytes
        self._pieces: deque[tuple[list[Message], Receipt, int]] = deque()
        self._held = 0
        self._bytes = 0
        self._last_put = 0.0
        self._arrived = threading.Event()
        self._lock = threading.Lock()
        self.received = 0

    def put(self, messages: list[Message], receipt: Receipt) -> None:
        """Append messages; the caller stops reading from the network while the inbox is full."""
        size = _bytes_of(messages)
        with self._lock:
            self._pieces.append((messages, receipt, size))
            self._held += len(messages)
            self._bytes += size
            self.received += len(messages)
            self._last_put = time.monotonic()
        self._arrived.set()

    def is_full(self) -> bool:
        """Whether no more should be read from the network."""
        return self._held >= self._most_messages or self._bytes >= self._most_bytes

    def take(self, *, most: int, age_s: float, patience_s: float) -> tuple[list[Message], list[Receipt]]:
        """The next batch, in order of receipt: as soon as it is full, the stream pauses, or its first has waited enough.

        Args:
            most: messages of a batch, which may end earlier at `MOST_BATCH_BYTES`.
            age_s: longest wait of the first message [s].
            patience_s: longest wait for a first message; the batch is empty then [s].

        """
        if not self._arrived.wait(patience_s):
            return [], []
        deadline = time.monotonic() + age_s
        while self._held < most and self._bytes < MOST_BATCH_BYTES and not self.is_full():
            now = time.monotonic()
            quiet_at = self._last_put + _QUIET_S
            if now >= min(deadline, quiet_at):
                break
            time.sleep(max(0.0005, min(deadline, quiet_at) - now))
        messages: list[Message] = []
        receipts: list[Receipt] = []
        with self._lock:
            taken = 0
            while self._pieces and len(messages) < most and taken < MOST_BATCH_BYTES:
                piece, receipt, size = self._pieces.popleft()
                room = most - len(messages)
                if len(piece) > room:
                    rest = Receipt(generation=receipt.generation, mids=receipt.mids[room:])
                    left = _bytes_of(piece[room:])
                    self._pieces.appendleft((piece[room:], rest, left))
                    piece, receipt = piece[:room], Receipt(generation=receipt.generation, mids=receipt.mids[:room])
                    size -= left
                messages += piece
                receipts.append(receipt)
                taken += size
            self._held -= len(messages)
            self._bytes -= taken
            if not self._pieces:
                self._arrived.clear()
        return messages, receipts


def _bytes_of(messages: list[Message]) -> int:
    return sum([len(message.payload) + len(message.topic) for message in messages])
