"""Meters that tell a register only have power in the table: the same whatever the order, the copies and the restarts."""

from __future__ import annotations

import random
import time
from itertools import pairwise

import orjson
import pytest

from ingest.pipeline import store
from services.domain import Message, from_us
from services.settings import Settings
from services.storage import rollups
from services.storage.database import Connection

NOW_US = time.time_ns() // 1_000
HOUR_US = 3_600_000_000
AT_US = (NOW_US // HOUR_US - 5) * HOUR_US
QUARTER_US = 900_000_000
REGISTERS = [10.0, 10.5, 11.5, 0.25, 0.75, 0.75, 1.0, 3.0]  # exchanged after the third
POWERS = [2.0, 4.0, 1.0, 2.0, 0.0, 1.0, 8.0, None]


def register(place: int, kwh: float, sensor: str = "feeder-1", **others: float) -> Message:
    content = {"ts": (AT_US + place * QUARTER_US) // 1_000, "energy_kwh": kwh, **others}
    topic = f"city/v1/energy/{sensor}/telemetry"
    return Message(topic=topic, payload=orjson.dumps(content), received_us=NOW_US)


def powers(owner: Connection) -> list[float | None]:
    return [row[0] for row in owner.execute("SELECT power_kw FROM sensing.energy ORDER BY observed_at").fetchall()]


SENT = [register(place, kwh) for place, kwh in enumerate(REGISTERS)]


def test_registers_with_a_reset_become_power_and_the_roll_up_adds_up(settings: Settings, owner: Connection) -> None:
    counts = store(settings, SENT)
    assert (counts.stored, counts.duplicate, counts.dead_lettered) == (8, 0, 0)
    assert powers(owner) == POWERS
    rollups.refresh(owner)
    hours = owner.execute("SELECT power_kw, energy_kwh FROM sensing.energy_hour ORDER BY bucket").fetchall()
    assert hours == [((2 + 4 + 1 + 2) / 4, 0.25), (3.0, 3.0)]


@pytest.mark.parametrize("seed", range(4))
def test_neither_order_nor_copies_nor_restarts_change_the_power(
    settings: Settings, owner: Connection, seed: int
) -> None:
    chance = random.Random(seed)
    sent = SENT * 3
    chance.shuffle(sent)
    cuts = sorted(chance.sample(range(1, len(sent)), 5))
    for start, end in pairwise([0, *cuts, len(sent)]):
        counts = store(settings, sent[start:end])  # each with nothing remembered
        assert counts.holds()
        assert counts.dead_lettered == 0
    assert powers(owner) == POWERS


def test_the_hour_before_is_rolled_up_again_when_the_next_register_tells_its_power(
    settings: Settings, owner: Connection
) -> None:
    store(settings, [register(3, 5.0)])
    rollups.refresh(owner)
    store(settings, [register(4, 6.0)])
    assert owner.execute("SELECT DISTINCT hour FROM sensing.dirty_hour ORDER BY 1").fetchall() == [
        (from_us(AT_US),),
        (from_us(AT_US + HOUR_US),),
    ]


def test_a_reported_power_is_never_changed_and_goes_before_one_from_registers(
    settings: Settings, owner: Connection
) -> None:
    store(settings, [register(0, 5.0), register(1, 6.0), register(2, 7.0)])
    assert powers(owner) == [4.0, 4.0, None]
    counts = store(settings, [register(1, 6.0, power_kw=3.5)])
    assert (counts.stored, counts.dead_lettered) == (1, 0)
    assert powers(owner) == [4.0, 3.5, None]  # the first register now goes on to the third
    assert store(settings, [register(1, 6.0, power_kw=3.5)]).duplicate == 1
    assert store(settings, [register(1, 6.0, power_kw=3.6)]).dead_lettered == 1
    store(settings, [register(3, 7.5), register(0, 5.0, power_kw=9.0)])
    assert powers(owner) == [9.0, 3.5, 2.0, None]


def test_a_register_runs_over_where_the_meter_says(settings: Settings, owner: Connection) -> None:
    meta = Message(
        topic="city/v1/energy/feeder-1/meta", payload=b'{"register_kwh": 100000}', received_us=NOW_US, retained=True
    )
    store(settings, [meta])
    store(settings, [register(0, 99_999.75), register(1, 0.25), register(10, 8.0)])
    assert powers(owner) == [2.0, None, None]  # the last is too far away


def test_power_is_known_when_the_next_register_was_received(settings: Settings, owner: Connection) -> None:
    delayed = [
        Message(topic=message.topic, payload=message.payload, received_us=message.received_us, delay_us=1_000_000)
        for message in SENT[:2]
    ]
    store(settings, delayed)
    known = owner.execute("SELECT received_at FROM sensing.energy ORDER BY observed_at").fetchall()
    assert known == [(from_us(AT_US + QUARTER_US + 1_000_000),)] * 2


def test_a_register_that_starts_again_with_every_use_has_power_between(settings: Settings, owner: Connection) -> None:
    told = [(0, 0.0), (1, 1.0), (2, 2.0), (4, 0.0), (5, 5.5)]  # a charging point, from session to session
    counts = store(settings, [register(place, kwh) for place, kwh in told])
    assert (counts.stored, counts.dead_lettered) == (5, 0)
    assert powers(owner) == [4.0, 4.0, 0.0, 22.0, None]
