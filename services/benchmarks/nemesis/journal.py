"""Code concerned with the devices' own record: lines before a message leaves, synced lines after its PUBACK.

A line is `sent|acked device seq message kind sha256` and stands for one reading: `message` is the number of the first
reading of the same message, the kind says what must become of it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Self


class Expectation(StrEnum):
    """What must become of a reading."""

    STORED = "stored"
    DEAD_LETTERED = "dead_lettered"


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """One reading by its identity and its fingerprint, in the message that began with reading `message`.

    The fingerprint is that of the reading alone, or for what must be dead-lettered that of the whole payload.
    """

    device: str
    seq: int
    message: int
    expectation: Expectation
    sha256: str

    def line(self, what: str) -> str:
        """The entry as a line of the journal."""
        return f"{what} {self.device} {self.seq} {self.message} {self.expectation} {self.sha256}\n"


class JournalWriter:
    """Appends to a journal."""

    def __init__(self, path: Path) -> None:
        """Open a journal for appending."""
        self._file = path.open("a", encoding="ascii")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def sent(self, entries: Iterable[Entry]) -> None:
        """Note that a message of these is about to leave."""
        self._file.writelines(entry.line("sent") for entry in entries)

    def acknowledged(self, entries: Iterable[Entry]) -> None:
        """Note that the broker has acknowledged these, and wait until the disk has it."""
        self._file.writelines(entry.line("acked") for entry in entries)
        self._file.flush()
        os.fsync(self._file.fileno())


@dataclass(kw_only=True, slots=True)
class Journal:
    """What a journal says.

    Attributes:
        sent: every reading that left, by device and sequence number.
        acknowledged: those the broker acknowledged.
        publishes: acknowledgements of messages, repeated ones included.

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
        what, device, seq, message, expectation, sha256 = line.split()
        entry = Entry(
            device=device,
            seq=int(seq),
            message=int(message),
            expectation=Expectation(expectation),
            sha256=sha256,
        )
        if what == "sent":
            journal.sent[device, entry.seq] = entry
        else:
            journal.acknowledged[device, entry.seq] = entry
            journal.publishes += entry.seq == entry.message
    return journal
