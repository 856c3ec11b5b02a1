"""Code concerned with what each job does: one function of the settings per job, each repeatable."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import structlog

from services.errors import StorageError
from services.forecasting import released_run, score, totals
from services.forecasting import shard as shard_of_city
from services.governance import checkpoint as checkpoints
from services.local_day import day_of
from services.privacy import accountants, release, retention
from services.privacy.composition import WINDOWS
from services.settings import Settings
from services.storage import (
    audit,
    covariates,
    dead_letters,
    forecasts,
    ledger,
    panels,
    released_forecasts,
    sensor_health,
)
from services.storage.audit import Action
from services.storage.database import connect

log = structlog.get_logger()

_COVARIATES_KEPT = timedelta(days=800)  # more than the longest history that is learnt from


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
    if totals.forecast_totals(settings, issued_by=datetime.now(UTC), due_at=due_at) is not None:
        log.info("totals issued", round=due_at.isoformat())
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


def forecast_what_will_be_released(settings: Settings) -> None:
    """Forecast each released series once for its newest release, and compare earlier forecasts with what was released."""
    now = datetime.now(UTC)
    released_run.score_released(settings, now)
    for done in released_run.forecast_released(settings, issued_at=now):
        if done.run is not None:
            log.info(
                "forecast of released numbers issued",
                plan=done.plan,
                last_day=str(done.last_day),
                states=done.states,
                not_forecast=sum(done.not_forecast.values()),
                seconds=round(done.seconds, 1),
            )


def destroy_personal(settings: Settings) -> None:
    """Destroy personal rows and day keys that have reached their age."""
    retention.destroy_expired(settings, datetime.now(UTC))


def check_ledger(settings: Settings) -> None:
    """Let the second accountant go over the ledger of the last year.

    Raises:
        StorageError: the accountants disagree.

    """
    last_day = day_of(datetime.now(UTC), settings.zone) - timedelta(days=1)
    first_day = last_day - timedelta(days=max(WINDOWS) - 1)
    with connect(settings.role_dsn("jobs"), application="jobs", autocommit=True) as connection:
        budgets = ledger.budgets(connection, first_day=first_day, last_day=last_day)
        charges = ledger.charges(connection, first_day=first_day, last_day=last_day)
        checked = accountants.cross_check(budgets, charges, last_day=last_day)
        wrong = [f"{each.domain} {each.day}" for each in checked.days if not each.agree]
        windows = [
            {
                "domain": each.domain,
                "days": each.days,
                "epsilon_sum": each.basic,
                "epsilon_distribution": each.distribution,
                "agree": each.agree,
            }
            for each in checked.windows
        ]
        facts = {
            "agree": checked.agree,
            "days": len(checked.days),
            "wrong": wrong,
            "last_day": last_day.isoformat(),
            "windows": windows,
        }
        with connection.transaction():
            audit.append(connection, Action.LEDGER_CHECKED, "worker", facts)
    if not checked.agree:
        message = f"the accountants of the privacy ledger disagree about {', '.join(wrong) or 'several days together'}"
        raise StorageError(message)


def sign_checkpoint(settings: Settings) -> None:
    """Sign the audit log as it is, and write that where the settings say."""
    with connect(settings.role_dsn("jobs"), application="jobs", autocommit=True) as connection:
        signed = checkpoints.sign(settings, connection, "worker")
    checkpoints.write(signed, settings.checkpoint_dir() / checkpoints.file_name(signed))
    log.info("audit log signed", rows=signed.rows, root=signed.root)


def forget(settings: Settings) -> None:
    """Remove old forecasts, old covariates and old dead letters."""
    now = datetime.now(UTC)
    with connect(settings.role_dsn("jobs"), application="jobs") as connection:
        forecasts.forget(connection, now, timedelta(days=settings.forecast_keep_days))
        released_forecasts.forget(connection, before=now - timedelta(days=settings.forecast_keep_days))
        covariates.forget(connection, before=now - _COVARIATES_KEPT)
        dead_letters.forget(connection, before=now - timedelta(days=settings.dead_letter_days))
