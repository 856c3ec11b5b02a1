"""The bars on Los-loop, I-5 and ETTh1, each with what selection may choose from and the plainest baseline."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from models.backtest import SELECTED, Result
from services.forecasting.datasets.catalogue import load
from services.forecasting.datasets.recording import Options
from services.forecasting.evaluation import evaluate

RECORDINGS = Path(__file__).resolve().parents[3] / "shared" / "data"
BASELINE = "last_value"

pytestmark = pytest.mark.recording


def measured(name: str, protocol: str, every: int = 1) -> dict[int, tuple[Result, Result]]:
    """For each horizon what was selected and the last value, from every `every`th test origin."""
    path = RECORDINGS / name
    if not path.exists():
        pytest.skip(f"{path} is not here")
    found = load(name, path, protocol, Options())
    kept = tuple(one for one in found.models if one.name in {*found.candidates, BASELINE})
    thinned = replace(found.protocol, test=found.protocol.test[::every])
    done = evaluate(replace(found, models=kept, protocol=thinned), lambda *_: None).results
    by_name = {(one.model, one.horizon): one for one in done}
    return {horizon: (by_name[SELECTED, horizon], by_name[BASELINE, horizon]) for horizon in found.protocol.horizons}


def honest(selected: Result, baseline: Result) -> None:
    """Intervals hold what they promise within three points in each band of leads, and are sharper than the baseline's."""
    for covered in (selected.coverage, *selected.bands.values()):
        assert covered["0.8"] == pytest.approx(0.8, abs=0.03)
        assert covered["0.95"] == pytest.approx(0.95, abs=0.03)
    assert selected.metrics["pinball"] < baseline.metrics["pinball"]


def test_los_loop() -> None:
    """From every third origin, a quarter of an hour apart."""
    bars = {3: 4.95, 6: 5.70, 9: 6.20, 12: 6.60}
    for horizon, (selected, baseline) in measured("los_loop", "t-gcn", every=3).items():
        assert selected.metrics["rmse"] <= bars[horizon]
        honest(selected, baseline)


@pytest.mark.parametrize(("direction", "bar"), [("north", 3.8), ("south", 4.7)])
def test_i_5_speed(direction: str, bar: float) -> None:
    done = measured("i5_sandiego", direction)
    assert done[12][0].metrics["mae"] <= bar
    for selected, baseline in done.values():
        honest(selected, baseline)


def test_etth1() -> None:
    """From every eleventh origin, so that all hours occur; the intervals learn from all, so their coverage is the whole command's to show."""
    bars = {96: (0.370, 0.391), 192: (0.403, 0.411), 336: (0.425, 0.425), 720: (0.421, 0.443)}
    for horizon, (selected, baseline) in measured("ett", "ltsf", every=11).items():
        mse, mae = bars[horizon]
        assert selected.metrics["mse"] <= mse
        assert selected.metrics["mae"] <= mae
        assert selected.metrics["pinball"] < baseline.metrics["pinball"]
