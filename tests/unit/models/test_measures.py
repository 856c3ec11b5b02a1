"""Metrics worked out by hand, intervals that cover what they promise, selection and backtests that cannot look ahead."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest

from models import metrics
from models.backtest import SELECTED, backtest
from models.calendar_ridge import CalendarRidge
from models.catalogue import CANDIDATES
from models.conformal import calibrate, quantiles_of
from models.last_value import LastValue
from models.panel import Panel, Values
from models.protocol import rolling
from models.seasonal_naive import SeasonalNaive
from models.selection import choose, select
from services.domain import QUANTILE_LEVELS

NAN = float("nan")
TRUTH = np.array([[10.0, 20.0, NAN, 40.0]])
FORECAST = np.array([[12.0, 17.0, 99.0, 40.0]])


def test_metrics_by_hand() -> None:
    assert metrics.mae(TRUTH, FORECAST) == pytest.approx((2 + 3 + 0) / 3)
    assert metrics.rmse(TRUTH, FORECAST) == pytest.approx(((4 + 9 + 0) / 3) ** 0.5)
    assert metrics.wape(TRUTH, FORECAST) == pytest.approx(5 / 70)
    # seasonal naive of period 2 on 1 5 4 1: |4-1| and |1-5|, mean 3.5
    assert metrics.mase(TRUTH, FORECAST, np.array([[1.0, 5.0, 4.0, 1.0]]), 2) == pytest.approx(5 / 3 / 3.5)
    assert metrics.coverage(TRUTH, FORECAST - 2, FORECAST + 2) == pytest.approx(2 / 3)
    # level 0.9: 10 under 12 costs 0.1 x 2, 20 over 17 costs 0.9 x 3, 40 costs nothing
    assert metrics.pinball(TRUTH, FORECAST[None], np.array([0.9])) == pytest.approx((0.2 + 2.7) / 3)
    half = metrics.pinball(TRUTH, FORECAST[None], np.array([0.5]))
    assert 2 * half == pytest.approx(metrics.mae(TRUTH, FORECAST))


def test_nothing_known_is_not_a_number() -> None:
    empty = np.full((1, 4), NAN)
    for value in (
        metrics.mae(empty, FORECAST),
        metrics.wape(empty, FORECAST),
        metrics.coverage(empty, FORECAST, FORECAST),
        metrics.mase(empty, FORECAST, empty, 1),
    ):
        assert np.isnan(value)


def test_quantiles_use_the_conformal_rank() -> None:
    # nine values: rank (9 + 1) x 0.9 is the ninth, (9 + 1) x 0.1 the first, 0.5 the fifth
    row = np.array([[3.0, 1, 2, 5, 4, 9, 8, 7, 6, NAN]])
    assert quantiles_of(row, (0.1, 0.5, 0.9, 0.95))[:, 0].tolist() == [1.0, 5.0, 9.0, 9.0]


def test_intervals_cover_what_they_promise_for_many_and_for_few_origins() -> None:
    rng = np.random.default_rng(1)
    size = np.array([1.0, 5.0, 50.0])[:, None] * np.sqrt(np.arange(1, 25))
    new = rng.laplace(0, 1, (4000, 3, 24)) * size
    for origins, room in ((400, 0.02), (8, 0.08)):
        offsets = calibrate(rng.laplace(0, 1, (origins, 3, 24)) * size, np.ones((3, 24))).offsets
        inside = (new >= offsets[1, 0]) & (new <= offsets[-2, 0])
        assert inside.mean() == pytest.approx(0.8, abs=room)
        assert (np.diff(offsets, axis=0) >= 0).all()


def test_a_sensor_that_has_shown_nothing_borrows_from_the_city() -> None:
    rng = np.random.default_rng(2)
    errors = rng.normal(0, 1, (200, 2, 4))
    errors[:, 1] = NAN
    offsets = calibrate(errors, np.full((2, 4), 10.0)).offsets
    city = np.quantile(np.abs(errors[:, 0]), 0.8) / np.abs(errors[:, 0]).mean()
    assert offsets[-2, 0, 1, 0] == pytest.approx(10 * city, rel=0.15)
    nobody = calibrate(np.full((5, 2, 4), NAN), np.ones((2, 4))).offsets
    assert nobody[-2, 0, 0] == pytest.approx(1.61, abs=0.01)


def test_the_best_wins_and_the_unheard_follow_the_city() -> None:
    errors = np.full((2, 30, 3, 4), NAN)
    errors[0, :, 0], errors[1, :, 0] = 1.0, 5.0
    errors[0, :, 1], errors[1, :, 1] = 5.0, 2.0
    chosen, evidence = choose(list(errors), [range(4)])
    assert chosen[:, 0].tolist() == [0, 1, 0]
    assert evidence.tolist() == [30, 30, 0]


def test_a_little_better_is_not_enough_to_leave_the_citys_winner() -> None:
    errors = np.full((2, 300, 3, 1), 1.0)
    errors[1, :, 0], errors[1, :, 1], errors[1, :, 2] = 3.0, 0.95, 0.8
    chosen, _ = choose(list(errors), [range(1)])
    assert chosen[:, 0].tolist() == [0, 0, 1]


def weekly(sensors: int = 2, days: int = 70) -> Panel:
    rng = np.random.default_rng(3)
    hours = np.arange(days * 24)
    values = 100 + 50 * np.sin(2 * np.pi * hours / 24) * (hours // 24 % 7 < 5) + rng.normal(0, 2, (sensors, len(hours)))
    return Panel(names=tuple("abcdef"[:sensors]), values=values, start_us=345_600_000_000, step_seconds=3600)


@dataclass(frozen=True, kw_only=True, slots=True)
class Witness:
    """A model that writes down how much it was shown."""

    seen: list[int]
    name: str = "witness"
    shifts: bool = True

    def fit(self, panel: Panel, steps: int) -> Witness:
        assert steps == 24
        self.seen.append(panel.length)
        return self

    def forecast(self, panel: Panel, steps: int) -> Values:
        self.seen.append(panel.length)
        assert panel.values.shape[1] == panel.length
        return np.zeros((panel.sensors, steps))


def test_a_backtest_shows_each_origin_only_what_precedes_it() -> None:
    witness = Witness(seen=[])
    panel = weekly()
    protocol = rolling(panel.length, (1, 24), 24, description="a test")
    done = backtest(panel, [witness], protocol)
    assert (protocol.train_end, int(protocol.test[0])) == (1176, 1344)
    assert witness.seen[0] == 1176
    before_test = witness.seen[: len(witness.seen) - done.origins]
    assert max(before_test) == before_test[-1] == 1344
    assert witness.seen[-done.origins :] == list(range(1344, 1680))
    assert {(one.model, one.horizon) for one in done.results} == {
        (name, lead) for name in ("witness", SELECTED) for lead in (1, 24)
    }


def test_planting_the_future_changes_no_choice_and_no_interval_learnt_before() -> None:
    panel = weekly()
    protocol = rolling(panel.length, (1, 24), 24, description="a test")
    planted = panel.values.copy()
    planted[:, int(protocol.test[0]) + 100 :] = 1e6
    models = [LastValue(), SeasonalNaive(days=1), SeasonalNaive(days=7)]
    honest = backtest(panel, models, protocol)
    beside = backtest(replace(panel, values=planted), models, protocol)
    chosen = {"seasonal_naive_168h": 2}
    assert honest.chosen == beside.chosen == {"1-1": chosen, "24-24": chosen}


def test_a_recording_that_is_too_short_is_refused() -> None:
    with pytest.raises(ValueError, match="too few"):
        backtest(weekly(days=3), [LastValue()], rolling(72, (24,), 24, description="a test"))


def test_selection_prefers_what_fits_each_sensor() -> None:
    rng = np.random.default_rng(4)
    panel = weekly(days=42)
    values = panel.values.copy()
    values[1] = np.cumsum(rng.normal(size=panel.length))
    selected = select(replace(panel, values=values), 24, CANDIDATES)
    forecast = selected.intervals(replace(panel, values=values), 24)
    assert forecast.models[0] in {"profile", "profile_ridge"}
    assert forecast.models[1].split("+")[0] in {"last_value", "profile_ridge"}
    assert forecast.quantiles.shape == (len(QUANTILE_LEVELS), 2, 24)


@dataclass(frozen=True, kw_only=True, slots=True)
class Level:
    """A model that always says the same."""

    level: float
    name: str = "level"
    shifts: bool = True

    def fit(self, panel: Panel, steps: int) -> Level:
        del panel, steps
        return self

    def forecast(self, panel: Panel, steps: int) -> Values:
        return np.full((panel.sensors, steps), self.level)


def test_what_is_selected_is_scored_by_the_median_that_is_issued_but_by_the_mean_where_squares_count() -> None:
    rng = np.random.default_rng(5)
    panel = weekly(days=350)
    panel = replace(panel, values=np.exp(rng.normal(0, 1, panel.values.shape)))
    protocol = rolling(panel.length, (1,), 24, description="a test")
    mean, median = float(np.exp(0.5)), 1.0
    done = {one.model: one for one in backtest(panel, [Level(level=mean)], protocol).results}
    best = {one.model: one for one in backtest(panel, [Level(level=median)], protocol).results}
    assert done["level"].metrics["mae"] > 1.05 * best["level"].metrics["mae"]
    assert done[SELECTED].metrics["mae"] == pytest.approx(best["level"].metrics["mae"], rel=0.02)
    squared = backtest(panel, [Level(level=mean)], replace(protocol, headline="mse")).results
    same = {one.model: one.metrics for one in squared}
    assert same[SELECTED] == same["level"]


@pytest.mark.parametrize("together", [False, True])
def test_coverage_says_how_uncertain_it_is_where_all_that_happens_on_a_day_errs_together(*, together: bool) -> None:
    rng = np.random.default_rng(6)
    days, day, sensors = 400, 24, 5
    noise = np.repeat(rng.normal(0, 1, days), day)[None] if together else rng.normal(0, 1, (sensors, days * day))
    panel = Panel(
        names=tuple("abcde"), values=np.broadcast_to(noise, (sensors, days * day)).copy(), start_us=0, step_seconds=3600
    )
    protocol = rolling(panel.length, (1,), 24, description="a test", train=0.3, test=0.5, stride=5)
    one = next(one for one in backtest(panel, [Level(level=0.0)], protocol).results if one.model == SELECTED)
    origins = len(protocol.test)
    drawn = days / 2 if together else origins * sensors
    for key, promised in (("0.8", 0.8), ("0.95", 0.95)):
        error = np.sqrt(promised * (1 - promised) / drawn)
        assert one.uncertain[key] == pytest.approx(error, rel=0.25)
        assert one.coverage[key] == pytest.approx(promised, abs=3 * error + 0.01)


def test_a_model_that_needs_more_history_is_measured_but_not_chosen() -> None:
    panel = weekly(days=70)
    protocol = rolling(panel.length, (1, 24), 24, description="a test")
    done = backtest(panel, [LastValue(), CalendarRidge()], protocol)
    assert {one.model for one in done.results} == {"last_value", "calendar_ridge", SELECTED}
    assert all(set(counts) == {"last_value"} for counts in done.chosen.values())
    alone = backtest(panel, [CalendarRidge()], protocol)
    assert all(set(counts) == {"calendar_ridge"} for counts in alone.chosen.values())
