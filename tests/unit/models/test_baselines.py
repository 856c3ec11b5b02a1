"""The plain models against answers worked out by hand, ETS against statsmodels, ridge against a slow twin."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest
from statsmodels.tsa.exponential_smoothing.ets import ETSModel

from models.calendar import Calendar
from models.ets import ETS
from models.last_value import LastValue
from models.leads import bands
from models.panel import Panel, Values
from models.profile import Profile, Usual, median, usual_before
from models.profile_ridge import ProfileRidge
from models.seasonal_naive import SeasonalNaive
from services.domain import to_us

NAN = float("nan")
CLOCK = Calendar()
BERLIN = Calendar(zone="Europe/Berlin", country="DE", region="BE")


def panel(values: Values, start: datetime = datetime(2026, 6, 1, tzinfo=UTC), calendar: Calendar = CLOCK) -> Panel:
    return Panel(
        names=tuple(str(k) for k in range(len(values))),
        values=values,
        start_us=to_us(start),
        step_seconds=3600,
        calendar=calendar,
    )


def test_last_value_skips_what_is_missing() -> None:
    seen = panel(np.array([[1.0, 2.0, NAN], [NAN, NAN, NAN]]))
    assert LastValue().forecast(seen, 2).tolist()[0] == [2.0, 2.0]
    assert np.isnan(LastValue().forecast(seen, 2)[1]).all()


def test_seasonal_naive_repeats_the_newest_day_and_fills_a_hole_from_the_one_before() -> None:
    row = np.arange(48.0)
    row[30] = NAN
    forecast = SeasonalNaive(days=1).forecast(panel(row[None]), 30)[0]
    # hour 0 of tomorrow is 24 h before: row[24]; hour 6 is row[30], missing, so row[6]; hour 24 is row[24] again
    assert forecast[[0, 6, 23, 24, 29]].tolist() == [24.0, 6.0, 47.0, 24.0, 29.0]


def test_seasonal_naive_follows_the_clock_on_the_wall() -> None:
    # Summer time ended on 2026-10-25 at 01:00 UTC. The panel shows the local hour; its end is 2026-10-26 00:00 local.
    start = datetime(2026, 10, 19, 22, tzinfo=UTC)
    times = to_us(start) + np.arange(6 * 24 + 1) * 3_600_000_000
    shown = BERLIN.local_seconds(times) // 3600 % 24
    seen = panel(shown[None].astype(float), start, BERLIN)
    forecast = SeasonalNaive(days=1).forecast(seen, 24)[0]
    assert forecast.tolist() == [float(hour) for hour in range(24)]
    # a day before is also one hour off by UTC alone
    assert seen.values[0, seen.length - 24 :].tolist() != forecast.tolist()


def test_profile_takes_the_median_of_the_day_type() -> None:
    # Seven weeks from Monday 2026-06-01; every day is worth 10 x its weekday, the newest Tuesday 1000.
    days = np.arange(49)
    worth = 10.0 * (days % 7)
    worth[43] = 1000.0
    forecast = Profile(weeks=6).forecast(panel(np.repeat(worth, 24)[None]), 48)[0]
    assert forecast[:24].tolist() == [0.0] * 24
    assert forecast[24:].tolist() == [10.0] * 24  # the median of five tens and a thousand


def test_a_holiday_is_forecast_as_a_sunday() -> None:
    # Six weeks up to Thursday 2026-04-30; Friday 1 May is Labour Day.
    start = datetime(2026, 3, 19, tzinfo=UTC)
    days = np.arange(43)
    sunday = (start.weekday() + days) % 7 == 6
    easter = np.isin(days, [15, 18])  # Good Friday 3 April, Easter Monday 6 April
    worth = np.where(sunday | easter, 1.0, 5.0)
    row = np.repeat(worth, 24)[None]
    assert Profile().forecast(panel(row, start, Calendar(country="DE")), 24)[0].tolist() == [1.0] * 24
    assert Profile().forecast(panel(row, start), 24)[0].tolist() == [5.0] * 24


def test_the_usual_of_the_past_uses_only_days_before_it() -> None:
    rng = np.random.default_rng(1)
    values = rng.normal(size=(2, 24 * 60))
    whole = usual_before(panel(values), 0)
    for end in (24 * 30 + 5, 24 * 44):
        assert np.array_equal(usual_before(panel(values).cut(end), 0), whole[:, :end], equal_nan=True)
        ahead = usual_before(panel(np.hstack([values[:, :end], np.full((2, 24), 1e9)])), end)
        assert np.array_equal(ahead, whole[:, end : end + 24], equal_nan=True)


def test_what_is_remembered_equals_what_is_computed() -> None:
    rng = np.random.default_rng(2)
    seen = panel(rng.normal(size=(2, 24 * 70)))
    kept = Usual.learn(seen.cut(24 * 60), 6)
    for end in (24 * 60, 24 * 62 + 7, 24 * 69):
        cut = seen.cut(end).since(48)
        assert np.allclose(kept.ahead(cut, 24), usual_before(seen.cut(end + 24), end))
        assert np.allclose(kept.before(cut, 24 * 50), usual_before(cut, 24 * 50))


def test_median_equals_numpys() -> None:
    rng = np.random.default_rng(3)
    values = rng.normal(size=(5, 7, 4))
    values[rng.random(values.shape) < 0.3] = NAN
    assert np.allclose(median(values), np.nanmedian(values, axis=1), equal_nan=True)
    assert np.isnan(median(values, least=8)).all()


def test_ets_equals_statsmodels() -> None:
    rng = np.random.default_rng(4)
    hours = np.arange(24 * 12)
    row = 100 + 30 * np.sin(2 * np.pi * hours / 24) + rng.normal(0, 3, len(hours))
    twin = ETSModel(
        (row - row.mean()) / row.std(), seasonal="add", seasonal_periods=24, initialization_method="heuristic"
    ).fit(disp=False)
    expected = twin.forecast(36) * row.std() + row.mean()
    assert ETS().fit(panel(row[None]), 36).forecast(panel(row[None]), 36)[0] == pytest.approx(expected, rel=1e-6)


def test_ets_carried_forward_equals_statsmodels_smoothing_more() -> None:
    rng = np.random.default_rng(5)
    hours = np.arange(24 * 14)
    row = 100 + 30 * np.sin(2 * np.pi * hours / 24) + rng.normal(0, 3, len(hours))
    fitted = ETS().fit(panel(row[None, : 24 * 12]), 24)
    states = fitted.states
    smooth = ETSModel(row, seasonal="add", seasonal_periods=24, initialization_method="heuristic").fit(disp=False)
    assert states.alpha.shape == smooth.params[:1].shape
    level, pattern = states.level.copy(), states.pattern[:, 0].copy()
    for t in range(24 * 12, 24 * 14):  # the textbook recursion, one value at a time
        error = row[t] - level - pattern[t % 24]
        level, pattern[t % 24] = level + states.alpha * error, pattern[t % 24] + float(states.gamma[0] * error[0])
    assert fitted.forecast(panel(row[None]), 24)[0] == pytest.approx(level + pattern)


def test_ridge_learns_what_persists_and_what_does_not() -> None:
    # Differences from the usual halve every hour in the first row and are forgotten at once in the second.
    rng = np.random.default_rng(6)
    length = 24 * 7 * 16
    noise = rng.normal(0, 10, (2, length))
    lasting = noise.copy()
    for t in range(1, length):
        lasting[0, t] += 0.5 * lasting[0, t - 1]
    usual = 100 + 50 * np.sin(2 * np.pi * np.arange(length) / 24)
    values = usual + lasting
    values[:, -1] = usual[-1] + 80
    forecast = ProfileRidge().fit(panel(values[:, :-24]), 24).forecast(panel(values), 24)
    following = 100 + 50 * np.sin(2 * np.pi * np.arange(length, length + 24) / 24)
    beyond = forecast - following
    assert beyond[0, :3] == pytest.approx([40, 20, 10], abs=12)
    assert beyond[1, :3] == pytest.approx([0, 0, 0], abs=12)


def test_bands_cover_every_step_once() -> None:
    for steps in (1, 2, 5, 24, 96, 192):
        assert [step for band in bands(steps, 16) for step in band] == list(range(steps))


def test_a_reading_that_is_a_moment_late_does_not_wipe_out_what_is_known() -> None:
    rng = np.random.default_rng(8)
    length = 24 * 7 * 16
    lasting = rng.normal(0, 10, (1, length))
    for t in range(1, length):
        lasting[0, t] += 0.9 * lasting[0, t - 1]
    usual = 100 + 50 * np.sin(2 * np.pi * np.arange(length + 24) / 24)
    values = usual[:length] + lasting
    values[0, -6:-1] = usual[length - 6 : length - 1] + 80
    values[0, -1] = NAN
    forecast = ProfileRidge().fit(panel(values[:, :-24]), 24).forecast(panel(values), 24)
    assert 40 < forecast[0, 0] - usual[length] < 90
