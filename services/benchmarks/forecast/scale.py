"""Code concerned with how long a whole city takes: learning at night and refreshing by day, for growing numbers of sensors.

The same functions on the same engine as in service. Learning takes eight weeks of 15-minute history from shared memory and
keeps what it learnt in PostgreSQL; the refresh is the service's own: it reads what has come since from PostgreSQL,
forecasts 96 steps with 7 quantiles and stores them. Processes are started anew for each, and their start is counted.

All shards have the same 256 courses of values, so where a whole night would take too long here, what some shards learnt can
be laid under the others: they would have learnt the same.
"""

from __future__ import annotations

import hashlib
import math
import os
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from multiprocessing.shared_memory import SharedMemory
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import numpy as np

from models.calendar import Calendar
from models.panel import Panel
from services.benchmarks.forecast.series import generated
from services.benchmarks.process import peak_bytes
from services.domain import Kind, from_us, to_us
from services.embedded import free_port, start_postgres
from services.forecasting.engine import Engine, Local
from services.forecasting.freezing import freeze, thaw
from services.forecasting.learnt import Group, History, keepable, steps_of
from services.forecasting.series import learn
from services.forecasting.shard import forecast_shard
from services.settings import Settings, load_settings
from services.storage import fitted
from services.storage.binary import HEADER, TRAILER, record, stamps
from services.storage.database import Connection, connect
from services.storage.migrate import migrate
from services.storage.panels import SHARD_SENSORS

_DAYS: Final = 56
_STEP: Final = 900
_RECENT: Final = timedelta(days=2)
_QUANTITY: Final = "flow_vph"
_ROLES: Final = ("ingest", "jobs", "api")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Shared:
    """Where the history lies: single precision, sensors x times, up to `until_us`."""

    name: str
    sensors: int
    length: int
    until_us: int


@dataclass(frozen=True, kw_only=True, slots=True)
class _Worked:
    """What one shard took: by which process, its memory so far [bytes], its processor time [s], and how many series."""

    process: int
    rss: int
    cpu_s: float
    series: int


def measure(
    sizes: Sequence[int], tell: Callable[[str], None], engine: Engine | None = None, most_learnt: int | None = None
) -> dict[str, Any]:
    """Seconds and memory for each number of sensors, and how both grow.

    `rss_gb` adds the largest resident sets of the refreshing processes, what they share counted in each. Processor time
    is that of the same processes, without the database's. `learnt` tells for how many sensors the time of learning is.

    Args:
        sizes: numbers of sensors.
        tell: told what is being done.
        engine: where shards are worked on; by default as many processes as cores.
        most_learnt: of how many sensors models are really learnt, about; None is all.

    """
    rows = []
    for sensors in sizes:
        with _city(sensors, tell) as (settings, shared):
            shards = sorted({number // SHARD_SENSORS for number in range(1, sensors + 1)})
            chosen = engine or Local(processes=os.cpu_count() or 1)
            learning, copying = _parted(shards, most_learnt)
            tell(f"{sensors} sensors: learning {len(learning)} shards")
            began = time.perf_counter()
            learnt = list(chosen.run(partial(_learn, settings, shared), learning))
            training = time.perf_counter() - began
            tell(f"{sensors} sensors: learnt in {training:.1f} s; refreshing")
            if copying:
                list(chosen.run(partial(_lay_under, settings, learning[1]), copying))
            began = time.perf_counter()
            list(chosen.run(partial(_refresh, settings), shards))
            first = time.perf_counter() - began
            began = time.perf_counter()
            refreshed = list(chosen.run(partial(_refresh, settings), shards))
            seconds = time.perf_counter() - began
            with connect(settings.owner_dsn(), application="bench") as connection:
                kept = connection.execute("SELECT sum(length(content)) FROM forecast.fitted").fetchone()
                stored = connection.execute("SELECT pg_total_relation_size('forecast.series') / 2").fetchone()
        rows.append(
            {
                "sensors": sensors,
                "series": sum(one.series for one in refreshed),
                "seconds": round(seconds, 2),
                "cpu_seconds": round(sum(one.cpu_s for one in refreshed), 2),
                "rss_gb": _together(refreshed),
                "first_seconds": round(first, 2),
                "learnt": sum(one.series for one in learnt),
                "training_seconds": round(training, 1),
                "training_cpu_seconds": round(sum(one.cpu_s for one in learnt), 1),
                "training_rss_gb": _together(learnt),
                "learnt_gb": round(float(kept[0] or 0) / 1e9, 3) if kept else 0.0,
                "stored_mb": round(float(stored[0]) / 1e6, 1) if stored else 0.0,
            }
        )
        tell(f"{sensors} sensors: refreshed in {seconds:.1f} s")
    return {"scale": rows, "growth": _growths(rows)}


def _parted(shards: Sequence[int], most_learnt: int | None) -> tuple[list[int], list[int]]:
    """Those to learn, and those that are as one of them; the first and the last shard can hold fewer sensors."""
    count = len(shards) if most_learnt is None else max(2, math.ceil(most_learnt / SHARD_SENSORS) - 1)
    return [*shards[:count], *shards[count:][-1:]], list(shards[count:-1])


def _together(worked: Sequence[_Worked]) -> float:
    most: dict[int, int] = {}
    for one in worked:
        most[one.process] = max(one.rss, most.get(one.process, 0))
    return round(sum(most.values()) / 1e9, 3)


def _growths(rows: Sequence[dict[str, Any]]) -> dict[str, float]:
    """The exponents b of seconds = a sensors^b between the smallest and the largest city, of learning where all was learnt."""
    if len(rows) < 2:
        return {}
    first, last = rows[0], rows[-1]
    names = ["seconds", "cpu_seconds"]
    if all(one["learnt"] == one["sensors"] for one in rows):
        names += ["training_seconds", "training_cpu_seconds"]
    apart = math.log(last["sensors"] / first["sensors"])
    return {name: round(math.log(last[name] / first[name]) / apart, 3) for name in names}


def _learn(settings: Settings, shared: _Shared, shard: int) -> _Worked:
    began = time.process_time()
    calendar = Calendar(zone=settings.city_timezone, country=settings.city_country, region=settings.city_region)
    wanted = History(until_us=shared.until_us, days=settings.forecast_history_days, calendar=calendar)
    first = max(1, shard * SHARD_SENSORS)
    end = min(shared.sensors, (shard + 1) * SHARD_SENSORS - 1)
    with _opened(shared) as history:
        panel = Panel(
            names=tuple(map(str, range(first, end + 1))),
            values=history[first - 1 : end].astype(np.float64),
            start_us=shared.until_us - shared.length * _STEP * 1_000_000,
            step_seconds=_STEP,
            calendar=calendar,
            nonnegative=True,
        )
    selected = learn(panel, steps_of(Kind.TRAFFIC, _STEP), on_roads=True)
    group = Group(quantity=_QUANTITY, panel=panel, selected=selected, trained_to_us=shared.until_us, is_new=True)
    with connect(settings.role_dsn("jobs"), application="bench") as connection:
        fitted.replace(
            connection, shard, Kind.TRAFFIC, keepable([group], Kind.TRAFFIC, shard, wanted, datetime.now(UTC))
        )
        connection.commit()
    return _worked(panel.sensors, began)


def _lay_under(settings: Settings, model: int, shard: int) -> None:
    """Keep for a shard what another has learnt from the same values."""
    with connect(settings.role_dsn("jobs"), application="bench") as connection:
        (one,) = fitted.of_shard(connection, model)
        names = tuple(str(shard * SHARD_SENSORS + k) for k in range(SHARD_SENSORS))
        data = freeze(thaw(fitted.content(connection, one) or b"") | {"names": names})
        copy = replace(one, shard=shard, digest=hashlib.sha256(data).hexdigest())
        fitted.replace(connection, shard, Kind.TRAFFIC, [(copy, data)])
        connection.commit()


def _refresh(settings: Settings, shard: int) -> _Worked:
    began = time.process_time()
    return _worked(forecast_shard(settings, shard).series, began)


def _worked(series: int, began: float) -> _Worked:
    process = os.getpid()
    return _Worked(process=process, rss=peak_bytes(process), cpu_s=time.process_time() - began, series=series)


@contextmanager
def _opened(shared: _Shared) -> Iterator[Any]:
    memory = SharedMemory(name=shared.name)
    try:
        view = np.ndarray((shared.sensors, shared.length), dtype=np.float32, buffer=memory.buf)
        yield view
        del view
    finally:
        memory.close()


@contextmanager
def _city(sensors: int, tell: Callable[[str], None]) -> Iterator[tuple[Settings, _Shared]]:
    """A database with so many sensors and their readings of the last days, and all their history in shared memory."""
    with TemporaryDirectory(prefix="arterial-bench-") as name:
        password = secrets.token_hex(8)
        database = start_postgres(Path(name), port=free_port(), password=password, durable=False)
        length = _DAYS * 86_400 // _STEP
        memory = SharedMemory(create=True, size=sensors * length * 4)
        try:
            settings = load_settings(
                {
                    "data_dir": Path(name) / "data",
                    "database_url": database.url,
                    **{f"database_password_{role}": password for role in _ROLES},
                },
                join_running=False,
            )
            migrate(settings)
            until_us = to_us(datetime.now(UTC)) // (_STEP * 1_000_000) * _STEP * 1_000_000
            shared = _Shared(name=memory.name, sensors=sensors, length=length, until_us=until_us)
            history = np.ndarray((sensors, length), dtype=np.float32, buffer=memory.buf)
            tell(f"{sensors} sensors: making {_DAYS} days of history")
            courses = generated(min(sensors, SHARD_SENSORS), _DAYS, _STEP, end_us=until_us).values
            for first in range(0, sensors, SHARD_SENSORS):
                history[first : first + SHARD_SENSORS] = courses[: sensors - first]
            with connect(settings.owner_dsn(), application="bench", autocommit=True) as connection:
                connection.execute(
                    "INSERT INTO sensing.sensor (code, kind, step_seconds)"
                    " SELECT 'bench-' || g, 'traffic', 900 FROM generate_series(1, %s) g ORDER BY g",
                    [sensors],
                )
                _fill(connection, history, until_us)
            del history
            yield settings, shared
        finally:
            memory.close()
            memory.unlink()
            database.stop()


def _fill(connection: Connection, history: Any, until_us: int) -> None:
    """The roll-ups of the last days, quarter by quarter as ingest would have left them."""
    since_us = to_us(from_us(until_us).replace(hour=0, minute=0, second=0, microsecond=0) - _RECENT)
    quarters = (until_us - since_us) // (_STEP * 1_000_000)
    kind = record("i4", "i8", "i4", "i4", "f4", "f4")
    rows = kind.blank(history.shape[0])
    with (
        connection.cursor() as cursor,
        cursor.copy(
            "COPY sensing.traffic_15min (sensor_id, bucket, rows, good, flow_vph, speed_kmh) FROM STDIN (FORMAT binary)"
        ) as copy,
    ):
        copy.write(HEADER)
        for k in range(quarters):
            at = stamps(np.array(since_us + k * _STEP * 1_000_000))
            flow = history[:, history.shape[1] - quarters + k]
            kind.fill(rows, [np.arange(1, len(rows) + 1), at, 3, 3, flow, np.float32("nan")])
            copy.write(rows.tobytes())
        copy.write(TRAILER)
    connection.execute("ANALYZE sensing.traffic_15min")
