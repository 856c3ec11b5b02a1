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


@pytest.mark.skipif(
    not (sys.platform == "linux" and platform.machine() == "x86_64"),
    reason="atheris has wheels for Linux on x86-64 only",
)
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
