"""Code concerned with which jobs there are, when they are due, and that each runs once however many workers there are.

Jobs wait in PostgreSQL (procrastinate). A job's lock keeps two of a kind from running at once, its queueing lock keeps
late ones from piling up. Nothing a job does is half done: each writes in transactions, so a killed worker costs a run.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

import procrastinate
import psycopg
import structlog
from procrastinate.jobs import Status

from services.forecasting import run, score
from services.privacy import release, retention
from services.settings import Settings
from services.storage import dead_letters, forecasts
from services.storage.database import connect

log = structlog.get_logger()

FORECAST = "forecast"
Task = TypeVar("Task", bound=Callable[..., Any])
_QUEUE_KEPT_HOURS = 24
_STALLED_AFTER_S = 60


def make_app(settings: Settings) -> procrastinate.App:
    """The job queue of this city, with its tasks and their timetable; opens nothing."""
    connector = procrastinate.PsycopgConnector(
        conninfo=settings.role_dsn("jobs"), kwargs={"application_name": "arterial-jobs"}, min_size=1, max_size=4
    )
    app = procrastinate.App(connector=connector)

    def periodic(name: str, cron: str) -> Callable[[Task], Task]:
        """Register a task that is due by the clock."""

        def register(task: Task) -> Task:
            app.periodic(cron=cron)(app.task(name=name, queue="city", lock=name, queueing_lock=name)(task))
            return task

        return register

    @periodic(FORECAST, f"*/{settings.forecast_every_minutes} * * * *")
    def forecast(timestamp: int | None = None) -> None:
        """Forecast every live sensor."""
        del timestamp
        done = run.forecast_all(settings)
        log.info("forecast issued", series=done.series, seconds=round(done.seconds, 1))

    @periodic("score", "7 * * * *")
    def compare_with_what_happened(timestamp: int) -> None:
        """Score the forecasts whose target times have passed."""
        del timestamp
        score.score_closed_hours(settings, datetime.now(UTC))

    @periodic("release", "10 * * * *")
    def publish(timestamp: int) -> None:
        """Release the local days that have closed."""
        del timestamp
        for done in release.release_closed_days(settings, datetime.now(UTC)):
            if not done.replayed:
                log.info("released", plan=done.release.plan, day=done.release.day.isoformat())

    @periodic("destroy-personal", "40 * * * *")
    def destroy(timestamp: int) -> None:
        """Destroy personal rows and day keys that have reached their age."""
        del timestamp
        retention.destroy_expired(settings, datetime.now(UTC))

    @periodic("tidy", "50 3 * * *")
    async def tidy(timestamp: int) -> None:
        """Forget old forecasts, old dead letters and finished jobs."""
        del timestamp
        with connect(settings.role_dsn("jobs"), application="jobs") as connection:
            forecasts.forget(connection, now=datetime.now(UTC))
            dead_letters.forget(connection, before=datetime.now(UTC) - timedelta(days=settings.dead_letter_days))
        await app.job_manager.delete_old_jobs(nb_hours=_QUEUE_KEPT_HOURS, include_failed=True)

    @periodic("reap", "* * * * *")
    async def reap(timestamp: int) -> None:
        """Close the jobs of workers that died; the timetable brings the next ones."""
        del timestamp
        for job in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=_STALLED_AFTER_S):
            if job.id is not None:
                log.warning("job of a dead worker closed", task=job.task_name, job=job.id)
                await app.job_manager.finish_job_by_id_async(job.id, status=Status.FAILED, delete_job=False)

    del forecast, compare_with_what_happened, publish, destroy, tidy, reap  # registered by their decorators
    return app


def forecast_soon(settings: Settings) -> None:
    """Ask the workers for a forecast now, unless one is waiting already.

    Raises:
        UnavailableError: the database does not answer.

    """
    connector = procrastinate.SyncPsycopgConnector(conninfo=settings.role_dsn("jobs"))
    with procrastinate.App(connector=connector).open() as app:
        try:
            app.configure_task(FORECAST, queue="city", lock=FORECAST, queueing_lock=FORECAST).defer()
        except procrastinate.exceptions.AlreadyEnqueued:
            log.debug("a forecast is waiting already")
        except psycopg.Error as error:
            log.warning("no forecast could be asked for", reason=str(error))
