"""What errors of few days are worth: less of their median, wider intervals, the same in a backtest and in service."""

from __future__ import annotations

import numpy as np
import pytest

from models.adaptive import LEVELS, History, issue
from models.catalogue import CANDIDATES
from models.conformal import Conformal, calibrate
from models.few_days import as_issued
from models.leads import bands
from models.panel import Panel, Values
from models.regimes import regimes
from models.selection import random_walk, select
from services.domain import QUANTILE_LEVELS

DAY, STEPS = 24, 48
MIDDLE = QUANTILE_LEVELS.index(0.5)


def learnt_from(days: int, seed: int = 1) -> tuple[Conformal, Values, np.ndarray[tuple[int], np.dtype[np.int64]]]:
    """Errors around 5 of three sensors, from origins an hour apart."""
    errors = np.random.default_rng(seed).normal(5, 2, (days * DAY + 1, 3, STEPS))
    return calibrate(errors, np.ones((3, STEPS))), errors, np.arange(len(errors))


def issued_from(days: int) -> tuple[Values, Values]:
    learnt, errors, origins = learnt_from(days)
    return learnt.offsets, as_issued(learnt, errors, origins, day=DAY).offsets


def test_of_a_week_a_fifth_of_the_median_is_believed_and_of_a_year_nearly_all() -> None:
    for days, share in ((7, 0.2), (28, 0.5), (364, 364 / 392)):
        whole, believed = issued_from(days)
        assert believed[MIDDLE] == pytest.approx(share * whole[MIDDLE])


def test_intervals_of_few_days_are_wider_around_their_median_and_most_so_far_out_and_far_ahead() -> None:
    whole, believed = issued_from(7)
    factor = (believed - believed[MIDDLE]) / np.where(
        np.arange(7)[:, None, None, None] == MIDDLE, 1, whole - whole[MIDDLE]
    )
    assert factor[-2, 0, 0, 0] == pytest.approx(1.0707, abs=1e-4)  # t with 7 + 3 degrees of freedom, at 0.9
    assert factor[1, 0, 0, 0] == pytest.approx(factor[-2, 0, 0, 0])
    assert factor[-2, 0, 0, 47] == pytest.approx(1.104, abs=1e-3)  # two days fit 3.5 times: 7
    assert factor[-1, 0, 0, 0] > factor[-2, 0, 0, 0] > factor[-3, 0, 0, 0] > 1
    whole, believed = issued_from(364)
    assert np.ptp(believed, axis=0) == pytest.approx(np.ptp(whole, axis=0), rel=0.005)


def test_of_less_than_six_days_only_the_median_is_doubted() -> None:
    whole, believed = issued_from(1)
    assert believed[MIDDLE] == pytest.approx(whole[MIDDLE] / 29)
    outer = believed[-1, 0, :, 0] - whole[MIDDLE, 0, :, 0]
    assert outer == pytest.approx(
        1.296 * (whole[-1] - whole[MIDDLE])[0, :, 0], rel=1e-3
    )  # t with 1 + 3 degrees of freedom
    assert (believed[0] <= believed[MIDDLE]).all()


@pytest.mark.parametrize("count", [0, 1, 2])
def test_hardly_any_origin_makes_finite_ordered_offsets(count: int) -> None:
    errors = np.random.default_rng(2).normal(0, 1, (count, 3, STEPS))
    errors[:, 1] = np.nan
    learnt = calibrate(errors, np.ones((3, STEPS)))
    found = as_issued(learnt, errors, np.arange(count), day=DAY).offsets
    assert np.isfinite(found).all()
    assert (np.diff(found, axis=0) >= 0).all()
    width, usual = found[-1] - found[0], learnt.offsets[-1] - learnt.offsets[0]
    assert (width > usual).all()
    if count == 0:
        assert width == pytest.approx(2 * usual)


def test_intervals_of_a_young_sensor_hold_what_they_promise_although_every_day_errs_in_its_own_way() -> None:
    """A week of errors half of which is the day's own, and the days after them."""
    rng = np.random.default_rng(3)
    held: dict[str, list[float]] = {"whole": [], "believed": []}
    for _ in range(300):
        errors = (np.repeat(rng.normal(0, 1, 14), DAY) + rng.normal(0, 1, 14 * DAY))[:, None, None]
        learnt = calibrate(errors[: 7 * DAY], np.ones((1, 1)))
        for name, one in (
            ("whole", learnt),
            ("believed", as_issued(learnt, errors[: 7 * DAY], np.arange(7 * DAY), day=DAY)),
        ):
            low, high = one.offsets[1, 0, 0, 0], one.offsets[-2, 0, 0, 0]
            held[name].append(float(((errors[7 * DAY :] >= low) & (errors[7 * DAY :] <= high)).mean()))
    assert np.mean(held["whole"]) < 0.78
    assert np.mean(held["believed"]) == pytest.approx(0.8, abs=0.015)


def test_the_service_issues_what_a_backtest_measures() -> None:
    """From the same validation errors: the median that is scored, and how much of what comes is inside."""
    rng = np.random.default_rng(4)
    level = np.where(
        np.arange(28 * DAY) < 21 * DAY, 100.0, 120.0
    )  # higher since a week: the median of errors is not zero
    panel = Panel(names=("a", "b"), values=level + rng.normal(0, 5, (2, 28 * DAY)), start_us=0, step_seconds=3600)
    steps = 24
    selected = select(panel, steps, CANDIDATES[3:4])
    origins = (selected.origins_us - panel.start_us) // panel.step_us
    after = np.array([panel.length + steps])
    every = regimes(panel, 0, panel.length + 3 * steps)
    both = np.concatenate([origins, after])
    coming = rng.normal(10, 20, (1, 2, steps)).astype(np.float32)
    history = History(
        origins=both,
        leads=np.arange(steps),
        errors=np.concatenate([selected.errors, coming]),
        truth=np.full((len(both), 2, steps), 1e6, dtype=np.float32),
        kinds=every[both[:, None] + np.arange(steps)],
        first_test=len(origins),
        nonnegative=False,
    )
    measured = issue(history, random_walk(panel, steps), bands(steps, 16), DAY, 10_000)
    kinds = history.kinds[-1]
    offsets = selected.conformal.offsets[:, kinds, :, np.arange(steps)].transpose(1, 2, 0)
    assert offsets[MIDDLE].mean() > 1
    assert measured.middle[0] == pytest.approx(offsets[MIDDLE], abs=1e-4)
    assert LEVELS[1:-1] == QUANTILE_LEVELS
