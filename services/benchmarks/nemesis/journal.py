"""Code concerned with the devices' own record: a line before a message leaves, a synced line after its PUBACK.

Lines are `sent|acked device seq kind sha256`; the kind says what must become of the message.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Self


class Expectation(StrEnum):
    """What must become of a message."""

    STORED = "stored"
    DEAD_LETTERED = "dead_lettered"


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One message by its identity and the fingerprint of its payload."""

    device: str
    seq: int
    expectation: Expectation
    sha256: str

    def line(self, what: str) -> str:
        """The entry as a line of the journal."""
        return f"{what} {self.device} {self.seq} {self.expectation} {self.sha256}\n"


class JournalWriter:
    """Appends to a journal."""

    def __init__(self, path: Path) -> None:
        """Open a journal for appending."""
        self._file = path.open("a", encoding="ascii")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def sent(self, entry: Entry) -> None:
        """Note that a message is about to leave."""
        self._file.write(entry.line("sent"))

    def acknowledged(self, entries: Iterable[Entry]) -> None:
        """Note that the broker has acknowledged these, and wait until the disk has it."""
        self._file.writelines(entry.line("acked") for entry in entries)
        self._file.flush()
        os.fsync(self._file.fileno())


@dataclass(kw_only=True, slots=True)
class Journal:
    """What a journal says.

    Attributes:
        sent: every message that left, by device and sequence number.
        acknowledged: those the broker acknowledged.
        publishes: acknowledgements, repeated messages included.

    """

    sent: dict[tuple[str, int], Entry] = field(default_factory=dict)
    acknowledged: dict[tuple[str, int], Entry] = field(default_factory=dict)
    publishes: int = 0


def read(path: Path) -> Journal:
    """Read a journal; a last line that was cut off is left out."""
    journal = Journal()
    for line in path.read_text(encoding="ascii").splitlines(keepends=True):
        if not line.endswith("\n"):
            break
        what, device, seq, expectation, sha256 = line.split()
        entry = Entry(device=device, seq=int(seq), expectation=Expectation(expectation), sha256=sha256)
        if what == "sent":
            journal.sent[device, entry.seq] = entry
        else:
            journal.acknowledged[device, entry.seq] = entry
            journal.publishes += 1
    return journal
