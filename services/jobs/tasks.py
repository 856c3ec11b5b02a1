"""Code concerned with what each job does: one function of the settings per job, each repeatable."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import structlog

from services.forecasting import run, score
from services.privacy import release, retention
from services.settings import Settings
from services.storage import dead_letters, forecasts, sensor_health
from services.storage.database import connect

log = structlog.get_logger()


def forecast(settings: Settings) -> None:
    """Forecast every live sensor."""
    done = run.forecast_all(settings)
    log.info("forecast issued", series=done.series, states=done.states, seconds=round(done.seconds, 1))


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
        forecasts.forget(connection, now=now)
        dead_letters.forget(connection, before=now - timedelta(days=settings.dead_letter_days))
