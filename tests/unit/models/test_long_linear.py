"""The long linear model against a slow twin, on a series it can know exactly, and with one map for several rows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.long_linear import LongLinear
from models.panel import Panel, Values

NAN = float("nan")


def panel(values: Values) -> Panel:
    return Panel(names=tuple(str(k) for k in range(len(values))), values=values, start_us=0, step_seconds=3600)


def daily(length: int = 24 * 40, noise: float = 0.0) -> Values:
    hours = np.arange(length)
    rng = np.random.default_rng(1)
    return np.stack(
        [
            100 + 40 * np.sin(2 * np.pi * hours / 24) + noise * rng.normal(size=length),
            3 + 0.2 * np.cos(2 * np.pi * hours / 24) + 0.1 * np.sin(2 * np.pi * hours / 12),
        ]
    )


def test_what_repeats_is_continued() -> None:
    values = daily(24 * 43)
    seen = panel(values[:, : 24 * 40])
    for shared in (False, True):
        forecast = LongLinear(looks=(48, 72), penalty=1e-6, shared=shared).fit(seen, 72).forecast(seen, 72)
        assert forecast == pytest.approx(values[:, 24 * 40 :], rel=1e-2)


def test_it_equals_a_slow_twin() -> None:
    rng = np.random.default_rng(2)
    row = rng.normal(size=240).cumsum()
    scale = np.abs(row - row.mean()).mean()
    look, steps, penalty = 10, 3, 0.1
    windows = np.array([row[o - look : o] for o in range(look, 240 - steps + 1)]) / scale
    goals = np.array([row[o : o + steps] for o in range(look, 240 - steps + 1)]) / scale
    level = windows.mean(axis=1, keepdims=True)
    gram = (windows - level).T @ (windows - level)
    ridge = penalty * np.trace(gram) / look * np.eye(look)
    twin = np.linalg.solve(gram + ridge, (windows - level).T @ (goals - level))
    expected = row[-look:].mean() + (row[-look:] - row[-look:].mean()) @ twin
    forecast = LongLinear(looks=(look,), penalty=penalty).fit(panel(row[None]), steps).forecast(panel(row[None]), steps)
    assert forecast[0] == pytest.approx(expected, rel=1e-3)


def test_rows_that_share_a_map_learn_from_each_other() -> None:
    rng = np.random.default_rng(3)
    hours = np.arange(24 * 15)
    clean = np.sin(2 * np.pi * (hours / 24 + np.arange(12)[:, None] / 12))
    seen = panel((clean + rng.normal(size=clean.shape))[:, : 24 * 14])
    alone, shared = (
        np.abs(LongLinear(looks=(72,), shared=one).fit(seen, 24).forecast(seen, 24) - clean[:, 24 * 14 :]).mean()
        for one in (False, True)
    )
    assert shared < 0.8 * alone


def test_missing_values_are_read_off_the_day_before() -> None:
    values = daily()
    seen = panel(values)
    fitted = LongLinear(looks=(72,)).fit(seen, 24)
    holes = values.copy()
    holes[0, -30:-6] = NAN
    assert fitted.forecast(panel(holes), 24) == pytest.approx(fitted.forecast(seen, 24), rel=1e-6)
    learnt = LongLinear(looks=(72,)).fit(panel(np.where(np.arange(960) % 97 == 0, NAN, values)), 24)
    assert learnt.forecast(seen, 24) == pytest.approx(fitted.forecast(seen, 24), rel=0.02)
    nothing = replace(seen, values=np.full_like(values, NAN))
    assert fitted.forecast(nothing, 24)[0] == pytest.approx(values[0].mean(), rel=1e-6)
    assert np.isnan(LongLinear().fit(nothing, 24).forecast(nothing, 24)).all()
