"""Code concerned with the bytes of a spool's segment file: frames of records that are found again among damaged ones. Pure.

A frame is a head and the records one after the other. The head: `ASP1`, number of records, bytes of the records, ordinal
of the first record (little-endian u32, u32, u64), then of each record its length and CRC32 (u32 each), then the CRC32 of
all that (u32). So a flipped bit in a record costs that record, one in a head that frame, and nothing behind it.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

MAGIC: Final = b"ASP1"
MOST_RECORDS: Final = 500
MOST_BODY_BYTES: Final = 1024 * 1024
_START: Final = struct.Struct("<4sIIQ")
_ENTRY: Final = struct.Struct("<II")
_CRC: Final = struct.Struct("<I")
_PIECE_BYTES: Final = 1024 * 1024
HEAD_BYTES: Final = _START.size + _CRC.size
"""Bytes of a head beside eight for each record."""


class Lost(Enum):
    """Why a record is not there: overwritten with zeros on purpose, or not what was written."""

    ERASED = auto()
    DAMAGED = auto()


Source = Callable[[int, int], bytes]
"""Reads from an offset up to so many bytes; fewer only at the end of the file."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Head:
    """What the head of a frame says.

    Attributes:
        offset: of the frame in its file [bytes].
        first: ordinal of its first record.
        entries: length [bytes] and CRC32 of each record.
        body: where the records begin [bytes].
        end: where the frame ends [bytes].

    """

    offset: int
    first: int
    entries: tuple[tuple[int, int], ...]
    body: int
    end: int

    @property
    def after(self) -> int:
        """The ordinal after the last record."""
        return self.first + len(self.entries)

    def records(self, body: bytes) -> list[bytes | Lost]:
        """The records of a body, or why they are not there."""
        found: list[bytes | Lost] = []
        start = 0
        for length, crc in self.entries:
            record = body[start : start + length]
            start += length
            if len(record) == length and zlib.crc32(record) == crc:
                found.append(record)
            else:
                found.append(Lost.DAMAGED if len(record) < length or any(record) else Lost.ERASED)
        return found

    def places(self) -> list[tuple[int, int]]:
        """Where each record begins in the file, and its length [bytes]."""
        found = []
        start = self.body
        for length, _ in self.entries:
            found.append((start, length))
            start += length
        return found


def frames(records: Sequence[bytes], first: int) -> Iterator[bytes]:
    """Records as frames.

    Args:
        records: any bytes.
        first: ordinal of the first of them.

    """
    start = 0
    while start < len(records):
        size, stop = len(records[start]), start + 1
        while stop < min(len(records), start + MOST_RECORDS) and size + len(records[stop]) <= MOST_BODY_BYTES:
            size += len(records[stop])
            stop += 1
        part = records[start:stop]
        head = [_START.pack(MAGIC, len(part), size, first + start)]
        head += [_ENTRY.pack(len(record), zlib.crc32(record)) for record in part]
        text = b"".join(head)
        yield b"".join((text, _CRC.pack(zlib.crc32(text)), *part))
        start = stop


def read_head(source: Source, offset: int) -> Head | None:
    """The head of the frame at an offset; None where there is none, or not a whole one."""
    start = source(offset, _START.size)
    if len(start) < _START.size:
        return None
    magic, count, size, first = _START.unpack(start)
    if magic != MAGIC or not 0 < count <= MOST_RECORDS:
        return None
    rest = source(offset + _START.size, count * _ENTRY.size + _CRC.size)
    table, crc = rest[: -_CRC.size], rest[-_CRC.size :]
    if len(rest) < count * _ENTRY.size + _CRC.size or zlib.crc32(table, zlib.crc32(start)) != _CRC.unpack(crc)[0]:
        return None
    body = offset + len(start) + len(rest)
    return Head(offset=offset, first=first, entries=tuple(_ENTRY.iter_unpack(table)), body=body, end=body + size)


def is_unfinished(source: Source, offset: int, size: int) -> bool:
    """Whether what is between an offset and the end of the file, at `size`, is the beginning of a frame that goes on."""
    start = source(offset, _START.size)
    if len(start) < _START.size:
        return MAGIC.startswith(start[: len(MAGIC)])
    magic, count, body, _ = _START.unpack(start)
    is_head: bool = magic == MAGIC and 0 < count <= MOST_RECORDS
    return is_head and bool(offset + HEAD_BYTES + count * _ENTRY.size + body > size)


def next_head(source: Source, offset: int, is_plausible: Callable[[Head], bool]) -> Head | None:
    """The first frame at an offset or behind it that is plausible, searched byte by byte; None when there is none."""
    while True:
        piece = source(offset, _PIECE_BYTES)
        place = piece.find(MAGIC)
        while place >= 0:
            head = read_head(source, offset + place)
            if head is not None and is_plausible(head):
                return head
            place = piece.find(MAGIC, place + 1)
        if len(piece) < _PIECE_BYTES:
            return None
        offset += len(piece) - len(MAGIC) + 1
