"""Code concerned with turning what was learnt and what is known now into the series that are stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models import catalogue
from models.last_value import LastValue
from models.panel import Panel, Values
from models.profile import Profile
from models.seasonal_naive import SeasonalNaive
from models.selection import Selected, select
from models.steering import input_factor, widened
from services.domain import ForecastState
from services.forecasting.states import Standing, standings
from services.storage.forecasts import NewSeries

_SIGNED: Final = frozenset({"power_kw"})  # a feeder with solar panels behind it can send power back
_WEEK: Final = 7
_PLAIN: Final = tuple(one for one in catalogue.CANDIDATES if isinstance(one, LastValue | SeasonalNaive | Profile))


def never_negative(quantity: str) -> bool:
    """Temperatures and power can be below zero; counts, speeds and concentrations cannot."""
    return quantity not in _SIGNED and not quantity.endswith("_c")


def learn(panel: Panel, steps: int, *, plainly: bool = False, on_roads: bool = False, daily: bool = False) -> Selected:
    """Choose and fit the models of a panel: what is done at night.

    Plainly: only among those that need no fitting, a hundredth of the work, where nobody should wait for more. On roads
    a model of the next hour that looks at neighbours is among them. What is forecast once a day is chosen for that (`daily`).
    """
    if plainly:
        return select(panel, steps, _PLAIN, daily=daily)
    near = on_roads and panel.step_seconds <= catalogue.SHORT_S
    models = catalogue.ON_ROADS if near else catalogue.CANDIDATES
    if panel.covariates is not None:
        models = (*models, *catalogue.informed(models))
    return select(panel, steps, models, daily=daily).light()


def forecast_series(
    quantity: str, panel: Panel, selected: Selected, steps: int, log_width: Values | None = None
) -> tuple[list[NewSeries], list[str]]:
    """The series of one panel from its end, and the names of rows for which no finite forecast came out.

    Args:
        quantity: what the panel holds.
        panel: named by sensor number, the sensors of `selected` in the same order, up to now.
        selected: what was learnt, now or in the night.
        steps: how far ahead, at most as far as was learnt.
        log_width: how intervals are steered, see `models.steering`.

    """
    scales = weekly_scales(panel)
    stretch = input_factor(panel, selected.conformal.offsets, steps)
    told = standings(panel)
    series, skipped = [], []
    for k, (standing, (model, quantiles)) in enumerate(
        zip(told, issued(panel, selected, steps, told, stretch, log_width), strict=True)
    ):
        if not np.isfinite(quantiles).all():
            skipped.append(panel.names[k])
            continue
        series.append(
            NewSeries(
                sensor_id=int(panel.names[k]),
                quantity=quantity,
                model=model,
                state=ForecastState(standing.state),
                reason=standing.reason,
                first_target_us=panel.end_us,
                quantiles=_possible(quantiles, panel.values[k], signed=not panel.nonnegative, quantity=quantity),
                scale=float(scales[k]) if np.isfinite(scales[k]) else None,
            )
        )
    return series, skipped


def issued(
    panel: Panel,
    selected: Selected,
    steps: int,
    told: Sequence[Standing],
    stretch: Values,
    log_width: Values | None = None,
) -> list[tuple[str, Values]]:
    """The model behind each row of a panel and its quantiles (levels x steps).

    Args:
        panel: up to now.
        selected: what was learnt.
        steps: how far ahead.
        told: of each row; where it names a model, that one stands in for what was selected.
        stretch: how much wider intervals are for what is missing (sensors x steps).
        log_width: how intervals are steered, see `models.steering`.

    """
    forecast = selected.intervals(panel, steps)
    wide = widened(forecast.quantiles, log_width, stretch)
    fallbacks: dict[str, Values] = {}
    made = []
    for k, standing in enumerate(told):
        quantiles, model = wide[:, k], forecast.models[k]
        if standing.model is not None and standing.model != model:
            quantiles = quantiles + (_fallback(fallbacks, standing, panel, steps)[k] - forecast.points[k])
            model = standing.model
        made.append((model, quantiles))
    return made


def weekly_scales(panel: Panel) -> NDArray[np.float64]:
    """Each row's mean absolute difference from the value a week before, NaN where no pair is known.

    What MASE divides by (Hyndman, Koehler 2006, doi:10.1016/j.ijforecast.2006.03.001), with the season of a week.
    """
    week = _WEEK * panel.steps_per_day
    if panel.length <= week:
        return np.full(panel.sensors, np.nan)
    change = np.abs(panel.values[:, week:] - panel.values[:, :-week])
    known = np.isfinite(change)
    count = known.sum(axis=1)
    total = np.where(known, change, 0.0).sum(axis=1)
    return np.where(count > 0, total / np.maximum(count, 1), np.nan)


def _fallback(made: dict[str, Values], standing: Standing, panel: Panel, steps: int) -> Values:
    name = str(standing.model)
    if name not in made:
        made[name] = catalogue.forecaster(name).fit(panel, steps).forecast(panel, steps)
    return made[name]


def _possible(quantiles: Values, history: NDArray[np.float64], *, signed: bool, quantity: str) -> Values:
    """The quantiles without values the sensor cannot have: power below zero only where power ever went below zero."""
    if not signed or (quantity in _SIGNED and np.nanmin(history) >= 0):
        return np.maximum(quantiles, 0.0)
    return quantiles
