"""The spool: what was appended is read again, whatever the disk and the power do to it."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from errno import ENOSPC
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from ingest.spool import Chunk, Position, Spool
from ingest.spool_frames import Lost
from services.errors import ConfigurationError

BOUND = 1_000_000


@contextmanager
def opened(folder: Path, *, most_bytes: int = BOUND, segment_bytes: int = 4_096) -> Iterator[Spool]:
    with Spool(folder, most_bytes=most_bytes, segment_bytes=segment_bytes) as spool:
        yield spool


def some(first: int, count: int) -> list[bytes]:
    return [b"record %d" % number for number in range(first, first + count)]


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.segment"))


def drain(spool: Spool, most: int = 100) -> tuple[list[bytes], int, int]:
    """Everything, consumed as it is read: records, and how many were erased and damaged."""
    records: list[bytes] = []
    erased = damaged = 0
    while len(spool):
        chunk = spool.read(most=most)
        assert chunk.end.ordinal > spool.head.ordinal, "it must come forward"
        records += chunk.records
        erased, damaged = erased + chunk.erased, damaged + chunk.damaged
        spool.advance(chunk.end)
    return records, erased, damaged


def fill(spool: Spool, step: int) -> tuple[int, int | None]:
    """Append until it is refused: how many were appended, and the number of the error."""
    appended = 0
    while True:
        try:
            spool.append(some(appended, step))
        except OSError as error:
            return appended, error.errno
        appended += step


def test_what_is_appended_is_read_in_order_also_by_the_next_process(tmp_path: Path) -> None:
    with opened(tmp_path) as spool:
        for first in range(0, 3_000, 300):
            spool.append(some(first, 300))
        first_chunk = spool.read(most=450)
        spool.advance(first_chunk.end)
        assert len(spool) == 3_000 - len(first_chunk.records)
    assert len(segments(tmp_path)) > 5
    with opened(tmp_path) as spool:
        spool.append(some(3_000, 10))
        records, erased, damaged = drain(spool)
        assert first_chunk.records + records == some(0, 3_010)
        assert (erased, damaged, len(spool), spool.size_bytes) == (0, 0, 0, 0)
    assert not segments(tmp_path)


def test_reading_ahead_does_not_consume(tmp_path: Path) -> None:
    with opened(tmp_path) as spool:
        spool.append(some(0, 2_000))
        one = spool.read(most=600)
        two = spool.read(most=600, start=one.end)
        assert one.records + two.records == some(0, 1_000)
        assert spool.read(most=600) == one
        assert len(spool) == 2_000


def test_a_record_may_be_large_or_empty(tmp_path: Path) -> None:
    records = [b"", bytes(3_000_000), b"x", b""]
    with opened(tmp_path, most_bytes=10_000_000) as spool:
        spool.append(records)
        assert drain(spool)[0] == records


def test_only_the_owner_may_look(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "spool"
    before = os.umask(0)
    try:
        with opened(folder) as spool:
            spool.append(some(0, 5))
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}
    finally:
        os.umask(before)
    assert set(modes.values()) == {0o600}
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_two_processes_do_not_share_a_folder(tmp_path: Path) -> None:
    with opened(tmp_path), pytest.raises(ConfigurationError, match="another process uses the spool"), opened(tmp_path):
        pass
    with opened(tmp_path):
        pass


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match="cannot be used"), opened(tmp_path / "file" / "spool"):
        pass


def test_the_bound_holds_and_what_is_consumed_makes_room(tmp_path: Path) -> None:
    with opened(tmp_path, most_bytes=20_000) as spool:
        appended, told = fill(spool, 100)
        assert told == ENOSPC
        assert spool.size_bytes <= 20_000
        assert len(spool) == appended
        for _ in range(3):
            spool.advance(spool.read(most=100).end)
        spool.append(some(appended, 100))
        assert drain(spool)[0] == some(300, appended - 200)


def test_an_append_cut_at_any_byte_is_as_if_it_had_never_been(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    with opened(whole) as spool:
        spool.append(some(0, 3))
        kept = spool.size_bytes
        spool.append(some(3, 4))
        size = spool.size_bytes
    for length in range(kept, size):
        folder = tmp_path / "cut"
        shutil.copytree(whole, folder)
        os.truncate(segments(folder)[0], length)
        with opened(folder) as spool:
            assert len(spool) == 3, length
            spool.append(some(3, 2))
            assert drain(spool) == (some(0, 5), 0, 0), length
        assert not list(folder.glob("*.damaged")), length
        shutil.rmtree(folder)


def test_a_tail_of_garbage_is_set_aside(tmp_path: Path) -> None:
    with opened(tmp_path) as spool:
        spool.append(some(0, 3))
    with segments(tmp_path)[0].open("ab") as file:
        file.write(bytes(300))
    with opened(tmp_path) as spool:
        assert drain(spool) == (some(0, 3), 0, 0)
    assert [path.read_bytes() for path in tmp_path.glob("*.damaged")] == [bytes(300)]


def test_any_flipped_byte_costs_its_record_or_its_frame_and_is_counted(tmp_path: Path) -> None:
    whole = tmp_path / "whole"
    with opened(whole, segment_bytes=200) as spool:
        for first in range(0, 20, 5):
            spool.append(some(first, 5))
    middle = segments(whole)[0]
    content = middle.read_bytes()
    for place in range(len(content)):
        folder = tmp_path / "flipped"
        shutil.copytree(whole, folder)
        flipped = bytearray(content)
        flipped[place] ^= 0x55
        (folder / middle.name).write_bytes(flipped)
        with opened(folder) as spool:
            assert len(spool) == 20
            records, erased, damaged = drain(spool)
        assert erased == 0
        assert damaged in {1, 5}, place
        assert len(records) == 20 - damaged
        assert [record for record in some(0, 20) if record in records] == records, "the rest, in order"
        aside = b"".join(path.read_bytes() for path in folder.glob("*.damaged"))
        assert aside in flipped
        assert flipped[place] in aside
        shutil.rmtree(folder)


def test_a_missing_segment_is_counted(tmp_path: Path) -> None:
    with opened(tmp_path) as spool:
        for first in range(0, 2_000, 200):
            spool.append(some(first, 200))
    names = [int(path.stem) for path in segments(tmp_path)]
    segments(tmp_path)[1].unlink()
    with opened(tmp_path) as spool:
        records, _, damaged = drain(spool)
    assert damaged == names[2] - names[1]
    assert records == some(0, names[1]) + some(names[2], 2_000 - names[2])


def test_a_torn_cursor_only_repeats(tmp_path: Path) -> None:
    with opened(tmp_path) as spool:
        spool.append(some(0, 100))
        spool.append(some(100, 100))
        spool.advance(spool.read(most=100).end)
    (tmp_path / "cursor").write_bytes(b"\0" * 20)
    with opened(tmp_path) as spool:
        assert drain(spool)[0] == some(0, 200)


def test_erased_records_are_gone_from_the_disk_and_counted(tmp_path: Path) -> None:
    with opened(tmp_path) as spool:
        for first in range(0, 1_000, 50):
            spool.append([b"secret %d" % n if n % 2 else b"public %d" % n for n in range(first, first + 50)])

        def old_secrets(records: list[bytes | Lost]) -> list[int] | None:
            if any(isinstance(record, bytes) and int(record.split()[1]) >= 500 for record in records):
                return None
            return [place for place, record in enumerate(records) if isinstance(record, bytes) and b"secret" in record]

        stopped = spool.erase(old_secrets, None)
        assert stopped.ordinal == 500
        assert spool.erase(old_secrets, stopped) == stopped
        content = b"".join(path.read_bytes() for path in segments(tmp_path))
        assert content.count(b"secret") == 250
    with opened(tmp_path) as spool:
        records, erased, damaged = drain(spool)
    assert (len(records), erased, damaged) == (750, 250, 0)


def test_damaged_bytes_are_kept_for_a_time(tmp_path: Path) -> None:
    (tmp_path / "00000-1.damaged").write_bytes(b"?")
    with opened(tmp_path) as spool:
        spool.forget_damaged(older_than_s=3_600)
        assert len(list(tmp_path.glob("*.damaged"))) == 1
        os.utime(tmp_path / "00000-1.damaged", (1, 1))
        spool.forget_damaged(older_than_s=3_600)
    assert not list(tmp_path.glob("*.damaged"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may mount the small disk that fills up")
def test_a_full_disk_refuses_whole_appends_and_recovers(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "spool-test", str(disk)], check=False)
    if done.returncode:
        pytest.skip("this machine does not let root mount a tmpfs")
    try:
        with opened(disk / "spool", most_bytes=10**9, segment_bytes=100_000) as spool:
            appended, told = fill(spool, 777)
            assert told == ENOSPC
            assert len(spool) == appended
            with pytest.raises(OSError, match="No space left"):
                spool.append(some(appended, 10_000))
            for _ in range(20):
                spool.advance(spool.read(most=500).end)
            taken = spool.head.ordinal
            spool.append(some(appended, 777))
            assert drain(spool)[0] == some(taken, appended + 777 - taken)
    finally:
        subprocess.run(["umount", str(disk)], check=True)


class AgainstAList(RuleBasedStateMachine):
    """Appends, reads, advances and restarts in any order, beside a list that does the same."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        self.expected: list[bytes] = []
        self.ahead: tuple[int, Position] | None = None

    @initialize(segment_bytes=st.integers(1, 5_000))
    def begin(self, segment_bytes: int) -> None:
        self.segment_bytes = segment_bytes
        self.spool = self.open()

    def open(self) -> Spool:
        return Spool(self.folder, most_bytes=BOUND, segment_bytes=self.segment_bytes).__enter__()

    def teardown(self) -> None:
        self.spool.__exit__()
        shutil.rmtree(self.folder)

    @rule(records=st.lists(st.binary(max_size=40), max_size=20), times=st.sampled_from([1, 1, 60]))
    def append(self, records: list[bytes], times: int) -> None:
        self.spool.append(records * times)
        self.expected += records * times

    @rule(most=st.integers(1, 1_500), most_bytes=st.integers(1, 100_000))
    def read(self, most: int, most_bytes: int) -> None:
        start, end = self.ahead or (0, None)
        chunk: Chunk = self.spool.read(most=most, most_bytes=most_bytes, start=end)
        assert chunk.records == self.expected[start : start + len(chunk.records)]
        assert bool(chunk.records) == (start < len(self.expected))
        assert (chunk.erased, chunk.damaged) == (0, 0)
        self.ahead = (start + len(chunk.records), chunk.end)

    @precondition(lambda self: self.ahead is not None)
    @rule()
    def advance(self) -> None:
        assert self.ahead is not None
        consumed, end = self.ahead
        self.spool.advance(end)
        del self.expected[:consumed]
        self.ahead = None

    @rule(torn=st.integers(0, 50))
    def reopen(self, torn: int) -> None:
        self.spool.__exit__()
        for path in segments(self.folder)[-1:]:
            with path.open("ab") as file:
                file.write(b"ASP1\x01\0\0\0\xff\xff\0\0"[:torn])
        self.spool = self.open()
        self.ahead = None

    @invariant()
    def length(self) -> None:
        if hasattr(self, "spool"):
            assert len(self.spool) == len(self.expected)


TestAgainstAList = AgainstAList.TestCase
TestAgainstAList.settings = settings(max_examples=60, stateful_step_count=30)
