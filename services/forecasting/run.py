"""Code concerned with forecasting the whole city once: every shard, on the engine that was chosen."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from services.errors import InputError
from services.forecasting.engine import Engine, Inline
from services.forecasting.shard import ShardForecast, forecast_shard
from services.forecasting.totals import forecast_totals
from services.settings import Settings
from services.storage import panels
from services.storage.database import connect


@dataclass(frozen=True, kw_only=True, slots=True)
class RunSummary:
    """What one round of forecasting did. `skipped` names series, as sensor/quantity, that could not be forecast.

    `learnt` counts the series whose models were fitted for it; the others were forecast with the models of the night.
    """

    issued_at: datetime
    runs: tuple[int, ...]
    series: int
    values: int
    states: dict[str, int]
    models: dict[str, int]
    skipped: tuple[str, ...]
    learnt: int
    seconds: float


def forecast_all(
    settings: Settings,
    issued_at: datetime | None = None,
    progress: Callable[[int, int], None] = lambda *_: None,
    engine: Engine | None = None,
) -> RunSummary:
    """Forecast every sensor that has reported within the history the models are fitted to, and store it.

    Args:
        settings: the city, its database and the length of history.
        issued_at: forecast from what had been received by then; None is now.
        progress: told how many shards are done.
        engine: where the shards are worked on; None is this process, one after the other.

    Raises:
        InputError: `issued_at` lies in the future or has no time zone.
        UnavailableError: the database or the engine does not answer.

    """
    began = time.perf_counter()
    now = datetime.now(UTC)
    received_by = None if issued_at is None else checked(issued_at, now)
    with connect(settings.role_dsn("jobs"), application="forecast") as connection:
        shards = panels.shards(connection)
    done: list[ShardForecast] = []
    progress(0, max(1, len(shards)))
    for one in (engine or Inline()).run(partial(forecast_shard, settings, received_by=received_by), shards):
        done.append(one)
        progress(len(done), len(shards))
    newest = max((one.issued_at for one in done), default=received_by or now)
    erred = None if received_by is None else [ensemble for one in done for ensemble in one.ensembles]
    total = forecast_totals(settings, issued_by=newest, ensembles=erred)
    return RunSummary(
        issued_at=newest,
        runs=(*(run for one in done for run in one.runs), *(() if total is None else (total,))),
        series=sum(one.series for one in done),
        values=sum(one.values for one in done),
        states=dict(sum((Counter(one.states) for one in done), Counter[str]())),
        models=dict(sum((Counter(one.models) for one in done), Counter[str]())),
        skipped=tuple(name for one in done for name in one.skipped),
        learnt=sum(one.learnt for one in done),
        seconds=time.perf_counter() - began,
    )


def checked(issued_at: datetime, now: datetime) -> datetime:
    """A wanted issue time in UTC.

    Raises:
        InputError: it lies in the future or has no time zone.

    """
    if issued_at.tzinfo is None:
        message = f"the issue time {issued_at.isoformat()} has no time zone: write it like 2026-11-22T08:00:00Z"
        raise InputError(message)
    if issued_at > now:
        message = (
            f"the issue time {issued_at.isoformat()} lies in the future; now is {now.isoformat(timespec='seconds')}"
        )
        raise InputError(message)
    return issued_at.astimezone(UTC)
