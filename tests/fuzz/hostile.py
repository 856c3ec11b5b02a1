"""Drive one target with atheris, from the seeds and what was found before: `python tests/fuzz/hostile.py TARGET [options]`.

The options are libFuzzer's, such as `-max_total_time=600`. The input of a failure is written to `tests/fuzz/found/`; keep it
there, with the repair, and it is played again by every run of the tests.
"""

from __future__ import annotations

import resource
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["ingest"]):
    from targets import TARGETS, seeds

HERE = Path(__file__).parent
MOST_MORE_BYTES = 512 * 1024 * 1024
"""What all inputs together may make the process ask for: more is a MemoryError, and so a failure."""
OPTIONS = ("-max_len=16384", "-timeout=10", "-rss_limit_mb=0", "-print_final_stats=1")
"""No limit of libFuzzer's own on memory: it goes by the peak that the system keeps for the process, and a process inherits the
peak of the one that started it (`ru_maxrss` outlives exec)."""


def main() -> None:
    target, options = sys.argv[1], sys.argv[2:]
    found = HERE / "found" / target
    found.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="arterial-fuzz-") as corpus:
        for name, data in seeds(target):
            (Path(corpus) / name).write_bytes(data)
        atheris.Setup(
            [sys.argv[0], corpus, str(found), *OPTIONS, f"-artifact_prefix={found}/", *options], TARGETS[target]
        )
        used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
        resource.setrlimit(resource.RLIMIT_AS, (used + MOST_MORE_BYTES, resource.RLIM_INFINITY))
        atheris.Fuzz()


if __name__ == "__main__":
    main()
