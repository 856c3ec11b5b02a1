"""The windows of GIFT-Eval and fev on a small recording in M_DENSE's form."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from models.backtest import backtest
from models.seasonal_naive import SeasonalNaive
from services.errors import InputError
from services.forecasting.datasets.catalogue import load
from services.forecasting.datasets.m_dense import M_DENSE_FILE, m_dense
from services.forecasting.datasets.recording import Options
from services.forecasting.evaluation import table

DAYS = 480


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(1)
    hours = np.arange(24 * DAYS)
    values = 100 - 50 * np.cos(2 * np.pi * hours / 24)[:, None] * [1, 3] + rng.normal(0, 5, (len(hours), 2))
    np.savetxt(tmp_path / M_DENSE_FILE, np.maximum(values, 0), fmt="%.3f")
    return tmp_path


@pytest.mark.parametrize(
    ("protocol", "horizon", "count"),
    # a tenth of 11,520 hours is 1,152: 24 windows of 48 (20 at most), 2.4 of 480, 1.6 of 720; fev always takes 10
    [("gift-eval-short", 48, 20), ("gift-eval-medium", 480, 3), ("gift-eval-long", 720, 2), ("fev", 168, 10)],
)
def test_the_last_windows_that_do_not_overlap(folder: Path, protocol: str, horizon: int, count: int) -> None:
    found = m_dense(folder, protocol, Options())
    origins = found.protocol.test
    assert len(origins) == count
    assert origins[-1] + horizon == 24 * DAYS
    assert set(np.diff(origins)) == {horizon}
    assert found.protocol.validation[-1] < origins[0]
    assert (found.protocol.horizons, found.protocol.season) == ((horizon,), 24)
    assert {one.horizon for one in found.published} == {horizon}
    assert all(one.source and one.metrics["mase"] > 0 for one in found.published)


def test_mase_scales_each_window_by_all_history_before_it(folder: Path) -> None:
    found = m_dense(folder, "fev", Options())
    naive = SeasonalNaive(days=1)
    done = backtest(found.panel, [naive], found.protocol)
    by_hand = []
    values = found.panel.values
    for origin in found.protocol.test:
        day = values[:, origin - 24 : origin]
        wrong = np.abs(values[:, origin : origin + 168] - np.tile(day, 7)).mean(axis=1)
        by_hand.append(wrong / np.abs(values[:, 24:origin] - values[:, : origin - 24]).mean(axis=1))
    mase = {one.model: one.metrics["mase"] for one in done.results}
    assert mase["seasonal_naive_24h"] == pytest.approx(np.mean(by_hand), rel=1e-5)
    assert set(done.results[0].bands) == set(done.results[0].bands_uncertain) == {"1-1", "2-24", "25-168"}
    line = next(line for line in table(found, done) if line.startswith("  selected held"))
    assert line.count(" ± ") == 6
    assert "steps 25-168: " in line


def test_mistakes_are_said(folder: Path) -> None:
    with pytest.raises(InputError, match="gift-eval-short, gift-eval-medium"):
        load("m_dense", folder, "weekly", Options())
    (folder / M_DENSE_FILE).write_text("time,a\n2018,x\n", encoding="utf-8")
    with pytest.raises(InputError, match="cannot be read as M_DENSE"):
        load("m_dense", folder, None, Options())
