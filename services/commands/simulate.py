"""`arterial simulate` and `arterial replay`: devices that do not exist, and recordings of those that do."""

from __future__ import annotations

from typing import Annotated

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

    from services.settings import load_settings
    from simulators.city import build_city
    from simulators.live import run

    settings = load_settings()
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
