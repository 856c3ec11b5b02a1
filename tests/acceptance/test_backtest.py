"""`arterial backtest` as a person or a program uses it, and the bar on the Berlin recording."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from models.backtest import backtest
from models.calendar_ridge import CalendarRidge
from models.catalogue import CANDIDATES
from models.load_ridge import LoadRidge
from models.protocol import rolling
from models.seasonal_naive import SeasonalNaive
from services.forecasting.datasets.berlin import berlin
from services.forecasting.datasets.gb_load import gb_load
from services.forecasting.datasets.m_dense import m_dense
from services.forecasting.datasets.recording import Options


def arterial(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from services.cli import main; main()", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


@pytest.fixture
def loops(tmp_path: Path) -> Path:
    """Ten weeks of three hourly loops, one of which stops reporting."""
    rng = np.random.default_rng(1)
    hours = np.arange(24 * 70)
    values = 300 - 200 * np.cos(2 * np.pi * hours / 24)[:, None] * [1, 0.5, 2] + rng.normal(0, 10, (len(hours), 3))
    stamps = np.datetime64("2024-03-04T00", "h") + hours
    lines = [
        f"{stamp},{a:.1f},{b:.1f},{c:.1f}" if k < 1500 else f"{stamp},{a:.1f},{b:.1f},"
        for k, (stamp, (a, b, c)) in enumerate(zip(stamps, values, strict=True))
    ]
    path = tmp_path / "loops.csv"
    path.write_text("\n".join(["time,north,south,east", *lines]), encoding="utf-8")
    return path


def test_json_is_one_document_with_every_model(loops: Path) -> None:
    done = arterial("backtest", "--dataset", "wide-csv", "--path", str(loops), "--country", "DE", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert set(document) == {"dataset", "protocol", "selected_on", "chosen", "results", "published"}
    models = {one["model"] for one in document["results"]}
    assert models == {
        "last_value", "seasonal_naive_24h", "seasonal_naive_168h", "profile", "profile_ridge", "calendar_ridge", "load_ridge",
        "ets", "selected", "unblended",
    }  # fmt: skip
    best = {one["horizon"]: one for one in document["results"] if one["model"] == "selected"}
    assert set(best) == {1, 3, 6, 12, 24}
    assert best[24]["metrics"]["mae"] < 15
    assert 0.7 < best[24]["coverage"]["0.8"] < 0.9


def test_people_get_a_table_and_mistakes_a_sentence(loops: Path) -> None:
    done = arterial("backtest", "--dataset", "wide-csv", "--path", str(loops), "--horizon", "6")
    assert "* selected" in done.stdout
    assert "+6 h" in done.stdout
    wrong = arterial("backtest", "--dataset", "wide-csv", "--path", str(loops.parent / "no.csv"))
    assert (wrong.returncode, wrong.stdout) == (1, "")
    assert wrong.stderr.startswith("arterial: ")
    assert "Traceback" not in wrong.stderr
    unknown = arterial("backtest", "--dataset", "metro", "--path", str(loops))
    assert "there are berlin_mq, " in unknown.stderr


@pytest.mark.recording
def test_profile_plus_ridge_beats_the_naive_on_berlin(recordings: Path) -> None:
    """Every sixth section and 17th origin; the whole is `arterial backtest --dataset berlin_mq`."""
    recording = berlin(recordings / "berlin_mq")
    assert recording.panel.sensors == 76
    panel = replace(recording.panel, names=recording.panel.names[::6], values=recording.panel.values[::6].copy())
    done = backtest(panel, CANDIDATES, rolling(panel.length, (1, 24), 168, description="a part", stride=17))
    mae = {(one.model, one.horizon): one.metrics["mae"] for one in done.results}
    for lead in (1, 24):
        naive = min(mae[name, lead] for name in ("last_value", "seasonal_naive_24h", "seasonal_naive_168h"))
        assert mae["profile_ridge", lead] < 0.8 * naive
        assert mae["selected", lead] < 0.85 * naive
    for one in done.results:
        if one.model == "selected":
            assert one.coverage["0.8"] == pytest.approx(0.8, abs=0.03)
            assert one.coverage["0.95"] == pytest.approx(0.95, abs=0.03)


@pytest.mark.recording
@pytest.mark.parametrize(("protocol", "bar"), [("gift-eval-short", 0.66), ("fev", 0.63)])
def test_the_calendar_ridge_is_below_the_published_figures_on_m_dense(
    recordings: Path, protocol: str, bar: float
) -> None:
    """Fitted once and calibrated on fewer origins; the whole is `arterial backtest --dataset m_dense`."""
    found = m_dense(recordings / "m_dense", protocol, Options())
    quick = replace(found.protocol, refit=None, validation=found.protocol.validation[::10])
    naive, ours = SeasonalNaive(days=1), CalendarRidge()
    done = backtest(found.panel, [naive, ours], quick)
    mase = {one.model: one.metrics["mase"] for one in done.results}
    published = {one.model: one.metrics["mase"] for one in found.published}
    assert mase["seasonal_naive_24h"] == pytest.approx(published["seasonal_naive"], abs=0.0006)  # the same protocol
    assert mase["calendar_ridge"] < bar < min(published.values())


@pytest.mark.recording
def test_the_load_ridge_forecasts_the_grid_a_day_ahead(recordings: Path) -> None:
    """Every fifth midnight of the last year; the whole is `arterial backtest --dataset gb_load`."""
    found = gb_load(recordings / "electbook", "day-ahead", Options())
    quick = replace(
        found.protocol, refit=None, validation=found.protocol.validation[::5], test=found.protocol.test[::5]
    )
    done = backtest(found.panel, [LoadRidge()], quick)
    ours = next(one for one in done.results if one.model == "load_ridge")
    assert ours.metrics["mape"] < 0.0165
    assert ours.coverage["0.8"] == pytest.approx(0.8, abs=0.06)
