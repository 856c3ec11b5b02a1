"""The weights of models: which they get, what is forecast with them, and what a broken sensor may do to them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest

from models.backtest import backtest
from models.blend import Blend
from models.last_value import LastValue
from models.panel import Panel, Values
from models.profile import Profile
from models.protocol import rolling
from models.seasonal_naive import SeasonalNaive
from models.selection import select
from models.weighing import choice_bands, choose, heard_bands, weigh

PARTS = (range(1), range(1, 4))
ORIGINS, SENSORS, STEPS = 400, 5, 4


def noise(seed: int, size: float = 1.0) -> Values:
    return np.random.default_rng(seed).normal(0, size, (ORIGINS, SENSORS, STEPS))


def weights_of(errors: list[Values]) -> Values:
    return weigh(errors, PARTS, choose(errors, PARTS)[0])


def test_two_that_err_apart_share_the_city_part_and_the_winner_has_the_rest() -> None:
    weights = weights_of([noise(1, 1.05), noise(2)])
    assert weights.shape == (SENSORS, 2, 2)
    assert weights.sum(axis=2) == pytest.approx(1.0)
    assert (weights >= 0).all()
    # of independent errors the variances divide the weight: 1 / (1 + 1.05^2) of the city's 0.4 for the first
    assert weights[:, :, 0] == pytest.approx(0.4 / (1 + 1.05**2), abs=0.03)


def test_errors_that_are_shared_are_not_halved_by_a_copy() -> None:
    weights = weights_of([noise(1), noise(1) + 0.5 * noise(2), noise(3)])
    assert weights[:, :, 1].max() < 0.02


def test_much_worse_models_get_nothing_even_where_they_would_help() -> None:
    truth = noise(1)
    weights = weights_of([truth, -1.5 * truth])
    assert weights[:, :, 0] == pytest.approx(1.0)


def test_leads_have_weights_of_their_own() -> None:
    first, second = noise(1), noise(2)
    first[:, :, 0] *= 3
    second[:, :, 1:] *= 3
    weights = weights_of([first, second])
    assert weights[:, 0, 1] == pytest.approx(1.0)
    assert weights[:, 1, 0] == pytest.approx(1.0)


def test_of_many_sensors_a_broken_one_hardly_moves_the_weights_of_the_others() -> None:
    first, second = (
        np.concatenate([noise(seed + k, size) for k in range(4)], axis=1) for seed, size in ((1, 0.9), (7, 1))
    )
    usual = weights_of([first, second])
    for one in (first, second):
        one[::7, 2] *= 1e9
    second[:, 2] *= 5
    broken = np.delete(weights_of([first, second]), 2, axis=0)
    assert broken == pytest.approx(np.delete(usual, 2, axis=0), abs=0.02)


def test_where_nothing_was_observed_one_model_speaks() -> None:
    weights = weights_of([np.full((3, 2, 4), np.nan)] * 3)
    assert weights.sum(axis=2) == pytest.approx(1.0)
    assert weights.max(axis=2) == pytest.approx(1.0)


def week(values: Values) -> Panel:
    return Panel(names=tuple("abc"[: len(values)]), values=values, start_us=1_757_894_400_000_000, step_seconds=3600)


def test_the_forecast_is_the_weighted_mean_of_those_that_have_a_weight() -> None:
    rng = np.random.default_rng(4)
    hours = np.arange(70 * 24)
    usual = 300 - 200 * np.cos(2 * np.pi * hours / 24)
    panel = week(usual + rng.normal(0, 30, (3, len(hours))))
    members = (LastValue(), SeasonalNaive(days=1), SeasonalNaive(days=7), Profile())
    selected = select(panel, 24, members)
    assert set(selected.fitted) == {"profile", "seasonal_naive_24h", "seasonal_naive_168h"}  # last value got no weight
    made = np.zeros((3, 24))
    for k, member in enumerate(members):
        own = member.fit(panel, 24).forecast(panel, 24)
        for number, part in enumerate(selected.parts):
            made[:, part.start : part.stop] += selected.weights[:, number, k, None] * own[:, part.start : part.stop]
    assert selected.forecast(panel, 24) == pytest.approx(made)
    assert Blend(members=members).fit(panel, 24).forecast(panel, 24) == pytest.approx(made)


def test_a_sensor_without_values_has_no_forecast_and_harms_none() -> None:
    rng = np.random.default_rng(4)
    values = rng.normal(300, 30, (2, 70 * 24))
    blend = Blend(members=(SeasonalNaive(days=1), Profile()))
    alone = blend.fit(week(values), 24).forecast(week(values), 24)
    beside = week(np.vstack([values, np.full((1, 70 * 24), np.nan)]))
    forecast = blend.fit(beside, 24).forecast(beside, 24)
    assert np.isnan(forecast[2]).all()
    assert forecast[:2] == pytest.approx(alone)


def test_a_backtest_measures_the_blend_of_what_selection_may_choose() -> None:
    rng = np.random.default_rng(4)
    hours = np.arange(70 * 24)
    panel = week(300 - 200 * np.cos(2 * np.pi * hours / 24) + rng.normal(0, 30, (3, len(hours))))
    models = [SeasonalNaive(days=1), SeasonalNaive(days=2), SeasonalNaive(days=7)]
    protocol = rolling(panel.length, (1, 24), 24, description="a test")
    mae = {
        (one.model, one.horizon): one.metrics["mae"]
        for one in backtest(panel, models, protocol, candidates=[one.name for one in models[:2]]).results
    }
    # naive forecasts err by their own noise and the target's; the mean of several halves the former
    assert mae["selected", 24] < 0.97 * mae["unblended", 24]
    alone = backtest(panel, models, protocol, candidates=["seasonal_naive_24h"]).results
    assert "unblended" not in {one.model for one in alone}


@pytest.mark.parametrize(
    ("leads", "step", "parts", "heard"),
    [
        (range(288), 300, ["0-3", "3-12", "12-72", "72-288"], ["0-3", "0-12", "12-72", "72-288"]),
        ((2, 5, 11), 300, ["0-1", "1-3"], ["0-1", "0-3"]),
        ((0, 143), 300, ["0-1", "1-2"], ["0-1", "1-2"]),
        (range(96), 900, ["0-1", "1-4", "4-24", "24-96"], ["0-1", "0-4", "4-24", "24-96"]),
        (range(48), 1800, ["0-2", "2-12", "12-48"], ["0-2", "2-12", "12-48"]),
        (range(30), 3600, ["0-1", "1-6", "6-24", "24-30"], ["0-1", "1-6", "6-24", "24-30"]),
    ],
)
def test_the_next_quarter_is_chosen_for_apart_and_heard_for_the_hour(
    leads: Sequence[int], step: int, parts: list[str], heard: list[str]
) -> None:
    there = np.array(leads), 86_400 // step
    assert [f"{one.start}-{one.stop}" for one in choice_bands(*there)] == parts
    assert [f"{one.start}-{one.stop}" for one in heard_bands(*there)] == heard


def test_five_minutes_ahead_the_last_value_serves_where_an_hour_ahead_the_profile_does() -> None:
    day = 288
    rng = np.random.default_rng(6)
    apart = np.zeros((3, 24 * day))
    for k in range(1, apart.shape[1]):
        apart[:, k] = 0.8 * apart[:, k - 1] + rng.normal(0, 1, 3)
    values = 50 + 20 * np.sin(2 * np.pi * np.arange(24 * day) / day) + apart
    panel = Panel(names=tuple("abc"), values=values, start_us=1_757_894_400_000_000, step_seconds=300)
    made = select(panel, 12, (LastValue(), Profile()))
    assert [made.candidates[k].name for k in made.chosen[0]] == ["last_value", "profile"]
    protocol = rolling(panel.length, (1, 12), day, description="")
    done = backtest(panel, (LastValue(), Profile()), protocol)
    assert done.chosen == {"1-1": {"last_value": 3}, "12-12": {"profile": 3}}
