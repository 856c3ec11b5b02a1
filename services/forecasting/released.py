"""Code concerned with forecasting released series: household load by half hour, and vehicles by cell and hour.

Target. What is forecast is the number that will be *released* of a slot, noise and rounding included, under the noise of the
newest release, and where the slot is shown; not the true number, which nobody may see, so that no interval about it could ever
be checked. Intervals of household load, whose noise is added and nothing else, hold the true load more often than the released
one, as the noise to come does not move it. Those of presence promise nothing about true counts: smoothing draws released ones
towards what is usual, and what is shown near the threshold is what noise has raised.

Intervals. They are conformal: quantiles of what forecasts made from released numbers missed of released numbers, from origins
at midnights, as these are issued. So the noise of the history and of the target is in them, whatever smoothing and rounding
made of it. (From origins at all hours, which know what the day has been like, 80 % intervals of generated presence held 70 to
73 %, from midnights 80 %.) Where the newest release has more noise than those whose numbers were missed (a smaller budget,
another share of it), they are wider by the difference of the variances, which half-widths tell. Where it has less they stay as
they are until enough releases have less too.

Missing. A withheld value is missing, never zero. A slot is forecast where it was shown on at least half of the released days
of its sort (working days, free days) in four weeks; a place where it was shown on 14 days. What falls short says so.

Privacy. Published numbers are the only input: post-processing, which costs no budget and needs no right on personal rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from models.calendar import Calendar
from models.panel import LARGEST, Panel, Values
from models.regimes import regimes
from models.selection import Selected
from models.steering import input_factor
from services.domain import QUANTILE_LEVELS, ForecastState, to_us
from services.forecasting.series import issued, learn
from services.forecasting.states import Standing
from services.local_day import day_span
from services.storage.released_forecasts import NewPlace, Numbers

DAYS_AHEAD: Final = 2
"""Local days that are forecast: those after the newest released one."""
LEAST_DAYS: Final = 14
"""Days on which a place must have been shown, two of each of a week.

On generated series 80 % intervals held 79 to 85 % of what was then released from 14 days on, and 62 to 70 % with 8 or 10.
"""
OFTEN: Final = 0.5
"""Share of the days of its sort on which a slot must have been shown."""

_ENOUGH_DAYS: Final = 21
_RECENT_DAYS: Final = 28
_FREE: Final = 5  # of day types, from Saturday on; public holidays are Sundays
_SILENT_DAYS: Final = 2
_Z95: Final = 1.96
_LOW, _HIGH = QUANTILE_LEVELS.index(0.1), QUANTILE_LEVELS.index(0.9)
_SPAN: Final = 2.563  # standard deviations of a normal distribution between these
_EPOCH: Final = date(1970, 1, 1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Product:
    """A released series: its plan, what is counted or measured, and its slot."""

    plan: str
    measure: str
    step_seconds: int


PRODUCTS: Final = (
    Product(plan="district_load", measure="energy_kwh", step_seconds=1_800),
    Product(plan="presence", measure="vehicles", step_seconds=3_600),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Ahead:
    """Forecasts of all places that were ever shown, over `steps` slots from `first_target_us` on."""

    first_target_us: int
    steps: int
    places: list[NewPlace]


@dataclass(frozen=True, kw_only=True, slots=True)
class _Table:
    """Released numbers on one grid: values and variances of their noise, and which columns' days were released.

    Slots of a place whose hours begin between full hours of UTC stand half a step late in the panel, by `late_us`, so that
    each stands in its own local hour.
    """

    panel: Panel
    variance: Values
    released: NDArray[np.bool_]
    late_us: int


def forecast_places(numbers: Sequence[Numbers], days: Sequence[date], product: Product, calendar: Calendar) -> Ahead:
    """Forecast the numbers that will be released of the two local days after the last one.

    Args:
        numbers: what was shown of each place on these days.
        days: the local days that were released, ascending, at least one.
        product: what they are.
        calendar: the city's.

    """
    zone = ZoneInfo(calendar.zone)
    first_us = to_us(day_span(days[-1], zone)[1])
    until_us = to_us(day_span(days[-1] + timedelta(days=DAYS_AHEAD), zone)[1])
    steps = (until_us - first_us) // (product.step_seconds * 1_000_000)
    table = _table(numbers, days, product, calendar, first_us)
    shown, (often, withheld) = _days_shown(table), _usual(table, steps)
    told = [_standing(int(shown[k]), int(withheld[k]), len(days)) for k in range(len(numbers))]
    kept = (shown >= LEAST_DAYS) & often.any(axis=1)
    made: dict[str, tuple[str, Values]] = {}
    if kept.any():
        panel = table.panel.rows(kept)
        selected = learn(panel, steps, daily=True)
        stretch = _stretch(panel, selected, steps, withheld[kept]) * _noisier(table, kept, selected, steps)
        mine = [standing for standing, is_kept in zip(told, kept, strict=True) if is_kept]
        made = dict(zip(panel.names, issued(panel, selected, steps, mine, stretch), strict=True))
    places = []
    for k, one in enumerate(numbers):
        ci95 = float(one.ci95[-1])
        if one.place in made:
            model, quantiles = made[one.place]
            quantiles = np.where(often[k], np.maximum(quantiles, 0.0), np.nan)
            state, reason = told[k].state, told[k].reason
            places.append(
                NewPlace(place=one.place, model=model, state=state, reason=reason, ci95=ci95, quantiles=quantiles)
            )
        else:
            reason = _why_not(int(shown[k]), len(days))
            places.append(NewPlace(place=one.place, model=None, state=None, reason=reason, ci95=ci95, quantiles=None))
    return Ahead(first_target_us=first_us, steps=steps, places=places)


def _table(
    numbers: Sequence[Numbers], days: Sequence[date], product: Product, calendar: Calendar, end_us: int
) -> _Table:
    step_us = product.step_seconds * 1_000_000
    late_us = -end_us % step_us
    start = (to_us(day_span(days[0], ZoneInfo(calendar.zone))[0]) + late_us) // step_us
    length = (end_us + late_us) // step_us - start
    values, variance = np.full((2, len(numbers), length), np.nan)
    for k, one in enumerate(numbers):
        column = (one.slot_us + late_us) // step_us - start
        mine = (column >= 0) & (column < length) & (np.abs(one.value) <= LARGEST)
        values[k, column[mine]] = one.value[mine]
        variance[k, column[mine]] = (one.ci95[mine] / _Z95) ** 2
    panel = Panel(
        names=tuple(one.place for one in numbers),
        values=values,
        start_us=start * step_us,
        step_seconds=product.step_seconds,
        calendar=calendar,
        nonnegative=True,
    )
    local_days, _ = panel.local(0, length)
    released = np.isin(local_days, [(day - _EPOCH).days for day in days])
    return _Table(panel=panel, variance=variance, released=released, late_us=late_us)


def _days_shown(table: _Table) -> NDArray[np.int64]:
    """On how many local days each place was shown at all."""
    local_days, _ = table.panel.local(0, table.panel.length)
    begins = np.flatnonzero(np.diff(local_days, prepend=local_days[:1] - 1))
    shown = np.logical_or.reduceat(np.isfinite(table.panel.values), begins, axis=1)
    return np.asarray(shown.sum(axis=1), dtype=np.int64)


def _usual(table: _Table, steps: int) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Which slots ahead are shown often enough to be forecast (places x steps), and each place's days withheld so far.

    A day counts as withheld where some of its slots are usually shown and none was, nor any since.
    """
    panel = table.panel
    recent = max(0, panel.length - _RECENT_DAYS * panel.steps_per_day)
    width = panel.length - recent
    days, slots = panel.local(recent, width + steps)
    sort = slots + panel.steps_per_day * (panel.calendar.day_types(days) >= _FREE)
    known, released = np.isfinite(panel.values[:, recent:]), table.released[recent:]
    usual = np.zeros((panel.sensors, width + steps), dtype=np.bool_)
    for one in np.unique(sort):
        of_sort = (sort[:width] == one) & released
        if of_sort.any():
            usual[:, sort == one] = (known[:, of_sort].mean(axis=1) >= OFTEN)[:, None]
    since = np.cumsum(known[:, ::-1], axis=1)[:, ::-1] == 0
    begins = np.flatnonzero(np.diff(days[:width], prepend=days[:1] - 1))
    withheld = np.logical_or.reduceat(usual[:, :width] & since & released, begins, axis=1)
    whole = np.logical_and.reduceat(since, begins, axis=1)
    return usual[:, width:], np.asarray((withheld & whole).sum(axis=1), dtype=np.int64)


def _standing(shown: int, withheld: int, released: int) -> Standing:
    """How far a place's numbers can be relied on."""
    if withheld >= _SILENT_DAYS:
        reason = f"withheld for {withheld} days on which it is usually shown: this is what is usual"
        return Standing(state=ForecastState.STALE, reason=reason, model="profile")
    if shown < _ENOUGH_DAYS:
        reason = f"shown on {shown} of {released} released days, {_ENOUGH_DAYS} are needed"
        return Standing(state=ForecastState.DEGRADED, reason=reason)
    return Standing(state=ForecastState.NORMAL)


def _stretch(panel: Panel, selected: Selected, steps: int, withheld: NDArray[np.int64]) -> Values:
    """How much wider intervals are for what is missing (places x steps).

    Slots that are withheld every day are in the errors learnt from; only where a whole day is missing that is usually
    shown are intervals wider than those.
    """
    factor = input_factor(panel, selected.conformal.offsets, steps)
    return np.where((withheld > 0)[:, None], factor, 1.0)


def _noisier(table: _Table, kept: NDArray[np.bool_], selected: Selected, steps: int) -> Values:
    """How much wider intervals are because the newest release has more noise than others (places x steps), at least 1.

    The least noise among the numbers they were learnt from counts: while those have both, intervals are rather too wide than
    too narrow.
    """
    variance = table.variance[kept]
    begin = int((selected.origins_us[0] - table.panel.start_us) // table.panel.step_us)
    newest = variance[:, np.flatnonzero(np.isfinite(variance).any(axis=0))[-1]]
    learnt = np.min(variance[:, begin:], axis=1, where=np.isfinite(variance[:, begin:]), initial=np.nanmax(newest))
    offsets, ahead = selected.conformal.offsets, regimes(table.panel, table.panel.length, steps)
    span = (offsets[_HIGH] - offsets[_LOW])[ahead, :, np.arange(steps)].T
    usual = np.maximum((span / _SPAN) ** 2, learnt[:, None])
    more = (np.nanmax(newest) - learnt)[:, None]
    return np.asarray(np.sqrt(1 + np.where(usual > 0, more / np.where(usual > 0, usual, 1.0), 0.0)))


def _why_not(shown: int, released: int) -> str:
    if released < LEAST_DAYS:
        return f"{released} of the {LEAST_DAYS} released days that are needed"
    if shown < LEAST_DAYS:
        return f"shown on {shown} of {released} released days, {LEAST_DAYS} are needed"
    return "no slot of the next two days is shown on half of the days of its sort"
