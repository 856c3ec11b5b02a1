"""No bytes of a stranger break what reads them: every seed and every past finding, then new inputs for some seconds."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from targets import TARGETS, seeds

HERE = Path(__file__).parent
SECONDS = int(os.environ.get("ARTERIAL_FUZZ_SECONDS", "5"))


@pytest.mark.parametrize("target", TARGETS)
def test_what_is_known_to_be_difficult(target: str) -> None:
    found = [(file.name, file.read_bytes()) for file in sorted((HERE / "found" / target).glob("*"))]
    for name, data in [*seeds(target), *found]:
        try:
            TARGETS[target](data)
        except AssertionError as error:
            pytest.fail(f"{name}: {error}")


with_atheris = pytest.mark.skipif(
    not (sys.platform == "linux" and platform.machine() == "x86_64"),
    reason="atheris has wheels for Linux on x86-64 only",
)


@with_atheris
@pytest.mark.parametrize("target", TARGETS)
def test_what_a_fuzzer_thinks_of(target: str, tmp_path: Path) -> None:
    command = [sys.executable, str(HERE / "hostile.py"), target]
    command += [f"-max_total_time={SECONDS}", f"-artifact_prefix={tmp_path}/"]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=SECONDS + 120, check=False, cwd=HERE.parents[1]
    )
    said = [line for line in (done.stdout + done.stderr).splitlines() if not line.startswith(("#", "INFO", '"'))]
    assert done.returncode == 0, "\n".join(said[-30:])
    assert "Done " in done.stderr


FROM_A_LARGE_PROCESS = """
import subprocess, sys
bytearray(b"x") * (1100 << 20)
sys.exit(subprocess.run(sys.argv[1:], timeout=120).returncode)
"""
GREEDY = """
import sys
sys.path.insert(0, sys.argv[1])
import hostile
hostile.TARGETS["spool"] = lambda data: bytearray(600 << 20)
sys.argv[1:] = ["spool", "-runs=5", f"-artifact_prefix={sys.argv[2]}/"]
hostile.main()
"""


@with_atheris
def test_memory_is_what_the_inputs_ask_for_not_what_the_process_that_began_it_has_used(tmp_path: Path) -> None:
    command = [sys.executable, str(HERE / "hostile.py"), "spool", "-max_total_time=3", f"-artifact_prefix={tmp_path}/"]
    done = subprocess.run(
        [sys.executable, "-c", FROM_A_LARGE_PROCESS, *command], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-2_000:]


@with_atheris
def test_an_input_that_asks_for_half_a_gigabyte_is_a_finding(tmp_path: Path) -> None:
    command = [sys.executable, "-c", GREEDY, str(HERE), str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode != 0
    assert "MemoryError" in done.stdout + done.stderr
