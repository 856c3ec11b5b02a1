"""Code concerned with the worker process: the timetable's jobs, and roll-ups that follow the readings."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import psycopg
import structlog

from services.errors import UnavailableError
from services.jobs.schedule import DESTROY, FORECAST, FORECAST_RELEASED, RELEASE, SENSOR_HEALTH, make_app, run_soon
from services.settings import Settings
from services.storage import health, rollups
from services.storage.database import connect, first_line

log = structlog.get_logger()

_ROLLUP_PAUSE_S = 2.0
_RETRY_PAUSE_S = 3.0
_GRACE_S = 3.0  # with what follows less than the five seconds that a city gives its children
_LEAVE_S = 1.0
_ENDING = (signal.SIGINT, signal.SIGTERM)


def run(settings: Settings) -> None:
    """Work until SIGTERM or SIGINT.

    Raises:
        UnavailableError: the database does not answer at start.

    """
    _catch_up(settings)
    stop = threading.Event()
    follower = threading.Thread(target=_follow_readings, args=(settings, stop), name="rollups", daemon=True)
    follower.start()
    try:
        asyncio.run(_work(settings))
    finally:
        stop.set()
        follower.join(_GRACE_S)


async def _work(settings: Settings) -> None:
    loop, working = asyncio.get_running_loop(), asyncio.create_task(_take_jobs(settings))
    # A thread that calculates cannot be stopped, and the worker's farewell waits half a minute for a database that went
    # first: but what a job stores it stores whole or not at all, and a lost worker's jobs are taken up by the next.
    leave = threading.Timer(_GRACE_S + _LEAVE_S, os._exit, args=(0,))
    leave.daemon = True

    def end() -> None:
        leave.start()
        for number in _ENDING:
            loop.remove_signal_handler(number)  # whoever asks again gets what the system does of itself: an end at once
        working.cancel()

    for number in _ENDING:
        loop.add_signal_handler(number, end)
    with suppress(asyncio.CancelledError):
        await working


async def _take_jobs(settings: Settings) -> None:
    async with make_app(settings).open_async() as app:
        await app.run_worker_async(
            concurrency=2, shutdown_graceful_timeout=_GRACE_S, install_signal_handlers=False, name="arterial-worker"
        )


def _catch_up(settings: Settings) -> None:
    """Ask for what fell due while no worker ran: releases, which know what is missing, destruction, diagnoses, forecasts."""
    with connect(settings.role_dsn("jobs"), application="jobs", autocommit=True) as connection:
        newest = health.newest_issue(connection)
    every = timedelta(minutes=settings.forecast_every_minutes)
    if newest is None or datetime.now(UTC) - newest > every:
        run_soon(settings, FORECAST, RELEASE, FORECAST_RELEASED, SENSOR_HEALTH, DESTROY)
    else:
        run_soon(settings, RELEASE, FORECAST_RELEASED, SENSOR_HEALTH, DESTROY)


def _follow_readings(settings: Settings, stop: threading.Event) -> None:
    """Keep the roll-ups up to date, through outages of the database."""
    while not stop.is_set():
        try:
            with connect(settings.role_dsn("jobs"), application="rollups") as connection:
                while not stop.is_set():
                    if rollups.refresh(connection) == 0:
                        stop.wait(_ROLLUP_PAUSE_S)
        except (UnavailableError, psycopg.Error) as error:
            log.warning("roll-ups wait for the database", reason=first_line(error))
            stop.wait(_RETRY_PAUSE_S)
