"""Every model of the catalogue keeps the promises of `models.contract`."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from models.calendar import Calendar
from models.catalogue import BLEND, CANDIDATES, CLASSICAL, FORECASTERS, JOINT, SPECIAL, informed
from models.contract import Forecaster, Rolling, Shared
from models.covariates import Course, Covariates
from models.informed import Informed
from models.load_ridge import LoadRidge
from models.panel import Panel, Values
from models.profile import Profile
from models.sarimax import Sarimax
from models.selection import select
from models.structural import Structural

BERLIN = Calendar(zone="Europe/Berlin", country="DE", region="BE")
START_US = 1_757_894_400_000_000  # Monday 2025-09-15 00:00 UTC: the history crosses the end of summer time
DAYS, STEPS = 49, 24

# fitted series by series: to fewer weeks here than a person would
BRIEFLY = [Sarimax(weeks=3), Structural(weeks=3)]
POOLED = [*JOINT, replace(BLEND, members=CANDIDATES[:4])]  # of members that are quickly fitted

INFORMED = [Informed(plain=Profile()), *(one for one in informed(FORECASTERS) if isinstance(one, LoadRidge))]

every_model = pytest.mark.parametrize(
    "model", [*FORECASTERS, *SPECIAL, *POOLED, *BRIEFLY, *INFORMED], ids=lambda one: one.name
)


@cache
def weather() -> Course:
    """Of every hour an observation, and forecasts for a day every six hours; it has nothing to do with the sensors."""
    rng = np.random.default_rng(8)
    hours = np.arange(24 * (DAYS + 12))
    ahead = [np.arange(issue, issue + 24) for issue in range(0, len(hours), 6)]
    valid = np.concatenate([hours, *ahead])
    issued = np.concatenate([hours + 1, np.repeat(np.arange(0, len(hours), 6), 24)])
    hour_us = 3_600_000_000
    return Course.of(START_US + valid * hour_us, START_US + issued * hour_us, rng.normal(15, 5, len(valid)))


def city(sensors: int = 4, days: int = DAYS, step_seconds: int = 3600) -> Panel:
    """Sensors with a day, a week, and noise that lasts some hours."""
    rng = np.random.default_rng(7)
    length = days * 86_400 // step_seconds
    hours = np.arange(length) * step_seconds / 3600
    week = np.where(hours // 24 % 7 >= 5, 0.5, 1.0)
    usual = week * (300 - 200 * np.cos(2 * np.pi * hours / 24))
    noise = rng.normal(0, 20, (sensors, length))
    for t in range(1, length):
        noise[:, t] += 0.7 * noise[:, t - 1]
    return Panel(
        names=tuple(f"s{k}" for k in range(sensors)),
        values=usual * (1 + np.arange(sensors)[:, None] / 4) + noise,
        start_us=START_US,
        step_seconds=step_seconds,
        calendar=BERLIN,
        covariates=Covariates(
            names=("temperature_c",), courses=((weather(),),), places=np.zeros(sensors, dtype=np.int64)
        ),
    )


def run(model: Forecaster, panel: Panel, steps: int = STEPS) -> Values:
    return model.fit(panel, steps).forecast(panel, steps)


@cache
def undisturbed(model: Forecaster, sensors: int = 4) -> Values:
    return run(model, city(sensors))


@every_model
def test_a_finite_number_for_each_sensor_and_step(model: Forecaster) -> None:
    panel = city()
    forecast = run(model, panel)
    assert forecast.shape == (4, STEPS)
    assert np.isfinite(forecast).all()
    assert isinstance(model, Forecaster)


@every_model
def test_fewer_steps_are_the_first_of_more(model: Forecaster) -> None:
    panel = city()
    fitted = model.fit(panel, STEPS)
    assert fitted.forecast(panel, 5) == pytest.approx(fitted.forecast(panel, STEPS)[:, :5])


@every_model
def test_the_same_input_gives_the_same_output(model: Forecaster) -> None:
    assert np.array_equal(run(model, city()), undisturbed(model))


@every_model
def test_better_than_knowing_only_the_mean(model: Forecaster) -> None:
    panel = city(days=DAYS + 2)
    tuesday = (DAYS + 1) * 24  # so that the day before was a working day too
    known, truth = panel.cut(tuesday), panel.values[:, tuesday : tuesday + STEPS]
    if model.name == "last_value":
        assert np.abs(run(model, known)[:, 0] - truth[:, 0]).mean() < 110  # against 230 of the mean
    else:
        flat = np.abs(known.values.mean(axis=1)[:, None] - truth).mean()
        assert np.abs(run(model, known) - truth).mean() < 0.75 * flat


@every_model
def test_tomorrow_cannot_be_seen(model: Forecaster) -> None:
    panel = city(days=DAYS + 3)
    issue = DAYS * 24
    planted = panel.values.copy()
    planted[:, issue:] = 1e9
    fitted, fitted_beside_planted = (
        model.fit(one.cut(issue - 48), STEPS) for one in (panel, replace(panel, values=planted))
    )
    expected = fitted.forecast(panel.cut(issue), STEPS)
    assert np.array_equal(fitted_beside_planted.forecast(replace(panel, values=planted).cut(issue), STEPS), expected)


@every_model
def test_many_origins_at_once_are_one_after_the_other(model: Forecaster) -> None:
    panel = city(days=DAYS + 8)
    values = panel.values.copy()
    values[2, 400:] = np.nan
    values[3] = np.nan
    values[:, DAYS * 24 + 30] = np.nan
    panel = replace(panel, values=values)
    fitted = model.fit(panel.cut(DAYS * 24), STEPS)
    if not isinstance(fitted, Rolling):
        pytest.skip(f"{model.name} forecasts from one origin after the other")
    origins = np.arange(DAYS * 24, panel.length - 1, 37)
    expected = np.stack([fitted.forecast(panel.cut(int(origin)), STEPS) for origin in origins])
    # means that fade over weeks may begin up to a day apart
    assert fitted.rolling(panel, origins, STEPS) == pytest.approx(expected, rel=2e-3, nan_ok=True)
    planted = np.where(np.arange(panel.length) < origins[2], values, 1e9)
    seen = fitted.rolling(replace(panel, values=planted), origins[:3], STEPS)
    assert np.array_equal(seen, fitted.rolling(panel, origins[:3], STEPS), equal_nan=True)


@every_model
def test_fits_that_share_their_work_are_those_of_the_parts(model: Forecaster) -> None:
    if not isinstance(model, Shared):
        pytest.skip(f"{model.name} fits to one panel after the other")
    panel = city(days=DAYS + 8)
    early = DAYS * 24
    first, second = model.fit_at(panel, (early, panel.length), STEPS)
    alone, whole = model.fit(panel.cut(early), STEPS), model.fit(panel, STEPS)
    assert first.forecast(panel.cut(early), STEPS) == pytest.approx(alone.forecast(panel.cut(early), STEPS), rel=1e-4)
    assert second.forecast(panel, STEPS) == pytest.approx(whole.forecast(panel, STEPS), rel=0.1)
    planted = np.where(np.arange(panel.length) < early, panel.values, 1e5)
    blind, _ = model.fit_at(replace(panel, values=planted), (early, panel.length), STEPS)
    assert blind.forecast(panel.cut(early), STEPS) == pytest.approx(first.forecast(panel.cut(early), STEPS), rel=1e-4)


@every_model
def test_what_came_after_the_fit_is_used(model: Forecaster) -> None:
    panel = city(days=DAYS + 3)
    fitted = model.fit(panel.cut(DAYS * 24), STEPS)
    later = fitted.forecast(panel.cut((DAYS + 1) * 24 + 6), STEPS)
    truth = panel.values[:, (DAYS + 1) * 24 + 6 :][:, :1]
    assert np.abs(later[:, :1] - truth).max() < 150


def nothing(length: int) -> Values:
    return np.full(length, np.nan)


def two_points(length: int) -> Values:
    row = nothing(length)
    row[[3, -5]] = 5.0, 7.0
    return row


def gaps(length: int) -> Values:
    row = np.sin(np.arange(length) / 4) * 100 + 200
    row[np.random.default_rng(3).random(length) < 0.6] = np.nan
    row[-30:] = np.nan
    return row


BAD = {
    "nothing": nothing,
    "constant": lambda length: np.full(length, 3.0),
    "zero": np.zeros,
    "two points": two_points,
    "one point": lambda length: np.r_[nothing(length - 1), 5.0],
    "gaps": gaps,
    "huge": lambda length: np.where(np.arange(length) % 50 == 0, 1e12, -1e12),
    "spike": lambda length: np.where(np.arange(length) == length - 2, 1e12, 1.0),
    "tiny": lambda length: np.sin(np.arange(length)) * 1e-300,
}


@every_model
@pytest.mark.parametrize("bad", BAD)
def test_a_bad_series_disturbs_no_other_and_gets_a_number_where_it_has_one(model: Forecaster, bad: str) -> None:
    if model in POOLED:
        pytest.skip(f"{model.name} does not promise it")
    panel = city(2 if model in BRIEFLY else 4)
    values = panel.values.copy()
    values[1] = BAD[bad](panel.length)
    forecast = run(model, replace(panel, values=values))
    others = [k for k in range(panel.sensors) if k != 1]
    assert forecast[others] == pytest.approx(undisturbed(model, panel.sensors)[others], rel=1e-9)
    if bad == "nothing":
        assert np.isnan(forecast[1]).all()
    else:
        assert np.isfinite(forecast[1]).all()
    if bad == "constant":
        assert forecast[1] == pytest.approx(3.0)


@every_model
@pytest.mark.parametrize("days", [0, 1, 2, 8, 15])
@pytest.mark.parametrize("step_seconds", [900, 3600, 21_600, 86_400])
def test_any_length_and_step_will_do(model: Forecaster, days: int, step_seconds: int) -> None:
    panel = city(days=max(days, 1), step_seconds=step_seconds).cut(0 if days == 0 else 10**9)
    steps = max(1, 2 * 86_400 // step_seconds)
    forecast = run(model, panel, steps)
    assert forecast.shape == (4, steps)
    assert np.isnan(forecast).all() if days == 0 else np.isfinite(forecast).all()


@every_model
def test_scaling_a_sensor_scales_its_forecast(model: Forecaster) -> None:
    panel = city()
    assert run(model, replace(panel, values=panel.values * 1000)) == pytest.approx(undisturbed(model) * 1000, rel=1e-3)


@every_model
def test_shifting_a_sensor_shifts_its_forecast_where_promised(model: Forecaster) -> None:
    if not model.shifts:
        pytest.skip(f"{model.name} does not promise it")
    panel = city()
    assert run(model, replace(panel, values=panel.values + 5000)) == pytest.approx(undisturbed(model) + 5000, rel=1e-3)


@every_model
def test_never_below_zero_where_the_quantity_is_not(model: Forecaster) -> None:
    panel = city()
    values = np.maximum(panel.values - 250, 0.0)
    assert run(model, replace(panel, values=values, nonnegative=True)).min() >= 0


@pytest.mark.parametrize("bad", BAD)
def test_selected_quantiles_are_ordered_finite_and_nobodys_business(bad: str) -> None:
    panel = city(sensors=6)
    values = panel.values.copy()
    values[1] = BAD[bad](panel.length)
    beside = select(replace(panel, values=values), STEPS, CANDIDATES).intervals(replace(panel, values=values), STEPS)
    rows = [0, 2, 3, 4, 5] + ([] if bad == "nothing" else [1])
    assert beside.quantiles.shape == (7, 6, STEPS)
    assert np.isfinite(beside.quantiles[:, rows]).all()
    assert (np.diff(beside.quantiles[:, rows], axis=0) >= 0).all()
    if bad in {"constant", "zero"}:
        assert np.ptp(beside.quantiles[:, 1]) == pytest.approx(0.0)


def test_classical_models_are_all_held_to_it() -> None:
    assert [replace(model, weeks=3) for model in CLASSICAL] == BRIEFLY


def test_names_are_unique() -> None:
    every = (*FORECASTERS, *SPECIAL, *JOINT, *CLASSICAL, BLEND)
    assert len({model.name for model in every}) == len(every)
