"""A backtest on a Dask cluster, a real scheduler and worker on loopback, gives bit for bit what this process gives."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.last_value import LastValue
from models.profile import Profile
from models.profile_ridge import ProfileRidge
from services.forecasting import evaluation
from services.forecasting.datasets.catalogue import load
from services.forecasting.datasets.recording import Options, Recording
from services.forecasting.engine import Engine, Inline, engine_of


@pytest.fixture(scope="module")
def cluster() -> Iterator[Engine]:
    distributed = pytest.importorskip("distributed", reason="no Dask here: pip install 'arterial[dask]'")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, host="127.0.0.1", dashboard_address=":0", protocol="tcp"
    ) as started:
        yield engine_of(started.scheduler_address.replace("tcp://", "dask://"))


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    """Three detectors, thirty days of hours, in a file as people have it."""
    rng = np.random.default_rng(3)
    times = np.datetime64("2026-03-01T00", "h") + np.arange(30 * 24)
    flows = 300 - 200 * np.cos(np.arange(len(times))[:, None] * 2 * np.pi / 24) + rng.normal(0, 20, (len(times), 3))
    lines = [f"{time},{','.join(f'{flow:.1f}' for flow in row)}" for time, row in zip(times, flows, strict=True)]
    path = tmp_path / "flows.csv"
    path.write_text("\n".join(["time,north,south,west", *lines]) + "\n")
    loaded = load("wide-csv", path, None, Options(horizon=6))
    return replace(
        loaded, models=(LastValue(), Profile(), ProfileRidge()), candidates=("last_value", "profile", "profile_ridge")
    )


def told(recording: Recording, engine: Engine) -> str:
    return json.dumps(evaluation.document(recording, evaluation.evaluate(recording, lambda *_: None, engine)))


def test_a_backtest_on_dask_is_the_one_made_here_bit_for_bit(cluster: Engine, recording: Recording) -> None:
    assert told(recording, cluster) == told(recording, Inline())


def test_an_error_of_a_piece_of_work_is_raised_here(cluster: Engine) -> None:
    with pytest.raises(ZeroDivisionError):
        list(cluster.run(lambda number: 1 // number, [1, 0]))
