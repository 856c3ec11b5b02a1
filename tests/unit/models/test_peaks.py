"""Peaks of days whose true chances are known, because the days are generated: errors that last, with known variance."""

from __future__ import annotations

from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest

from models.panel import Values
from models.peaks import Courses, at_scores, correction, peaks
from services.domain import QUANTILE_LEVELS

DAY = 48
SHAPE = 100 + 20 * np.sin(2 * np.pi * (np.arange(DAY) - 14) / DAY)
SPREAD = 4 + 2 * np.sin(2 * np.pi * (np.arange(DAY) - 14) / DAY)
SCORES = np.array([NormalDist().inv_cdf(level) for level in QUANTILE_LEVELS])


def courses(many: int, seed: int, lasting: float = 0.93) -> Values:
    """Errors of one sensor that fade by `lasting` per step, standard deviation `SPREAD` (many x steps)."""
    rng = np.random.default_rng(seed)
    error = np.empty((many, DAY))
    error[:, 0] = rng.standard_normal(many)
    for k in range(1, DAY):
        error[:, k] = lasting * error[:, k - 1] + np.sqrt(1 - lasting**2) * rng.standard_normal(many)
    return np.asarray(error * SPREAD)


def issued(sensors: int) -> Values:
    quantiles = SHAPE + SCORES[:, None] * SPREAD
    return np.repeat(quantiles[:, None], sensors, axis=1)


@pytest.fixture(scope="module")
def truth() -> Values:
    """True peaks of very many days."""
    return np.asarray((SHAPE + courses(40_000, 99)).max(axis=1))


def test_chances_are_right_where_they_are_known(truth: Values) -> None:
    errors = np.stack([courses(60, seed) for seed in range(10)], axis=1)
    found = peaks(issued(10), Courses.of_errors(errors, DAY), [range(DAY)])
    for limit in np.quantile(truth, [0.1, 0.5, 0.8, 0.95]):
        said = found.chance_above(np.full((10, 1), limit))
        assert said.mean() == pytest.approx((truth > limit).mean(), abs=0.04)
        assert np.abs(said - (truth > limit).mean()).max() < 0.12, "no single sensor is far off"
    for level, said in zip(QUANTILE_LEVELS, found.quantiles().mean(axis=1)[:, 0], strict=True):
        assert (truth < said).mean() == pytest.approx(level, abs=0.04)


def test_quarters_that_erred_alone_would_be_wrong(truth: Values) -> None:
    """What the copula is for: drawn one by one, the steps make nearly every day exceed what one in two exceeds."""
    errors = np.stack([courses(60, seed, lasting=0.0) for seed in range(10)], axis=1)
    alone = peaks(issued(10), Courses.of_errors(errors, DAY), [range(DAY)])
    assert alone.chance_above(np.full((10, 1), np.median(truth))).mean() > 0.75


def test_the_issued_quantiles_are_kept_at_every_step() -> None:
    errors = np.stack([courses(60, seed) for seed in range(3)], axis=1)
    drawn = at_scores(issued(3), Courses.of_errors(errors, DAY).draw(4000, slice(0, 3)))
    for k, level in enumerate(QUANTILE_LEVELS):
        np.testing.assert_allclose((drawn < issued(3)[k]).mean(axis=0), level, atol=0.045)


def test_the_time_of_the_peak_is_that_of_the_usual_day() -> None:
    errors = courses(60, 1)[:, None]
    found = peaks(issued(1), Courses.of_errors(errors, DAY), [range(DAY)])
    assert abs(int(found.likeliest[0, 0]) - int(SHAPE.argmax())) <= 4


def test_what_was_observed_today_counts() -> None:
    rest = range(40)
    courses_ = Courses.of_errors(courses(60, 1)[:, None], DAY)
    found = peaks(issued(1), courses_, [rest, range(40, 48)], so_far=np.array([[150.0, np.nan]]))
    assert (found.drawn[:, 0, 0] == 150).mean() > 0.99
    assert found.likeliest[0, 0] == -1
    assert found.likeliest[0, 1] >= 40
    np.testing.assert_array_equal(found.chance_above(np.array([[149.0, np.nan]])), [[1.0, np.nan]])


def test_sensors_without_errors_or_with_gaps_are_drawn_too_and_touch_no_other() -> None:
    errors = np.stack([courses(60, seed) for seed in range(4)], axis=1)
    whole = peaks(issued(4), Courses.of_errors(errors, DAY), [range(DAY)])
    gaps = errors.copy()
    gaps[:, 3] = np.nan
    gaps[::2, 2, ::3] = np.nan
    holed = peaks(issued(4), Courses.of_errors(gaps, DAY), [range(DAY)])
    assert np.isfinite(holed.drawn).all()
    np.testing.assert_allclose(holed.quantiles()[:, 0], whole.quantiles()[:, 0], rtol=0.02)
    nothing = peaks(issued(4), Courses.of_errors(np.full((0, 4, DAY), np.nan), DAY), [range(DAY)])
    np.testing.assert_allclose(nothing.quantiles(), whole.quantiles(), rtol=0.05)


def test_load_that_is_never_negative_has_no_negative_course_and_the_same_is_said_again() -> None:
    low = np.maximum(issued(1) - 105, 0.0)
    learnt = Courses.of_errors(courses(60, 1)[:, None], DAY)
    assert at_scores(low, learnt.draw(500, slice(0, 1))).min() == 0.0
    first, second = (peaks(low, learnt, [range(DAY)]) for _ in range(2))
    np.testing.assert_array_equal(first.drawn, second.drawn)


def test_a_forecast_that_follows_noise_is_not_topped_up_with_it(truth: Values) -> None:
    """Days forecast as their day before: its noise is in the highest value already, and errors are low there."""
    days = courses(121, 7)
    errors, seen = days[1:] - days[:-1], SHAPE + days[1:]
    origins = np.arange(120, dtype=np.int64) * 86_400_000_000
    learnt = correction(errors[:, None], seen[:, None], origins, [range(DAY)])
    spread = np.quantile(errors, QUANTILE_LEVELS, axis=0)
    raw, corrected = [], []
    for k in range(20):
        issued_ = (SHAPE + courses(20, 50)[k] + spread)[:, None]
        for found, how in ((raw, None), (corrected, learnt)):
            found.append(
                peaks(issued_, Courses.of_errors(errors[:, None], DAY), [range(DAY)], corrected=how).drawn.mean()
            )
    assert learnt.shift[0, 0] < -1
    assert abs(np.mean(corrected) - truth.mean()) < abs(np.mean(raw) - truth.mean()) / 3


def test_nothing_is_corrected_without_enough_days() -> None:
    few = courses(6, 1)[:, None]
    origins = np.arange(6, dtype=np.int64) * 86_400_000_000
    learnt = correction(few, SHAPE + few, origins, [range(DAY)])
    np.testing.assert_array_equal(learnt.shift, 0.0)
    np.testing.assert_array_equal(learnt.stretch, 1.0)
    np.testing.assert_array_equal(learnt.least, 0.0)
    nothing = correction(few[:0], few[:0], origins[:0], [range(DAY)])
    np.testing.assert_array_equal(nothing.shift, 0.0)


def test_a_peak_is_as_unsure_as_earlier_peaks_were_where_its_hour_is_harder_than_what_was_issued_says() -> None:
    """The highest hours err twice as much as the quantiles say that hold on the whole."""
    harder = np.where(np.abs(np.arange(DAY) - SHAPE.argmax()) <= 6, 2.5, 1.0)
    past, new = courses(120, 5) * harder, courses(2000, 6) * harder
    origins = np.arange(120, dtype=np.int64) * 86_400_000_000
    learnt = correction(past[:, None], (SHAPE + past)[:, None], origins, [range(DAY)])
    happened = (SHAPE + new).max(axis=1)
    held = []
    for how in (replace(learnt, least=np.zeros((1, 1))), learnt):
        found = peaks(issued(1), Courses.of_errors(past[:, None], DAY), [range(DAY)], corrected=how)
        low, high = found.quantiles((0.1, 0.9))[:, 0, 0]
        held.append(((happened >= low) & (happened <= high)).mean())
    assert held[0] < 0.7
    assert held[1] == pytest.approx(0.8, abs=0.05)


def test_what_is_left_of_today_is_not_compared_with_what_was_left_at_other_hours() -> None:
    past = courses(40, 8)
    origins = np.arange(40, dtype=np.int64) * 86_400_000_000
    learnt = correction(past[:, None], (SHAPE + past)[:, None], origins, [range(8), range(8, DAY)])
    assert learnt.least[0, 0] == 0
    assert learnt.least[0, 1] > 0
