"""Code concerned with when jobs are due, and that each runs once however many workers there are.

Jobs wait in PostgreSQL (procrastinate). A job's lock keeps two of a kind from running at once, its queueing lock keeps
late ones from piling up. Nothing a job does is half done: each writes in transactions, so a killed worker costs a run.
A forecast of the city is a round of jobs, one per shard: workers on any number of machines share them, a shard that fails
is tried again and holds up no other, and the database stores a shard once per round whoever was asked however often.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime

import procrastinate
import psycopg
import structlog
from procrastinate.jobs import Status

from services.errors import UnavailableError
from services.jobs import tasks, weekly
from services.settings import Settings
from services.storage.database import first_line

log = structlog.get_logger()

FORECAST = "forecast"
TRAIN = "train"
RELEASE = "release"
FORECAST_RELEASED = "forecast-released"
SENSOR_HEALTH = "sensor-health"
DESTROY = "destroy-personal"
_QUEUE = "city"
_FINISHED_KEPT_HOURS = 24
_STALLED_AFTER_S = 60
_FIRST = 10  # before learning, which takes longer and can wait
_RETRY = procrastinate.RetryStrategy(max_attempts=3, wait=5, linear_wait=15)


@dataclass(frozen=True, kw_only=True, slots=True)
class Job:
    """A job, when it is due (cron, UTC) and what it does: once for the city, or once for each shard of it.

    `per_shard` returns whether the shards should be learnt soon, in the middle of the day.
    """

    name: str
    cron: str
    do: Callable[[Settings], None] | None = None
    per_shard: Callable[[Settings, int, datetime], bool] | None = None
    priority: int = 0


def timetable(settings: Settings) -> tuple[Job, ...]:
    """All jobs that are due by the clock; a forecast a minute after the quarter, when its last interval has arrived."""
    quarters = f"1-59/{settings.forecast_every_minutes} * * * *"
    return (
        Job(name=FORECAST, cron=quarters, per_shard=tasks.forecast_shard, priority=_FIRST),
        Job(name=TRAIN, cron="20 1 * * *", per_shard=tasks.train_shard),
        Job(name=SENSOR_HEALTH, cron="*/5 * * * *", do=tasks.judge_sensors),
        Job(name="score", cron="7 * * * *", do=tasks.compare_with_what_happened),
        Job(name=RELEASE, cron="10 * * * *", do=tasks.publish),
        Job(name=FORECAST_RELEASED, cron="25 * * * *", do=tasks.forecast_what_will_be_released),
        Job(name=DESTROY, cron="40 * * * *", do=tasks.destroy_personal),
        Job(name="forget", cron="50 * * * *", do=tasks.forget),
        Job(name="attack", cron="50 2 * * *", do=weekly.attack_releases),
        Job(name="fairness", cron="15 3 * * *", do=weekly.audit_fairness),
        Job(name="check-ledger", cron="35 3 * * *", do=tasks.check_ledger),
        Job(name="checkpoint", cron="45 3 * * *", do=tasks.sign_checkpoint),
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
    if job.do is not None:
        due: Callable[..., object] = _once(job.do, settings)
    if job.per_shard is not None:
        due = _round(app, job, settings)
        app.task(name=_shard_job(job.name), queue=_QUEUE, retry=_RETRY)(_one_shard(job.per_shard, settings))
    make = app.task(name=job.name, queue=_QUEUE, lock=job.name, queueing_lock=job.name, priority=job.priority)
    app.periodic(cron=job.cron)(make(due))


def _once(do: Callable[[Settings], None], settings: Settings) -> Callable[[int], None]:
    def due(timestamp: int) -> None:
        del timestamp
        do(settings)

    return due


def _one_shard(do: Callable[[Settings, int, datetime], bool], settings: Settings) -> Callable[[int, int], None]:
    def work(shard: int, due: int) -> None:
        if do(settings, shard, datetime.fromtimestamp(due, UTC)):
            run_soon(settings, TRAIN)

    return work


def _round(app: procrastinate.App, job: Job, settings: Settings) -> Callable[[int], Awaitable[None]]:
    """Ask for every shard, unless its job of the last round is waiting still: that one will see what is known then."""
    name = _shard_job(job.name)

    async def due(timestamp: int) -> None:
        for shard in await asyncio.to_thread(tasks.shards, settings):
            lock = f"{name}-{shard}"
            one = app.configure_task(name, queue=_QUEUE, lock=lock, queueing_lock=lock, priority=job.priority)
            try:
                await one.defer_async(shard=shard, due=timestamp)
            except procrastinate.exceptions.AlreadyEnqueued:
                log.warning("the job of the last round is still waiting", job=name, shard=shard)

    return due


def _shard_job(name: str) -> str:
    """The name of the job that does one shard of a round."""
    return f"{name}-shard"


def run_soon(settings: Settings, *names: str) -> None:
    """Ask the workers for jobs now, each unless one of its kind is waiting already.

    Args:
        settings: the database as role jobs.
        names: `FORECAST`, `TRAIN`, `RELEASE`, `FORECAST_RELEASED`, `SENSOR_HEALTH`, `DESTROY`.

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
