"""Code concerned with when jobs are due, and that each runs once however many workers there are.

Jobs wait in PostgreSQL (procrastinate). A job's lock keeps two of a kind from running at once, its queueing lock keeps
late ones from piling up. Nothing a job does is half done: each writes in transactions, so a killed worker costs a run.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import procrastinate
import psycopg
import structlog
from procrastinate.jobs import Status

from services.errors import UnavailableError
from services.jobs import tasks
from services.settings import Settings
from services.storage.database import first_line

log = structlog.get_logger()

FORECAST = "forecast"
RELEASE = "release"
SENSOR_HEALTH = "sensor-health"
_QUEUE = "city"
_FINISHED_KEPT_HOURS = 24
_STALLED_AFTER_S = 60


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A job, when it is due (cron, UTC) and what it does."""

    name: str
    cron: str
    do: Callable[[Settings], None]


def timetable(settings: Settings) -> tuple[Job, ...]:
    """All jobs that are due by the clock; a forecast a minute after the quarter, when its last interval has arrived."""
    return (
        Job(name=FORECAST, cron=f"1-59/{settings.forecast_every_minutes} * * * *", do=tasks.forecast),
        Job(name=SENSOR_HEALTH, cron="*/5 * * * *", do=tasks.judge_sensors),
        Job(name="score", cron="7 * * * *", do=tasks.compare_with_what_happened),
        Job(name=RELEASE, cron="10 * * * *", do=tasks.publish),
        Job(name="destroy-personal", cron="40 * * * *", do=tasks.destroy_personal),
        Job(name="forget", cron="50 3 * * *", do=tasks.forget),
    )


def make_app(settings: Settings) -> procrastinate.App:
    """The job queue of this city, with its jobs and their timetable; opens nothing."""
    connector = procrastinate.PsycopgConnector(
        conninfo=settings.role_dsn("jobs"), kwargs={"application_name": "arterial-jobs"}, min_size=1, max_size=4
    )
    app = procrastinate.App(connector=connector)
    for job in timetable(settings):
        _register(app, job, settings)

    @app.periodic(cron="* * * * *")
    @app.task(name="tidy", queue=_QUEUE, lock="tidy", queueing_lock="tidy")
    async def tidy(timestamp: int) -> None:
        """Close the jobs of workers that died, for the timetable brings the next ones, and remove finished jobs."""
        del timestamp
        for stalled in await app.job_manager.get_stalled_jobs(seconds_since_heartbeat=_STALLED_AFTER_S):
            if stalled.id is not None:
                log.warning("job of a dead worker closed", job=stalled.task_name, id=stalled.id)
                await app.job_manager.finish_job_by_id_async(stalled.id, status=Status.FAILED, delete_job=False)
        await app.job_manager.delete_old_jobs(nb_hours=_FINISHED_KEPT_HOURS, include_failed=True)

    del tidy  # registered by its decorators
    return app


def _register(app: procrastinate.App, job: Job, settings: Settings) -> None:
    def due(timestamp: int) -> None:
        del timestamp
        job.do(settings)

    app.periodic(cron=job.cron)(app.task(name=job.name, queue=_QUEUE, lock=job.name, queueing_lock=job.name)(due))


def run_soon(settings: Settings, *names: str) -> None:
    """Ask the workers for jobs now, each unless one of its kind is waiting already.

    Args:
        settings: the database as role jobs.
        names: `FORECAST`, `RELEASE`, `SENSOR_HEALTH`.

    Raises:
        UnavailableError: the database does not answer.

    """
    connector = procrastinate.SyncPsycopgConnector(conninfo=settings.role_dsn("jobs"))
    try:
        with procrastinate.App(connector=connector).open() as app:
            for name in names:
                try:
                    app.configure_task(name, queue=_QUEUE, lock=name, queueing_lock=name).defer(
                        timestamp=int(time.time())
                    )
                except procrastinate.exceptions.AlreadyEnqueued:
                    log.debug("a job of this kind is waiting already", job=name)
    except (psycopg.Error, procrastinate.exceptions.ConnectorException) as error:
        message = f"no job could be asked for: {first_line(error)}"
        raise UnavailableError(message) from error
