"""`arterial forecast explain` and `backtest --also` on a small file."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from services.cli import app
from services.errors import ArterialError
from services.forecasting import evaluation
from services.forecasting.datasets.recording import Options
from services.forecasting.datasets.wide_csv import wide_csv


@pytest.fixture
def loops(tmp_path: Path) -> Path:
    """A busy and an empty loop over a month of hours."""
    rng = np.random.default_rng(2)
    begin = datetime(2026, 3, 2, tzinfo=UTC)
    lines = ["time,busy,empty"]
    for hour in range(30 * 24):
        flow = 300 - 200 * np.cos(2 * np.pi * hour / 24) + rng.normal(0, 10)
        lines.append(f"{begin + timedelta(hours=hour):%Y-%m-%dT%H:%M}Z,{max(0.0, flow):.1f},")
    file = tmp_path / "loops.csv"
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


@pytest.mark.parametrize("model", ["sarimax", "structural", "ets"])
def test_each_says_level_and_season_to_a_program_and_to_a_person(loops: Path, model: str) -> None:
    asked = ["forecast", "explain", "--dataset", "wide-csv", "--path", str(loops), "--sensor", "busy", "--model", model]
    told = json.loads(CliRunner().invoke(app, [*asked, "--json"], catch_exceptions=False).stdout)
    assert (told["sensor"], told["model"], told["values"]) == ("busy", model, 720)
    assert told["level"]["value"] == pytest.approx(300, abs=30)
    assert max(told["season"]["Sunday" if model == "ets" else "Sunday or holiday"]) == pytest.approx(500, abs=40)
    assert all({"name", "value", "error"} == set(term) for term in told["terms"])
    words = CliRunner().invoke(app, asked, catch_exceptions=False).stdout
    assert f"busy: {model} on 720 values from 2026-03-02 00:00 to 2026-04-01 00:00 UTC." in words
    assert f"Form: {told['form']}." in words
    assert "Usual day, by the local clock" in words


@pytest.mark.parametrize(
    ("sensor", "model", "words"),
    [
        ("nobody", "ets", "it has busy, empty"),
        ("busy", "profile", "ets, sarimax, structural"),
        ("empty", "ets", "no value in the history"),
    ],
)
def test_what_cannot_be_explained_is_said(loops: Path, sensor: str, model: str, words: str) -> None:
    asked = ["--dataset", "wide-csv", "--path", str(loops), "--sensor", sensor, "--model", model]
    with pytest.raises(ArterialError, match=words):
        CliRunner().invoke(app, ["forecast", "explain", *asked], catch_exceptions=False)


def test_more_models_are_measured_and_not_selected(loops: Path) -> None:
    recording = wide_csv(loops, options=Options())
    more = evaluation.beside(recording, ["blend", " sarimax", "profile"])
    assert [one.name for one in more.models] == [*(one.name for one in recording.models), "blend", "sarimax"]
    assert more.candidates == recording.candidates
    with pytest.raises(ArterialError, match="--also: no model 'prophet'; there are last_value"):
        evaluation.beside(recording, ["prophet"])
