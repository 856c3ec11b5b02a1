"""History and live readings take different lanes and leave the same rows, flags and roll-ups; neither waits for the other."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import orjson

from ingest.batch import Batch
from ingest.decoders.catalogue import decode
from ingest.persistence import Persistence
from ingest.pipeline import limits_of, store
from services.domain import Message
from services.settings import Settings
from services.storage import rollups
from services.storage.database import connect

NOW_US = time.time_ns() // 1_000
HOUR_US, STEP_US = 3_600_000_000, 300_000_000
Item = dict[str, object]


def telemetry(sensor: str, items: Sequence[Item]) -> Message:
    return Message(topic=f"city/v1/traffic/{sensor}/telemetry", payload=orjson.dumps(items), received_us=NOW_US)


def readings(days: float, draw: random.Random) -> list[Item]:
    """Five-minute readings up to an hour ago: some jump, some are impossible, and for a while nothing moves."""
    steps = round(days * 288)
    first_us = (NOW_US // HOUR_US - 1) * HOUR_US - steps * STEP_US
    items: list[Item] = [
        {
            "ts": (first_us + step * STEP_US) // 1_000,
            "seq": step,
            "flow_vph": round(draw.uniform(0, 7_000) if draw.random() < 0.98 else 25_000, 3),
            "speed_kmh": round(draw.uniform(1, 150), 4),
            "occupancy": round(draw.uniform(0.01, 0.9), 5),
        }
        for step in range(steps)
    ]
    for item in items[100:160]:
        item |= {"flow_vph": 300, "speed_kmh": 40.5, "occupancy": 0.1}
    return items


def in_pieces(items: Sequence[Item], sizes: Sequence[int]) -> list[list[Item]]:
    pieces: list[list[Item]] = []
    start = 0
    while start < len(items):
        size = sizes[len(pieces) % len(sizes)]
        pieces.append(list(items[start : start + size]))
        start += size
    return pieces


def persist_live(settings: Settings, client_id: str, batches: Sequence[Sequence[Message]]) -> None:
    limits = limits_of(settings)
    with Persistence(settings, client_id=client_id) as persistence:
        for number, messages in enumerate(batches):
            said = [decode(message, now_us=NOW_US, limits=limits) for message in messages]
            assert persistence.persist(Batch.of(messages, said), number + 1)


def table(settings: Settings, text: str) -> list[tuple[object, ...]]:
    with connect(settings.owner_dsn(), application="test") as owner:
        return owner.execute(text).fetchall()


FLAGS = "SELECT s.code, t.observed_at, t.quality FROM sensing.traffic t JOIN sensing.sensor s ON s.id = t.sensor_id ORDER BY 1, 2"


def test_both_lanes_flag_alike(make_database: Callable[[], Settings]) -> None:
    draw = random.Random(3)
    said = [("a", item) for item in readings(1, draw)] + [("b", item) for item in readings(1, draw)]
    said.sort(key=lambda one: one[1]["seq"])  # type: ignore[arg-type, return-value]  # all are whole numbers
    for place in range(50, len(said), 50):  # some arrive late
        said.insert(place - 20, said.pop(place))
    messages = [telemetry(sensor, [item]) for sensor, item in said]
    history, live = make_database(), make_database()
    store(history, messages)
    persist_live(live, "live", [messages[start : start + 7] for start in range(0, len(messages), 7)])

    flags = table(history, FLAGS)

    assert flags == table(live, FLAGS)
    assert {flag for *_, flag in flags} == {1, 3, 4}


def test_thirty_days_in_random_order_give_the_same_bytes(make_database: Callable[[], Settings]) -> None:
    draw = random.Random(30)
    said = {sensor: readings(30, draw) for sensor in ("a", "b")}
    contents = {}
    for order in ("sorted", "shuffled"):
        settings = make_database()
        messages = []
        for sensor, items in said.items():
            arriving = items if order == "sorted" else random.Random(1).sample(items, len(items))
            messages += [telemetry(sensor, piece) for piece in in_pieces(arriving, (1, 50, 200))]
        if order == "shuffled":
            random.Random(2).shuffle(messages)
        half = len(messages) // 2
        with connect(settings.role_dsn("jobs"), application="test") as jobs:
            for part in (messages[:half], messages[half:]):
                store(settings, part)
                rollups.refresh(jobs, most=500)
            while rollups.refresh(jobs):
                pass
            assert rollups.reconcile(jobs).total == 0
        contents[order] = [
            table(
                settings,
                f"SELECT s.code, r.* FROM sensing.traffic_{width} r JOIN sensing.sensor s ON s.id = r.sensor_id "  # noqa: S608 - constants of this file
                "ORDER BY code, bucket",
            )
            for width in ("15min", "hour")
        ]
    numbers = {row[0]: row[1] for row in contents["sorted"][0]}
    assert len(contents["sorted"][1]) == 2 * 30 * 24
    assert contents["sorted"] == [
        [(row[0], numbers[row[0]], *row[2:]) for row in rows] for rows in contents["shuffled"]
    ]  # sensors are numbered in order of arrival


_ENOUGH = 20  # live batches stored beside the backfill, to judge how long they take


def test_a_backfill_does_not_hold_up_live_readings(settings: Settings) -> None:
    draw = random.Random(7)
    days = orjson.dumps(readings(7, draw))

    def backfill(part: int) -> list[Message]:
        topics = [f"city/v1/traffic/old-{part}-{number}/telemetry" for number in range(120)]
        return [Message(topic=topic, payload=days, received_us=NOW_US) for topic in topics]

    limits = limits_of(settings)
    done = threading.Event()
    seconds: list[float] = []

    def live() -> None:
        with Persistence(settings, client_id="live") as persistence:
            for number in range(100_000):
                if done.is_set():
                    return
                at = NOW_US // 1_000 - 3_600_000 + number
                messages = [telemetry(f"new-{k}", [{"ts": at, "flow_vph": 100 + k}]) for k in range(20)]
                said = [decode(message, now_us=NOW_US, limits=limits) for message in messages]
                began = time.monotonic()
                persistence.persist(Batch.of(messages, said), (number + 1) * 20)
                seconds.append(time.monotonic() - began)
                time.sleep(0.02)

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(live)
        while len(seconds) < 5:
            time.sleep(0.01)
        seconds.clear()
        parts = 0
        while len(seconds) < _ENOUGH and not running.done():  # done early is failed: its result tells
            assert store(settings, backfill(parts)).rows == 120 * 7 * 288
            parts += 1
        during = list(seconds)
        done.set()
        running.result()

    assert np.quantile(during, 0.99) < 1.0
