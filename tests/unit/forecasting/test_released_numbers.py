"""Forecasts of numbers made as the products make them: their noise, smoothing, withholding and rounding, day after day.

The noise is drawn from a seed, which the mechanisms rightly have not.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import pytest
from numpy.typing import NDArray

from models.calendar import Calendar
from models.panel import Values
from services.benchmarks.forecast.series import generated
from services.domain import ForecastState, to_us
from services.forecasting.released import PRODUCTS, Product, forecast_places
from services.forecasting.series import learn
from services.local_day import day_span
from services.privacy.mechanisms.catalogue import mechanism_of
from services.privacy.mechanisms.threshold import noisy_threshold, rounded, shown
from services.privacy.plan import load_plan
from services.privacy.products.catalogue import CATALOGUE
from services.storage.ledger import MICRO
from services.storage.released_forecasts import Numbers

LOAD, PRESENCE = PRODUCTS
BERLIN = Calendar(zone="Europe/Berlin", country="DE")
FIRST = date(2025, 11, 3)  # no change of clocks, no public holiday
ISSUED = 3


@dataclass(frozen=True, kw_only=True)
class Released:
    """What was released of each day: numbers (days x places x slots), NaN where withheld, and their half-width."""

    product: Product
    values: Values
    ci95: float

    def until(self, days: int) -> list[Numbers]:
        """What was known after some days."""
        per_day = self.values.shape[2]
        starts = [to_us(start_of(day)) for day in range(days)]
        at = (np.array(starts)[:, None] + np.arange(per_day) * self.product.step_seconds * 1_000_000).reshape(-1)
        told = []
        for place in range(self.values.shape[1]):
            row = self.values[:days, place].reshape(-1)
            known = np.isfinite(row)
            if known.any():
                widths = np.full(known.sum(), self.ci95)
                told.append(Numbers(place=str(place), slot_us=at[known], value=row[known], ci95=widths))
        return told


def start_of(day: int) -> datetime:
    return day_span(FIRST + timedelta(days=day), ZoneInfo(BERLIN.zone))[0]


def used(places: int, slots: int, days: int, level: NDArray[np.float64]) -> Values:
    """A city's days: few courses mixed, quieter at weekends, with days that are busier as a whole (days x places x slots)."""
    rng = np.random.default_rng(3)
    hour = np.arange(slots) * 24 / slots
    courses = np.array(
        [
            0.3 + np.exp(-(((hour - 8) / 2) ** 2)) + np.exp(-(((hour - 17) / 2.5) ** 2)),
            0.2 + np.exp(-(((hour - 14) / 4) ** 2)),
            0.6 - 0.3 * np.cos(2 * np.pi * (hour - 4) / 24),
        ]
    )
    usual = level * (rng.dirichlet([1, 1, 1], places) @ courses)
    week = np.array([0.7 if (FIRST + timedelta(days=k)).weekday() >= 5 else 1.0 for k in range(days)])
    busy = rng.normal(0, 0.04, (days, 1, 1)) + rng.normal(0, 0.04, (days, places, 1))
    return np.asarray(usual * week[:, None, None] * np.exp(busy + rng.normal(0, 0.03, (days, places, slots))))


def load(epsilon: float, days: int) -> Released:
    """Household load of ten districts, all of them large enough to be shown."""
    plan = load_plan("district_load")
    measure = plan.measure_named("energy_wh")
    noise = mechanism_of(measure, plan.parts(plan.price(int(epsilon * MICRO)))["energy_wh"])
    true = used(10, 48, days, np.random.default_rng(1).uniform(2e5, 6e5, (10, 1)))
    noisy = np.rint(true + np.random.default_rng(5).normal(0, noise.scale, true.shape)).astype(np.int64)
    half_width = noise.half_width(0.95) + measure.rounding / 2
    return Released(product=LOAD, values=rounded(noisy, measure.rounding) / 1_000, ci95=half_width / 1_000)


def presence(epsilon: float, days: int) -> Released:
    """Presence of 60 cells, smoothed with the days before and withheld below the threshold, as the product does it."""
    plan, product, rng = load_plan("presence"), CATALOGUE["presence"], np.random.default_rng(2)
    measure = plan.measure_named("vehicles")
    noise = mechanism_of(measure, plan.parts(plan.price(int(epsilon * MICRO)))["vehicles"])
    limit = noisy_threshold(noise, minimum=plan.threshold.minimum, false_presence=plan.threshold.false_presence)
    true = rng.poisson(used(60, 24, days, rng.lognormal(5.5, 0.9, (60, 1))))
    noisy = np.rint(true + rng.normal(0, noise.scale, true.shape)).astype(np.int64)
    values = []
    for k in range(days):
        like = [noisy[j] for j in range(max(0, k - 28), k) if is_free(j) == is_free(k)]
        earlier = {"vehicles": np.stack(like)} if like else {}
        counts = product.refined({"vehicles": noisy[k]}, {"vehicles": noise}, earlier)["vehicles"]
        values.append(np.where(shown(counts, limit), rounded(counts, measure.rounding), np.nan))
    return Released(product=PRESENCE, values=np.stack(values), ci95=noise.half_width(0.95) + measure.rounding / 2)


def is_free(day: int) -> bool:
    return (FIRST + timedelta(days=day)).weekday() >= 5


def held(released: Released) -> tuple[float, float, float]:
    """Mean width of the 80 % interval, and the shares of shown numbers in the 80 and the 90 % interval, of the last days."""
    days = len(released.values)
    widths, inside = [], []
    for end in range(days - 1 - 2 * ISSUED, days - 1, 2):
        ahead = forecast_places(
            released.until(end), [FIRST + timedelta(days=k) for k in range(end)], released.product, BERLIN
        )
        for one in ahead.places:
            if one.quantiles is not None:
                truth = np.concatenate([released.values[end, int(one.place)], released.values[end + 1, int(one.place)]])
                known = np.isfinite(one.quantiles[3]) & np.isfinite(truth)
                low, high = one.quantiles[[1, 0]][:, known], one.quantiles[[-2, -1]][:, known]
                widths.append(high[0] - low[0])
                inside.append((low <= truth[known]) & (truth[known] <= high))
    share = np.concatenate(inside, axis=1).mean(axis=1)
    return float(np.concatenate(widths).mean()), float(share[0]), float(share[1])


def test_half_the_budget_makes_wider_intervals_that_hold_as_much() -> None:
    (wide, *wide_held), (narrow, *narrow_held) = held(load(0.5, 38)), held(load(1.0, 38))
    assert wide > 1.6 * narrow
    for in_80, in_90 in (wide_held, narrow_held):
        assert 0.76 < in_80 < 0.87
        assert 0.87 < in_90 < 0.96


def test_intervals_of_smoothed_and_withheld_counts_hold_what_is_shown() -> None:
    _, in_80, in_90 = held(presence(1.0, 38))
    assert 0.72 < in_80 < 0.9  # days that are busier as a whole are few
    assert 0.83 < in_90 < 0.97


@pytest.mark.parametrize("zone", ["Asia/Kolkata", "Australia/Lord_Howe", "America/New_York"])
def test_days_of_any_place_are_forecast_from_their_midnight(zone: str) -> None:
    calendar = Calendar(zone=zone)
    place = ZoneInfo(zone)
    days = [
        date(2025, 10, 1) + timedelta(days=k) for k in range(32)
    ]  # clocks change in two of them, within or just after
    at = np.concatenate(
        [
            np.arange(to_us(day_span(day, place)[0]), to_us(day_span(day, place)[1]), PRESENCE.step_seconds * 1_000_000)
            for day in days
        ]
    )
    local = calendar.local_seconds(at) // 3_600 % 24
    by_day = (local >= 6) & (local < 20)
    value = (100 + 10 * local[by_day]).astype(np.float64)
    numbers = Numbers(place="a", slot_us=at[by_day], value=value, ci95=np.full(len(value), 20.0))
    ahead = forecast_places([numbers], days, PRESENCE, calendar)
    (one,) = ahead.places
    assert one.state is ForecastState.NORMAL
    assert one.quantiles is not None
    assert ahead.first_target_us == to_us(day_span(days[-1], place)[1])
    targets = ahead.first_target_us + np.arange(ahead.steps) * PRESENCE.step_seconds * 1_000_000
    hours = calendar.local_seconds(targets) // 3_600 % 24
    assert (np.isfinite(one.quantiles[3]) == ((hours >= 6) & (hours < 20))).all()
    known = np.isfinite(one.quantiles[3])
    assert np.abs(one.quantiles[3][known] - 100 - 10 * hours[known]).max() < 5


@pytest.mark.parametrize(("days", "origins"), [(60, 21), (17, 8), (2, 1)])
def test_what_is_issued_at_midnight_is_judged_from_midnights(days: int, origins: int) -> None:
    panel = generated(2, days, 3_600)
    issued = learn(panel, 48, plainly=True, daily=True).origins_us
    day_us = 24 * 3_600_000_000
    assert len(issued) == origins
    assert issued[-1] == panel.end_us - day_us
    assert (np.diff(issued) == day_us).all()
