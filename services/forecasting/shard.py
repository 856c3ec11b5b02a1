"""Code concerned with one shard of the city: the unit of a job, the same function on every engine."""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import numpy as np
import psycopg

from services.domain import Kind, from_us, to_us
from services.forecasting import keeping
from services.forecasting.city_calendar import city_calendar
from services.forecasting.congested import congestion_of
from services.forecasting.days import sensor_peaks
from services.forecasting.ensemble import Ensemble, of_groups
from services.forecasting.learnt import HORIZON, Group, History, keepable, learn_kind, remembered, steps_of, take_up
from services.forecasting.series import forecast_series
from services.settings import Settings
from services.storage import congestion, fitted, forecasts, panels, totals
from services.storage.congestion import NewCongestion
from services.storage.database import Connection, connect
from services.storage.fitted import Learnt
from services.storage.forecasts import NewRun, NewSeries
from services.storage.totals import NewPeak

_QUARTER_US: Final = 900_000_000
_FEW: Final = 8
_FEW_SHARE: Final = 0.1
_Kept = list[tuple[Kind, list[tuple[Learnt, bytes]]]]


@dataclass(frozen=True, kw_only=True, slots=True)
class ShardForecast:
    """What was done for one shard. `skipped` names series, as sensor/quantity, that could not be forecast.

    `learnt` counts the series whose models were fitted for this forecast, instead of in the night before; with
    `is_plain` some of them only plainly, and the shard should be learnt soon. `ensembles` tell how feeders have erred,
    where that is kept nowhere else: when a forecast is made as of an earlier time.
    """

    issued_at: datetime
    runs: tuple[int, ...]
    values: int
    states: dict[str, int]
    models: dict[str, int]
    skipped: tuple[str, ...]
    learnt: int
    is_plain: bool
    ensembles: tuple[Ensemble, ...] = ()

    @property
    def series(self) -> int:
        """How many series were forecast."""
        return sum(self.states.values())


def forecast_shard(
    settings: Settings,
    shard: int,
    *,
    received_by: datetime | None = None,
    due_at: datetime | None = None,
    at_once: bool = False,
) -> ShardForecast:
    """Forecast the sensors of one shard and store the result, in one transaction that sees one moment of the database.

    Args:
        settings: the city, its database and the length of history.
        shard: number of the block of sensors, see `panels.shards`.
        received_by: forecast from what had been received by then, with models fitted to that; None is now, with the
            models of the night where there are any.
        due_at: the round of the timetable; a shard is stored once per round, whoever is asked however often.
        at_once: where nothing usable has been learnt, forecast with plain models instead of learning first.

    Raises:
        UnavailableError: the database does not answer.

    """
    calendar = city_calendar(settings)
    with connect(settings.role_dsn("jobs"), application="forecast") as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        is_done = due_at is not None and forecasts.is_stored(connection, due_at=due_at, shard=shard)
        sensors = {} if is_done else {kind: panels.sensors(connection, kind, shard) for kind in HORIZON}
        issued = received_by or datetime.now(UTC)  # after the first query, so nothing later is seen
        wanted = History(
            until_us=to_us(issued) // _QUARTER_US * _QUARTER_US,
            days=settings.forecast_history_days,
            calendar=calendar,
            received_by=received_by,
        )
        made: list[tuple[NewRun, list[NewSeries], list[NewCongestion], list[NewPeak]]] = []
        ensembles: list[Ensemble] = []
        kept: _Kept = []
        skipped: list[str] = []
        learnt = 0
        is_plain = False
        for kind, some in sensors.items():
            began = time.perf_counter()
            groups, of_night = _groups(connection, settings, kind, shard, some, wanted, at_once=at_once)
            is_plain = is_plain or (at_once and of_night is not None)
            learnt += sum(group.panel.sensors for group in groups if group.is_new)
            if of_night is not None and not at_once:
                kept.append((kind, keepable(of_night, kind, shard, wanted, issued)))
            codes = {str(sensor.id): sensor.code for sensor in some}
            for step in sorted({group.step_seconds for group in groups}):
                mine = [group for group in groups if group.step_seconds == step]
                series, bad = _series(mine, kind)
                skipped += [f"{codes.get(name, name)}/{quantity}" for name, quantity in bad]
                jams = congestion_of(mine, series, some) if kind is Kind.TRAFFIC else []
                peaks = _peaks(connection, settings, mine, series) if kind is Kind.ENERGY else []
                run = _run(mine, kind, issued, due_at, shard, wanted, time.perf_counter() - began)
                made.append((run, series, jams, peaks))
            if kind is Kind.ENERGY and received_by is not None:
                ensembles += of_groups(groups)
        runs = [_store(connection, *one) for one in made]
        connection.commit()
    if kept:
        _keep(settings, shard, kept)
    stored = [one for run, (_, series, *_) in zip(runs, made, strict=True) if run is not None for one in series]
    return ShardForecast(
        issued_at=issued,
        runs=tuple(run for run in runs if run is not None),
        values=sum(one.quantiles.shape[1] for one in stored),
        states=dict(Counter(str(one.state) for one in stored)),
        models=dict(Counter(one.model for one in stored)),
        skipped=tuple(skipped),
        learnt=learnt,
        is_plain=is_plain,
        ensembles=tuple(ensembles),
    )


def train_shard(settings: Settings, shard: int) -> int:
    """Fit the models of one shard to the whole history and keep them for the forecasts of the day.

    Returns:
        How many series were learnt.

    Raises:
        UnavailableError: the database does not answer.

    """
    calendar = city_calendar(settings)
    now = datetime.now(UTC)
    wanted = History(
        until_us=to_us(now) // _QUARTER_US * _QUARTER_US, days=settings.forecast_history_days, calendar=calendar
    )
    kept: _Kept = []
    count = 0
    for kind in HORIZON:
        with connect(settings.role_dsn("jobs"), application="train") as connection:
            sensors = panels.sensors(connection, kind, shard)
            earlier = remembered(connection, kind, shard, wanted, keeping.folder_of(settings.data_dir))
            groups = learn_kind(connection, kind, sensors, wanted, earlier=earlier) if sensors else []
        count += sum(group.panel.sensors for group in groups)
        kept.append((kind, keepable(groups, kind, shard, wanted, now)))
    _keep(settings, shard, kept)
    return count


def _store(
    connection: Connection,
    run: NewRun,
    series: Sequence[NewSeries],
    jams: Sequence[NewCongestion],
    peaks: Sequence[NewPeak],
) -> int | None:
    number = forecasts.store(connection, run, series)
    if number is not None and jams:
        congestion.store(connection, number, run.issued_at, jams)
    if number is not None and peaks:
        totals.store_peaks(connection, number, run.issued_at, peaks)
    return number


def _peaks(
    connection: Connection, settings: Settings, groups: Sequence[Group], series: Sequence[NewSeries]
) -> list[NewPeak]:
    limits = totals.limits(connection, [one.sensor_id for one in series])
    return sensor_peaks(groups, series, limits, settings.zone)


def _keep(settings: Settings, shard: int, kept: _Kept) -> None:
    with connect(settings.role_dsn("jobs"), application="train") as connection:
        for kind, learnt in kept:
            fitted.replace(connection, shard, kind, learnt)
        connection.commit()
    folder = keeping.folder_of(settings.data_dir)
    for _, learnt in kept:
        for one, content in learnt:
            keeping.keep(content, one, folder)
    keeping.tidy(folder)


def _groups(
    connection: Connection,
    settings: Settings,
    kind: Kind,
    shard: int,
    sensors: Sequence[panels.PanelSensor],
    wanted: History,
    *,
    at_once: bool,
) -> tuple[list[Group], list[Group] | None]:
    """The groups to forecast, and those among them that were learnt just now for the whole kind and should be kept."""
    if not sensors:
        return [], None
    if wanted.received_by is not None:
        return learn_kind(connection, kind, sensors, wanted), None
    folder = keeping.folder_of(settings.data_dir)
    before = take_up(connection, kind, shard, sensors, wanted, folder)
    few = max(_FEW, int(_FEW_SHARE * len(sensors)))
    if not before.is_usable or len(before.outdated) > few:
        earlier = remembered(connection, kind, shard, wanted, folder)
        groups = learn_kind(connection, kind, sensors, wanted, plainly=at_once, earlier=earlier)
        return groups, groups or None
    if not before.outdated:
        return before.groups, None
    return [*before.groups, *learn_kind(connection, kind, before.outdated, wanted)], None


def _series(groups: Sequence[Group], kind: Kind) -> tuple[list[NewSeries], list[tuple[str, str]]]:
    """The series of groups that share a step; of a sensor in two groups the one learnt last counts."""
    series: dict[tuple[int, str], NewSeries] = {}
    bad: list[tuple[str, str]] = []
    for group in groups:
        steps = steps_of(kind, group.step_seconds)
        good, failed = forecast_series(group.quantity, group.panel, group.selected, steps, group.log_width)
        series |= {(one.sensor_id, one.quantity): one for one in good}
        bad += [(name, group.quantity) for name in failed]
    return list(series.values()), [one for one in bad if (int(one[0]), one[1]) not in series]


def _run(
    groups: Sequence[Group],
    kind: Kind,
    issued: datetime,
    due_at: datetime | None,
    shard: int,
    wanted: History,
    seconds: float,
) -> NewRun:
    return NewRun(
        issued_at=issued,
        due_at=due_at,
        shard=shard,
        kind=str(kind),
        step_seconds=groups[0].step_seconds,
        steps=steps_of(kind, groups[0].step_seconds),
        trained_from=from_us(min(group.panel.start_us for group in groups)),
        trained_to=from_us(max(group.trained_to_us for group in groups)),
        data_hash=_data_hash(groups),
        config_hash=wanted.config_hash,
        seconds=seconds,
    )


def _data_hash(groups: Sequence[Group]) -> str:
    digest = hashlib.sha256()
    for group in groups:
        panel = group.panel
        digest.update(f"{group.quantity} {panel.names} {panel.start_us} {panel.step_seconds}".encode())
        digest.update(np.ascontiguousarray(panel.values).data)
        if panel.covariates is not None:
            digest.update(panel.covariates.digest())
    return digest.hexdigest()[:32]
