"""Code concerned with forecasting every released series once for each release, and comparing what was forecast with what came.

All of it reads and writes as role `arterial_jobs`, which has no right on personal rows unless it steps into a release, and
nothing here does. A forecast is stored once for each release, whoever asks however often; when it fails nothing of it is
stored, and the next hour tries again.
"""

from __future__ import annotations

import hashlib
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

import numpy as np

from services.domain import from_us
from services.forecasting.city_calendar import city_calendar
from services.forecasting.freezing import code_hash
from services.forecasting.released import DAYS_AHEAD, PRODUCTS, Product, forecast_places
from services.forecasting.run import checked
from services.local_day import day_of
from services.settings import Settings
from services.storage import released_forecasts
from services.storage.database import connect
from services.storage.released_forecasts import NewRun, Numbers

_SCORED_DAYS: Final = 7
"""Local days back to which releases are compared with forecasts that have not been compared yet."""


@dataclass(frozen=True, kw_only=True, slots=True)
class ReleasedForecast:
    """What was done for one released series. `run` is None where nothing was stored, and `why` says why.

    `not_forecast` counts places by the reason that is stored with them.
    """

    plan: str
    run: int | None
    states: dict[str, int]
    not_forecast: dict[str, int]
    why: str | None = None
    last_day: date | None = None
    days: int = 0
    seconds: float = 0.0


def forecast_released(settings: Settings, *, issued_at: datetime | None = None) -> list[ReleasedForecast]:
    """Forecast the two local days after the newest release of each series that is forecast, and store it.

    Args:
        settings: the city, its database and the length of history.
        issued_at: forecast from what had been released by then; None is now. A full hour is made of it, as of the times of
            releases.

    Raises:
        InputError: `issued_at` lies in the future or has no time zone.
        UnavailableError: the database does not answer.

    """
    now = datetime.now(UTC)
    issued = (now if issued_at is None else checked(issued_at, now)).replace(minute=0, second=0, microsecond=0)
    return [_forecast(settings, product, issued) for product in PRODUCTS]


def score_released(settings: Settings, now: datetime) -> int:
    """Compare forecasts with what has been released since, each release once; returns how many releases were compared.

    Raises:
        UnavailableError: the database does not answer.

    """
    first_day = day_of(now, settings.zone) - timedelta(days=_SCORED_DAYS)
    with connect(settings.role_dsn("jobs"), application="score") as connection:
        done = sum(released_forecasts.score(connection, one.plan, first_day=first_day) for one in PRODUCTS)
        connection.commit()
    return done


def _forecast(settings: Settings, product: Product, issued: datetime) -> ReleasedForecast:
    began = time.perf_counter()
    today = day_of(issued, settings.zone)
    first_day = today - timedelta(days=settings.forecast_history_days)
    with connect(settings.role_dsn("jobs"), application="forecast") as connection:
        heads = released_forecasts.heads(connection, product.plan, first_day=first_day, released_by=issued)
        if not heads:
            return _nothing(product, f"nothing was released in {settings.forecast_history_days} days")
        last = heads[-1]
        if released_forecasts.is_stored(connection, last.release_key):
            return _nothing(product, f"the release of {last.day} has its forecast")
        if today > last.day + timedelta(days=DAYS_AHEAD):
            return _nothing(product, f"the newest release is of {last.day}: the days after it are over")
        numbers = released_forecasts.numbers(connection, product.plan, [head.release_key for head in heads])
        calendar = city_calendar(settings)
        ahead = forecast_places(numbers, [head.day for head in heads], product, calendar)
        run = NewRun(
            release_key=last.release_key,
            plan=product.plan,
            measure=product.measure,
            last_day=last.day,
            days=len(heads),
            issued_at=issued,
            first_target_at=from_us(ahead.first_target_us),
            step_seconds=product.step_seconds,
            steps=ahead.steps,
            data_hash=_data_hash(numbers),
            config_hash=hashlib.sha256(f"{code_hash()} {calendar}".encode()).hexdigest()[:32],
            seconds=time.perf_counter() - began,
        )
        stored = released_forecasts.store(connection, run, ahead.places)
        connection.commit()
    if stored is None:
        return _nothing(product, f"the release of {last.day} has its forecast")
    return ReleasedForecast(
        plan=product.plan,
        run=stored,
        last_day=last.day,
        days=len(heads),
        states=dict(Counter(str(one.state) for one in ahead.places if one.state is not None)),
        not_forecast=dict(Counter(str(one.reason) for one in ahead.places if one.state is None)),
        seconds=time.perf_counter() - began,
    )


def _nothing(product: Product, why: str) -> ReleasedForecast:
    return ReleasedForecast(plan=product.plan, run=None, why=why, states={}, not_forecast={})


def _data_hash(numbers: Sequence[Numbers]) -> str:
    digest = hashlib.sha256()
    for one in numbers:
        digest.update(one.place.encode())
        for column in (one.slot_us, one.value, one.ci95):
            digest.update(np.ascontiguousarray(column).data)
    return digest.hexdigest()[:32]
