"""Code concerned with the files of a spool: segments that are read and blanked anywhere, damaged bytes set aside, a cursor."""

from __future__ import annotations

import os
import struct
import time
import zlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Final

import structlog

CREATE: Final = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC
MODE: Final = 0o600
_SEGMENT: Final = ".segment"
_DAMAGED: Final = ".damaged"
_CURSOR: Final = struct.Struct("<QQQ")
_CRC_BYTES: Final = 4
_PIECE_BYTES: Final = 1024 * 1024

log = structlog.get_logger()


class Segments:
    """The segment files of a folder, by number; the one that was read last stays open."""

    def __init__(self, folder: Path) -> None:
        """Nothing is opened yet."""
        self._folder = folder
        self._number = self._file = -1

    def sizes(self) -> dict[int, int]:
        """Those that are there with their sizes [bytes], by number."""
        numbers = sorted(int(path.stem) for path in self._folder.glob(f"*{_SEGMENT}"))
        return {number: self.path(number).stat().st_size for number in numbers}

    def path(self, segment: int) -> Path:
        """Where a segment is."""
        return self._folder / f"{segment:020d}{_SEGMENT}"

    def read(self, segment: int, offset: int, most: int) -> bytes:
        """Bytes of a segment; none where the disk cannot read them."""
        if self._number != segment:
            self.close()
            self._file = os.open(self.path(segment), os.O_RDONLY | os.O_CLOEXEC)
            self._number = segment
        try:
            return os.pread(self._file, most, offset)
        except OSError as error:
            log.warning("the disk cannot read the spool", segment=segment, offset=offset, reason=error.strerror)
            return b""

    def overwrite(self, segment: int, places: Sequence[tuple[int, int]]) -> None:
        """Put zeros at places, each an offset and a size [bytes]; the file stays as old as it is."""
        if not places:
            return
        file = os.open(self.path(segment), os.O_RDWR | os.O_CLOEXEC)
        try:
            before = os.fstat(file)
            for offset, size in places:
                write(file, [bytes(size)], offset)
            os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))  # the age of what is left
            os.fdatasync(file)
        finally:
            os.close(file)

    def set_aside(self, segment: int, offset: int, size: int) -> None:
        """Keep bytes that cannot be read as records in a file of their own, as old as the segment."""
        path = self._folder / f"{segment:020d}-{offset}{_DAMAGED}"
        starts = range(offset, offset + size, _PIECE_BYTES)
        pieces = (self.read(segment, start, min(_PIECE_BYTES, offset + size - start)) for start in starts)
        if path.exists():
            return
        try:
            age = self.path(segment).stat()
            file = os.open(path, CREATE, MODE)
            try:
                write(file, pieces, 0)
                os.utime(file, ns=(age.st_atime_ns, age.st_mtime_ns))
                os.fdatasync(file)
            finally:
                os.close(file)
        except OSError as error:
            log.warning("damaged bytes of the spool could not be kept", file=path.name, reason=error.strerror)
        else:
            log.error("damaged bytes of the spool are set aside", file=str(path), bytes=size)

    def forget_damaged(self, *, older_than_s: float) -> None:
        """Remove the files with damaged bytes that are older than this [s]."""
        for path in self._folder.glob(f"*{_DAMAGED}"):
            if time.time() - path.stat().st_mtime > older_than_s:
                path.unlink(missing_ok=True)
                log.warning("damaged bytes of the spool are removed", file=path.name)

    def remove(self, segment: int) -> None:
        """Remove a segment, and let its space go."""
        if self._number == segment:
            self.close()
        self.path(segment).unlink(missing_ok=True)

    def close(self) -> None:
        """Close what is open."""
        if self._file >= 0:
            os.close(self._file)
        self._number = self._file = -1


class Cursor:
    """A file of three numbers, written in place: its block is its own, so that it can be written on a full disk as well."""

    def __init__(self, folder: Path) -> None:
        """Open or make it.

        Raises:
            OSError: it cannot be made.

        """
        self._file = os.open(folder / "cursor", CREATE, MODE)

    def read(self) -> tuple[int, int, int] | None:
        """What was written last; None when nothing was, or not whole."""
        text = os.pread(self._file, _CURSOR.size + _CRC_BYTES, 0)
        cursor, crc = text[: _CURSOR.size], text[_CURSOR.size :]
        if len(crc) < _CRC_BYTES or zlib.crc32(cursor).to_bytes(_CRC_BYTES, "little") != crc:
            return None
        ordinal, segment, offset = _CURSOR.unpack(cursor)
        return ordinal, segment, offset

    def write(self, ordinal: int, segment: int, offset: int) -> None:
        """Put it on the disk.

        Raises:
            OSError: the disk fails.

        """
        cursor = _CURSOR.pack(ordinal, segment, offset)
        os.pwrite(self._file, cursor + zlib.crc32(cursor).to_bytes(_CRC_BYTES, "little"), 0)
        os.fdatasync(self._file)

    def close(self) -> None:
        """Close it."""
        os.close(self._file)


def write(file: int, blocks: Iterable[bytes], offset: int) -> None:
    """Write blocks one behind the other from an offset on, however many calls that takes."""
    for block in blocks:
        left = memoryview(block)
        while left:
            written = os.pwrite(file, left, offset)
            left, offset = left[written:], offset + written


def sync_folder(folder: Path) -> None:
    """Make sure that new names of files are on the disk."""
    file = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(file)
    finally:
        os.close(file)
