"""Code concerned with what a dialect must remember from one message to the next, in a bounded space.

Decoding stays a function: the same message with the same memory says the same. The caller owns the memory, one per
session, as the messages of one device must meet in one place; it starts empty, and what is forgotten is learnt again
from the next birth, full status or telegram.
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from typing import Any


class Memory:
    """Values by dialect and key; the least recently used are forgotten first.

    Attributes:
        gaps: messages that sequence numbers show were sent and never seen.
        forgotten: values given up for want of space.
        heard: messages by dialect; those that may be personal count as `personal`, those of no dialect as `none`.
        recognised: messages by dialect whose payload alone told it.

    """

    def __init__(self, most: int = 1_000_000) -> None:
        self.gaps = 0
        self.forgotten = 0
        self.heard: Counter[str] = Counter()
        self.recognised: Counter[str] = Counter()
        self._most = most
        self._weight = 0
        self._kept: OrderedDict[tuple[str, str], tuple[Any, int]] = OrderedDict()

    def recall(self, dialect: str, key: str) -> Any | None:
        """What was kept under this key, or None."""
        found = self._kept.get((dialect, key))
        if found is None:
            return None
        self._kept.move_to_end((dialect, key))
        return found[0]

    def keep(self, dialect: str, key: str, value: Any, weight: int = 1) -> None:
        """Keep a value in place of the one before.

        Args:
            dialect: the name of the dialect.
            key: the device.
            value: anything; the dialect bounds its size.
            weight: how many things of about 100 bytes the value consists of.

        """
        _, before = self._kept.pop((dialect, key), (None, 0))
        self._kept[(dialect, key)] = (value, weight)
        self._weight += weight - before
        while self._weight > self._most and len(self._kept) > 1:
            _, (_, freed) = self._kept.popitem(last=False)
            self._weight -= freed
            self.forgotten += 1
