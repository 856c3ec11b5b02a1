"""A short storm of every kind of fault: nothing acknowledged is lost, nothing is stored twice, the counters agree."""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from pathlib import Path

import orjson
import pytest

NOTHING = ("lost", "doubled", "altered", "misplaced", "invented", "left_in_spool", "equation_violations")


@pytest.mark.mosquitto
@pytest.mark.usefixtures("require_mosquitto")
def test_a_storm_of_faults_loses_and_doubles_nothing(tmp_path: Path) -> None:
    seed = secrets.randbelow(1_000_000)
    command = [sys.executable, "-m", "services.cli", "bench", "nemesis", "--json", "--seed", str(seed)]
    command += ["--faults", "33", "--seconds", "20", "--broker-kills", "1", "--keep", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=180, check=False)
    assert done.stdout, f"seed {seed}: {done.stderr[-2000:]}"
    report = orjson.loads(done.stdout)
    again = f"arterial bench nemesis --seed {seed} --faults 33 --seconds 20"
    assert {name: report[name] for name in NOTHING} == dict.fromkeys(NOTHING, 0), f"{again}: {report}"
    assert report["counters_agree"], f"{again}: {report}"
    assert done.returncode == 0, done.stderr
    assert report["published"] > 3_000, "the devices were hardly heard"
    assert report["dead_lettered"] > 10, "poison is one message in a hundred"
    assert report["counters"]["duplicate"] > 0, "repeated messages arrived"
    expected = 31 if "disk_full" in report["skipped"] else 33
    assert len(report["by_kind"]) == expected, f"{again}: not every kind of fault was injected"
    if os.geteuid() == 0 and not report["skipped"]:
        assert report["by_kind"]["disk_full"] == report["by_kind"]["spool_disk_full"] == 1
