"""Code concerned with a spool: records on disk in order, appended at its tail, consumed from its head, bounded in bytes.

What `append` returned from is on the disk, and is read again until `advance` has passed it, by this process or the next:
at least once. A folder holds segment files named after the ordinal of their first record, a cursor, and a lock, so that
no two processes share it; it and its files are open to their owner only. Any thread may call.
"""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from errno import ENOSPC
from pathlib import Path
from typing import Self

import structlog

from ingest.spool_files import CREATE, MODE, Cursor, Segments, sync_folder, write
from ingest.spool_frames import Head, Lost, frames, is_unfinished, next_head
from services.errors import ConfigurationError

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True, slots=True)
class Position:
    """A place between two frames: the ordinal of the next record, its segment, and the offset there [bytes]."""

    ordinal: int
    segment: int
    offset: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Chunk:
    """Records that were read.

    Attributes:
        records: those that are whole, in order.
        erased: how many between them were erased by `erase`.
        damaged: how many between them cannot be read any more; their bytes are kept in a `.damaged` file.
        end: the position after all of them, for `advance` and for the next `read`.

    """

    records: list[bytes]
    erased: int
    damaged: int
    end: Position


class Spool:
    """The log of one folder; used in a `with`."""

    def __init__(self, folder: Path, *, most_bytes: int, segment_bytes: int = 32 * 1024 * 1024) -> None:
        """Nothing is opened before `with`.

        Args:
            folder: made when it is not there.
            most_bytes: of all segment files together [bytes].
            segment_bytes: a file that has reached this size is followed by a new one [bytes].

        """
        self._folder = folder
        self._most_bytes = most_bytes
        self._segment_bytes = min(segment_bytes, max(1, most_bytes // 8))
        self._lock = threading.Lock()
        self._lock_file = self._tail_file = -1
        self._segments = Segments(folder)
        self._cursor: Cursor | None = None
        self._sizes: dict[int, int] = {}
        """Bytes that are whole and on the disk, by segment, oldest first."""
        self._is_torn = False
        self._head = Position(ordinal=0, segment=0, offset=0)
        self._next = 0

    def __enter__(self) -> Self:
        """Lock the folder and find what an earlier process has left.

        Raises:
            ConfigurationError: another process uses the folder, or it cannot be written.

        """
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._folder.chmod(0o700)
            self._lock_file = os.open(self._folder / "lock", CREATE, MODE)
            fcntl.flock(self._lock_file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._cursor = Cursor(self._folder)
            self._recover(self._cursor)
            sync_folder(self._folder)
        except BlockingIOError as error:
            self._close()
            message = f"another process uses the spool {self._folder}: stop it, or give this one another name"
            raise ConfigurationError(message) from error
        except OSError as error:
            self._close()
            message = f"the spool {self._folder} cannot be used ({error.strerror}): see to its disk and its rights"
            raise ConfigurationError(message) from error
        return self

    def __exit__(self, *_: object) -> None:
        """Give the folder free."""
        self._close()

    def __len__(self) -> int:
        """Records that were appended and not yet consumed."""
        head = self._head.ordinal  # before the other, which never falls behind it
        return self._next - head

    @property
    def size_bytes(self) -> int:
        """Size of all segment files together [bytes]."""
        return sum(self._sizes.copy().values())

    @property
    def head(self) -> Position:
        """Up to where it is consumed."""
        return self._head

    @property
    def tail(self) -> int:
        """The ordinal the next record will have."""
        return self._next

    def append(self, records: Sequence[bytes]) -> Position:
        """Put records on the disk behind all others, all or none, with one fsync.

        Returns:
            The position after them.

        Raises:
            OSError: there is no room (ENOSPC, also at the spool's own bound), or the disk fails; none was appended.

        """
        with self._lock:
            blocks = list(frames(records, self._next))
            size = sum(map(len, blocks))
            if self.size_bytes + size > self._most_bytes:
                raise OSError(ENOSPC, "the spool has reached its bound")
            segment = self._tail()
            try:
                write(self._tail_file, blocks, self._sizes[segment])
                os.fdatasync(self._tail_file)
            except OSError:
                self._is_torn = True
                raise
            self._sizes[segment] += size
            self._next += len(records)
            return Position(ordinal=self._next, segment=segment, offset=self._sizes[segment])

    def read(self, *, most: int, most_bytes: int = 16 * 1024 * 1024, start: Position | None = None) -> Chunk:
        """The next records, without consuming them.

        Args:
            most: whole frames (of up to 500 records) are read as long as they make no more than this; at least one.
            most_bytes: the same for their bytes.
            start: the `end` of an earlier chunk; by default where `advance` has got to.

        Returns:
            A chunk; at the end of the spool it is empty and ends where it began.

        """
        records: list[bytes] = []
        size = erased = damaged = 0
        with self._lock:
            at = begin = self._head if start is None else start
            while (found := self._frame(at)) is not None:
                segment, head, _ = found
                taken = head.end - head.body
                if at != begin and (len(records) + len(head.entries) > most or size + taken > most_bytes):
                    break
                damaged += head.first - at.ordinal
                for place, record in zip(head.places(), self._records(segment, head), strict=True):
                    if isinstance(record, bytes):
                        records.append(record)
                    elif record is Lost.ERASED:
                        erased += 1
                    else:
                        damaged += 1
                        self._segments.set_aside(segment, *place)
                size += taken
                at = Position(ordinal=head.after, segment=segment, offset=head.end)
            if at == begin and at.ordinal < self._next:  # nothing that follows can be read
                damaged = self._next - at.ordinal
                at = self._end()
        if damaged:
            log.error("records of the spool are damaged", folder=str(self._folder), records=damaged)
        return Chunk(records=records, erased=erased, damaged=damaged, end=at)

    def advance(self, end: Position) -> None:
        """Consume all records before a position; files that are consumed whole are removed.

        Raises:
            OSError: the disk fails; this process goes on behind the position, the next one may read them again.

        """
        with self._lock:
            if end.ordinal >= self._next:
                end = Position(ordinal=self._next, segment=self._next, offset=0)
            self._head = end
            if self._cursor is not None:
                self._cursor.write(end.ordinal, end.segment, end.offset)
            consumed = [segment for segment in self._sizes if segment < end.segment]
            if self._tail_file >= 0 and next(reversed(self._sizes)) in consumed:
                os.close(self._tail_file)
                self._tail_file = -1
                self._is_torn = False
            for segment in consumed:
                del self._sizes[segment]
                self._segments.remove(segment)

    def erase(self, choose: Callable[[list[bytes | Lost]], Iterable[int] | None], start: Position | None) -> Position:
        """Overwrite chosen records with zeros, from a position on, and what cannot be read between them.

        Args:
            choose: is given the records of one frame after the other and returns the places of those to erase, or None
                to end there.
            start: where an earlier pass ended; None for the head.

        Returns:
            Where it ended, to be passed in next time.

        Raises:
            OSError: the disk fails; the frames from an earlier `start` on must be looked at again.

        """
        while True:
            with self._lock:
                at = self._head if start is None or start.ordinal < self._head.ordinal else start
                found = self._frame(at)
                if found is None:
                    return at
                segment, head, unreadable = found
                chosen = choose(self._records(segment, head))
                if chosen is None:
                    return at
                for older, offset, size in unreadable:
                    self._segments.overwrite(older, [(offset, size)])
                self._segments.overwrite(segment, [head.places()[place] for place in chosen])
                start = Position(ordinal=head.after, segment=segment, offset=head.end)

    def forget_damaged(self, *, older_than_s: float) -> None:
        """Remove the files with damaged bytes that are older than this [s]."""
        self._segments.forget_damaged(older_than_s=older_than_s)

    def _frame(self, at: Position) -> tuple[int, Head, list[tuple[int, int, int]]] | None:
        """The first readable frame at a position or behind it.

        Returns:
            Its segment, its head, and segment, offset and size [bytes] of what is passed over, which is set aside; None
            when there is no such frame.

        """
        unreadable = []
        for segment in [segment for segment in self._sizes if segment >= at.segment]:
            offset = at.offset if segment == at.segment else 0
            head = self._head_at(segment, offset, at.ordinal)
            end = self._sizes[segment] if head is None else head.offset
            if offset < end:
                self._segments.set_aside(segment, offset, end - offset)
                unreadable.append((segment, offset, end - offset))
            if head is not None:
                return segment, head, unreadable
        return None

    def _head_at(self, segment: int, offset: int, ordinal: int) -> Head | None:
        size = self._sizes[segment]
        if offset >= size:
            return None
        later = [other for other in self._sizes if other > segment]
        last = min(later) if later else self._next

        def is_plausible(head: Head) -> bool:
            return ordinal <= head.first and head.after <= last and head.end <= size

        return next_head(lambda start, most: self._bytes_at(segment, start, most), offset, is_plausible)

    def _bytes_at(self, segment: int, offset: int, most: int) -> bytes:
        """Bytes of a segment as far as it is whole."""
        return self._segments.read(segment, offset, max(0, min(most, self._sizes[segment] - offset)))

    def _records(self, segment: int, head: Head) -> list[bytes | Lost]:
        return head.records(self._bytes_at(segment, head.body, head.end - head.body))

    def _tail(self) -> int:
        """The segment to append to, open and whole."""
        if self._is_torn:
            os.ftruncate(self._tail_file, self._sizes[next(reversed(self._sizes))])
            self._is_torn = False
        segment = next(reversed(self._sizes), -1)
        if self._tail_file < 0 or self._sizes[segment] >= self._segment_bytes:
            file = os.open(self._segments.path(self._next), CREATE | os.O_TRUNC, MODE)
            try:
                sync_folder(self._folder)
            except OSError:
                os.close(file)
                raise
            if self._tail_file >= 0:
                os.close(self._tail_file)
            self._tail_file, segment = file, self._next
            self._sizes[segment] = 0
        return segment

    def _end(self) -> Position:
        segment = next(reversed(self._sizes), self._next)
        return Position(ordinal=self._next, segment=segment, offset=self._sizes.get(segment, 0))

    def _recover(self, cursor: Cursor) -> None:
        """Find the segments, where the last whole frame ends, and how far it is consumed."""
        sizes = self._segments.sizes()
        first = min(sizes, default=0)
        ordinal, segment, offset = cursor.read() or (first, first, 0)
        self._head = Position(ordinal=ordinal, segment=segment, offset=offset)
        self._next = ordinal
        for number, size in sizes.items():
            if number < segment:
                self._segments.path(number).unlink()
            else:
                self._sizes[number] = size
        if self._sizes:
            self._cut_tail(next(reversed(self._sizes)))
        cursor.write(ordinal, segment, offset)

    def _cut_tail(self, segment: int) -> None:
        """Cut off an append that was never completed, and go on behind the last whole frame."""
        size, end, ordinal = self._sizes[segment], 0, segment

        def source(offset: int, most: int) -> bytes:
            return self._bytes_at(segment, offset, most)

        def is_plausible(head: Head) -> bool:
            return ordinal <= head.first and head.end <= size

        while (head := next_head(source, end, is_plausible)) is not None:
            end, ordinal = head.end, head.after
        self._next = max(self._next, ordinal)
        if end < size:
            if not is_unfinished(source, end, size):
                self._segments.set_aside(segment, end, size - end)
            os.truncate(self._segments.path(segment), end)
            self._sizes[segment] = end

    def _close(self) -> None:
        self._segments.close()
        if self._cursor is not None:
            self._cursor.close()
        for file in (self._tail_file, self._lock_file):
            if file >= 0:
                os.close(file)
        self._cursor = None
        self._tail_file = self._lock_file = -1
