"""The card of what will be released: the curve and its gaps, what the numbers are, and why there are none."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import numpy as np
import plotly.graph_objects as go
import pytest

from dashboards import address, released_ahead
from dashboards.context import City
from dashboards.released_ahead import HOUSEHOLDS, VEHICLES, ReleasedAhead
from services.domain import ForecastState
from services.settings import load_settings
from services.storage.released_forecasts import Highest, ReleasedPlace, ReleasedRun, ReleasedScore
from services.storage.releases import Release

FIRST = datetime(2026, 11, 20, 23, tzinfo=UTC)
NOW = FIRST + timedelta(hours=10)


def release(plan: str) -> Release:
    return Release(
        release_key=f"{plan}/1/2026-11-20",
        plan=plan,
        plan_version="1",
        plan_hash="h",
        day=date(2026, 11, 20),
        epsilon=0.5,
        delta=1e-6,
        mechanism="discrete_gaussian",
        noise_scale=30.0,
        threshold=100,
        rounding=5,
        ci95=60.0,
        cells=1,
        suppressed=0,
        released_at=FIRST,
    )


def place(code: str, level: float, hours: list[int], **facts: Any) -> ReleasedPlace:
    said = {"model": "profile", "state": ForecastState.NORMAL, "reason": None, "ci95": 60.0} | facts
    return ReleasedPlace(
        place=code,
        target_at=[FIRST + timedelta(hours=hour) for hour in hours],
        quantiles=[[level + hour + 10 * k for k in range(7)] for hour in hours],
        **said,
    )


def withheld(reason: str) -> ReleasedPlace:
    return place("north", 0, [], model=None, state=None, reason=reason)


def top(one: ReleasedPlace) -> Highest:
    """As the database finds it."""
    later = [(row[3], at, row) for at, row in zip(one.target_at, one.quantiles, strict=True) if at >= NOW]
    median, at, row = max(later, default=(None, None, [None] * 7))
    facts: dict[str, Any] = {"place": one.place, "reason": one.reason, "is_forecast": bool(one.target_at)}
    return Highest(**facts, target_at=at, low=row[1], median=median, high=row[5])


def found(*places: ReleasedPlace, scores: list[ReleasedScore] | None = None, **facts: Any) -> ReleasedAhead:
    run = ReleasedRun(
        id=1,
        release_key="presence/1/2026-11-20",
        plan="presence",
        measure="vehicles",
        last_day=date(2026, 11, 20),
        days=28,
        issued_at=FIRST + timedelta(hours=1),
        first_target_at=FIRST,
        step_seconds=3_600,
        steps=48,
        plan_version="1",
        epsilon=0.5,
        threshold=100,
    )
    given: dict[str, Any] = {
        "series": VEHICLES,
        "release": release("presence"),
        "run": run,
        "highest": sorted((top(one) for one in places), key=lambda one: -(one.median or 0)),
        "chosen": next((one for one in places if one.target_at), None),
        "lately": [(FIRST - timedelta(hours=2), 120.0, 60.0), (FIRST - timedelta(hours=1), None, None)],
        "scores": scores or [],
    }
    return ReleasedAhead(**given | facts)


def drawn(ahead: ReleasedAhead, tmp_path: Path) -> tuple[str, list[Any]]:
    """What the card says, and the lines and areas of its chart."""
    city = City(settings=load_settings({"data_dir": tmp_path}, join_running=False), pool=cast("Any", None))
    panel = released_ahead.panel(
        ahead,
        {"south": "South Bank"},
        lambda code: f"/dash/mobility?cell={code}",
        view=address.read_view(""),
        city=city,
        now=NOW,
        scheme="light",
    )
    traces: list[Any] = []

    def plain(one: Any) -> Any:
        if isinstance(one, go.Figure):
            traces.extend(one.data)
            return "a chart"
        return one.to_plotly_json() if hasattr(one, "to_plotly_json") else str(one)

    return json.dumps(panel, default=plain, ensure_ascii=False), traces


def test_it_says_whose_number_is_forecast_how_noisy_it_is_and_where_it_is_highest(tmp_path: Path) -> None:
    text, _ = drawn(found(place("south", 300, [9, 12, 13]), place("881f", 100, [12]), withheld("seldom")), tmp_path)
    assert "the number that will be released, noise included" in text
    assert "60 veh (95 %)" in text
    assert "South Bank · from 28 released days" in text
    assert "343" in text  # the highest median from now on: 300 + 13 and three quantiles up
    assert "/dash/mobility?cell=881f" in text
    assert "Private aggregate, ε 0.5 per day" in text
    assert "Forecast for 2 of 3 places; the others were shown too seldom." in text
    assert "How often the bands hold is told once" in text


def test_hours_that_are_withheld_have_neither_line_nor_band(tmp_path: Path) -> None:
    _, traces = drawn(found(place("south", 300, [6, 7, 8, 30, 31])), tmp_path)
    bands = [trace for trace in traces if trace.fill == "toself"]
    assert len(bands) == 3
    for band in bands:
        gaps = np.isnan(np.asarray(band.y, dtype=float))
        assert gaps.sum() == 1
        assert np.isnat(np.asarray(band.x, dtype="datetime64[ms]"))[gaps].all()
    (line,) = [trace for trace in traces if trace.name == "Forecast (median)"]
    assert np.isnan(np.asarray(line.y, dtype=float)).sum() == 1
    (past,) = [trace for trace in traces if trace.name == "Released"]
    assert list(past.y) == [120.0]  # a withheld hour is no zero


@pytest.mark.parametrize(
    ("ahead", "said"),
    [
        (found(withheld("shown on 3 days")), "Shown on 3 days."),
        (found(run=None, chosen=None), "No forecast yet"),
        (
            found(place("south", 1, [20], state=ForecastState.STALE, reason="withheld for 3 days")),
            "Stale: withheld for",
        ),
        (found(place("south", 1, [2])), "The days that were forecast are over"),
    ],
)
def test_why_there_is_none_or_a_worse_one(tmp_path: Path, ahead: ReleasedAhead, said: str) -> None:
    text, _ = drawn(ahead, tmp_path)
    assert said in text


def test_what_was_held_is_told_over_both_days(tmp_path: Path) -> None:
    score = ReleasedScore(
        days_ahead=1, days=2, n=300, mae=5, naive_mae=8, skill=0.4, wape=0.1, pinball=2,
        coverage_50=0.5, coverage_80=0.9, coverage_90=0.95,
    )  # fmt: skip
    ahead = found(place("south", 1, [20]), scores=[score, replace(score, days_ahead=2, n=100, coverage_80=0.5)])
    text, _ = drawn(replace(ahead, series=HOUSEHOLDS), tmp_path)
    assert "Of 400 numbers released since, 80 % lay in the 80 % band" in text.replace("\u202f", " ")
