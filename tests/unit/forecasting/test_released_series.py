"""Forecasts of series that carry the noise of a release: intervals hold the numbers that will be released."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from models.panel import Panel, Values
from services.benchmarks.forecast.series import generated
from services.forecasting.series import learn
from services.privacy.mechanisms.discrete_gaussian import DiscreteGaussian

_DAY, _DAYS = 24, 7


def test_intervals_are_wider_by_the_noise_of_a_release_and_hold_what_is_released() -> None:
    exact = generated(24, 70, 3600)
    exact = replace(exact, values=np.round(exact.values / 4))
    sigma = DiscreteGaussian(sensitivity=7, micro_epsilon=1_000_000, delta=1e-6).scale
    drawn = np.random.default_rng(5).normal(0, sigma, exact.values.shape)  # a seed, which the mechanism rightly has not
    released = replace(exact, values=np.round(exact.values + drawn))

    width_exact, _ = of_a_week(exact)
    width_released, held = of_a_week(released)

    of_noise = 2 * 1.28 * sigma  # holds 80 % of the noise of the number that will be released
    assert of_noise > np.median(width_exact)
    assert (width_released > 0.75 * of_noise).all()  # near zero the interval ends at zero
    assert np.mean(width_released / np.hypot(width_exact, of_noise)) > 1  # what is learnt from is noisy as well
    assert 0.75 < held < 0.85


def of_a_week(panel: Panel) -> tuple[Values, float]:
    """Mean width of the 80 % interval by sensor, and the share of values it held, of seven days forecast one by one."""
    selected = learn(panel.cut(panel.length - _DAYS * _DAY), _DAY)
    widths, held = [], []
    for day in range(_DAYS):
        end = panel.length - (_DAYS - day) * _DAY
        quantiles = selected.intervals(panel.cut(end), _DAY).quantiles
        low, high = quantiles[1], quantiles[-2]
        truth = panel.values[:, end : end + _DAY]
        known = np.isfinite(truth)
        widths.append((high - low).mean(axis=1))
        held.append(((low <= truth) & (truth <= high))[known])
    return np.mean(widths, axis=0), float(np.concatenate(held).mean())
