"""Code concerned with decoding a whole batch: what nearly every message is takes a short way, the rest the catalogue's.

The short way is the native dialect's own typed decoder for one reading, without the steps in between. It gives what
the catalogue gives or leaves the message to it; the tests hold the two against each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final, Literal

import msgspec

from ingest.decoders import catalogue
from ingest.decoders.checks import Limits, Window
from ingest.decoders.memory import Memory
from ingest.decoders.native import ENERGY, TRAFFIC, address
from ingest.routing import Routing
from services.domain import Decoded, EnergyReading, Kind, Message, TrafficReading, to_us
from services.errors import InputError

_SHORT: Final[dict[Kind, Literal["traffic", "energy"]]] = {Kind.TRAFFIC: "traffic", Kind.ENERGY: "energy"}


def decode_all(
    messages: Sequence[Message], *, now_us: int, limits: Limits, memory: Memory, routing: Routing
) -> list[Decoded]:
    """What each message says, in order, as `routing.decode` would.

    Args:
        messages: as received.
        now_us: the server's clock [µs since 1970 UTC].
        limits: sizes and times that are accepted.
        memory: what earlier messages of the session said.
        routing: which dialect reads what is not native.

    """
    window = Window.of(limits, now_us)
    found = []
    for message in messages:
        decoded = _shortly(message, window, limits.max_payload_bytes)
        if decoded is None:
            decoded = routing.decode(message, now_us=now_us, limits=limits, memory=memory)
        found.append(decoded)
    return found


def _shortly(message: Message, window: Window, most_bytes: int) -> Decoded | None:
    """What a message of one plain reading says; None when it is anything else."""
    payload = message.payload
    if len(message.topic) > catalogue.LONGEST_TOPIC:
        return None
    kind, sensor = _way(message.topic)
    if kind is None or len(payload) > most_bytes:
        return None
    try:
        if kind == "traffic":
            traffic = TRAFFIC.decode(payload)
            ts = traffic.ts
            observed_us = ts * 1_000 if isinstance(ts, int) else to_us(ts)
            flow_vph, speed_kmh, occupancy = traffic.flow_vph, traffic.speed_kmh, traffic.occupancy
            if flow_vph is None and speed_kmh is None and occupancy is None:
                return None
            if not window.earliest_us <= observed_us <= window.latest_us:
                return None
            reading: TrafficReading | EnergyReading = TrafficReading(
                sensor=sensor,
                observed_us=observed_us,
                seq=traffic.seq,
                flow_vph=flow_vph,
                speed_kmh=speed_kmh,
                occupancy=occupancy,
            )
        else:
            energy = ENERGY.decode(payload)
            ts = energy.ts
            observed_us = ts * 1_000 if isinstance(ts, int) else to_us(ts)
            power_kw, energy_kwh = energy.power_kw, energy.energy_kwh
            if power_kw is None and energy_kwh is None:
                return None
            if not window.earliest_us <= observed_us <= window.latest_us:
                return None
            reading = EnergyReading(
                sensor=sensor, observed_us=observed_us, seq=energy.seq, power_kw=power_kw, energy_kwh=energy_kwh
            )
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    return Decoded(readings=(reading,))


@lru_cache(maxsize=65_536)
def _way(topic: str) -> tuple[Literal["traffic", "energy"] | None, str]:
    """Which short way a topic's messages may take, and the sensor."""
    if catalogue.route(topic) != "native":
        return None, ""
    try:
        kind, sensor, purpose = address(topic)
    except InputError:
        return None, ""
    return (_SHORT.get(kind) if purpose == "telemetry" else None), sensor
