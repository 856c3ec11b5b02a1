"""Code concerned with keeping exports few, so that they never take every connection from people who look at a page."""

from __future__ import annotations

from collections.abc import Iterator
from threading import BoundedSemaphore
from typing import Final, TypeVar

from services.api.problems import Problem

MOST_AT_ONCE: Final = 4
_Item = TypeVar("_Item")


class Exports:
    """Counts the exports that are running."""

    def __init__(self, most: int = MOST_AT_ONCE) -> None:
        self._most = most
        self._free = BoundedSemaphore(most)

    def one_of_few(self, items: Iterator[_Item]) -> Iterator[_Item]:
        """The same items, while a place is taken; the place is free again when they are used up or closed.

        Raises:
            Problem: 429, when the first item is asked for and no place is free.

        """
        if not self._free.acquire(blocking=False):
            raise Problem("too-many-requests", f"{self._most} exports are running already")
        try:
            yield from items
        finally:
            self._free.release()
