"""`arterial simulate` and `arterial replay`: devices that do not exist, and recordings of those that do."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Annotated, Literal

import typer

from services.commands.output import AsJson, report


def simulate(
    *,
    seed: Annotated[int, typer.Option(min=0, help="Which city; the same seed is always the same city.")] = 7,
    as_json: AsJson = False,
) -> None:
    """Run the synthetic city's devices: publish over MQTT until Ctrl-C."""
    import signal
    import threading

    from services.logging import configure_logging
    from services.settings import load_settings
    from simulators.city import build_city
    from simulators.live import run

    settings = load_settings()
    configure_logging(settings, "simulate")
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    city = build_city(settings, seed)
    if not as_json:
        devices = len(city.detectors.code) + len(city.feeders.code) + len(city.stations.code)
        print(f"{devices} devices of the city of seed {seed} publish to the broker; Ctrl-C stops them.", flush=True)
    ran = run(settings, city, stop)
    report(
        {"seed": seed, "messages": ran.devices, "personal_messages": ran.personal, "seconds": round(ran.seconds, 1)},
        [f"{ran.devices:,} messages of devices and {ran.personal:,} personal ones in {ran.seconds:.0f} s."],
        as_json=as_json,
    )


def replay(
    path: Annotated[
        Path,
        typer.Argument(
            help="A folder of the Berlin detectors, or a wide .csv file, whose times without an offset are the city's "
            "(ARTERIAL_CITY_TIMEZONE)."
        ),
    ],
    *,
    shift: Annotated[
        Literal["none", "now"],
        typer.Option(help="`now` moves the recording by whole weeks to the present, so that weekdays fit."),
    ] = "none",
    speed: Annotated[float, typer.Option(min=0.001, help="How many times as fast as it happened.")] = 1.0,
    history: Annotated[
        str | None,
        typer.Option(metavar="FROM/TO", help="Load these days (2024-06-01/2024-11-30, or `all`) into the database."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Let a recording happen again: over MQTT at a chosen speed, or with --history as past in one go.

    Over MQTT a shifted recording in real time begins now, inside its first week; at another speed it is moved to end
    within the week before now and is sent from its beginning.
    """
    import signal
    import threading
    import time
    from dataclasses import asdict
    from datetime import timedelta

    from services.commands.progress import progress_bar
    from services.logging import configure_logging
    from services.settings import load_settings
    from simulators import replay as replaying
    from simulators.recordings import read_recording

    settings = load_settings()
    configure_logging(settings, "replay")
    recording = read_recording(path, settings.zone)
    now_us = time.time_ns() // 1_000
    if history is not None and history != "all":
        recording = recording.between(*_days(history))
    if shift == "now":
        recording = replaying.shifted_to_now(recording, now_us, speed=0 if history is not None else speed)
    if history is not None:
        with progress_bar(f"Loading {recording.name}") as progress:
            done = replaying.load_as_history(settings, recording, progress)
        what = f"{done.stored_rows:,} new rows of {done.readings:,} readings stored"
    else:
        stop = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stop.set())
        begin_us = now_us if shift == "now" and speed == 1 else int(recording.times_us[0])
        with progress_bar(f"Publishing {recording.name}") as progress:
            done = replaying.publish(settings, recording, speed=speed, begin_us=begin_us, stop=stop, progress=progress)
        what = f"{done.readings:,} readings published"
    span = f"{done.first:%Y-%m-%d %H:%M} to {done.last:%Y-%m-%d %H:%M} UTC"
    lines = [f"{what}: {done.sensors} sensors, {span}, in {done.seconds:.1f} s."]
    if history is not None and shift == "none":
        end = done.last + timedelta(seconds=recording.step_s)
        lines.append(f"To forecast as of its end: arterial forecast run --at {end:%Y-%m-%dT%H:%MZ}")
    report(asdict(done), lines, as_json=as_json)


def _days(text: str) -> tuple[date, date]:
    from services.errors import InputError

    try:
        first, last = (date.fromisoformat(part) for part in text.split("/"))
    except ValueError:
        message = f"--history is {text!r}, but two days such as 2024-06-01/2024-11-30, or all, are expected"
        raise InputError(message) from None
    if last < first:
        message = f"--history ends on {last}, before it begins on {first}"
        raise InputError(message)
    return first, last
