"""Jobs run once, their failures are seen, and a dead worker's jobs do not block the next."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

import procrastinate
import pytest

from services.jobs import schedule
from services.jobs.schedule import FORECAST, RELEASE, Job, make_app, run_soon, timetable
from services.settings import Settings
from services.storage.database import Connection


async def _work(settings: Settings) -> None:
    app = make_app(settings)
    app.periodic_registry.periodic_tasks.clear()  # what fell due in the last minutes would run beside what the tests ask for
    async with app.open_async():
        await app.run_worker_async(wait=False, install_signal_handlers=False, listen_notify=False)


@pytest.fixture
def work(settings: Settings) -> Callable[[], None]:
    """A worker that stops when nothing waits."""
    return lambda: asyncio.run(_work(settings))


def statuses(owner: Connection, name: str) -> list[str]:
    rows = owner.execute("SELECT status FROM jobs.procrastinate_jobs WHERE task_name = %s ORDER BY id", [name])
    return [str(row[0]) for row in rows]


def test_the_timetable_has_distinct_names_and_valid_times(settings: Settings) -> None:
    names = [job.name for job in timetable(settings)]

    assert len(set(names)) == len(names)
    assert {FORECAST, RELEASE} <= set(names)
    make_app(settings)  # procrastinate refuses a cron it cannot read


def test_a_job_asked_for_twice_runs_once(settings: Settings, owner: Connection, work: Callable[[], None]) -> None:
    run_soon(settings, RELEASE)
    run_soon(settings, RELEASE)

    assert statuses(owner, RELEASE) == ["todo"]
    work()
    assert statuses(owner, RELEASE) == ["succeeded"]


def test_two_workers_never_run_a_job_at_once(
    settings: Settings, owner: Connection, work: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    running, most = [0], [0]
    guard = threading.Lock()

    def count(_: Settings) -> None:
        with guard:
            running[0] += 1
            most[0] = max(most[0], running[0])
        threading.Event().wait(0.3)
        with guard:
            running[0] -= 1

    monkeypatch.setattr(schedule, "timetable", lambda _: (Job(name=RELEASE, cron="10 * * * *", do=count),))
    connector = procrastinate.SyncPsycopgConnector(conninfo=settings.role_dsn("jobs"))
    with procrastinate.App(connector=connector).open() as app:
        for stamp in range(3):
            app.configure_task(RELEASE, queue="city", lock=RELEASE).defer(timestamp=stamp)
    workers = [threading.Thread(target=work) for _ in range(2)]
    for one in workers:
        one.start()
    for one in workers:
        one.join()
    work()

    assert statuses(owner, RELEASE) == ["succeeded"] * 3
    assert most == [1]


def test_the_job_of_a_dead_worker_is_closed_and_the_next_one_runs(
    settings: Settings, owner: Connection, work: Callable[[], None]
) -> None:
    run_soon(settings, RELEASE)
    owner.execute("SET search_path = jobs")  # the queue's triggers name their tables without a schema
    owner.execute(
        "WITH dead AS (INSERT INTO jobs.procrastinate_workers (last_heartbeat) VALUES (now() - interval '5 minutes') RETURNING id) "
        "UPDATE jobs.procrastinate_jobs SET status = 'doing', worker_id = dead.id FROM dead WHERE task_name = %s",
        [RELEASE],
    )
    run_soon(settings, RELEASE)
    connector = procrastinate.SyncPsycopgConnector(conninfo=settings.role_dsn("jobs"))
    with procrastinate.App(connector=connector).open() as app:
        app.configure_task("tidy", queue="city", lock="tidy").defer(timestamp=0)

    work()
    work()

    assert statuses(owner, RELEASE) == ["failed", "succeeded"]
