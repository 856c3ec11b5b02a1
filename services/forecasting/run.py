"""Code concerned with forecasting the city once: history in, a run per kind and step out, in one transaction."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models import catalogue
from models.calendar import Calendar
from models.panel import Panel, Values
from models.selection import select
from services.domain import ForecastState, Kind, from_us, to_us
from services.errors import InputError
from services.forecasting.grid import by_step, to_panel
from services.forecasting.states import Standing, standings
from services.settings import Settings
from services.storage import forecasts, panels
from services.storage.database import Connection, connect

HORIZON: Final = {
    Kind.TRAFFIC: timedelta(hours=24),
    Kind.ENERGY: timedelta(hours=48),
    Kind.ENVIRONMENT: timedelta(hours=24),
}
_SIGNED: Final = frozenset({"power_kw"})  # a feeder with solar panels behind it can send power back
_QUARTER_US: Final = 900_000_000
_HOUR_US: Final = 3_600_000_000


@dataclass(frozen=True, kw_only=True, slots=True)
class RunSummary:
    """What one round of forecasting did. `skipped` names series, as sensor/quantity, that could not be forecast."""

    issued_at: datetime
    runs: tuple[int, ...]
    series: int
    values: int
    states: dict[str, int]
    models: dict[str, int]
    skipped: tuple[str, ...]
    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class _Group:
    """The forecasts of one kind at one step."""

    run: forecasts.NewRun
    series: list[forecasts.NewSeries]
    skipped: list[str]


def forecast_all(
    settings: Settings,
    issued_at: datetime | None = None,
    progress: Callable[[int, int], None] = lambda *_: None,
) -> RunSummary:
    """Forecast every sensor that has reported within the history the models are fitted to, and store it.

    Args:
        settings: the city, its database and the length of history.
        issued_at: forecast from what had been received by then; None is now.
        progress: told how many of the kinds of sensors are done.

    Raises:
        InputError: `issued_at` lies in the future or has no time zone.
        UnavailableError: the database does not answer.

    """
    began = time.perf_counter()
    now = datetime.now(UTC)
    issued = _checked(issued_at, now)
    calendar = Calendar(zone=settings.city_timezone, country=settings.city_country, region=settings.city_region)
    with connect(settings.role_dsn("jobs"), application="forecast") as connection:
        groups: list[_Group] = []
        for done, kind in enumerate(HORIZON):
            progress(done, len(HORIZON))
            groups += _forecast_kind(
                connection, kind, issued, calendar, settings.forecast_history_days, as_of=issued_at is not None
            )
        runs = tuple(forecasts.store(connection, group.run, group.series) for group in groups)
        connection.commit()
    series = [one for group in groups for one in group.series]
    return RunSummary(
        issued_at=issued,
        runs=runs,
        series=len(series),
        values=sum(one.quantiles.shape[1] for one in series),
        states=dict(Counter(str(one.state) for one in series)),
        models=dict(Counter(one.model for one in series)),
        skipped=tuple(name for group in groups for name in group.skipped),
        seconds=time.perf_counter() - began,
    )


def _checked(issued_at: datetime | None, now: datetime) -> datetime:
    if issued_at is None:
        return now
    if issued_at.tzinfo is None:
        message = f"the issue time {issued_at.isoformat()} has no time zone: write it like 2026-11-22T08:00:00Z"
        raise InputError(message)
    if issued_at > now:
        message = (
            f"the issue time {issued_at.isoformat()} lies in the future; now is {now.isoformat(timespec='seconds')}"
        )
        raise InputError(message)
    return issued_at.astimezone(UTC)


def _forecast_kind(
    connection: Connection, kind: Kind, issued: datetime, calendar: Calendar, days: int, *, as_of: bool
) -> list[_Group]:
    until_us = to_us(issued) // _QUARTER_US * _QUARTER_US
    since_us = (until_us - days * 24 * _HOUR_US) // _HOUR_US * _HOUR_US
    known = panels.sensors(connection, kind)
    histories = panels.history(
        connection, kind, since=from_us(since_us), until=from_us(until_us), received_by=issued if as_of else None
    )
    codes = {str(sensor.id): sensor.code for sensor in known}
    groups = []
    for step, ids in sorted(by_step(known, histories).items()):
        began = time.perf_counter()
        steps = int(HORIZON[kind].total_seconds()) // step
        made = [
            to_panel(
                history,
                ids,
                step_seconds=step,
                until_us=until_us,
                calendar=calendar,
                nonnegative=_never_negative(history.quantity),
            )
            for history in histories
        ]
        named = [(history.quantity, panel) for history, panel in zip(histories, made, strict=True) if panel.sensors > 0]
        series: list[forecasts.NewSeries] = []
        skipped: list[str] = []
        for quantity, panel in named:
            good, bad = _forecast_panel(quantity, panel, steps)
            series += good
            skipped += [f"{codes[name]}/{quantity}" for name in bad]
        if named:
            run = forecasts.NewRun(
                issued_at=issued,
                kind=str(kind),
                step_seconds=step,
                steps=steps,
                trained_from=from_us(min(panel.start_us for _, panel in named)),
                trained_to=from_us(max(panel.end_us for _, panel in named)),
                data_hash=_data_hash(named),
                config_hash=_config_hash(days),
                seconds=time.perf_counter() - began,
            )
            groups.append(_Group(run=run, series=series, skipped=skipped))
    return groups


def _never_negative(quantity: str) -> bool:
    """Temperatures and power can be below zero; counts, speeds and concentrations cannot."""
    return quantity not in _SIGNED and not quantity.endswith("_c")


def _forecast_panel(quantity: str, panel: Panel, steps: int) -> tuple[list[forecasts.NewSeries], list[str]]:
    """The series of one panel, and the names of rows for which no finite forecast came out."""
    selected = select(panel, steps, catalogue.CANDIDATES)
    forecast = selected.intervals(panel, steps)
    fallbacks: dict[str, Values] = {}
    series, skipped = [], []
    for k, standing in enumerate(standings(panel)):
        quantiles = forecast.quantiles[:, k]
        model = forecast.models[k]
        if standing.model is not None and standing.model != model:
            quantiles = quantiles + (_fallback(fallbacks, standing, panel, steps)[k] - forecast.points[k])
            model = standing.model
        if not np.isfinite(quantiles).all():
            skipped.append(panel.names[k])
            continue
        series.append(
            forecasts.NewSeries(
                sensor_id=int(panel.names[k]),
                quantity=quantity,
                model=model,
                state=ForecastState(standing.state),
                reason=standing.reason,
                first_target_us=panel.end_us,
                quantiles=_possible(quantiles, panel.values[k], signed=not panel.nonnegative, quantity=quantity),
            )
        )
    return series, skipped


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


def _data_hash(named: list[tuple[str, Panel]]) -> str:
    digest = hashlib.sha256()
    for quantity, panel in named:
        digest.update(f"{quantity} {panel.names} {panel.start_us} {panel.step_seconds}".encode())
        digest.update(np.ascontiguousarray(panel.values).tobytes())
    return digest.hexdigest()[:32]


def _config_hash(days: int) -> str:
    return hashlib.sha256(f"{catalogue.CANDIDATES!r} {days}".encode()).hexdigest()[:32]
