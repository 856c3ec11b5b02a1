"""What the devices of the nemesis say is what their journal notes: single readings, arrays, packs and poison."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator

import pytest

from ingest.decoders.catalogue import decode
from services.benchmarks.nemesis.journal import Expectation, Journal
from services.benchmarks.nemesis.oracle import judge
from services.benchmarks.nemesis.publisher import Device
from services.domain import Message, TrafficReading, from_us
from services.embedded import free_port


@pytest.fixture
def device() -> Iterator[Device]:
    device = Device("storm-1", free_port(), batches=True)
    yield device
    device.close()


@pytest.mark.parametrize("clock_s", [0, 7_200, -86_400])
def test_every_reading_of_every_message_is_accounted_for(device: Device, clock_s: int) -> None:
    draw = random.Random(1)
    journal, rows, letters, messages = Journal(), [], [], 0
    for number in range(400):
        if number == 100:
            device.clock_s, device.wrong_for = clock_s, 30
        said = device.next_message(draw)
        journal.sent |= {(entry.device, entry.seq): entry for entry in said.entries}
        now_us = time.time_ns() // 1_000
        decoded = decode(Message(topic=said.topic, payload=said.payload, received_us=now_us), now_us=now_us)
        if decoded.rejected:
            letters.append(said.payload)
        messages += not decoded.rejected
        for reading in decoded.readings:
            assert isinstance(reading, TrafficReading)
            flow, speed, occupancy = reading.flow_vph, reading.speed_kmh, reading.occupancy
            assert flow is not None
            assert speed is not None
            assert occupancy is not None
            rows.append((reading.sensor, reading.seq, from_us(reading.observed_us), flow, speed, occupancy))
    journal.acknowledged = dict(journal.sent)
    found = judge(journal, rows, letters, prefix="storm")
    assert (found.lost, found.doubled, found.altered, found.misplaced, found.invented) == ((), (), (), (), ())
    assert found.stored + found.dead_lettered == found.published == len(journal.sent) > 500
    assert found.messages == messages
    assert (sum(e.expectation is Expectation.DEAD_LETTERED for e in journal.sent.values()) > 30) is (clock_s == 7_200)
    without_one = judge(journal, rows[:-1], letters, prefix="storm")
    assert len(without_one.lost) == 1
