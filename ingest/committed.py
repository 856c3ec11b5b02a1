"""Code concerned with telling others what a transaction has committed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from ingest.quality import Flags
from ingest.rows import Integers, Rows


@dataclass(frozen=True, kw_only=True, slots=True)
class Committed:
    """What a transaction did to one table.

    Attributes:
        rows: all rows of the batch; those that are not new were there, were completed, or contradicted what was there.
        new: the rows that were added.
        flags: the quality of each new row.
        also: sensor and time [µs since 1970 UTC] of further rows that changed with them [k × 2].

    """

    rows: Rows
    new: Rows
    flags: Flags
    also: Integers


class Follower(Protocol):
    """Who is told after each commit, before the messages are acknowledged."""

    def keep(self, committed: Sequence[Committed], code: Callable[[int], str]) -> None:
        """Take note; `code` gives the code of a sensor by its number. Must neither wait nor raise."""
