"""SARIMAX, the structural model and what they explain, on series made by hand."""

from __future__ import annotations

import warnings
from datetime import UTC, datetime
from functools import partial

import numpy as np
import pytest
from statsmodels.tsa.statespace.sarimax import SARIMAX

from models.calendar import Calendar
from models.ets import ETS
from models.explanation import Explains, Explanation
from models.innovations import Innovations
from models.panel import Panel, Values
from models.sarimax import Sarimax
from models.season_regression import Errors, Form, NotEstimatedError, fit_panel
from models.season_terms import Season, season_terms, term_names
from models.structural import Structural
from services.domain import to_us

MONDAY = to_us(datetime(2026, 3, 2, tzinfo=UTC))
WEEKS = 4
HOURS = WEEKS * 168


def fading(share: float, seed: int = 5, length: int = HOURS) -> Values:
    """Noise of which this share stays from hour to hour, of standard deviation 10 new in each."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(0, 10, length)
    for t in range(1, length):
        noise[t] += share * noise[t - 1]
    return noise


def street(noise: Values, calendar: Calendar | None = None) -> Panel:
    """500 on average, 200 less at midnight than at noon, 150 less on Saturdays and 250 on Sundays."""
    hours = np.arange(len(noise))
    weekday = hours // 24 % 7
    usual = 500 - 100 * np.cos(2 * np.pi * hours / 24) - 150 * (weekday == 5) - 250 * (weekday == 6)
    return Panel(
        names=("a",),
        values=(usual + noise)[None],
        start_us=MONDAY,
        step_seconds=3600,
        calendar=calendar or Calendar(),
    )


def term(told: Explanation, name: str) -> float:
    return next(one.value for one in told.terms if one.name == name)


def error(told: Explanation, name: str) -> float:
    found = next(one.error for one in told.terms if one.name == name)
    assert found is not None
    return found


@pytest.mark.parametrize("model", [Sarimax(), Structural()], ids=lambda one: one.name)
def test_the_season_that_was_put_in_is_told_within_its_errors(model: Sarimax | Structural) -> None:
    told = model.explain(street(fading(0.6)))
    for name, true in {
        "cosine 1 a day": -100.0,
        "Saturday": -150.0,
        "Sunday or holiday": -250.0,
        "Friday": 0.0,
    }.items():
        assert abs(term(told, name) - true) < 3.5 * error(told, name)
        assert error(told, name) < 25
    assert told.level.error is not None
    assert abs(told.level.value - 500) < 3.5 * told.level.error
    assert told.trend is not None
    assert told.trend.error is not None
    assert abs(told.trend.value) < 3.5 * told.trend.error
    assert told.noise == pytest.approx(10, rel=0.1)
    assert told.season["Sunday or holiday"][12] == pytest.approx(350, abs=30)
    assert (told.values, told.passed_over) == (HOURS, ())


def test_how_much_of_the_noise_stays_is_told() -> None:
    told = Structural().explain(street(fading(0.6)))
    stays = "lasting noise, share that stays"
    assert abs(term(told, stays) - 0.6) < 3.5 * error(told, stays)
    assert term(told, "lasting noise, new per step") == pytest.approx(10, rel=0.1)


def test_a_growing_series_has_a_trend_and_its_forecast_does_not_run_on() -> None:
    panel = street(fading(0.3) + np.arange(HOURS) * 25 / 168)
    told = Sarimax().explain(panel)
    assert told.trend is not None
    assert told.trend.value == pytest.approx(25, abs=5)
    forecast = Sarimax().fit(panel, 168).forecast(panel, 168)
    assert 500 < forecast.mean() + 400 / 7 < 600


def test_the_coefficients_are_those_of_statsmodels() -> None:
    panel = street(fading(0.6))
    row, terms = panel.values[0], season_terms(panel, 0, panel.length)
    used = terms.any(axis=0)
    scaled = (row - row.mean()) / row.std()
    told = Sarimax().explain(panel)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        twin = SARIMAX(scaled, exog=terms[:, used], order=(2, 0, 1), mle_regression=False, concentrate_scale=True)
        memory = [term(told, "AR(1)"), term(told, "AR(2)"), term(told, "MA(1)")]
        found = twin.filter(memory)
    names = [name for name, there in zip(term_names(24), used, strict=True) if there]
    season = found.filter_results.filtered_state[-len(names) :, -1] * row.std()
    for name in ("cosine 1 a day", "Saturday", "Sunday or holiday", "sine 2 a day, Saturday"):
        assert term(told, name) == pytest.approx(season[names.index(name)], abs=0.3 * error(told, name))
    ahead = found.forecast(24, exog=season_terms(panel, HOURS, 24)[:, used]) * row.std() + row.mean()
    assert Sarimax().fit(panel, 24).forecast(panel, 24)[0] == pytest.approx(ahead, abs=1.0)


def test_a_holiday_is_a_sunday() -> None:
    german = street(fading(0.3), Calendar(country="DE"))
    good_friday = (datetime(2026, 4, 3, tzinfo=UTC) - datetime(2026, 3, 2, tzinfo=UTC)).days
    forecast = Sarimax().fit(german, 24 * 7).forecast(german, 24 * 7)[0].reshape(7, 24).mean(axis=1)
    assert forecast[good_friday - WEEKS * 7] == pytest.approx(250, abs=40)
    assert forecast[good_friday - WEEKS * 7 - 1] == pytest.approx(500, abs=40)


def refuses(_rest: Values, _day: int, _told: bool, *, why: Exception) -> Errors:
    raise why


@pytest.mark.parametrize(
    "why", [NotEstimatedError("no convergence"), np.linalg.LinAlgError("singular"), ValueError("not invertible")]
)
def test_what_does_not_converge_falls_down_the_ladder_and_says_so(why: Exception) -> None:
    panel = street(fading(0.6))
    fitted = fit_panel(panel, 8, [Form(name="a form", estimate=partial(refuses, why=why))], 1)
    assert fitted.forms == ("season of a week, errors without memory",)
    assert fitted.forecast(panel, 24)[0, 12] == pytest.approx(600, abs=30)


def nowhere(_rest: Values, _day: int, _told: bool) -> Errors:
    nan = np.full((1, 1), np.nan)
    return Errors(innovations=Innovations.of(nan, np.ones(1), nan[0]))


def test_an_estimate_that_is_not_finite_is_not_used() -> None:
    fitted = fit_panel(street(fading(0.6)), 8, [Form(name="a form", estimate=nowhere)], 1)
    assert fitted.forms == ("season of a week, errors without memory",)


def test_what_is_too_short_for_a_season_is_told() -> None:
    panel = street(fading(0.3))
    assert Sarimax().explain(panel.cut(40)).form == "level alone, smoothed exponentially by 0.3"
    assert Sarimax().explain(panel.cut(240)).form.startswith("season of a day")
    assert set(Sarimax().explain(panel.cut(240)).season) == {"any day"}
    assert [Season.of_days(days) for days in (2, 3, 14, 15)] == [Season.NONE, Season.DAY, Season.DAY, Season.WEEK]


def test_no_warning_leaks() -> None:
    panel = street(np.where(np.arange(HOURS) % 2, 1e9, -1e9))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for model in (Sarimax(weeks=3), Structural(weeks=3), ETS()):
            assert np.isfinite(model.explain(panel).noise)


def test_it_cannot_be_carried_back() -> None:
    panel = street(fading(0.3))
    fitted = Sarimax(weeks=3).fit(panel, 24)
    with pytest.raises(ValueError, match="only be carried forward"):
        fitted.forecast(panel.cut(HOURS - 24), 24)


@pytest.mark.parametrize("model", [ETS(), Sarimax(), Structural()], ids=lambda one: one.name)
def test_only_one_series_with_a_value_is_explained(model: Explains) -> None:
    empty = Panel(names=("a",), values=np.full((1, 48), np.nan), start_us=MONDAY, step_seconds=3600)
    with pytest.raises(ValueError, match="one series"):
        model.explain(empty)


def test_ets_tells_its_smoothing_and_the_week() -> None:
    told = ETS().explain(street(fading(0.0)))
    assert 0 <= term(told, "smoothing of level") < 0.3
    assert error(told, "smoothing of level") < 0.2
    assert told.form == "level and season of a week, both smoothed exponentially"
    assert told.season["Saturday"][12] == pytest.approx(450, abs=40)
    assert told.season["Tuesday"][0] == pytest.approx(400, abs=40)
    assert told.explained > 0.9


def test_each_term_has_a_name() -> None:
    for step_seconds in (900, 3600, 21_600, 43_200, 86_400):
        panel = Panel(names=("a",), values=np.zeros((1, 9)), start_us=MONDAY, step_seconds=step_seconds)
        terms = season_terms(panel, 0, 14 * panel.steps_per_day)
        assert terms.shape[1] == len(term_names(panel.steps_per_day)) == Season.WEEK.width(panel.steps_per_day)
        waves = terms[:, : Season.DAY.width(panel.steps_per_day)]
        assert np.linalg.matrix_rank(waves) == waves.shape[1]
