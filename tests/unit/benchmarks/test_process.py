"""What a process has taken is its own: a small one says little, whoever started it."""

from __future__ import annotations

import os
import subprocess
import sys

from services.benchmarks.process import cpu_of, peak_bytes

LARGE = 192_000_000
SMALL = 64_000_000
CHILD = f"""\
import os
from services.benchmarks.process import peak_bytes
before = peak_bytes(os.getpid())
bytearray(b"1") * {SMALL}
print(before, peak_bytes(os.getpid()))
"""


def test_a_child_of_a_large_process_tells_its_own_peak() -> None:
    held = bytearray(b"1") * LARGE
    done = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True, check=True)
    before, after = map(int, done.stdout.split())
    assert 1_000_000 < before < len(held) / 2
    assert before + SMALL / 2 < after < before + SMALL * 2


def test_work_shows_as_processor_time() -> None:
    before = cpu_of(os.getpid())
    while cpu_of(os.getpid()) == before:
        sum(range(10_000))
    assert cpu_of(os.getpid()) > before


def test_a_process_that_has_ended_has_no_peak() -> None:
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
        assert peak_bytes(process.pid) == 0
