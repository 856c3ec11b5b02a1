"""Code concerned with what each job does: one function of the settings per job, each repeatable."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import structlog

from services.forecasting import score
from services.forecasting import shard as shard_of_city
from services.privacy import release, retention
from services.settings import Settings
from services.storage import dead_letters, forecasts, panels, sensor_health
from services.storage.database import connect

log = structlog.get_logger()


def shards(settings: Settings) -> list[int]:
    """The shards the city has now."""
    with connect(settings.role_dsn("jobs"), application="jobs") as connection:
        return panels.shards(connection)


def forecast_shard(settings: Settings, shard: int, due_at: datetime) -> bool:
    """Forecast one shard for a round of the timetable, with the models of the night where there are any.

    Returns:
        Whether it should be learnt soon: there were no models of a night, and plain ones stood in.

    """
    began = time.perf_counter()
    done = shard_of_city.forecast_shard(settings, shard, due_at=due_at, at_once=True)
    log.info(
        "forecast issued",
        shard=shard,
        series=done.series,
        learnt=done.learnt,
        states=done.states,
        seconds=round(time.perf_counter() - began, 1),
    )
    if done.skipped:
        log.warning("no forecast came out", shard=shard, series=list(done.skipped[:20]), count=len(done.skipped))
    return done.is_plain


def train_shard(settings: Settings, shard: int, due_at: datetime) -> bool:
    """Learn the models of one shard from all that is known now; returns that nothing is left to learn: False."""
    del due_at
    began = time.perf_counter()
    series = shard_of_city.train_shard(settings, shard)
    log.info("models learnt", shard=shard, series=series, seconds=round(time.perf_counter() - began, 1))
    return False


def compare_with_what_happened(settings: Settings) -> None:
    """Score the forecasts whose target times have passed."""
    score.score_closed_hours(settings, datetime.now(UTC))


def judge_sensors(settings: Settings) -> None:
    """Say of every sensor what is wrong with it."""
    with connect(settings.role_dsn("jobs"), application="jobs") as connection:
        found = sensor_health.judge(connection, now=datetime.now(UTC), zone=settings.city_timezone)
    log.info("sensors judged", **{diagnosis.value: sensors for diagnosis, sensors in sorted(found.items())})


def publish(settings: Settings) -> None:
    """Release the local days that have closed."""
    for done in release.release_closed_days(settings, datetime.now(UTC)):
        log.info("released", plan=done.plan, day=done.day.isoformat())


def destroy_personal(settings: Settings) -> None:
    """Destroy personal rows and day keys that have reached their age."""
    retention.destroy_expired(settings, datetime.now(UTC))


def forget(settings: Settings) -> None:
    """Remove old forecasts and old dead letters."""
    now = datetime.now(UTC)
    with connect(settings.role_dsn("jobs"), application="jobs") as connection:
        forecasts.forget(connection, now, timedelta(days=settings.forecast_keep_days))
        dead_letters.forget(connection, before=now - timedelta(days=settings.dead_letter_days))
