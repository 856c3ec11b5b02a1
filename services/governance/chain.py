"""Code concerned with the hash chain of the audit log: what a row's hash is, and what is wrong with a chain. Pure.

The chain proves that nothing was changed after a checkpoint was taken away from the machine; not that what was written is true.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final, Literal

from services.domain import to_us
from services.storage.audit import Entry

BEFORE_THE_FIRST: Final = bytes(32)
"""What row 1 has as the hash of the row before it."""

_MOST_MOVES_TRIED: Final = 200

What = Literal["changed", "missing", "moved", "unbound", "rewritten", "truncated", "signature"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Finding:
    """Something wrong with rows `first` to `last` of the log."""

    what: What
    first: int
    last: int
    sentence: str


def hash_of(entry: Entry, *, seq: int | None = None) -> bytes:
    """The hash that the row's content gives, or would give under another number."""
    lines = (seq or entry.seq, to_us(entry.at), entry.role, entry.actor, entry.action, entry.body)
    return hashlib.sha256(entry.prev + "\n".join(map(str, lines)).encode()).digest()


def check(entries: Iterable[Entry]) -> Iterator[tuple[Entry, list[Finding]]]:
    """Each row, in the order of the numbers, with what is wrong about it or before it."""
    before, last = BEFORE_THE_FIRST, 0
    for entry in entries:
        found = []
        if entry.seq > last + 1:
            found.append(_missing(last + 1, entry.seq - 1))
        elif entry.prev != before:
            found.append(
                Finding(
                    what="unbound",
                    first=entry.seq,
                    last=entry.seq,
                    sentence=f"row {entry.seq} does not follow the row before it: one of the two was replaced",
                )
            )
        if hash_of(entry) != entry.hash:
            sentence = f"row {entry.seq} was changed: its content does not give its hash"
            found.append(Finding(what="changed", first=entry.seq, last=entry.seq, sentence=sentence))
        yield entry, found
        before, last = entry.hash, entry.seq


def moved(changed: list[Entry]) -> list[Finding]:
    """Of rows whose content does not give their hash, those that were written under another row's number."""
    if len(changed) > _MOST_MOVES_TRIED:
        return []
    numbers = {number for entry in changed for number in (entry.seq - 1, entry.seq, entry.seq + 1) if number > 0}
    found = []
    for entry in changed:
        origin = next((number for number in sorted(numbers) if hash_of(entry, seq=number) == entry.hash), None)
        if origin is not None:
            sentence = f"row {entry.seq} was moved: it was written as row {origin}"
            found.append(Finding(what="moved", first=entry.seq, last=entry.seq, sentence=sentence))
    return found


def _missing(first: int, last: int) -> Finding:
    which = f"row {first} is" if first == last else f"rows {first} to {last} are"
    return Finding(what="missing", first=first, last=last, sentence=f"{which} missing")
