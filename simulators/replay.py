"""Code concerned with letting recordings happen again: as history in one go, or through MQTT at a speed of one's choice."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import structlog

from ingest.pipeline import store
from services.domain import Message, from_us
from services.errors import InputError
from services.settings import Settings
from simulators.encoders import native
from simulators.mqtt import Publisher
from simulators.recordings import RecordedSensor, Recording
from simulators.wall_clock import WEEK_US, moved_by_weeks

_BATCH = 1_000
_TICK_S = 0.2
_SHOWN_DECIMALS = 4

Progress = Callable[[int, int], None]
"""Told how much is done, and of how much."""

log = structlog.get_logger()


@dataclass(frozen=True, kw_only=True, slots=True)
class Replayed:
    """What was replayed: messages, and readings in them; for history also what the database made of them."""

    sensors: int
    messages: int
    readings: int
    first: datetime
    last: datetime
    seconds: float
    stored_rows: int | None = None
    dead_lettered: int | None = None


def shifted_to_now(recording: Recording, now_us: int, *, speed: float) -> Recording:
    """The recording moved by whole weeks on the local clock.

    In real time (speed 1) it is moved so that now lies in its first week: what follows can be published as it falls due.
    Faster, its last value must not lie in the future, so it is moved so that it ends within the week before now.
    """
    anchor = recording.times_us[0] if speed == 1 else recording.times_us[-1] + recording.step_s * 1_000_000
    weeks = int((now_us - anchor) // WEEK_US)
    moved = moved_by_weeks(recording.times_us, weeks, recording.zone)
    return recording.at(moved)


def load_as_history(settings: Settings, recording: Recording, progress: Progress) -> Replayed:
    """Store a recording through the same decoders and writer as live readings; repeating it adds nothing.

    Each reading counts as received when its interval ended, so that forecasts can be made as of any time of it.

    Raises:
        UnavailableError: the database does not answer.

    """
    began = time.monotonic()
    counts = [0, 0]
    now_us = time.time_ns() // 1_000

    def messages() -> Iterator[Message]:
        for done, sensor in enumerate(recording.sensors):
            progress(done, len(recording.sensors))
            topic = native.topic(sensor.kind, sensor.code, "meta")
            yield Message(topic=topic, payload=native.meta(sensor.kind, sensor.meta), received_us=now_us)
            for payload, size in _batches(recording, sensor):
                counts[0] += 1
                counts[1] += size
                topic = native.topic(sensor.kind, sensor.code)
                yield Message(topic=topic, payload=payload, received_us=now_us, delay_us=recording.step_s * 1_000_000)
        progress(len(recording.sensors), len(recording.sensors))

    stored = store(settings, messages())
    done = _replayed(recording, counts[0], counts[1], began)
    return replace(done, stored_rows=stored.rows, dead_lettered=stored.dead_lettered)


def publish(
    settings: Settings, recording: Recording, *, speed: float, begin_us: int, stop: threading.Event, progress: Progress
) -> Replayed:
    """Publish a recording over MQTT, each reading when its interval ends on a clock that runs `speed` times as fast.

    Args:
        settings: the broker.
        recording: what.
        speed: 1 is real time.
        begin_us: the recording's time at which to begin [µs since 1970 UTC].
        stop: ends it early.
        progress: told how many of the recording's times are done.

    Raises:
        UnavailableError: the broker does not answer at the start; later it is waited for.
        InputError: nothing of the recording is left after its beginning.

    """
    began = time.monotonic()
    ends = recording.times_us + recording.step_s * 1_000_000
    step = int(np.searchsorted(ends, begin_us))
    if step == len(ends):
        message = (
            f"{recording.name} ended {from_us(int(ends[-1])):%Y-%m-%d %H:%M} UTC: there is nothing left to publish"
        )
        raise InputError(message)
    begin_us = max(begin_us, int(ends[step]) - recording.step_s * 1_000_000)
    readings = 0
    first, introduced = step, 0
    with Publisher(settings, "replay", stop=stop) as out:
        while step < len(ends) and not stop.is_set():
            if introduced != out.connected:
                introduced = out.connected
                for sensor in recording.sensors:
                    topic = native.topic(sensor.kind, sensor.code, "meta")
                    out.publish(topic, native.meta(sensor.kind, sensor.meta), retain=True)
            clock_us = begin_us + (time.monotonic() - began) * speed * 1e6
            while step < len(ends) and ends[step] <= clock_us and not stop.is_set():
                readings += _publish_step(out, recording, step)
                step += 1
                progress(step - first, len(ends) - first)
            stop.wait(_TICK_S)
        out.drain(5.0)
        messages = out.published
    return _replayed(recording, messages, readings, began)


def _publish_step(out: Publisher, recording: Recording, step: int) -> int:
    sent = 0
    for sensor in recording.sensors:
        for payload, _ in _batches(recording, sensor, slice(step, step + 1)):
            sent += out.publish(native.topic(sensor.kind, sensor.code), payload)
    return sent


def _batches(recording: Recording, sensor: RecordedSensor, part: slice = slice(None)) -> Iterator[tuple[bytes, int]]:
    """Payloads and how many readings each has, without times at which the sensor has no value at all."""
    values = {name: column[part] for name, column in sensor.values.items()}
    present = np.flatnonzero(~np.all([np.isnan(column) for column in values.values()], axis=0))
    times = recording.times_us[part]
    for start in range(0, len(present), _BATCH):
        chosen = present[start : start + _BATCH]
        columns = {name: column[chosen].round(_SHOWN_DECIMALS).tolist() for name, column in values.items()}
        yield native.readings(times[chosen].tolist(), columns), len(chosen)


def _replayed(recording: Recording, messages: int, readings: int, began: float) -> Replayed:
    return Replayed(
        sensors=len(recording.sensors),
        messages=messages,
        readings=readings,
        first=from_us(int(recording.times_us[0])),
        last=from_us(int(recording.times_us[-1])),
        seconds=time.monotonic() - began,
    )
