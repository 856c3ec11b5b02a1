"""Code concerned with statsforecast, the quickest package of classical models: how it is installed and run.

It gets a process of its own, one thread, the same series cut at the same times, and one series to warm up on that is not
counted. It knows no missing values, so gaps are filled on straight lines before.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np

from models.panel import Values
from services.benchmarks.pipelines import FOLDER, install, installing
from services.errors import UnavailableError

PACKAGE: Final = "statsforecast==2.1.1"
_PATIENCE_S: Final = 3_600
_SCRIPT: Final = """\
import json, sys, time
import numpy as np
from statsforecast.models import MSTL, AutoETS
file, day, week, steps = sys.argv[1], *map(int, sys.argv[2:5])
series = np.load(file)  # windows x series x times
makers = {"autoets": lambda: AutoETS(season_length=day), "mstl": lambda: MSTL(season_length=[day, week])}
done = {}
for name, make in makers.items():
    make().forecast(y=series[0, 0].copy(), h=steps)
    began = time.process_time()
    made = np.array([[make().forecast(y=row.copy(), h=steps)["mean"] for row in window] for window in series])
    done[name] = (time.process_time() - began) / (series.shape[0] * series.shape[1])
    np.save(file + "." + name + ".npy", made)
print(json.dumps(done))
"""


def run(histories: Values, *, day: int, week: int, steps: int) -> dict[str, tuple[float, Values]]:
    """Processor seconds per series and forecasts (windows x series x steps) of AutoETS and MSTL.

    Args:
        histories: windows x series x times, gaps as NaN.
        day: steps of a day, the season of AutoETS and the first of MSTL.
        week: steps of a week, the second season of MSTL.
        steps: how far ahead.

    Raises:
        UnavailableError: it cannot be installed or fails.

    """
    python = _python()
    with TemporaryDirectory(prefix="arterial-bench-") as folder:
        file = Path(folder) / "series.npy"
        np.save(file, np.stack([np.stack([filled(row) for row in window]) for window in histories]))
        threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
        try:
            done = subprocess.run(
                [str(python), "-c", _SCRIPT, str(file), *map(str, (day, week, steps))],
                capture_output=True, text=True, check=False, timeout=_PATIENCE_S, env={**os.environ, **threads},
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            message = f"statsforecast took more than {_PATIENCE_S} s"
            raise UnavailableError(message) from error
        if done.returncode:
            message = f"statsforecast failed: {done.stderr.strip().splitlines()[-1:]}"
            raise UnavailableError(message)
        seconds: dict[str, Any] = json.loads(done.stdout)
        return {name: (float(took), np.load(f"{file}.{name}.npy")) for name, took in seconds.items()}


def filled(row: Values) -> Values:
    """A series without gaps."""
    known = np.flatnonzero(np.isfinite(row))
    return np.interp(np.arange(len(row)), known, row[known]) if len(known) else np.zeros(len(row))


def _python() -> Path:
    folder = FOLDER.resolve() / "statsforecast"
    with installing(folder) as is_new:
        if is_new:
            install([sys.executable, "-m", "venv", str(folder)])
            install([str(folder / "bin" / "pip"), "install", "--quiet", PACKAGE])
    return folder / "bin" / "python"
