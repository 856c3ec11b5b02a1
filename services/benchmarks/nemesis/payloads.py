"""Code concerned with what the devices of the nemesis say: readings that a stored row can be turned back into. Pure."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime
from typing import Final

POISON: Final = (
    b"{",
    b"\xff\xfe\x00",
    b'{"ts": "soon"}',
    b'{"ts": 1, "flow_vph": NaN}',
    b'{"flow_vph": 1e400}',
    b"[" * 5_000,
    b'{"ts": "2111-01-01T00:00:00Z", "flow_vph": 1}',
    b'{"ts": 9999999999999999999999999, "speed_kmh": 3}',
    b'{"ts": "2026-01-01T00:00:00Z", "flow_vph": -1}',
    b'{"ts": "2026-01-01T00:00:00Z", "flow_vph": "many\\u0000"}',
)
"""Beginnings of payloads that can never be a reading."""
UNNUMBERED: Final = 0
"""The sequence number in the fingerprint of a reading whose message has none."""
CLOCK_STEPS_S: Final = (-2 * 86_400, -40 * 86_400, 2 * 3_600, 50 * 365 * 86_400)
"""How wrong a device's clock may be: late by days (is stored), or ahead (becomes a dead letter)."""


def values(device: str, seq: int) -> tuple[float, float, float]:
    """Flow [veh/h], speed [km/h] and occupancy of a reading: single-precision numbers that its identity decides."""
    digest = hashlib.sha256(f"{device}/{seq}".encode()).digest()
    return float(digest[0] * 8), digest[1] / 2, digest[2] / 256


def reading(seq: int, observed_at: datetime, content: tuple[float, float, float]) -> bytes:
    """The payload of a reading, the same bytes for the same content."""
    flow, speed, occupancy = content
    stamp = observed_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    return f'{{"ts":"{stamp}","seq":{seq},"flow_vph":{flow},"speed_kmh":{speed},"occupancy":{occupancy}}}'.encode()


def array(readings: list[bytes]) -> bytes:
    """Readings as one message of the native dialect."""
    return b"[" + b",".join(readings) + b"]"


def pack(readings: list[tuple[datetime, tuple[float, float, float]]]) -> bytes:
    """Readings as one SenML pack; it has no place for their sequence numbers."""
    names = ("flow_vph", "speed_kmh", "occupancy")
    records = [
        {"n": name, "v": value, "t": observed_at.timestamp()}
        for observed_at, content in readings
        for name, value in zip(names, content, strict=True)
    ]
    return json.dumps(records).encode()


def poison(device: str, seq: int) -> bytes:
    """A payload that can never be a reading, different for each identity."""
    return POISON[seq % len(POISON)] + f" {device} {seq}".encode()


def topic(device: str, purpose: str = "telemetry") -> str:
    """Where a device publishes."""
    return f"city/v1/traffic/{device}/{purpose}"


def fingerprint(payload: bytes) -> str:
    """By what a payload is recognised."""
    return hashlib.sha256(payload).hexdigest()
