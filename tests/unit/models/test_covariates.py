"""Covariates: what was known of them when, and what a forecast gains from them on a load with a planted effect of heat.

The weather, its forecasts and the load are made up here; no recording is behind them.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from models.calendar_ridge import CalendarRidge
from models.contract import Forecaster, rolling
from models.covariates import Course, Covariates
from models.informed import Informed
from models.load_ridge import LoadRidge
from models.panel import Panel, Values
from models.profile import Profile
from models.profile_ridge import ProfileRidge
from models.selection import select

Numbers = NDArray[np.floating[Any]] | NDArray[np.integer[Any]]
HOUR_US = 3_600_000_000
DAYS, STEPS = 130, 24
START_US = 1_748_822_400_000_000  # Monday 2025-06-02
PLAIN = (Profile(), CalendarRidge())
JOINT = LoadRidge(informed=True, name="load_ridge_informed")


def weather() -> Values:
    """Degrees in every hour: a day, and warm and cold spells of some days."""
    rng = np.random.default_rng(5)
    spells = np.zeros(24 * DAYS)
    for t in range(1, len(spells)):
        spells[t] = 0.99 * spells[t - 1] + rng.normal(0, 0.9)
    return np.asarray(15 + spells + 4 * np.sin(2 * np.pi * (np.arange(24 * DAYS) - 9) / 24))


def loads(degrees: Values) -> Values:
    """Two feeders with a day and a week; the first draws 10 more per degree above 18, the second nothing."""
    rng = np.random.default_rng(6)
    hours = np.arange(len(degrees))
    usual = np.where(hours // 24 % 7 >= 5, 150.0, 200.0) + 50 * np.sin(2 * np.pi * (hours - 8) / 24)
    return np.stack([usual + 10 * np.maximum(degrees - 18, 0), usual]) + rng.normal(0, 4, (2, len(degrees)))


def told(degrees: Values, *, error: float | None, seed: int = 8) -> tuple[Values, ...]:
    """Observations, and unless `error` is None forecasts every six hours for 36, wrong by that many degrees times root of days."""
    rng = np.random.default_rng(seed)
    hours = np.arange(len(degrees))
    valid, issued, value = [hours], [hours + 1], [degrees]
    for issue in range(0, len(degrees), 6) if error is not None else ():
        ahead = np.arange(issue, min(issue + 36, len(degrees)))
        wrong = np.full(len(ahead), rng.normal()) * np.sqrt((ahead - issue + 1) / 24) * (error or 0.0)
        valid, issued, value = [*valid, ahead], [*issued, np.full(len(ahead), issue)], [*value, degrees[ahead] + wrong]
    return tuple(np.concatenate(one) for one in (valid, issued, value))


def course(valid: Numbers, issued: Numbers, value: Numbers) -> Course:
    return Course.of(
        START_US + valid.astype(np.int64) * HOUR_US,
        START_US + issued.astype(np.int64) * HOUR_US,
        value.astype(np.float64),
    )


def covariates(one: Course | None, sensors: int = 2) -> Covariates:
    return Covariates(names=("temperature_c",), courses=((one,),), places=np.zeros(sensors, dtype=np.int64))


def city(error: float | None = 0.5) -> Panel:
    degrees = weather()
    return Panel(
        names=("cooled", "plain"),
        values=loads(degrees),
        start_us=START_US,
        step_seconds=3600,
        covariates=covariates(course(*told(degrees, error=error))),
    )


def wrong_by(model: Forecaster, panel: Panel, first: int = 100) -> Values:
    """Mean absolute error of each sensor over a day from origins after day `first`."""
    fitted = model.fit(panel.cut(first * 24), STEPS)
    origins = range(first * 24, panel.length - STEPS, 13)
    missed = [fitted.forecast(panel.cut(k), STEPS) - panel.values[:, k : k + STEPS] for k in origins]
    return np.asarray(np.abs(missed).mean(axis=(0, 2)))


def test_of_several_values_the_last_said_by_then_counts() -> None:
    some = course(np.array([10, 10, 10, 11]), np.array([0, 6, 11, 6]), np.array([1.0, 2.0, 3.0, 9.0]))
    asked = START_US + np.array([10, 10, 10, 10, 11, 12]) * HOUR_US
    by = START_US + np.array([-1, 0, 7, 30, 7, 30]) * HOUR_US
    assert some.said(asked, by) == pytest.approx([np.nan, 1.0, 2.0, 3.0, 9.0, np.nan], nan_ok=True)


@pytest.mark.parametrize(("hours", "held"), [(1, 1), (3, 3), (24, 24)])
def test_a_value_holds_until_the_next(hours: int, held: int) -> None:
    valid = np.arange(0, 24 * 10, hours)
    some = course(valid, valid, np.arange(len(valid), dtype=np.float64))
    asked = START_US + (24 * 5 + np.array([0, held - 1])) * HOUR_US
    assert np.ptp(some.said(asked, asked)) == 0
    assert some.said(START_US + np.array([24 * 9 + 23 + 1]) * HOUR_US, np.array([2**61])) == pytest.approx(
        np.nan, nan_ok=True
    )


def test_what_nobody_has_said_is_what_it_was_a_day_before_and_told_as_such() -> None:
    hours = np.arange(48)
    known = covariates(course(hours, hours + 1, hours.astype(np.float64)))
    values, said = known.known(
        0, 0, START_US + np.array([47, 50, 80, 300]) * HOUR_US, np.array(START_US + 48 * HOUR_US)
    )
    assert values == pytest.approx([47, 26, 32, np.nan], nan_ok=True)
    assert said.tolist() == [True, False, False, False]


def test_a_cut_panel_knows_nothing_that_was_said_later() -> None:
    panel = city()
    issue = 50 * 24
    known = panel.cut(issue).covariates
    assert known is not None
    assert panel.covariates is not None
    targets = panel.times_us(issue, 72)
    late = np.array(panel.end_us)
    then, _ = panel.covariates.known(0, 0, targets, np.array(panel.times_us(issue, 1)[0]))
    assert np.array_equal(known.known(0, 0, targets, late)[0], then, equal_nan=True)
    assert not np.array_equal(panel.covariates.known(0, 0, targets, late)[0], then)


@pytest.mark.parametrize("plain", PLAIN, ids=lambda one: one.name)
def test_the_error_falls_where_the_weather_matters_and_nowhere_rises(plain: Forecaster) -> None:
    panel = city()
    before, after = wrong_by(plain, panel), wrong_by(Informed(plain=plain), panel)
    assert after[0] < 0.6 * before[0]
    assert after[1] < 1.05 * before[1]


def test_the_load_ridge_looks_at_the_weather_itself() -> None:
    panel = city()
    before, after = wrong_by(LoadRidge(), panel), wrong_by(JOINT, panel)
    assert after[0] < 0.8 * before[0]
    assert after[1] < 1.12 * before[1]
    for silent in (None, covariates(None)):
        bare = replace(panel, covariates=silent)
        made = [model.fit(bare, STEPS).forecast(bare, STEPS) for model in (LoadRidge(), JOINT)]
        assert made[1] == pytest.approx(made[0], rel=1e-9)
    expected = LoadRidge().fit(panel, STEPS).forecast(panel, STEPS)
    assert np.array_equal(LoadRidge().fit(replace(panel, covariates=None), STEPS).forecast(panel, STEPS), expected)


def test_what_the_weather_forecast_misses_is_in_the_intervals() -> None:
    models = [Informed(plain=Profile())]
    widths = []
    for error in (0.0, 4.0):
        panel = city(error)
        quantiles = select(panel, STEPS, models).intervals(panel, STEPS).quantiles
        widths.append((quantiles[-1] - quantiles[0])[0].mean())
    assert widths[1] > 1.3 * widths[0]


@pytest.mark.parametrize("plain", [*PLAIN, ProfileRidge()], ids=lambda one: one.name)
def test_without_covariates_it_is_the_plain_model_to_the_bit(plain: Forecaster) -> None:
    panel = city()
    expected = plain.fit(panel, STEPS).forecast(panel, STEPS)
    for one in (None, covariates(None), replace(covariates(None), names=(), courses=((),))):
        bare = replace(panel, covariates=one)
        made = Informed(plain=plain).fit(bare, STEPS).forecast(bare, STEPS)
        assert np.array_equal(made, expected)


def test_where_the_weather_is_no_longer_told_forecasts_go_on() -> None:
    panel = city()
    fitted = Informed(plain=Profile()).fit(panel, STEPS)
    for silent in (None, covariates(None), replace(covariates(None), names=("rain_mm",))):
        made = fitted.forecast(replace(panel, covariates=silent), STEPS)
        assert made == pytest.approx(Profile().fit(panel, STEPS).forecast(panel, STEPS), abs=1e-9)


def test_where_the_weather_does_nothing_next_to_nothing_changes() -> None:
    rng = np.random.default_rng(3)
    panel = city()
    flat = replace(panel, values=rng.normal(100, 5, panel.values.shape))  # nothing to find
    made = [model.fit(flat, STEPS).forecast(flat, STEPS) for model in (Profile(), Informed(plain=Profile()))]
    assert made[1] == pytest.approx(made[0], abs=4)


def test_observations_alone_help_through_what_was_seen_last() -> None:
    panel = city(error=None)
    before, after = wrong_by(Profile(), panel), wrong_by(Informed(plain=Profile()), panel)
    assert after[0] < 0.9 * before[0]
    assert after[0] > wrong_by(Informed(plain=Profile()), city())[0]  # forecasts are worth more


@pytest.mark.parametrize(
    ("error", "model"),
    [(0.5, Informed(plain=Profile())), (0.5, JOINT), (None, Informed(plain=CalendarRidge()))],
    ids=["forecasts", "forecasts in the load ridge", "observations alone"],
)
def test_tomorrows_weather_cannot_be_seen(error: float | None, model: Forecaster) -> None:
    degrees = weather()
    panel = city(error)
    issue = 110 * 24
    valid, issued, value = told(degrees, error=error)
    planted = np.where(issued > issue, 1e6, value)
    assert (planted != value).sum() > 24
    beside = replace(panel, covariates=covariates(course(valid, issued, planted)))
    early = issued <= issue
    unsaid = replace(panel, covariates=covariates(course(valid[early], issued[early], value[early])))
    fitted, fitted_beside = (model.fit(one.cut(issue - 48), STEPS) for one in (panel, beside))
    expected = fitted.forecast(panel.cut(issue), STEPS)
    assert np.array_equal(fitted_beside.forecast(beside.cut(issue), STEPS), expected)
    assert np.array_equal(model.fit(unsaid.cut(issue - 48), STEPS).forecast(unsaid.cut(issue), STEPS), expected)
    origins = np.array([issue - 30, issue])
    assert np.array_equal(rolling(fitted, panel, origins, STEPS), rolling(fitted_beside, beside, origins, STEPS))


def test_sensors_look_at_the_weather_of_their_own_place() -> None:
    panel = city()
    rng = np.random.default_rng(9)
    elsewhere = course(np.arange(24 * DAYS), np.zeros(24 * DAYS), rng.normal(15, 5, 24 * DAYS))
    assert panel.covariates is not None
    mine = panel.covariates.courses[0][0]
    places = Covariates(
        names=("temperature_c",), courses=((elsewhere,), (mine,)), places=np.array([1, 0], dtype=np.int64)
    )
    apart = Informed(plain=Profile()).fit(replace(panel, covariates=places), STEPS)
    together = Informed(plain=Profile()).fit(panel, STEPS)
    expected = together.forecast(panel, STEPS)
    assert apart.forecast(replace(panel, covariates=places), STEPS)[0] == pytest.approx(expected[0])
    assert places.rows(np.array([False, True])).places.tolist() == [0]


def test_covariates_must_fit_the_sensors() -> None:
    with pytest.raises(ValueError, match="covariates for 3 sensors do not fit a panel of 2"):
        replace(city(), covariates=covariates(None, sensors=3))
